/** Bins of a column: each feature's bin is found once, so that counting what passes a filter is one pass over bytes. */
import type { Column } from './columns';

/** Of `Bins.codes`: a feature whose value is missing. */
export const MISSING = 255;

export interface Bins {
  /** 'log' has a bin of its own for zero in front where zeros occur; 'each' is one bin for each category. */
  scale: 'linear' | 'log' | 'each';
  n: number;
  /** Smallest and largest value that is there; both NaN when none is. For 'log', of the positive ones. */
  low: number;
  high: number;
  hasZero: boolean;
  /** For 'each': what the bins are called. */
  names: string[];
  codes: Uint8Array;
  n_missing: number;
}

const N_BINS = 48;
const SAMPLE = 4096;

interface Extent {
  low: number;
  high: number;
  lowPositive: number;
  n_missing: number;
  n_zero: number;
}

function extentOf(values: ArrayLike<number>): Extent {
  const extent = { low: Infinity, high: -Infinity, lowPositive: Infinity, n_missing: 0, n_zero: 0 };
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) extent.n_missing += 1;
    else if (Number.isFinite(value)) {
      if (value < extent.low) extent.low = value;
      if (value > extent.high) extent.high = value;
      if (value > 0 && value < extent.lowPositive) extent.lowPositive = value;
      if (value === 0) extent.n_zero += 1;
    }
  }
  return extent;
}

/** Whether most values would fall into the first few bins of a linear scale; looked up in a regular sample. */
function isSkewed(values: ArrayLike<number>): boolean {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const sample: number[] = [];
  for (let i = 0; i < values.length; i += step) if (values[i] > 0 && Number.isFinite(values[i])) sample.push(values[i]);
  if (sample.length < 8) return false;
  sample.sort((a, b) => a - b);
  const median = sample[sample.length >> 1];
  return sample[Math.floor(sample.length * 0.99)] > 12 * median;
}

/** Where a value lies on the axis, from 0 to 1; outside of that beyond the ends. */
export function positionOf(bins: Bins, value: number): number {
  if (bins.scale !== 'log') return bins.high > bins.low ? (value - bins.low) / (bins.high - bins.low) : 0.5;
  const first = bins.hasZero ? 1 / bins.n : 0;
  if (value <= 0) return bins.hasZero ? (value < 0 ? -1 : 0) : -1;
  if (bins.high === bins.low) return (1 + first) / 2;
  return first + ((1 - first) * Math.log(value / bins.low)) / Math.log(bins.high / bins.low);
}

/** The value at a place of the axis between 0 and 1. */
export function valueOf(bins: Bins, position: number): number {
  if (bins.scale !== 'log') return bins.low + position * (bins.high - bins.low);
  const first = bins.hasZero ? 1 / bins.n : 0;
  if (position < first) return 0;
  return bins.low * (bins.high / bins.low) ** ((position - first) / (1 - first));
}

function binNumbers(values: ArrayLike<number>): Bins {
  const extent = extentOf(values);
  const isEmpty = extent.low > extent.high;
  const isLog = extent.low >= 0 && extent.lowPositive < Infinity && isSkewed(values);
  const bins: Bins = {
    scale: isLog ? 'log' : 'linear',
    n: N_BINS,
    low: isEmpty ? Number.NaN : isLog ? extent.lowPositive : extent.low,
    high: isEmpty ? Number.NaN : extent.high,
    hasZero: isLog && extent.n_zero > 0,
    names: [],
    codes: new Uint8Array(values.length),
    n_missing: extent.n_missing,
  };
  const first = bins.hasZero ? 1 : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) bins.codes[i] = MISSING;
    else {
      const code = Math.floor(positionOf(bins, value) * bins.n);
      bins.codes[i] = Math.min(bins.n - 1, Math.max(isLog && value > 0 ? first : 0, code));
    }
  }
  return bins;
}

/** Whole numbers of few kinds, such as numbers of clusters, are categories. */
function namesOfIntegers(values: ArrayLike<number>, most: number): number[] | null {
  const distinct = new Set<number>();
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) continue;
    if (!Number.isInteger(value)) return null;
    distinct.add(value);
    if (distinct.size > most) return null;
  }
  return [...distinct].sort((a, b) => a - b);
}

function binEach(codes: ArrayLike<number>, names: string[]): Bins {
  const bytes = new Uint8Array(codes.length);
  let n_missing = 0;
  for (let i = 0; i < codes.length; i++) {
    bytes[i] = codes[i] < 0 ? MISSING : codes[i];
    n_missing += +(codes[i] < 0);
  }
  return { scale: 'each', n: names.length, low: 0, high: 0, hasZero: false, names, codes: bytes, n_missing };
}

/** Bins of a column, or null for free text. With `asCategories`, whole numbers of at most 64 kinds get a bin each. */
export function binsOf(column: Column, asCategories = false): Bins | null {
  if (column.type === 'text') return null;
  if (column.type === 'category') return binEach(column.codes, column.names);
  const names = asCategories ? namesOfIntegers(column.values, 64) : null;
  if (!names) return binNumbers(column.values);
  const codeOf = new Map(names.map((value, code) => [value, code]));
  return binEach(
    Int32Array.from(column.values, (value) => codeOf.get(value) ?? -1),
    names.map(String),
  );
}

/** Features of each bin, and in the last place those that miss a value; of those in the mask where one is given. */
export function countBins(bins: Bins, mask: Uint8Array | null): Uint32Array {
  const counts = new Uint32Array(256);
  const { codes } = bins;
  if (mask) for (let i = 0; i < codes.length; i++) counts[codes[i]] += mask[i];
  else for (let i = 0; i < codes.length; i++) counts[codes[i]] += 1;
  const answer = new Uint32Array(bins.n + 1);
  answer.set(counts.subarray(0, bins.n));
  answer[bins.n] = counts[MISSING];
  return answer;
}
