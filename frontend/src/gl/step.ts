/** Steps from one point to the next with the arrow keys. */

export type Direction = 'left' | 'right' | 'up' | 'down';

const TOWARDS: Record<Direction, readonly [number, number]> = {
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
};

/** How much a pixel to the side costs, against one ahead. */
const ASIDE = 2;

/**
 * The point that a step in a direction leads to, or -1 where there is none.
 *
 * Points within 60 degrees of the direction count; the cheapest is taken, and what lies in front of or behind the
 * start costs as much as if it lay to the side. `seen` holds x, y and depth for each point, NaN for what is not seen.
 * Points at the very place of the start are passed over.
 */
export function stepFrom(
  seen: Float32Array,
  start: readonly [x: number, y: number, depth: number],
  direction: Direction,
  scale: number,
  isWanted: (index: number) => boolean,
): number {
  const [tx, ty] = TOWARDS[direction];
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < seen.length / 3; i++) {
    const dx = seen[3 * i] - start[0];
    const dy = seen[3 * i + 1] - start[1];
    const ahead = dx * tx + dy * ty;
    if (!(ahead > 0.01) || !(seen[3 * i + 2] > 0) || !isWanted(i)) continue;
    const aside = Math.abs(dx * ty) + Math.abs(dy * tx);
    if (aside > ahead * 1.7321) continue;
    const inDepth = ((seen[3 * i + 2] - start[2]) * scale) / start[2];
    const cost = ahead + ASIDE * Math.hypot(aside, inDepth);
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}
