/** Puts the clouds of several SAEs into one space, each by its own positions: beside each other, or stacked. */
import type { Arrangement } from '../core/state';
import type { Box, Vec3 } from './camera';

export interface Cloud {
  readonly name: string;
  /** Three numbers for each feature, z 0 on flat maps; NaN where a feature has no place. */
  readonly places: Float32Array;
  readonly isFlat: boolean;
}

export interface Arranged {
  /** Places in the common space, three numbers each. */
  readonly places: Float32Array;
  readonly box: Box;
  /** Where the name of the layer is written. */
  readonly caption: Vec3;
  readonly n_placed: number;
}

/** Clouds are brought to this half size, so that maps of any unit can stand beside each other. */
const HALF = 1;
const GAP = 0.25;

export function boxOf(places: Float32Array): { box: Box; n: number } {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  let n = 0;
  for (let i = 0; i < places.length; i += 3) {
    if (Number.isNaN(places[i])) continue;
    n += 1;
    for (let d = 0; d < 3; d++) {
      low[d] = Math.min(low[d], places[i + d]);
      high[d] = Math.max(high[d], places[i + d]);
    }
  }
  if (!n) return { box: { low: [0, 0, 0], high: [0, 0, 0] }, n };
  return { box: { low: low as unknown as Vec3, high: high as unknown as Vec3 }, n };
}

/** Columns of a grid for `n` clouds in a view of this aspect. */
export function columnsFor(n: number, aspect: number): number {
  let best = 1;
  let size = 0;
  for (let columns = 1; columns <= n; columns++) {
    const side = Math.min(aspect / columns, 1 / Math.ceil(n / columns));
    if (side > size * 1.001) [best, size] = [columns, side];
  }
  return best;
}

function offsetOf(index: number, n: number, arrangement: Arrangement, columns: number, isFlat: boolean): Vec3 {
  const step = 2 * HALF + GAP;
  if (arrangement === 'stacked') return [0, (index - (n - 1) / 2) * (isFlat ? 0.8 : step), 0];
  const rows = Math.ceil(n / columns);
  const [column, row] = [index % columns, Math.floor(index / columns)];
  return [(column - (columns - 1) / 2) * step, ((rows - 1) / 2 - row) * step, 0];
}

/** One scale for all axes of a cloud, its middle where the arrangement puts it; stacked flat maps lie down. */
export function arrange(clouds: readonly Cloud[], arrangement: Arrangement, aspect: number): Arranged[] {
  const columns = columnsFor(clouds.length, aspect);
  const isStacked = arrangement === 'stacked' && clouds.length > 1;
  return clouds.map(({ places, isFlat }, index) => {
    const { box, n } = boxOf(places);
    const spans = [0, 1, 2].map((d) => box.high[d] - box.low[d]);
    const scale = (2 * HALF) / (Math.max(...spans) || 1);
    const middle = [0, 1, 2].map((d) => (box.low[d] + box.high[d]) / 2);
    const offset = offsetOf(index, clouds.length, arrangement, columns, isFlat);
    const lies = isStacked && isFlat;
    const out = new Float32Array(places.length);
    for (let i = 0; i < places.length; i += 3) {
      const x = (places[i] - middle[0]) * scale;
      const y = (places[i + 1] - middle[1]) * scale;
      const z = (places[i + 2] - middle[2]) * scale;
      out[i] = x + offset[0];
      out[i + 1] = (lies ? 0 : y) + offset[1];
      out[i + 2] = (lies ? -y : z) + offset[2];
    }
    const inside = boxOf(out).box;
    const caption: Vec3 = lies
      ? [inside.low[0], offset[1], inside.high[2]]
      : [offset[0], n ? inside.high[1] + 0.06 : offset[1], offset[2]];
    return { places: out, box: inside, caption, n_placed: n };
  });
}

export function around(boxes: readonly Box[]): Box {
  const pick = (choose: (...values: number[]) => number, side: 'low' | 'high') =>
    [0, 1, 2].map((d) => choose(...boxes.map((box) => box[side][d]))) as unknown as Vec3;
  if (!boxes.length) return { low: [-1, -1, -1], high: [1, 1, 1] };
  return { low: pick(Math.min, 'low'), high: pick(Math.max, 'high') };
}
