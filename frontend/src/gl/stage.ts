/** The WebGL side of the map: one canvas, its points and edges, and the picture that tells what is where. */
import { Color, LinearSRGBColorSpace, PerspectiveCamera, Scene, WebGLRenderer, type IUniform } from 'three';
import { rgbOf } from '../core/colour';
import { BACKGROUND, CONTEXT, MARK, type Ground } from '../core/palette';
import { around, type Arranged } from './arrange';
import { axesOf, eyeOf, nearOf, TAN, type Box, type Pose } from './camera';
import { PointCloud, type SharedUniforms } from './cloud';
import { EdgeLines } from './lines';
import { Picker } from './pick';

export interface StageInks {
  readonly theme: Ground;
  /** Colour of edges and of what a search found, as `#rrggbb`. */
  readonly accent: string;
  readonly edge: string;
}

/** Least and greatest diameter of a point, in pixels of the page. */
const LEAST = 1.7;
const MOST = 30;

function plain(hex: string): Color {
  const [red, green, blue] = rgbOf(hex);
  return new Color().setRGB(red / 255, green / 255, blue / 255, LinearSRGBColorSpace);
}

/** How many maps hold a WebGL context now; browsers give about sixteen. */
let live = 0;

export function liveContexts(): number {
  return live;
}

/** Whether the browser can draw the map at all. */
export function hasWebGl2(): boolean {
  try {
    const context = document.createElement('canvas').getContext('webgl2');
    context?.getExtension('WEBGL_lose_context')?.loseContext();
    return context !== null;
  } catch {
    return false;
  }
}

/** The least and greatest depth of what is in a box. */
function reachOf(pose: Pose, { low, high }: Box): [number, number] {
  const eye = eyeOf(pose);
  const { back } = axesOf(pose);
  let [least, greatest] = [Infinity, 0];
  for (let corner = 0; corner < 8; corner++) {
    let depth = 0;
    for (let d = 0; d < 3; d++) depth -= (((corner >> d) & 1 ? high[d] : low[d]) - eye[d]) * back[d];
    [least, greatest] = [Math.min(least, depth), Math.max(greatest, depth)];
  }
  return [Math.max(0, least), Math.max(greatest, 0.01)];
}

export class Stage {
  readonly canvas: HTMLCanvasElement;
  readonly picker = new Picker();
  readonly lines = new EdgeLines();
  readonly uniforms: SharedUniforms & Record<string, IUniform>;
  clouds: PointCloud[] = [];
  isLost = false;
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera();
  readonly #abort = new AbortController();
  #box: Box = around([]);
  #boxes: readonly Box[] = [];
  #isFlat = true;
  #diameter = 0.02;
  #height = 1;
  #ratio = 1;

  constructor(inks: StageInks, lost: (isLost: boolean) => void) {
    this.#renderer = new WebGLRenderer({ antialias: false, powerPreference: 'high-performance' });
    this.#renderer.outputColorSpace = LinearSRGBColorSpace;
    this.#renderer.autoClear = false;
    this.#camera.matrixAutoUpdate = true;
    this.canvas = this.#renderer.domElement;
    live += 1;
    const options = { signal: this.#abort.signal };
    const tell = (isLost: boolean) => ((this.isLost = isLost), lost(isLost));
    this.canvas.addEventListener('webglcontextlost', () => tell(true), options);
    this.canvas.addEventListener('webglcontextrestored', () => tell(false), options);
    this.uniforms = {
      uScale: { value: 1 },
      uLeast: { value: LEAST },
      uMost: { value: MOST },
      uAlpha: { value: 1 },
      uDim: { value: 1 },
      uGround: { value: new Color() },
      uContext: { value: new Color() },
      uMark: { value: new Color() },
      uFound: { value: new Color() },
    };
    this.#scene.add(this.lines.object);
    this.#scene.matrixWorldAutoUpdate = false;
    this.setInks(inks);
  }

  setInks({ theme, accent, edge }: StageInks): void {
    this.uniforms.uGround.value = plain(BACKGROUND[theme]);
    this.uniforms.uContext.value = plain(CONTEXT[theme]);
    this.uniforms.uMark.value = plain(MARK[theme]);
    this.uniforms.uFound.value = plain(accent);
    const { r, g, b } = plain(edge);
    this.lines.setColour(r, g, b);
  }

  setClouds(layers: readonly Arranged[], isFlat: boolean): void {
    const isSame =
      layers.length === this.clouds.length && layers.every(({ places }, i) => places.length === 3 * this.clouds[i].n);
    if (!isSame) this.#replace(layers);
    this.clouds.forEach((cloud, i) => {
      cloud.setPlaces(layers[i].places);
      cloud.setFlat(isFlat);
    });
    this.#isFlat = isFlat;
    this.#boxes = layers.map(({ box }) => box);
    this.#box = around(this.#boxes);
    const n = Math.max(1, ...layers.map(({ n_placed }) => n_placed));
    this.#diameter = isFlat ? 0.72 * Math.sqrt(2 / n) : 0.24 * Math.cbrt(4 / n);
    this.uniforms.uAlpha.value = isFlat ? 0.82 : 0.95;
    this.lines.setFlat(isFlat);
    this.lines.show([]);
    this.picker.spoil();
  }

  #replace(layers: readonly Arranged[]): void {
    this.#dropClouds();
    let first = 0;
    for (const { places } of layers) {
      const cloud = new PointCloud(places.length / 3, first, this.uniforms);
      first += cloud.n;
      this.clouds.push(cloud);
      this.#scene.add(cloud.ground, cloud.points);
    }
  }

