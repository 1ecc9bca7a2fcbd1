/** Where the bars of a histogram stand, and what a brush over them selects. */

import { linear, logTicks, logarithmic, ticks, type Scale } from './scale';

export interface HistogramData {
  readonly scale: 'linear' | 'log';
  /** One more than there are bins; empty without active values. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface HistogramBar {
  readonly index: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Tick {
  readonly value: number;
  readonly at: number;
}

export interface HistogramLayout {
  readonly frame: Frame;
  readonly bars: readonly HistogramBar[];
  readonly x: Scale;
  readonly xTicks: readonly Tick[];
  readonly yTicks: readonly Tick[];
  readonly baseline: number;
}

export type CountScale = 'linear' | 'log';

/** A range of bins, `first` to `last` with both ends. */
export interface Brush {
  readonly first: number;
  readonly last: number;
}

const LEAST_BAR = 1.5;

/**
 * Lay out a histogram. A bin with a count is never lower than a visible line; an empty one has no bar at all.
 * The counts' log scale starts below one, so that a single row has a bar.
 */
export function layoutHistogram(data: HistogramData, frame: Frame, countScale: CountScale = 'linear'): HistogramLayout {
  const inner: [number, number] = [frame.left, frame.width - frame.right];
  const baseline = frame.height - frame.bottom;
  const low = data.edges[0] ?? 0;
  const high = data.edges[data.edges.length - 1] ?? 1;
  const isLog = data.scale === 'log' && low > 0;
  const x = isLog ? logarithmic([low, high], inner) : linear([low, high], inner);
  const most = data.counts.reduce((most, count) => Math.max(most, count), 0);
  const y = countScaleOf(most, countScale, [baseline, frame.top]);
  const bars = data.counts.map((count, index) => bar(data, index, count, x, y, baseline));
  const wanted = Math.max(2, Math.floor((inner[1] - inner[0]) / 80));
  const values = isLog ? thin(logTicks(low, high), wanted) : ticks(low, high, wanted);
  const counts =
    countScale === 'log'
      ? logTicks(1, Math.max(most, 2)).filter(isPower)
      : ticks(0, Math.max(most, 1), 3).filter(Number.isInteger);
  return {
    frame,
    bars,
    x,
    xTicks: values.map((value) => ({ value, at: x.at(value) })),
    yTicks: counts.map((value) => ({ value, at: y.at(value) })),
    baseline,
  };
}

/** The bins between two pixels, in whichever order they were dragged over; null where there are no bins. */
export function brushBetween(layout: HistogramLayout, from: number, to: number): Brush | null {
  if (!layout.bars.length) return null;
  const a = binAt(layout, Math.min(from, to));
  const b = binAt(layout, Math.max(from, to));
  return { first: a, last: b };
}

/** The bin under a pixel; the nearest one beyond the ends. */
export function binAt(layout: HistogramLayout, pixel: number): number {
  const { bars } = layout;
  for (const found of bars) if (pixel < found.x + found.width) return found.index;
  return Math.max(0, bars.length - 1);
}

/** Move one end of a brush by some bins; it stops at the other end and at the ends of the chart. */
export function moveBrush(brush: Brush, end: 'first' | 'last', by: number, bins: number): Brush {
  if (end === 'first') return { ...brush, first: clamp(brush.first + by, 0, brush.last) };
  return { ...brush, last: clamp(brush.last + by, brush.first, bins - 1) };
}

/** Shift a whole brush by some bins, keeping its width. */
export function shiftBrush(brush: Brush, by: number, bins: number): Brush {
  const move = clamp(by, -brush.first, bins - 1 - brush.last);
  return { first: brush.first + move, last: brush.last + move };
}

/**
 * The values that a brush selects, `low` with and `high` without its end; `high` is null at the last bin, which holds
 * its upper end too, and `low` is null at the first.
 */
export function brushRange(data: HistogramData, brush: Brush | null): { low: number | null; high: number | null } {
  if (!brush) return { low: null, high: null };
  const last = data.counts.length - 1;
  return {
    low: brush.first <= 0 ? null : (data.edges[brush.first] ?? null),
    high: brush.last >= last ? null : (data.edges[brush.last + 1] ?? null),
  };
}

/** The brush that selects a range of values, to the nearest edges of bins; null where it would select all of them. */
export function brushOver(data: HistogramData, low: number | null, high: number | null): Brush | null {
  const bins = data.counts.length;
  if (!bins || (low === null && high === null)) return null;
  const nearest = (value: number) =>
    data.edges.reduce((best, edge, at) => (Math.abs(edge - value) < Math.abs(data.edges[best] - value) ? at : best), 0);
  const first = low === null ? 0 : Math.min(nearest(low), bins - 1);
  const last = high === null ? bins - 1 : Math.max(first, nearest(high) - 1);
  return first === 0 && last === bins - 1 ? null : { first, last };
}

/** How many rows a brush covers. */
export function brushCount(data: HistogramData, brush: Brush | null): number {
  const from = brush?.first ?? 0;
  const to = brush?.last ?? data.counts.length - 1;
  return data.counts.slice(from, to + 1).reduce((sum, count) => sum + count, 0);
}

function bar(data: HistogramData, index: number, count: number, x: Scale, y: Scale, baseline: number): HistogramBar {
  const low = data.edges[index] ?? 0;
  const high = data.edges[index + 1] ?? low;
  const left = x.at(low);
  const height = count > 0 ? Math.max(LEAST_BAR, baseline - y.at(count)) : 0;
  return { index, low, high, count, x: left, y: baseline - height, width: x.at(high) - left, height };
}

function countScaleOf(most: number, scale: CountScale, range: [number, number]): Scale {
  if (scale === 'log') return logarithmic([0.7, Math.max(most, 2)], range);
  return linear([0, Math.max(most, 1)], range);
}

function isPower(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
}

function thin(values: number[], wanted: number): number[] {
  const every = Math.ceil(values.length / Math.max(1, wanted));
  return values.filter((_, index) => index % every === 0);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
