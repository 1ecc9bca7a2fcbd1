/** Horizontal bars around zero: what raises and what lowers. */

import { linear, type Scale } from './scale';

export interface BarDatum {
  readonly label: string;
  readonly value: number;
}

export interface BarShape {
  readonly index: number;
  readonly label: string;
  readonly value: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly sign: 'positive' | 'negative' | 'zero';
}

export interface BarsLayout {
  readonly width: number;
  readonly height: number;
  readonly zero: number;
  readonly bars: readonly BarShape[];
}

export interface BarsFrame {
  readonly width: number;
  readonly labels: number;
  readonly values: number;
  readonly row: number;
}

/**
 * Lay out bars in the order given. All bars of one chart share one scale, `reach` long where two charts must compare.
 * Zero stands at the left where nothing is negative, and at the right where nothing is positive.
 */
export function layoutBars(data: readonly BarDatum[], frame: BarsFrame, reach?: number): BarsLayout {
  const values = data.map((datum) => datum.value);
  const most = Math.max(reach ?? 0, ...values.map(Math.abs), Number.MIN_VALUE);
  const low = values.some((value) => value < 0) ? -most : 0;
  const high = values.some((value) => value > 0) || low === 0 ? most : 0;
  const x: Scale = linear([low, high], [frame.labels, frame.width - frame.values]);
  const zero = x.at(0);
  return {
    width: frame.width,
    height: data.length * frame.row,
    zero,
    bars: data.map((datum, index) => {
      const end = x.at(datum.value);
      return {
        index,
        label: datum.label,
        value: datum.value,
        x: Math.min(zero, end),
        y: index * frame.row + 2,
        width: Math.abs(end - zero),
        height: frame.row - 4,
        sign: datum.value > 0 ? 'positive' : datum.value < 0 ? 'negative' : 'zero',
      };
    }),
  };
}
