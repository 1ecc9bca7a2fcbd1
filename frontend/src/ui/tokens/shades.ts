/** How strongly tokens are coloured: by the largest value of the whole list, so that shades compare between examples. */

export interface Shade {
  readonly sign: 'positive' | 'negative' | 'none';
  /** 0 to 1. */
  readonly strength: number;
}

const NONE: Shade = { sign: 'none', strength: 0 };
const LEAST = 0.12;

/** The largest size of any value of the lists; 0 where there is none. */
export function reachOf(lists: Iterable<readonly (number | null)[]>): number {
  let most = 0;
  for (const list of lists) for (const value of list) if (value !== null) most = Math.max(most, Math.abs(value));
  return most;
}

/** The shade of one value: faint where it is small, but never invisible; none for 0 and for a missing value. */
export function shadeOf(value: number | null, reach: number): Shade {
  if (value === null || value === 0 || reach <= 0) return NONE;
  const strength = LEAST + (1 - LEAST) * Math.min(1, Math.abs(value) / reach);
  return { sign: value > 0 ? 'positive' : 'negative', strength };
}

/** The steps of a legend from nothing to `reach`, or from -`reach` where values may be negative. */
export function legendOf(reach: number, isSigned: boolean): number[] {
  return isSigned ? [-reach, -reach / 2, 0, reach / 2, reach] : [0, reach / 2, reach];
}
