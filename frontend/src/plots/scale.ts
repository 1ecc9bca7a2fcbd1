/** Scales of axes: data to pixels and back, and the ticks that people can read. */

import { ticks as niceTicks } from 'd3-array';

export interface Scale {
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
  at(value: number): number;
  invert(pixel: number): number;
}

/** A straight line from domain to range; a domain of one value maps to the middle. */
export function linear(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const [low, high] = domain;
  const [from, to] = range;
  const span = high - low;
  return {
    domain,
    range,
    at: (value) => (span === 0 ? (from + to) / 2 : from + ((value - low) / span) * (to - from)),
    invert: (pixel) => (to === from ? low : low + ((pixel - from) / (to - from)) * span),
  };
}

/** Equal ratios take equal lengths; both ends of the domain must be above 0. */
export function logarithmic(domain: readonly [number, number], range: readonly [number, number]): Scale {
  const inner = linear([Math.log(domain[0]), Math.log(domain[1])], range);
  return {
    domain,
    range,
    at: (value) => inner.at(Math.log(value)),
    invert: (pixel) => Math.exp(inner.invert(pixel)),
  };
}

/** Round numbers in the domain, about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  return high > low && wanted >= 1 ? niceTicks(low, high, wanted) : [low].filter(Number.isFinite);
}

/** Powers of ten in the domain; 1, 2, 5 of each where there are fewer than three powers. */
export function logTicks(low: number, high: number): number[] {
  if (!(high > low) || low <= 0) return low > 0 ? [low] : [];
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const inside = (value: number): boolean => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const powers: number[] = [];
  for (let power = first; power <= last; power += 1) powers.push(10 ** power);
  const coarse = powers.filter(inside);
  if (coarse.length >= 3) return coarse;
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter(inside);
}
