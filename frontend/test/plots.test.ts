import { describe, expect, it } from 'vitest';
import { layoutBars } from '../src/plots/bars';
import {
  binAt,
  brushBetween,
  brushCount,
  brushOver,
  brushRange,
  layoutHistogram,
  moveBrush,
  shiftBrush,
  type HistogramData,
} from '../src/plots/histogram';
import { layoutIntervals, wilson } from '../src/plots/intervals';
import { layoutJoint } from '../src/plots/joint';
import { count, number, percent, plural, signed } from '../src/core/numbers';
import { linear, logarithmic, logTicks, ticks } from '../src/plots/scale';
import { shorten } from '../src/plots/shorten';
import { layoutSparkline } from '../src/plots/sparkline';
import { randomFrom } from './random';

const FRAME = { width: 500, height: 150, left: 40, right: 10, top: 8, bottom: 24 };
const LINEAR: HistogramData = { scale: 'linear', edges: [0, 1, 2, 3, 4], counts: [5, 0, 1, 100] };
const LOG: HistogramData = { scale: 'log', edges: [0.01, 0.1, 1, 10], counts: [3, 2, 1] };

describe('numbers', () => {
  it.each([
    [null, '–'],
    [Number.NaN, '–'],
    [0, '0'],
    [3.14159, '3.14'],
    [-0.25, '−0.25'],
    [1234, '1,234'],
    [0.00012, '1.20e−4'],
    [12_345_678.9, '1.23e7'],
  ])('%s is written as %s', (value, text) => expect(number(value)).toBe(text));

  it('write shares, signs and counts', () => {
    expect(percent(0.033245)).toBe('3.32 %');
    expect(percent(1)).toBe('100 %');
    expect(percent(399_880 / 400_000)).toBe('99.97 %');
    expect(percent(0.9999999)).toBe('99.99999 %');
    expect(percent(0.995)).toBe('99.5 %');
    expect(percent(null)).toBe('–');
    expect(signed(2)).toBe('+2');
    expect(signed(-2)).toBe('−2');
    expect(signed(0)).toBe('0');
    expect(count(96690)).toBe('96,690');
    expect([plural(1, 'row'), plural(2, 'row')]).toEqual(['1 row', '2 rows']);
  });

  it('keep text that fits and say where letters were left out', () => {
    expect(shorten('日本語', 3)).toBe('日本語');
    expect(shorten('🙂🙂🙂🙂', 3)).toBe('🙂🙂…');
  });
});

describe('scales', () => {
  it.each([linear([2, 9], [10, 300]), logarithmic([0.01, 50], [10, 300])])('give back what went in', (scale) => {
    for (const pixel of [10, 57.5, 300]) expect(scale.at(scale.invert(pixel))).toBeCloseTo(pixel, 8);
  });

  it('put a domain of one value in the middle', () => expect(linear([3, 3], [0, 10]).at(3)).toBe(5));

  it('have round ticks inside of the domain', () => {
    expect(ticks(0, 9.27, 5)).toEqual([0, 2, 4, 6, 8]);
    expect(logTicks(0.02, 30)).toEqual([0.1, 1, 10]);
    expect(logTicks(0.3, 4)).toEqual([0.5, 1, 2]);
    expect(logTicks(0, 4)).toEqual([]);
  });
});

