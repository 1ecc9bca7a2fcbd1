/** Where the map is seen from: a point that is looked at, and how far away and from which side. Pure arithmetic. */

export type Vec3 = readonly [number, number, number];

export interface Pose {
  readonly target: Vec3;
  readonly distance: number;
  /** Turn to the right around the vertical axis, radians; 0 looks along -z. */
  readonly yaw: number;
  /** How far above the target the eye is, radians. */
  readonly pitch: number;
}

export interface Box {
  readonly low: Vec3;
  readonly high: Vec3;
}

/** The place of an eye and what it looks at, as addresses hold it. */
export interface EyeAndTarget {
  position: [number, number, number];
  target: [number, number, number];
}

/** Half of the vertical angle that is seen, as a tangent. */
export const TAN = Math.tan((40 * Math.PI) / 360);

const STEEPEST = Math.PI / 2 - 0.01;
const NEAREST = 0.002;
const FARTHEST = 400;

export const START: Pose = { target: [0, 0, 0], distance: 3, yaw: 0, pitch: 0 };

/** The directions of a pose: to the right, upwards, and from the target to the eye. */
export function axesOf({ yaw, pitch }: Pose): { right: Vec3; up: Vec3; back: Vec3 } {
  const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  return { right: [cy, 0, -sy], up: [-sy * sp, cp, -cy * sp], back: [sy * cp, sp, cy * cp] };
}

function along(from: Vec3, direction: Vec3, length: number): Vec3 {
  return [from[0] + direction[0] * length, from[1] + direction[1] * length, from[2] + direction[2] * length];
}

function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function eyeOf(pose: Pose): Vec3 {
  return along(pose.target, axesOf(pose).back, pose.distance);
}

function steep(pitch: number): number {
  return Math.min(STEEPEST, Math.max(-STEEPEST, pitch));
}

/** Turn around the target, by radians. */
export function orbit(pose: Pose, yaw: number, pitch: number): Pose {
  return { ...pose, yaw: pose.yaw + yaw, pitch: steep(pose.pitch + pitch) };
}

/** Turn the head: the eye stays, the target moves. */
export function look(pose: Pose, yaw: number, pitch: number): Pose {
  const eye = eyeOf(pose);
  const turned = orbit(pose, yaw, pitch);
  return { ...turned, target: along(eye, axesOf(turned).back, -turned.distance) };
}

/** Move with the pointer, so that what is at the target's depth stays under it; pixels of a view `height` high. */
export function pan(pose: Pose, dx: number, dy: number, height: number): Pose {
  const { right, up } = axesOf(pose);
  const pixel = (2 * pose.distance * TAN) / height;
  return { ...pose, target: along(along(pose.target, right, -dx * pixel), up, dy * pixel) };
}

/**
 * Come `factor` times nearer or farther, keeping in place what lies at the target's depth under a point of the view
 * (-1 to 1 from left to right, and from bottom to top).
 */
export function dolly(pose: Pose, factor: number, point: readonly [number, number], aspect: number): Pose {
  const distance = Math.min(FARTHEST, Math.max(NEAREST, pose.distance * factor));
  const shift = (pose.distance - distance) * TAN;
  const { right, up } = axesOf(pose);
  const target = along(along(pose.target, right, shift * point[0] * aspect), up, shift * point[1]);
  return { ...pose, target, distance };
}

/** Look at what is `depth` ahead from the same place, so that coming nearer leads there and not past it. */
export function aim(pose: Pose, depth: number): Pose {
  const distance = Math.min(FARTHEST, Math.max(NEAREST, depth));
  return { ...pose, target: along(eyeOf(pose), axesOf(pose).back, -distance), distance };
}

/** Fly: move eye and target to the right, upwards and ahead. */
export function fly(pose: Pose, [toRight, upwards, ahead]: Vec3): Pose {
  const { right, back } = axesOf(pose);
  return { ...pose, target: along(along(along(pose.target, right, toRight), [0, 1, 0], upwards), back, -ahead) };
}

/**
 * The pose from the same side that shows all points of `lists` (three numbers each), with a margin around them: the
 * nearest one there is, as each side of what is seen is a plane, and the farthest points towards each plane are known.
 */
