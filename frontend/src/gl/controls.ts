/** Mouse, touch and keys on the map: what they mean. What becomes of it is for whoever is told. */
import type { Point } from './lasso';
import type { Direction } from './step';

export type Tool = 'move' | 'lasso' | 'rectangle';

export interface Told {
  /** Dragged by pixels: turned, moved sideways, or (while flying) looked around. */
  drag(dx: number, dy: number, how: 'turn' | 'shift'): void;
  /** Come nearer (below 1) or farther, at a pixel. */
  zoom(factor: number, x: number, y: number): void;
  hover(x: number, y: number): void;
  leave(): void;
  click(x: number, y: number, withShift: boolean): void;
  doubleClick(x: number, y: number): void;
  /** A shape that is being drawn; `isDone` with the last point. */
  draw(shape: readonly Point[], isDone: boolean, withShift: boolean): void;
  step(direction: Direction): void;
  /** Keys that fly are held: how far to the right, upwards and ahead, each -1, 0 or 1; null when all are let go. */
  fly(way: readonly [number, number, number] | null, isFast: boolean): void;
  enter(): void;
}

const ARROWS: Record<string, Direction> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};

const WAYS: Record<string, readonly [number, number, number]> = {
  KeyD: [1, 0, 0],
  KeyA: [-1, 0, 0],
  KeyE: [0, 1, 0],
  KeyQ: [0, -1, 0],
  KeyW: [0, 0, 1],
  KeyS: [0, 0, -1],
};

/** Movements of fewer pixels than this are a click. */
const STILL = 4;

export class Controls {
  tool: Tool = 'move';
  /** Whether a drag with the first button moves sideways, as on flat maps. */
  isFlat = false;
  isFlying = false;
  readonly #element: HTMLElement;
  readonly #told: Told;
  readonly #pointers = new Map<number, Point>();
  readonly #held = new Set<string>();
  readonly #abort = new AbortController();
  #start: Point | null = null;
  #hasMoved = false;
  #button = 0;
  #shape: Point[] = [];

  constructor(element: HTMLElement, told: Told) {
    this.#element = element;
    this.#told = told;
    const options = { signal: this.#abort.signal };
    element.addEventListener('pointerdown', (event) => this.#down(event), options);
    element.addEventListener('pointermove', (event) => this.#move(event), options);
    element.addEventListener('pointerup', (event) => this.#up(event), options);
    element.addEventListener('pointercancel', (event) => this.#cancel(event), options);
    element.addEventListener('pointerleave', () => told.leave(), options);
    element.addEventListener('dblclick', (event) => told.doubleClick(...this.#at(event)), options);
    element.addEventListener('wheel', (event) => this.#wheel(event), { ...options, passive: false });
    element.addEventListener('contextmenu', (event) => event.preventDefault(), options);
    element.addEventListener('keydown', (event) => this.#key(event), options);
    element.addEventListener('keyup', (event) => this.#let(event.code, event.shiftKey), options);
    element.addEventListener('blur', () => this.#letAll(), options);
  }

  dispose(): void {
    this.#abort.abort();
    this.#letAll();
  }

  #at(event: MouseEvent): [number, number] {
    const box = this.#element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event: PointerEvent): void {
    this.#element.setPointerCapture(event.pointerId);
    this.#element.focus({ preventScroll: true });
    const at = this.#at(event);
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size > 1) return;
    this.#start = at;
    this.#hasMoved = false;
    this.#button = event.button;
    this.#shape = [at];
    if (event.button === 1) event.preventDefault();
  }

  #move(event: PointerEvent): void {
    const at = this.#at(event);
    const last = this.#pointers.get(event.pointerId);
    if (!last) {
      if (event.pointerType !== 'touch') this.#told.hover(...at);
      return;
    }
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size === 2) return this.#pinch(event.pointerId, last, at);
    if (!this.#start || this.#pointers.size > 2) return;
    if (!this.#hasMoved && Math.hypot(at[0] - this.#start[0], at[1] - this.#start[1]) < STILL) return;
    this.#hasMoved = true;
    if (this.tool !== 'move' && this.#button === 0) return this.#outline(at, false, event.shiftKey);
    const shifts = (this.isFlat || this.#button !== 0 || event.shiftKey || event.ctrlKey) && !this.isFlying;
    this.#told.drag(at[0] - last[0], at[1] - last[1], shifts ? 'shift' : 'turn');
  }

  #outline(at: Point, isDone: boolean, withShift: boolean): void {
    if (this.tool === 'rectangle') {
      const [x, y] = this.#shape[0];
      const corners: Point[] = [[x, y], [at[0], y], at, [x, at[1]]];
      this.#told.draw(corners, isDone, withShift);
      return;
    }
    const last = this.#shape[this.#shape.length - 1];
    if (Math.hypot(at[0] - last[0], at[1] - last[1]) > 2) this.#shape.push(at);
    this.#told.draw(this.#shape, isDone, withShift);
  }

  #pinch(moved: number, last: Point, at: Point): void {
    this.#hasMoved = true;
    const other = [...this.#pointers].find(([id]) => id !== moved)![1];
    const [before, now] = [last, at].map((point) => Math.hypot(point[0] - other[0], point[1] - other[1]));
    const middle: Point = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    if (now > 0 && before > 0) this.#told.zoom(before / now, ...middle);
    this.#told.drag((at[0] - last[0]) / 2, (at[1] - last[1]) / 2, 'shift');
  }

  #up(event: PointerEvent): void {
    const at = this.#at(event);
    const wasAlone = this.#pointers.size === 1;
    this.#pointers.delete(event.pointerId);
    if (!this.#start || !wasAlone) return;
    if (!this.#hasMoved && this.#button === 0)
      this.#told.click(...at, event.shiftKey || event.ctrlKey || event.metaKey);
    else if (this.#hasMoved && this.tool !== 'move' && this.#button === 0) this.#outline(at, true, event.shiftKey);
    this.#start = null;
  }

  #cancel(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    if (this.#hasMoved && this.tool !== 'move') this.#told.draw([], true, false);
    this.#start = null;
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 400 : 1;
    const pixels = Math.max(-240, Math.min(240, event.deltaY * lines));
    this.#told.zoom(Math.exp(pixels * (event.ctrlKey ? 0.008 : 0.0016)), ...this.#at(event));
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) {
      event.preventDefault();
      this.#told.step(arrow);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.#told.enter();
    } else if (event.key === '+' || event.key === '=' || event.key === '-') {
      event.preventDefault();
      const { clientWidth, clientHeight } = this.#element;
      this.#told.zoom(event.key === '-' ? 1.2 : 1 / 1.2, clientWidth / 2, clientHeight / 2);
    } else if (this.isFlying && WAYS[event.code]) {
      event.preventDefault();
      event.stopPropagation();
      this.#held.add(event.code);
      this.#tellWay(event.shiftKey);
    } else if (this.isFlying && event.key === 'Shift') this.#tellWay(true);
  }

  #let(code: string, isFast: boolean): void {
    const isShift = code === 'ShiftLeft' || code === 'ShiftRight';
    if (this.#held.delete(code) || (isShift && this.#held.size)) this.#tellWay(isFast);
  }

  #letAll(): void {
    if (!this.#held.size) return;
    this.#held.clear();
    this.#told.fly(null, false);
  }

  #tellWay(isFast: boolean): void {
    if (!this.#held.size) return this.#told.fly(null, false);
    const way: [number, number, number] = [0, 0, 0];
    for (const code of this.#held) WAYS[code].forEach((share, d) => (way[d] += share));
    this.#told.fly(way, isFast);
  }
}
