/** The map as a picture that says what it shows, its legend in it. */
import { canvasPicture, fileName } from '../../core/chartPicture';
import { hexOf } from '../../core/colour';
import { identityLine } from '../../core/identity';
import { report } from '../../core/messages';
import { count, number, plural } from '../../core/numbers';
import { MISSING, scaleColour } from '../../core/palette';
import { save } from '../../core/saveFile';
import type { MapController } from './controller';
import { currentGround, inksOf } from './inks';
import type { Scale } from './paint';
import { qualityText } from './quality';

interface Row {
  readonly text: string;
  readonly colour: string | null;
  readonly isRing: boolean;
}

const WIDTH = 206;
const LINE = 18;

/** What the legend of a picture says, line by line; lines without a colour are headings. */
function legendRows(scale: Scale, most: number): Row[] {
  const missing = MISSING[currentGround()];
  const row = (text: string, colour: string | null, isRing = false): Row => ({ text, colour, isRing });
  if (scale.kind === 'plain') return [];
  if (scale.kind === 'number') {
    const { column, low, high, least, greatest, isLog, ramp, n_missing } = scale;
    const at = (share: number) => (isLog ? low * (high / low) ** share : low + (high - low) * share);
    const steps = [1, 0.75, 0.5, 0.25, 0].map((share) => {
      const mark = share === 1 && greatest > high ? '≥ ' : share === 0 && least < low ? '≤ ' : '';
      return row(mark + number(at(share)), hexOf(scaleColour(ramp, share, currentGround())));
    });
    return [row(column, null), ...steps, row(`missing: ${count(n_missing)}`, missing, true)];
  }
  const items = scale.items.slice(0, most).map(({ name, text, count: n, colour }) => {
    const label = text === name ? text : `${name} · ${text}`;
    return row(`${label}: ${count(n)}`, colour);
  });
  const rest = scale.items.length - items.length;
  return [
    row(scale.kind === 'layer' ? 'SAE' : scale.column, null),
    ...items,
    ...(rest ? [row(`and ${count(rest)} smaller ones`, null)] : []),
    ...(scale.kind === 'category' ? [row(`missing: ${count(scale.n_missing)}`, missing, true)] : []),
  ];
}

function drawLegend(canvas: HTMLCanvasElement, scale: Scale, ratio: number): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const height = canvas.height / ratio;
  const rows = legendRows(scale, Math.max(4, Math.floor(height / LINE) - 5));
  const left = canvas.width / ratio - WIDTH;
  const { ground, text, font } = inksOf();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.textBaseline = 'middle';
  context.fillStyle = ground;
  context.globalAlpha = 0.85;
  if (rows.length) context.fillRect(left - 8, 6, WIDTH, rows.length * LINE + 8);
  context.globalAlpha = 1;
  rows.forEach(({ text: words, colour, isRing }, index) => {
    const y = 10 + (index + 0.5) * LINE;
    context.font = `${colour === null ? 600 : 400} 12px ${font}`;
    context.fillStyle = text;
    context.fillText(words, left + (colour === null ? 0 : 16), y, WIDTH - 28);
    if (colour === null) return;
    context.beginPath();
    context.arc(left + 5, y, isRing ? 4 : 5, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.fillStyle = colour;
    if (isRing) context.stroke();
    else context.fill();
  });
}

export async function savePicture(controller: MapController): Promise<void> {
  const { layers, colourBy, counts, sizing, scale } = controller.store.getState();
  if (!layers.length) return;
  const [{ detail, projection }] = layers;
  const said = [
    colourBy && colourBy !== 'none' ? `coloured by ${colourBy}` : '',
    sizing ? `sized by ${sizing.scale.column}` : '',
    qualityText(projection).short,
  ];
  const info = {
    title: `Map ${projection.name}`,
    subtitle: said.filter(Boolean).join(', '),
    n: `${plural(counts.shown, 'feature')} of ${count(counts.shown + counts.ground)}, ${count(counts.unplaced)} without a place`,
    sae: layers.map(({ sae }) => sae).join(', '),
    identity: identityLine(detail.identity, detail.identity_digest),
    commit: detail.commit,
  };
  try {
    const canvas = controller.scene.picture();
    drawLegend(canvas, scale, Math.min(2, window.devicePixelRatio || 1));
    save(fileName(info, 'png'), await canvasPicture(canvas, info));
  } catch (error) {
    report(error);
  }
}
