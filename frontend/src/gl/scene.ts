/** The map: clouds of features on a canvas, what is written over them, and what people do with them. */
import type { Arrangement } from '../core/state';
import { arrange, type Arranged, type Cloud } from './arrange';
import {
  aim,
  dolly,
  fit,
  fly,
  fromEye,
  isNear,
  look,
  nearOf,
  orbit,
  pan,
  project,
  projectAll,
  projectorOf,
  START,
  TAN,
  toEye,
  type EyeAndTarget,
  type Pose,
  type Projector,
  type Vec3,
} from './camera';
import { Controls, type Tool } from './controls';
import type { Graph } from './edges';
import { inside, type Point } from './lasso';
import { NamePlacer, type NamedPlace } from './names';
import { Overlay, type Inks, type Ring } from './overlay';
import { Stage, type StageInks } from './stage';
import { stepFrom, type Direction } from './step';
import { View } from './view';

export interface Spot {
  readonly layer: number;
  readonly feature: number;
}

export interface SceneTold {
  hover(spot: Spot | null, at: Point): void;
  click(spot: Spot | null, withShift: boolean): void;
  open(spot: Spot): void;
  /** A shape was drawn: for each layer the features in it. */
  lasso(found: readonly number[][], tool: Tool, withShift: boolean): void;
  step(direction: Direction): void;
  enter(): void;
  /** The view came to rest; null where it shows everything, as at first. */
  rest(camera: EyeAndTarget | null): void;
  lost(isLost: boolean): void;
}

/** The name of a single feature, or null where it has none. */
export type NameOf = (layer: number, feature: number) => string | null;

/** Radians for a pixel of a drag. */
const TURN = 0.006;
/** So many edges are not drawn while the view moves until it is known that the machine is fast. */
const MANY_EDGES = 20_000;
/** Pixels between a disc and the edge where everything is shown: the nearest ones are as large. */
const ROOM = 18;
/** So many features in view have their own names written. */
const MOST_NEAR = 240;