  #dropClouds(): void {
    for (const cloud of this.clouds) {
      this.#scene.remove(cloud.ground, cloud.points);
      cloud.dispose();
    }
    this.clouds = [];
  }

  resize(width: number, height: number, ratio: number): void {
    this.#height = height;
    this.#ratio = ratio;
    this.#renderer.setPixelRatio(ratio);
    this.#renderer.setSize(width, height, false);
    this.picker.spoil();
  }

  #see(pose: Pose, aspect: number, ratio: number): void {
    const [near, reach] = [nearOf(pose), reachOf(pose, this.#box)];
    const camera = this.#camera;
    const { right, up, back } = axesOf(pose);
    camera.matrixAutoUpdate = false;
    camera.matrix.set(
      right[0],
      up[0],
      back[0],
      0,
      right[1],
      up[1],
      back[1],
      0,
      right[2],
      up[2],
      back[2],
      0,
      0,
      0,
      0,
      1,
    );
    camera.matrix.setPosition(...eyeOf(pose));
    camera.matrixWorld.copy(camera.matrix);
    camera.matrixWorldInverse.copy(camera.matrix).invert();
    const top = near * TAN;
    camera.projectionMatrix.makePerspective(
      -top * aspect,
      top * aspect,
      top,
      -top,
      near,
      Math.max(reach[1] * 1.1, near * 10),
      camera.coordinateSystem,
    );
    camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    this.uniforms.uScale.value = (this.#diameter * this.#height * ratio) / 2 / TAN;
    this.uniforms.uLeast.value = LEAST * ratio;
    this.uniforms.uMost.value = MOST * ratio;
    this.clouds.forEach((cloud, i) => {
      const [near, far] = this.#isFlat ? [0, 0] : reachOf(pose, this.#boxes[i]);
      cloud.setFog(near, far);
    });
  }

  /** Diameter of a plain point at a depth, in pixels of the page. */
  sizeAt(depth: number): number {
    return Math.min(MOST, Math.max(LEAST, (this.#diameter * this.#height) / 2 / TAN / depth));
  }

  /** `share` of the points are drawn, by chance: 1 for all. */
  draw(pose: Pose, aspect: number, withEdges: boolean, share = 1): void {
    if (this.isLost) return;
    for (const cloud of this.clouds) cloud.setShare(share);
    this.#see(pose, aspect, this.#ratio);
    this.lines.object.visible = withEdges && this.lines.n > 0;
    this.#renderer.setClearColor(this.uniforms.uGround.value as Color, 1);
    this.#renderer.clear();
    this.#renderer.render(this.#scene, this.#camera);
  }

  refreshPicker(pose: Pose, width: number, height: number): void {
    if (this.isLost) return;
    const { visible } = this.lines.object;
    this.lines.object.visible = false;
    for (const cloud of this.clouds) cloud.setPicking(true);
    this.#see(pose, width / height, 1);
    this.picker.refresh(this.#renderer, width, height, () => this.#renderer.render(this.#scene, this.#camera));
    for (const cloud of this.clouds) cloud.setPicking(false);
    this.lines.object.visible = visible;
  }

  /** Whether what lies where can be told without waiting. */
  get canPick(): boolean {
    return !this.isLost && this.picker.isDrawn(this.#renderer);
  }

  pick(x: number, y: number): { layer: number; feature: number } | null {
    if (this.isLost) return null;
    const id = this.picker.at(this.#renderer, x, y) - 1;
    if (id < 0) return null;
    const layer = this.clouds.findIndex((cloud) => id < cloud.first + cloud.n);
    return layer < 0 ? null : { layer, feature: id - this.clouds[layer].first };
  }

  /** Pixels that differ from the background: that something is seen at all. */
  countPixels(pose: Pose, aspect: number): number {
    this.draw(pose, aspect, true);
    const gl = this.#renderer.getContext();
    const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
    const pixels = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const { r, g, b } = this.uniforms.uGround.value as Color;
    const ground = [r, g, b].map((part) => Math.round(part * 255));
    let n = 0;
    for (let i = 0; i < pixels.length; i += 4) n += +ground.some((part, d) => Math.abs(pixels[i + d] - part) > 3);
    return n;
  }

  dispose(): void {
    this.#abort.abort();
    this.#dropClouds();
    this.lines.dispose();
    this.picker.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
    live -= 1;
  }
}
