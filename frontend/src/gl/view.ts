/** The camera of the map as it moves: gestures, flights and the frames they need, and no frame without a need. */
import { between, type Pose } from './camera';

/** Milliseconds of a move to another place. */
const FLIGHT = 320;
/** The view is at rest when nothing changed for so long. */
const REST = 140;
/** Frames that take longer than this, in milliseconds, leave out what is costly while the view moves. */
const SLOW = 45;
/** Above this, only a share of the points is drawn while the view moves. */
const TOO_SLOW = 110;
const LEAST_SHARE = 1 / 16;

export interface ViewTold {
  /** Draw a frame. */
  frame(): void;
  /** Nothing changes any more. */
  rest(): void;
}

export class View {
  pose: Pose;
  isMoving = false;
  /** Mean milliseconds of the last frames while the view moved. */
  frameTime = 0;
  n_frames = 0;
  /** How much of the points to draw while the view moves, as learned from the frames so far. */
  share = 1;
  readonly #told: ViewTold;
  #request = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flight: { from: Pose; to: Pose; start: number } | null = null;
  #drift: ((pose: Pose, seconds: number) => Pose) | null = null;
  #last = 0;

  constructor(pose: Pose, told: ViewTold) {
    this.pose = pose;
    this.#told = told;
  }

  get isSlow(): boolean {
    return this.frameTime > SLOW;
  }

  /** Draw soon: several changes share a frame. */
  invalidate(): void {
    if (!this.#request) this.#request = requestAnimationFrame((now) => this.#frame(now));
  }

  /** Move at once, by a gesture. */
  move(pose: Pose): void {
    this.#flight = null;
    this.pose = pose;
    this.#stir();
  }

  /** Move smoothly, or at once where people asked for less motion. */
  flyTo(to: Pose): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return this.move(to);
    this.#flight = { from: this.pose, to, start: performance.now() };
    this.#stir();
  }

  /** Keep moving by `drift`, which is told the seconds that passed, until it is null. */
  drift(drift: ((pose: Pose, seconds: number) => Pose) | null): void {
    this.#flight = null;
    this.#drift = drift;
    this.#stir();
  }

  #stir(): void {
    if (!this.isMoving) this.#last = 0;
    this.isMoving = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), REST);
    this.invalidate();
  }

  #settle(): void {
    if (this.#flight || this.#drift) return;
    this.isMoving = false;
    this.#told.rest();
  }

  #advance(now: number): void {
    if (this.#flight) {
      const share = Math.min(1, (now - this.#flight.start) / FLIGHT);
      const eased = 1 - (1 - Math.max(0, share)) ** 3;
      this.pose = share >= 1 ? this.#flight.to : between(this.#flight.from, this.#flight.to, eased);
      if (share >= 1) this.#flight = null;
      this.#stir();
    }
    if (this.#drift) {
      this.pose = this.#drift(this.pose, this.#last ? Math.min(0.1, (now - this.#last) / 1000) : 0.016);
      this.#stir();
    }
  }

  #frame(now: number): void {
    this.#request = 0;
    this.#advance(now);
    if (this.isMoving && this.#last) this.#learn(Math.min(1000, now - this.#last));
    this.#last = this.isMoving ? now : 0;
    this.n_frames += 1;
    this.#told.frame();
  }

  #learn(elapsed: number): void {
    this.frameTime = this.frameTime ? 0.7 * this.frameTime + 0.3 * elapsed : elapsed;
    if (this.frameTime > TOO_SLOW) this.share = Math.max(LEAST_SHARE, this.share * 0.7);
    else if (this.frameTime < SLOW) this.share = Math.min(1, this.share * 1.1);
  }

  dispose(): void {
    cancelAnimationFrame(this.#request);
    clearTimeout(this.#timer);
    this.#flight = null;
    this.#drift = null;
  }
}
