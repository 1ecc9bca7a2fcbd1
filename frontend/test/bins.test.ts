import { describe, expect, it } from 'vitest';
import { binsOf, countBins, positionOf, valueOf } from '../src/core/bins';
import { numberColumn, textColumn } from '../src/core/columns';
import { awkwardNumbers, randomFrom } from './random';

const sum = (counts: ArrayLike<number>) => Array.from(counts).reduce((total, count) => total + count, 0);

describe('bins', () => {
  it.each([1, 2, 3])('count every feature once, missing ones in the last place, seed %i', (seed) => {
    const values = awkwardNumbers(3000, seed);
    const counts = countBins(binsOf(numberColumn('x', values))!, null);
    expect(sum(counts)).toBe(3000);
    expect(counts.at(-1)).toBe(values.filter(Number.isNaN).length);
  });

  it('count what a mask lets through', () => {
    const values = awkwardNumbers(3000, 4);
    const random = randomFrom(1);
    const mask = Uint8Array.from({ length: 3000 }, () => +(random() < 0.5));
    const bins = binsOf(numberColumn('x', values))!;
    const expected = new Array<number>(bins.n + 1).fill(0);
    bins.codes.forEach((code, i) => (expected[code === 255 ? bins.n : code] += mask[i]));
    expect(Array.from(countBins(bins, mask))).toEqual(expected);
  });

  it('take a logarithmic scale for skewed values, with zero in front', () => {
    const values = Float64Array.from({ length: 2000 }, (_, i) => (i % 10 ? 10 ** ((i % 100) / 20) : 0));
    const bins = binsOf(numberColumn('x', values))!;
    expect(bins.scale).toBe('log');
    expect(bins.hasZero).toBe(true);
    expect(countBins(bins, null)[0]).toBe(200);
    expect(positionOf(bins, 0)).toBe(0);
    for (const position of [0.1, 0.5, 0.9, 1]) expect(positionOf(bins, valueOf(bins, position))).toBeCloseTo(position);
  });

  it('take a linear scale for even values, and map back and forth', () => {
    const bins = binsOf(
      numberColumn(
        'x',
        Float64Array.from({ length: 999 }, (_, i) => i - 400),
      ),
    )!;
    expect(bins.scale).toBe('linear');
    for (const value of [-400, 0, 598]) expect(valueOf(bins, positionOf(bins, value))).toBeCloseTo(value);
  });

  it('stand a column that is missing throughout, and one with a single value', () => {
    const none = binsOf(numberColumn('x', new Float64Array(7).fill(Number.NaN)))!;
    expect(countBins(none, null).at(-1)).toBe(7);
    const one = binsOf(numberColumn('x', new Float64Array(7).fill(3)))!;
    expect(sum(countBins(one, null))).toBe(7);
  });

  it('give each category its bin, and whole numbers of few kinds where asked', () => {
    const bins = binsOf(textColumn('t', ['b', 'a', null, 'b', 'a', 'a']))!;
    expect(bins.names).toEqual(['a', 'b']);
    expect(Array.from(countBins(bins, null))).toEqual([3, 2, 1]);
    const clusters = numberColumn('c', Float64Array.from([2, 0, Number.NaN, 2, 10, 2]));
    expect(binsOf(clusters, true)!.names).toEqual(['0', '2', '10']);
    expect(binsOf(clusters)!.scale).not.toBe('each');
  });
});
