/** Pictures of charts that say what they show: title, number of rows, the SAE's identity and the commit are in them. */

import { isRightToLeft } from './direction';
import { save } from './saveFile';

export interface PictureInfo {
  readonly title: string;
  /** What a person called the thing that is shown, or nothing. */
  readonly subtitle?: string;
  /** What was counted: "3,325 active of 100,015 rows, all of them". */
  readonly n: string;
  readonly sae: string;
  /** See `identityLine`. */
  readonly identity: string;
  readonly commit: number;
}

interface Paint {
  readonly fill?: string;
  readonly stroke?: string;
  readonly width?: number;
  readonly size?: number;
  readonly weight?: number;
  readonly dash?: string;
}

/** What every part of a chart is drawn with on paper; a part names its ink in `data-ink`, and its shade if it has one. */
const INKS: Readonly<Record<string, Paint>> = {
  bar: { fill: '#3b6ea5' },
  'bar-off': { fill: '#c3ccd6' },
  positive: { fill: '#c26a00' },
  negative: { fill: '#2f6db3' },
  dot: { fill: '#1f4e79' },
  interval: { stroke: '#1f4e79', width: 1.5 },
  reference: { stroke: '#8a8a8a', width: 1, dash: '3 3' },
  axis: { stroke: '#8a8a8a', width: 1 },
  grid: { stroke: '#e2e2e2', width: 1 },
  text: { fill: '#1a1a1a', size: 12 },
  muted: { fill: '#555555', size: 11 },
  cell: { fill: '#1f4e79' },
};

const MARGIN = 16;
const TITLE = 20;
const LINE = 15;
const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif';
const MOST_LINES = 3;

/** A file name made of the title and the SAE: letters, digits and dashes only. */
export function fileName(info: PictureInfo, extension: 'svg' | 'png'): string {
  const words = `${info.sae} ${info.title}`
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 80);
  return `${words || 'chart'}-${info.commit}.${extension}`;
}

/** Lines of at most `most` characters, broken at spaces where there are some; beyond three lines, an ellipsis. */
export function wrapText(text: string, most: number): string[] {
  const lines: string[] = [];
  let rest = text.replace(/\s+/g, ' ').trim();
  while (rest && lines.length < MOST_LINES) {
    if ([...rest].length <= most) return [...lines, rest];
    const letters = [...rest];
    const space = letters.slice(0, most + 1).lastIndexOf(' ');
    const cut = space > most / 2 ? space : most;
    lines.push(letters.slice(0, cut).join(''));
    rest = letters.slice(cut).join('').trimStart();
  }
  if (rest && lines.length) lines[lines.length - 1] = `${[...(lines.at(-1) ?? '')].slice(0, most - 1).join('')}…`;
  return lines;
}

/** Text as it stands in XML; characters that XML cannot hold are replaced. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

/** The texts above and below a chart, and how large the whole picture is. */
function caption(
  width: number,
  height: number,
  info: PictureInfo,
): { marks: string; top: number; width: number; height: number } {
  const whole = Math.max(width + 2 * MARGIN, 360);
  const letters = Math.floor((whole - 2 * MARGIN) / 6.2);
  const marks: string[] = [];
  let y = MARGIN;
  const write = (text: string, size: number, colour: string, weight = 400): void => {
    const rtl = isRightToLeft(text);
    const attributes = `x="${MARGIN}" y="${y}" font-size="${size}" fill="${colour}" font-weight="${weight}"`;
    marks.push(`<text ${attributes}${rtl ? ' direction="rtl" text-anchor="end"' : ''}>${escapeXml(text)}</text>`);
  };
  for (const line of wrapText(info.title, Math.floor(letters * 0.82))) {
    y += TITLE - 4;
    write(line, 15, '#111111', 600);
  }
  for (const line of wrapText(info.subtitle ?? '', letters)) {
    y += LINE;
    write(line, 12, '#333333');
  }
  for (const line of wrapText(info.n, letters)) {
    y += LINE;
    write(line, 11, '#555555');
  }
  const top = y + 12;
  y = top + height + 4;
  for (const line of wrapText(`${info.sae} · ${info.identity} · commit ${info.commit}`, letters)) {
    y += LINE;
    write(line, 11, '#555555');
  }
  return { marks: marks.join(''), top, width: whole, height: y + MARGIN - 4 };
}

