/** The points of one SAE on the graphics card, drawn in two parts: what is left out as a ground, then the rest. */
import {
  BufferAttribute,
  BufferGeometry,
  DynamicDrawUsage,
  GLSL3,
  NoBlending,
  Points,
  ShaderMaterial,
  Sphere,
  Vector2,
  Vector3,
  type IUniform,
} from 'three';
import { Kind } from './kinds';
import { POINT_FRAGMENT, POINT_VERTEX } from './shaders';

/** Settings that all clouds share; changing a value changes them all. */
export type SharedUniforms = Record<
  'uScale' | 'uLeast' | 'uMost' | 'uAlpha' | 'uDim' | 'uGround' | 'uContext' | 'uMark' | 'uFound',
  IUniform
>;

/** Size of a point whose size nothing says, as a byte. */
const PLAIN_SIZE = 147;

export class PointCloud {
  readonly n: number;
  readonly first: number;
  readonly ground: Points;
  readonly points: Points;
  readonly #geometries: [BufferGeometry, BufferGeometry];
  readonly #materials: [ground: ShaderMaterial, points: ShaderMaterial, ids: ShaderMaterial];
  /** All features in an order by chance, so that any part of them is a fair sample. */
  readonly #order: Uint32Array;
  #share = 1;
  readonly #look: BufferAttribute;
  readonly #size: BufferAttribute;
  readonly #position: BufferAttribute;
  readonly #fog = { value: new Vector2() };
  readonly #solid = { value: 0 };
  #n_marked = 0;
  n_drawn = 0;
  n_ground = 0;

  /** `first` is what the ids of this cloud are counted from in the picture that is used for picking. */
  constructor(n: number, first: number, shared: SharedUniforms) {
    this.n = n;
    this.first = first;
    this.#position = new BufferAttribute(new Float32Array(3 * n), 3);
    this.#look = new BufferAttribute(new Uint8Array(4 * n), 4, true).setUsage(DynamicDrawUsage);
    this.#size = new BufferAttribute(new Uint8Array(n).fill(PLAIN_SIZE), 1, true).setUsage(DynamicDrawUsage);
    this.#order = shuffled(n);
    const material = (defines = {}) =>
      new ShaderMaterial({
        glslVersion: GLSL3,
        defines,
        vertexShader: POINT_VERTEX,
        fragmentShader: POINT_FRAGMENT,
        uniforms: { ...shared, uFirst: { value: first }, uFog: this.#fog, uSolid: this.#solid },
        transparent: true,
      });
    this.#materials = [material(), material(), material({ PICK: 1 })];
    this.#materials[2].blending = NoBlending;
    this.#materials[0].depthWrite = false;
    this.#geometries = [new BufferGeometry(), new BufferGeometry()];
    for (const geometry of this.#geometries) {
      geometry.setAttribute('position', this.#position);
      geometry.setAttribute('aLook', this.#look);
      geometry.setAttribute('aSize', this.#size);
      geometry.setIndex(new BufferAttribute(new Uint32Array(n), 1).setUsage(DynamicDrawUsage));
      geometry.setDrawRange(0, 0);
      // Else three.js works one out, for which NaN, the place of features that have none, is an error.
      geometry.boundingSphere = new Sphere(new Vector3(), 1);
    }
    this.ground = new Points(this.#geometries[0], this.#materials[0]);
    this.points = new Points(this.#geometries[1], this.#materials[1]);
    this.ground.renderOrder = 0;
    this.points.renderOrder = 2;
    for (const each of [this.ground, this.points]) {
      each.frustumCulled = false;
      each.matrixAutoUpdate = false;
    }
  }

  get places(): Float32Array {
    return this.#position.array as Float32Array;
  }

  get look(): Uint8Array {
    return this.#look.array as Uint8Array;
  }

  kindOf(index: number): number {
    return this.look[4 * index + 3];
  }

  /** Whether a point can be picked: it has a place and no filter leaves it out. */
  isShown(index: number): boolean {
    return this.look[4 * index + 3] > Kind.context && !Number.isNaN(this.places[3 * index]);
  }

  setPlaces(places: Float32Array): void {
    this.places.set(places);
    this.#position.needsUpdate = true;
    this.#sort();
  }

  /** Four bytes for each feature: red, green, blue, kind. */
  setLook(look: Uint8Array): void {
    this.look.set(look);
    this.#look.needsUpdate = true;
    this.#sort();
  }

  /** A byte for each feature, or null for one size for all. */
  setSizes(sizes: Uint8Array | null): void {
    if (sizes) (this.#size.array as Uint8Array).set(sizes);
    else (this.#size.array as Uint8Array).fill(PLAIN_SIZE);
    this.#size.needsUpdate = true;
  }

  /** On flat maps later points cover earlier ones; in space the nearer ones cover the others. */
  setFlat(isFlat: boolean): void {
    this.#solid.value = isFlat ? 0 : 1;
    for (const material of this.#materials) material.depthTest = !isFlat;
    for (const material of this.#materials.slice(1)) material.depthWrite = !isFlat;
  }

  /** The depths between which points fade into the ground, so that depth is seen; the same twice for none. */
  setFog(near: number, far: number): void {
    this.#fog.value.set(near, far);
  }

  setPicking(isPicking: boolean): void {
    this.points.material = this.#materials[isPicking ? 2 : 1];
    this.ground.visible = !isPicking;
    this.#setRanges(isPicking ? 1 : this.#share);
  }

  #sort(): void {
    const { places, look } = this;
    const [below, above] = this.#geometries.map((geometry) => geometry.getIndex()!);
    const lists: number[][] = [[], [], [], [], [], []];
    for (const i of this.#order) if (!Number.isNaN(places[3 * i])) lists[look[4 * i + 3]].push(i);
    this.n_ground = fill(below, lists.slice(Kind.context, Kind.plain));
    this.#n_marked = lists[Kind.selected].length + lists[Kind.found].length;
    this.n_drawn = fill(above, [lists[Kind.missing], lists[Kind.plain], lists[Kind.selected], lists[Kind.found]]);
    this.#setRanges(this.#share);
  }

  /** Draw only a share of the points, by chance, but all that are marked: while the view moves on slow machines. */
  setShare(share: number): void {
    this.#share = share;
    this.#setRanges(share);
  }

  /** What is drawn is the end of each list, where the marked ones are. */
  #setRanges(share: number): void {
    [this.n_ground, this.n_drawn].forEach((n, part) => {
      const count = Math.max(Math.ceil(n * share), Math.min(n, part * this.#n_marked));
      this.#geometries[part].setDrawRange(n - count, count);
    });
  }

  dispose(): void {
    for (const geometry of this.#geometries) geometry.dispose();
    for (const material of this.#materials) material.dispose();
  }
}

/** The numbers below `n` in an order by chance, the same on every run. */
function shuffled(n: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 1;
  for (let i = n - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function fill(index: BufferAttribute, lists: readonly number[][]): number {
  let n = 0;
  const array = index.array as Uint32Array;
  for (const list of lists) for (const item of list) array[n++] = item;
  index.needsUpdate = true;
  return n;
}