describe('histogram', () => {
  it.each([
    [LINEAR, 'linear'],
    [LINEAR, 'log'],
    [LOG, 'linear'],
    [LOG, 'log'],
  ] as const)('stands inside of its frame with bars in order', (data, scale) => {
    const layout = layoutHistogram(data, FRAME, scale);
    let edge = FRAME.left;
    for (const bar of layout.bars) {
      expect(bar.x).toBeCloseTo(edge, 6);
      edge = bar.x + bar.width;
      expect(bar.y).toBeGreaterThanOrEqual(FRAME.top - 1e-9);
      expect(bar.y + bar.height).toBeCloseTo(layout.baseline, 6);
    }
    expect(edge).toBeCloseTo(FRAME.width - FRAME.right, 6);
  });

  it('draws one row visibly, and no bar for an empty bin', () => {
    const { bars } = layoutHistogram(LINEAR, FRAME);
    expect(bars[1].height).toBe(0);
    expect(bars[2].height).toBeGreaterThanOrEqual(1);
    expect(layoutHistogram({ ...LINEAR, counts: [1, 0, 0, 1e6] }, FRAME, 'log').bars[0].height).toBeGreaterThan(1);
  });

  it('has no bars without active values', () => {
    const layout = layoutHistogram({ scale: 'log', edges: [], counts: [] }, FRAME);
    expect(layout.bars).toEqual([]);
    expect(brushBetween(layout, 0, 100)).toBeNull();
  });

  it('is brushed by whole bins, in whichever direction', () => {
    const layout = layoutHistogram(LINEAR, FRAME);
    const middle = (index: number) => layout.bars[index].x + layout.bars[index].width / 2;
    expect(brushBetween(layout, middle(2), middle(1))).toEqual({ first: 1, last: 2 });
    expect(brushBetween(layout, -100, 9999)).toEqual({ first: 0, last: 3 });
    expect(binAt(layout, middle(3))).toBe(3);
  });

  it('covers each active row once: ranges of neighbouring brushes meet, and the ends are open', () => {
    expect(brushRange(LINEAR, { first: 1, last: 2 })).toEqual({ low: 1, high: 3 });
    expect(brushRange(LINEAR, { first: 3, last: 3 })).toEqual({ low: 3, high: null });
    expect(brushRange(LINEAR, { first: 0, last: 0 })).toEqual({ low: null, high: 1 });
    expect(brushRange(LINEAR, null)).toEqual({ low: null, high: null });
  });

  it('comes back from the values that it selects, and from values that lie near its edges', () => {
    const bins = LINEAR.counts.length;
    for (let first = 0; first < bins; first++)
      for (let last = first; last < bins; last++) {
        const { low, high } = brushRange(LINEAR, { first, last });
        const whole = first === 0 && last === bins - 1;
        expect(brushOver(LINEAR, low, high)).toEqual(whole ? null : { first, last });
      }
    expect(brushOver(LINEAR, 1.1, 2.9)).toEqual({ first: 1, last: 2 });
    expect(brushOver(LINEAR, -50, null)).toBeNull();
    expect(brushOver(LINEAR, 50, null)).toEqual({ first: bins - 1, last: bins - 1 });
    expect(brushOver({ scale: 'linear', edges: [], counts: [] }, 1, 2)).toBeNull();
    expect(brushCount(LINEAR, { first: 0, last: 1 }) + brushCount(LINEAR, { first: 2, last: 3 })).toBe(106);
    expect(brushCount(LINEAR, null)).toBe(106);
  });

  it('keeps a brush in order and inside, whatever keys are pressed', () => {
    const random = randomFrom(3);
    let brush = { first: 1, last: 2 };
    for (let step = 0; step < 500; step += 1) {
      const by = Math.floor(random() * 11) - 5;
      if (random() < 0.3) brush = shiftBrush(brush, by, 8);
      else brush = moveBrush(brush, random() < 0.5 ? 'first' : 'last', by, 8);
      expect(brush.first).toBeGreaterThanOrEqual(0);
      expect(brush.last).toBeLessThan(8);
      expect(brush.first).toBeLessThanOrEqual(brush.last);
    }
  });
});

describe('bars', () => {
  const frame = { width: 300, labels: 100, values: 50, row: 20 };

  it('share one scale around zero', () => {
    const { bars, zero } = layoutBars(
      [
        { label: 'a', value: 2 },
        { label: 'b', value: -1 },
        { label: 'c', value: 0 },
      ],
      frame,
    );
    expect(bars[0].x).toBe(zero);
    expect(bars[1].x + bars[1].width).toBeCloseTo(zero);
    expect(bars[0].width).toBeCloseTo(2 * bars[1].width);
    expect(bars[2].width).toBe(0);
  });

  it('compare between charts of one reach', () => {
    const one = layoutBars([{ label: 'a', value: 1 }], frame, 4).bars[0];
    const other = layoutBars([{ label: 'b', value: -4 }], frame, 4).bars[0];
    expect(other.width).toBeCloseTo(4 * one.width);
  });
});

describe('intervals', () => {
  it('have no dot where nothing is known', () => {
    const frame = { width: 300, labels: 80, values: 50, row: 20, axis: 20 };
    const { rows } = layoutIntervals(
      [
        { label: 'a', value: 0.5, low: 0.4, high: 0.6 },
        { label: 'b', value: null, low: null, high: null },
      ],
      frame,
    );
    expect(rows[0].from!).toBeLessThan(rows[0].dot!);
    expect(rows[0].to!).toBeGreaterThan(rows[0].dot!);
    expect(rows[1]).toMatchObject({ dot: null, from: null, to: null });
  });

  it('are those of Wilson', () => {
    // statsmodels.stats.proportion.proportion_confint(10, 40, method='wilson')
    expect(wilson(10, 40)!.low).toBeCloseTo(0.14187, 4);
    expect(wilson(10, 40)!.high).toBeCloseTo(0.40194, 4);
    expect(wilson(0, 0)).toBeNull();
    expect(wilson(0, 5)!.low).toBe(0);
    expect(wilson(5, 5)!.high).toBe(1);
  });
});

describe('joint histogram', () => {
  it('draws every cell with rows, the fullest one darkest', () => {
    const data = {
      x_edges: [0, 1, 2],
      y_edges: [0, 1, 2],
      counts: [
        [4, 0],
        [0, 1],
      ],
    };
    const { cells, most } = layoutJoint(data, { left: 10, top: 0, width: 100, height: 100 });
    expect(most).toBe(4);
    expect(cells.map(({ column, line, shade }) => [column, line, shade === 1])).toEqual([
      [0, 0, true],
      [1, 1, false],
    ]);
    expect(cells[0].y).toBeGreaterThan(cells[1].y);
  });
});

describe('sparkline', () => {
  it('has one bar for each bin that is not empty', () => {
    expect(layoutSparkline([0, 0], 10, 10)).toEqual([]);
    const bars = layoutSparkline([1, 0, 1000], 30, 10);
    expect(bars).toHaveLength(2);
    expect(bars[0].height).toBe(1);
    expect(bars[1].height).toBe(10);
  });
});