export class MapScene {
  readonly view: View;
  readonly controls: Controls;
  readonly #host: HTMLElement;
  readonly #told: SceneTold;
  readonly #stage: Stage;
  readonly #overlay: Overlay;
  readonly #names: NamePlacer;
  readonly #observer: ResizeObserver;
  #layers: Arranged[] = [];
  #clouds: readonly Cloud[] = [];
  #arrangement: Arrangement = 'beside';
  #seen: { pose: Pose | null; width: number; height: number; places: Float32Array[] } = {
    pose: null,
    width: 0,
    height: 0,
    places: [],
  };
  #rings: { spot: Spot; isStrong: boolean }[] = [];
  #shape: readonly Point[] = [];
  #inset = 0;
  #pointer: Point | null = null;
  #pointerFrame = 0;
  #pointerTimer: ReturnType<typeof setTimeout> | undefined;
  /** The pose that shows everything, while that is what is shown. */
  #whole: Pose | null = null;

  constructor(host: HTMLElement, inks: Inks & StageInks, told: SceneTold) {
    this.#host = host;
    this.#told = told;
    this.#stage = new Stage(inks, (isLost) => this.#lose(isLost));
    this.#overlay = new Overlay(inks);
    this.#names = new NamePlacer((text, size, weight) => this.#overlay.measure(text, size, weight));
    host.append(this.#stage.canvas, this.#overlay.canvas);
    this.view = new View(START, { frame: () => this.#frame(), rest: () => this.#rest() });
    this.controls = new Controls(host, this.#actions());
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(host);
    this.#resize();
  }

  get #width(): number {
    return Math.max(1, this.#host.clientWidth);
  }

  get #height(): number {
    return Math.max(1, this.#host.clientHeight);
  }

  get #aspect(): number {
    return this.#width / this.#height;
  }

  /** Whether the map is seen from straight above, so that it can be moved and zoomed but not turned. */
  get isFlat(): boolean {
    const isStacked = this.#arrangement === 'stacked' && this.#clouds.length > 1;
    return !isStacked && this.#clouds.length > 0 && this.#clouds.every((cloud) => cloud.isFlat);
  }

  /** Show these clouds. The camera stays if it is given; otherwise everything is brought into view. */
  setClouds(clouds: readonly Cloud[], arrangement: Arrangement, camera: EyeAndTarget | null): void {
    this.#clouds = clouds;
    this.#arrangement = arrangement;
    this.#layers = arrange(clouds, arrangement, this.#aspect);
    this.#stage.setClouds(this.#layers, this.isFlat);
    this.#seen.pose = null;
    this.#rings = [];
    this.controls.isFlat = this.isFlat;
    const pose = camera && fromEye(camera);
    if (pose) this.view.move(this.isFlat ? { ...pose, yaw: 0, pitch: 0 } : pose);
    else this.#showAll();
  }

  /** The pose that shows these points, `room` pixels from the edges, in the part of the view that nothing covers. */
  #fitted(side: Pose, places: readonly Float32Array[], room: number): Pose {
    const free = this.#width - this.#inset;
    const margin = this.#height / Math.max(0.5 * this.#height, this.#height - 2 * room);
    const pose = fit(side, places, free / this.#height, margin);
    return pan(pose, -this.#inset / 2, 0, this.#height);
  }

  /** Pixels at the right that are covered by something else, such as a legend. */
  setInset(inset: number): void {
    const before = this.#inset;
    this.#inset = this.#width > 4 * inset ? inset : 0;
    if (this.#inset !== before && this.view.pose === this.#whole) this.#showAll();
  }

  #showAll(isSmooth = false): void {
    const isBeside = this.#arrangement === 'beside' && this.#layers.length > 1;
    const turned = isBeside ? { yaw: 0.2, pitch: 0.14 } : { yaw: 0.5, pitch: 0.32 };
    const side: Pose = this.isFlat ? START : { ...START, ...turned };
    const captions = Float32Array.from(this.#layers.flatMap(({ caption: [x, y, z] }) => [x, y + 0.12, z]));
    const places = this.#layers.map((layer) => layer.places);
    this.#whole = this.#fitted(side, this.#layers.length > 1 ? [...places, captions] : places, ROOM);
    if (isSmooth) this.view.flyTo(this.#whole);
    else this.view.move(this.#whole);
  }

  /** See from where an address says, if that is anywhere else. */
  setCamera(camera: EyeAndTarget): void {
    const pose = fromEye(camera);
    if (pose && !isNear(camera, toEye(this.view.pose)) && this.#layers.length)
      this.view.move(this.isFlat ? { ...pose, yaw: 0, pitch: 0 } : pose);
  }

  /** Four bytes for each feature of a layer (colour and `Kind`), and a byte for its size or null. */
  setLook(layer: number, look: Uint8Array, sizes: Uint8Array | null): void {
    this.#stage.clouds[layer].setLook(look);
    this.#stage.clouds[layer].setSizes(sizes);
    this.#stage.picker.spoil();
    this.view.invalidate();
    if (!this.view.isMoving) this.view.move(this.view.pose);
  }

  /** How strongly points are drawn that are not marked; less than 1 while some are. */
  setDim(dim: number): void {
    this.#stage.uniforms.uDim.value = dim;
    this.view.invalidate();
  }

  setEdges(parts: readonly { layer: number; graph: Graph; edges: Uint32Array }[]): void {
    this.#stage.lines.show(parts.map((part) => ({ ...part, places: this.#stage.clouds[part.layer].places })));
    this.view.invalidate();
  }

  setNames(groups: readonly NamedPlace[], nameOf: NameOf): void {
    this.#names.setGroups(groups);
    this.#names.nameOf = nameOf;
    this.#findNear();
    this.view.invalidate();
  }

  setInks(inks: Inks & StageInks): void {
    this.#overlay.inks = inks;
    this.#stage.setInks(inks);
    this.view.invalidate();
  }

  /** Put rings around points, such as the one under the pointer. Only what lies over the points is drawn again. */
  setRings(rings: readonly { spot: Spot; isStrong: boolean }[]): void {
    this.#rings = rings.filter(({ spot }) => this.#placeOf(spot) !== null);
    this.#drawOver();
  }

  /** Bring features into view, or everything. */
  fit(spots: readonly Spot[] | null = null): void {
    if (!spots) return this.#showAll(true);
    const places = spots.map((spot) => this.#placeOf(spot)).filter((place) => place !== null);
    if (!places.length) return;
    const pose = this.#fitted(this.view.pose, [Float32Array.from(places.flat())], 4 * ROOM);
    this.view.flyTo({ ...pose, distance: Math.max(pose.distance, 0.22) });
  }

  /** Move just as far as is needed to have a feature in view. */
  reveal(spot: Spot): void {
    const at = this.project(spot);
    const margin = 48;
    if (at && at[0] > margin && at[1] > margin && at[0] < this.#width - margin && at[1] < this.#height - margin) return;
    const place = this.#placeOf(spot);
    if (place) this.view.flyTo({ ...this.view.pose, target: place });
  }

  /** The feature at a pixel, the frontmost one there or else the nearest within reach. */
  pick(x: number, y: number): Spot | null {
    if (!this.#stage.picker.isFresh) this.#stage.refreshPicker(this.view.pose, this.#width, this.#height);
    return this.#stage.pick(x, y);
  }

  /** Whether `pick` answers at once. */
  get canPick(): boolean {
    return this.#stage.canPick;
  }

  /** Where a feature is seen: pixels from the left and the top, and its depth. Null for what is behind or nowhere. */
  project(spot: Spot): [x: number, y: number, depth: number] | null {
    const place = this.#placeOf(spot);
    if (!place) return null;
    const seen = project(this.#projector(), ...place);
    return seen[2] > nearOf(this.view.pose) ? seen : null;
  }

  /** The next feature in a direction; from the middle of the view where there is none to start from. */
  next(from: Spot | null, direction: Direction): Spot | null {
    const start = from && this.project(from);
    const projector = this.#projector();
    const origin = start ?? ([this.#width / 2, this.#height / 2, this.view.pose.distance] as const);
    let best: { spot: Spot; cost: number } | null = null;
    this.#seenPlaces().forEach((seen, layer) => {
      const cloud = this.#stage.clouds[layer];
      const isWanted = (i: number) => cloud.isShown(i) && !(from?.layer === layer && from.feature === i);
      const feature = stepFrom(seen, origin, direction, projector.scale, isWanted);
      if (feature < 0) return;
      const cost = Math.hypot(seen[3 * feature] - origin[0], seen[3 * feature + 1] - origin[1]);
      if (!best || cost < best.cost) best = { spot: { layer, feature }, cost };
    });
    return (best as { spot: Spot } | null)?.spot ?? null;
  }

  /** The feature nearest to the middle of the view, to begin steps from. */
  middle(): Spot | null {
    let best: Spot | null = null;
    let least = Infinity;
    this.#seenPlaces().forEach((seen, layer) => {
      const cloud = this.#stage.clouds[layer];
      for (let i = 0; i < cloud.n; i++) {
        const gap = Math.hypot(seen[3 * i] - this.#width / 2, seen[3 * i + 1] - this.#height / 2);
        if (gap < least && seen[3 * i + 2] > 0 && cloud.isShown(i)) [best, least] = [{ layer, feature: i }, gap];
      }
    });
    return best;
  }

  /** Whether a feature has a place and no filter leaves it out. */
  isShown({ layer, feature }: Spot): boolean {
    return this.#stage.clouds[layer]?.isShown(feature) ?? false;
  }

  /** How many points are drawn, and how many as a ground; non-background pixels with `withPixels`. */
  counts(withPixels = false): { shown: number; ground: number; edges: number; frames: number; pixels: number | null } {
    const { clouds, lines } = this.#stage;
    return {
      shown: clouds.reduce((sum, cloud) => sum + cloud.n_drawn, 0),
      ground: clouds.reduce((sum, cloud) => sum + cloud.n_ground, 0),
      edges: lines.object.visible ? lines.n : 0,
      frames: this.view.n_frames,
      pixels: withPixels ? this.#stage.countPixels(this.view.pose, this.#aspect) : null,
    };
  }

  /** Points and writing as one picture. */
  picture(): HTMLCanvasElement {
    this.#draw();
    const canvas = document.createElement('canvas');
    canvas.width = this.#stage.canvas.width;
    canvas.height = this.#stage.canvas.height;
    const context = canvas.getContext('2d');
    context?.drawImage(this.#stage.canvas, 0, 0);
    context?.drawImage(this.#overlay.canvas, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  setTool(tool: Tool): void {
    this.controls.tool = tool;
    this.#host.dataset.tool = tool;
  }

  dispose(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#pointerFrame);
    clearTimeout(this.#pointerTimer);
    this.view.dispose();
    this.controls.dispose();
    this.#stage.dispose();
    this.#stage.canvas.remove();
    this.#overlay.canvas.remove();
  }

  #actions() {
    const { view } = this as { view: View };
    return {
      drag: (dx: number, dy: number, how: 'turn' | 'shift') => {
        const { pose } = view;
        if (how === 'shift') view.move(pan(pose, dx, dy, this.#height));
        else if (this.controls.isFlying) view.move(look(pose, -dx * TURN * 0.6, -dy * TURN * 0.6));
        else view.move(orbit(pose, -dx * TURN, dy * TURN));
      },
      zoom: (factor: number, x: number, y: number) => {
        const point = [(2 * x) / this.#width - 1, 1 - (2 * y) / this.#height] as const;
        const ahead = this.isFlat || view.isMoving ? null : this.pick(x, y);
        const at = ahead && this.project(ahead);
        view.move(dolly(at ? aim(view.pose, at[2]) : view.pose, factor, point, this.#aspect));
      },
      hover: (x: number, y: number) => this.#hover([x, y]),
      leave: () => this.#leave(),
      click: (x: number, y: number, withShift: boolean) => this.#told.click(this.pick(x, y), withShift),
      doubleClick: (x: number, y: number) => {
        const spot = this.pick(x, y);
        if (spot) this.#told.open(spot);
      },
      draw: (shape: readonly Point[], isDone: boolean, withShift: boolean) => this.#outline(shape, isDone, withShift),
      step: (direction: Direction) => this.#told.step(direction),
      enter: () => this.#told.enter(),
      fly: (way: readonly [number, number, number] | null, isFast: boolean) => {
        if (!way) return view.drift(null);
        const speed = (isFast ? 3.2 : 0.8) * Math.min(2, Math.max(0.15, view.pose.distance));
        view.drift((pose, seconds) => fly(pose, way.map((share) => share * speed * seconds) as unknown as Vec3));
      },
    };
  }

  #hover(at: Point): void {
    this.#pointer = at;
    if (this.#pointerFrame) return;
    this.#pointerFrame = requestAnimationFrame(() => {
      this.#pointerFrame = 0;
      if (!this.#pointer || this.view.isMoving) return;
      if (!this.canPick) {
        if (!this.#stage.picker.isFresh) this.#stage.refreshPicker(this.view.pose, this.#width, this.#height);
        clearTimeout(this.#pointerTimer);
        this.#pointerTimer = setTimeout(() => this.#pointer && this.#hover(this.#pointer), 30);
        return;
      }
      this.#told.hover(this.pick(...this.#pointer), this.#pointer);
    });
  }

  #leave(): void {
    this.#pointer = null;
    this.#told.hover(null, [0, 0]);
  }

  #outline(shape: readonly Point[], isDone: boolean, withShift: boolean): void {
    this.#shape = isDone ? [] : shape;
    this.#drawOver();
    if (!isDone || shape.length < 3) return;
    const found = this.#seenPlaces().map((seen, layer) => {
      const cloud = this.#stage.clouds[layer];
      return inside(shape, seen, (i) => cloud.isShown(i));
    });
    this.#told.lasso(found, this.controls.tool, withShift);
  }

  #projector(): Projector {
    return projectorOf(this.view.pose, this.#width, this.#height);
  }

  /** All points as they are seen now; computed when asked for, once for each view. */
  #seenPlaces(): Float32Array[] {
    const seen = this.#seen;
    const isSame = seen.pose === this.view.pose && seen.width === this.#width && seen.height === this.#height;
    if (!isSame) {
      const projector = this.#projector();
      seen.places = this.#layers.map(({ places }, layer) => {
        const into =
          seen.places[layer]?.length === places.length ? seen.places[layer] : new Float32Array(places.length);
        projectAll(projector, places, into);
        return into;
      });
      Object.assign(seen, { pose: this.view.pose, width: this.#width, height: this.#height });
    }
    return seen.places;
  }

  #placeOf({ layer, feature }: Spot): [number, number, number] | null {
    const places = this.#layers[layer]?.places;
    if (!places || feature < 0 || 3 * feature >= places.length || Number.isNaN(places[3 * feature])) return null;
    return [places[3 * feature], places[3 * feature + 1], places[3 * feature + 2]];
  }

  #resize(): void {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.#stage.resize(this.#width, this.#height, ratio);
    this.#overlay.resize(this.#width, this.#height, ratio);
    this.#seen.pose = null;
    if (!this.#layers.length) return;
    if (this.view.pose === this.#whole) this.#showAll();
    else this.view.move(this.view.pose);
    this.#frame();
  }

  #lose(isLost: boolean): void {
    if (!isLost) {
      this.#stage.picker.spoil();
      this.view.invalidate();
    }
    this.#told.lost(isLost);
  }

  #frame(): void {
    this.#draw();
    if (this.view.isMoving) this.#stage.picker.spoil();
  }

  #draw(): void {
    const { isMoving, isSlow, frameTime } = this.view;
    const hidesEdges = isMoving && (isSlow || (frameTime === 0 && this.#stage.lines.n > MANY_EDGES));
    this.#stage.draw(this.view.pose, this.#aspect, !hidesEdges, this.view.isMoving ? this.view.share : 1);
    this.#drawOver();
  }

  #drawOver(): void {
    const projector = this.#projector();
    const places = this.#layers.map((layer) => layer.places);
    const rings: Ring[] = [];
    for (const { spot, isStrong } of this.#rings) {
      const at = this.project(spot);
      if (at) rings.push({ x: at[0], y: at[1], radius: this.#stage.sizeAt(at[2]) / 2 + 4, isStrong });
    }
    const captions = this.#layers.length < 2 ? [] : this.#captions(projector);
    this.#overlay.draw({ names: this.#names.place(projector, places), rings, captions, shape: this.#shape });
  }

  #captions(projector: Projector) {
    const isLying = this.#arrangement === 'stacked' && this.#clouds.every((cloud) => cloud.isFlat);
    return this.#layers.flatMap(({ caption }, layer) => {
      const [x, y, depth] = project(projector, ...caption);
      if (!(depth > projector.near)) return [];
      return [
        { text: this.#clouds[layer].name, x, y: y - 8, align: isLying ? ('left' as const) : ('center' as const) },
      ];
    });
  }

  #rest(): void {
    if (this.#stage.isLost || !this.#layers.length) return;
    this.#findNear();
    this.#draw();
    this.#stage.refreshPicker(this.view.pose, this.#width, this.#height);
    this.#told.rest(this.view.pose === this.#whole ? null : toEye(this.view.pose));
    if (this.#pointer) this.#hover(this.#pointer);
  }

  /** Which single features are so few in view that their names can be written. */
  #findNear(): void {
    const near: Spot[] = [];
    const [width, height] = [this.#width, this.#height];
    const isNear = this.view.pose.distance * TAN < 0.6;
    this.#seenPlaces().forEach((seen, layer) => {
      const cloud = this.#stage.clouds[layer];
      for (let i = 0; isNear && i < cloud.n && near.length <= 4 * MOST_NEAR; i++) {
        const [x, y, depth] = [seen[3 * i], seen[3 * i + 1], seen[3 * i + 2]];
        if (!(depth > 0 && depth < 2.5 * this.view.pose.distance && x > 0 && x < width && y > 0 && y < height))
          continue;
        if (cloud.isShown(i) && this.#names.nameOf(layer, i) !== null) near.push({ layer, feature: i });
      }
    });
    this.#names.setNear(near.length <= 4 * MOST_NEAR ? near.slice(0, MOST_NEAR) : []);
  }
}