export function fit(pose: Pose, lists: readonly Float32Array[], aspect: number, margin = 1.06): Pose {
  const { right, up, back } = axesOf(pose);
  const [wide, high] = [(TAN * aspect) / margin, TAN / margin];
  const reach = { right: -Infinity, left: -Infinity, up: -Infinity, down: -Infinity };
  let [near, far] = [-Infinity, Infinity];
  for (const places of lists)
    for (let i = 0; i < places.length; i += 3) {
      const [x, y, z] = [places[i], places[i + 1], places[i + 2]];
      if (Number.isNaN(x)) continue;
      const across = x * right[0] + y * right[1] + z * right[2];
      const above = x * up[0] + y * up[1] + z * up[2];
      const nearer = x * back[0] + y * back[1] + z * back[2];
      reach.right = Math.max(reach.right, across + nearer * wide);
      reach.left = Math.max(reach.left, -across + nearer * wide);
      reach.up = Math.max(reach.up, above + nearer * high);
      reach.down = Math.max(reach.down, -above + nearer * high);
      near = Math.max(near, nearer);
      far = Math.min(far, nearer);
    }
  if (!(near >= far)) return { ...START };
  const eye = Math.max((reach.right + reach.left) / (2 * wide), (reach.up + reach.down) / (2 * high));
  const middle = (near + far) / 2;
  const target = along(
    along(along([0, 0, 0], right, (reach.right - reach.left) / 2), up, (reach.up - reach.down) / 2),
    back,
    middle,
  );
  return { ...pose, target, distance: Math.min(FARTHEST, Math.max(NEAREST * 50, eye - middle)) };
}

/** `share` of the way between two poses; distances change by equal ratios. */
export function between(from: Pose, to: Pose, share: number): Pose {
  const straight = (a: number, b: number) => a + (b - a) * share;
  const turn = Math.atan2(Math.sin(to.yaw - from.yaw), Math.cos(to.yaw - from.yaw));
  return {
    target: [0, 1, 2].map((d) => straight(from.target[d], to.target[d])) as unknown as Vec3,
    distance: from.distance * (to.distance / from.distance) ** share,
    yaw: from.yaw + turn * share,
    pitch: straight(from.pitch, to.pitch),
  };
}

export function toEye(pose: Pose): EyeAndTarget {
  return { position: [...eyeOf(pose)], target: [...pose.target] };
}

/** The pose of an eye and its target; null where they are one point. */
export function fromEye({ position, target }: EyeAndTarget): Pose | null {
  const [x, y, z] = [position[0] - target[0], position[1] - target[1], position[2] - target[2]];
  const distance = Math.hypot(x, y, z);
  if (!(distance > 0) || !Number.isFinite(distance)) return null;
  return {
    target: [...target],
    distance: Math.min(FARTHEST, Math.max(NEAREST, distance)),
    yaw: Math.hypot(x, z) < 1e-9 * distance ? 0 : Math.atan2(x, z),
    pitch: steep(Math.asin(Math.min(1, Math.max(-1, y / distance)))),
  };
}

/** Whether two are the same but for what an address rounds off. */
export function isNear(a: EyeAndTarget, b: EyeAndTarget): boolean {
  const gaps = [0, 1, 2].map((d) => Math.abs(a.position[d] - b.position[d]) + Math.abs(a.target[d] - b.target[d]));
  return Math.max(...gaps) < 1e-4 * Math.hypot(...[0, 1, 2].map((d) => a.position[d] - a.target[d]));
}

/** How points come onto a view of `width` by `height` pixels: rows of the view and what scales with depth. */
export interface Projector {
  readonly eye: Vec3;
  readonly right: Vec3;
  readonly up: Vec3;
  readonly back: Vec3;
  /** Pixels that a length of 1 has at a depth of 1. */
  readonly scale: number;
  readonly width: number;
  readonly height: number;
  readonly near: number;
}

export function projectorOf(pose: Pose, width: number, height: number): Projector {
  return { eye: eyeOf(pose), ...axesOf(pose), scale: height / 2 / TAN, width, height, near: nearOf(pose) };
}

/** What is nearer to the eye than this is not drawn. */
export function nearOf({ distance }: Pose): number {
  return Math.max(0.0005, distance / 500);
}

/** Pixels from the left and the top, and depth; depth is below `near` for what lies behind the eye. */
export function project(p: Projector, x: number, y: number, z: number): [x: number, y: number, depth: number] {
  const at: Vec3 = [x - p.eye[0], y - p.eye[1], z - p.eye[2]];
  const depth = -dot(at, p.back);
  const pixel = p.scale / depth;
  return [p.width / 2 + dot(at, p.right) * pixel, p.height / 2 - dot(at, p.up) * pixel, depth];
}

/** All points of `places` (three numbers each), into three numbers each: x, y and depth. NaN stays NaN. */
export function projectAll(p: Projector, places: Float32Array, into: Float32Array): void {
  const { eye, right, up, back, scale } = p;
  const [middle, centre] = [p.width / 2, p.height / 2];
  for (let i = 0; i < places.length; i += 3) {
    const [x, y, z] = [places[i] - eye[0], places[i + 1] - eye[1], places[i + 2] - eye[2]];
    const depth = -(x * back[0] + y * back[1] + z * back[2]);
    const pixel = scale / depth;
    into[i] = middle + (x * right[0] + y * right[1] + z * right[2]) * pixel;
    into[i + 1] = centre - (x * up[0] + y * up[1] + z * up[2]) * pixel;
    into[i + 2] = depth > p.near ? depth : Number.NaN;
  }
}
