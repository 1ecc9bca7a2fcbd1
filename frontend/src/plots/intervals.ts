/** Dots with intervals on one shared axis: rates of levels beside each other. */

import { linear, ticks, type Scale } from './scale';
import type { Tick } from './histogram';

export interface IntervalDatum {
  readonly label: string;
  /** Null where it is not defined: the line says so, and has no dot. */
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export interface IntervalShape {
  readonly index: number;
  readonly label: string;
  readonly y: number;
  readonly dot: number | null;
  readonly from: number | null;
  readonly to: number | null;
}

export interface IntervalsLayout {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly IntervalShape[];
  readonly ticks: readonly Tick[];
  readonly reference: number | null;
  readonly axis: number;
}

export interface IntervalsFrame {
  readonly width: number;
  readonly labels: number;
  readonly values: number;
  readonly row: number;
  readonly axis: number;
}

/** Lay out dots from zero to the largest upper end; `reference` is a line all are compared with. */
export function layoutIntervals(
  data: readonly IntervalDatum[],
  frame: IntervalsFrame,
  reference: number | null = null,
): IntervalsLayout {
  const known = data.flatMap((datum) => [datum.value, datum.low, datum.high]).filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(...known, reference ?? 0, low + Number.EPSILON);
  const x: Scale = linear([low, high], [frame.labels, frame.width - frame.values]);
  const height = data.length * frame.row;
  return {
    width: frame.width,
    height: height + frame.axis,
    axis: height,
    reference: reference === null ? null : x.at(reference),
    ticks: ticks(low, high, Math.max(2, Math.floor((frame.width - frame.labels - frame.values) / 70))).map((value) => ({
      value,
      at: x.at(value),
    })),
    rows: data.map((datum, index) => ({
      index,
      label: datum.label,
      y: index * frame.row + frame.row / 2,
      dot: datum.value === null ? null : x.at(datum.value),
      from: datum.low === null ? null : x.at(datum.low),
      to: datum.high === null ? null : x.at(datum.high),
    })),
  };
}

const Z = 1.959963984540054;

/** The 95 % Wilson score interval of a share; null without trials. */
export function wilson(hits: number, trials: number): { low: number; high: number } | null {
  if (!(trials > 0)) return null;
  const share = hits / trials;
  const square = (Z * Z) / trials;
  const middle = (share + square / 2) / (1 + square);
  const reach = (Z / (1 + square)) * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials));
  return { low: Math.max(0, middle - reach), high: Math.min(1, middle + reach) };
}