/** A whole SVG document around the marks of a chart. */
export function composeSvg(body: string, width: number, height: number, info: PictureInfo): string {
  const found = caption(width, height, info);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${found.width}" height="${found.height}" ` +
    `viewBox="0 0 ${found.width} ${found.height}" font-family="${escapeXml(FAMILY)}">` +
    `<title>${escapeXml(info.title)}</title><rect width="100%" height="100%" fill="#ffffff"/>${found.marks}` +
    `<g transform="translate(${MARGIN} ${found.top})">${body}</g></svg>`
  );
}

/** The picture of a chart on screen, drawn with the inks of paper in either theme. */
function svgPicture(svg: SVGSVGElement, info: PictureInfo): string {
  const box = svg.viewBox.baseVal;
  const width = box && box.width ? box.width : svg.clientWidth;
  const height = box && box.height ? box.height : svg.clientHeight;
  const copy = svg.cloneNode(true) as SVGSVGElement;
  copy.querySelectorAll('[data-screen-only]').forEach((node) => node.remove());
  copy.querySelectorAll('*').forEach((node) => paint(node));
  const writer = new XMLSerializer();
  const body = Array.from(copy.childNodes, (node) => writer.serializeToString(node)).join('');
  return composeSvg(body, width, height, info);
}

function paint(node: Element): void {
  const ink = INKS[node.getAttribute('data-ink') ?? ''];
  const shade = node.getAttribute('data-shade');
  for (const { name } of Array.from(node.attributes)) {
    if (/^(class|style|tabindex|role|aria-.*|data-.*|on.*)$/i.test(name)) node.removeAttribute(name);
  }
  if (!ink) return;
  node.setAttribute('fill', ink.fill ?? 'none');
  if (ink.stroke) node.setAttribute('stroke', ink.stroke);
  if (ink.width) node.setAttribute('stroke-width', String(ink.width));
  if (ink.dash) node.setAttribute('stroke-dasharray', ink.dash);
  if (ink.size && !node.hasAttribute('font-size')) node.setAttribute('font-size', String(ink.size));
  if (shade) node.setAttribute('fill-opacity', shade);
}

/** Draw an SVG document into a PNG, `scale` pixels for one. */
async function rasterise(svg: string, scale = 2): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Math.ceil(image.naturalWidth * scale);
    canvas.height = Math.ceil(image.naturalHeight * scale);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await toPng(canvas);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** A PNG of what a canvas shows, with the same words around it; the canvas keeps its own colours. */
export async function canvasPicture(source: HTMLCanvasElement, info: PictureInfo): Promise<Blob> {
  const scale = source.width / Math.max(1, source.clientWidth || source.width);
  const [width, height] = [source.width / scale, source.height / scale];
  const frame = new Image();
  const url = URL.createObjectURL(new Blob([composeSvg('', width, height, info)], { type: 'image/svg+xml' }));
  try {
    frame.src = url;
    await frame.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Math.ceil(frame.naturalWidth * scale);
    canvas.height = Math.ceil(frame.naturalHeight * scale);
    const context = canvas.getContext('2d');
    context?.drawImage(frame, 0, 0, canvas.width, canvas.height);
    context?.drawImage(source, MARGIN * scale, caption(width, height, info).top * scale);
    return await toPng(canvas);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function toPng(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error('The browser could not draw the picture: it may be too large'));
    }, 'image/png');
  });
}

/** Save a chart that is on screen. */
export async function saveChart(svg: SVGSVGElement, info: PictureInfo, kind: 'svg' | 'png'): Promise<void> {
  const picture = svgPicture(svg, info);
  const blob = kind === 'svg' ? new Blob([picture], { type: 'image/svg+xml' }) : await rasterise(picture);
  save(fileName(info, kind), blob);
}
