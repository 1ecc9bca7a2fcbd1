import { describe, expect, it } from 'vitest';
import { freeText, numberColumn, textColumn } from '../src/core/columns';
import { orderBy } from '../src/core/sort';
import { awkwardNumbers, randomFrom } from './random';

function naiveOrder(values: ArrayLike<number>, descending: boolean): number[] {
  const ids = Array.from({ length: values.length }, (_, i) => i);
  const present = ids.filter((i) => !Number.isNaN(values[i]));
  const missing = ids.filter((i) => Number.isNaN(values[i]));
  const sign = descending ? -1 : 1;
  present.sort((a, b) => (values[a] === values[b] ? a - b : values[a] < values[b] ? -sign : sign));
  return [...present, ...missing];
}

describe('orderBy', () => {
  it.each([1, 2, 3, 4, 5])('orders numbers as a comparison sort does, seed %i', (seed) => {
    for (const n of [0, 1, 2, 257, 5000])
      for (const descending of [false, true]) {
        const values = awkwardNumbers(n, seed);
        const order = orderBy(numberColumn('x', values), n, descending);
        expect(Array.from(order)).toEqual(naiveOrder(values, descending));
      }
  });

  it('orders float32 values', () => {
    const values = Float32Array.from(awkwardNumbers(1000, 9));
    expect(Array.from(orderBy(numberColumn('x', values), 1000))).toEqual(naiveOrder(values, false));
  });

  it('keeps apart numbers that differ in their last bit', () => {
    const values = Float64Array.from([1 + 2 ** -52, 1, 1 - 2 ** -53]);
    expect(Array.from(orderBy(numberColumn('x', values), 3))).toEqual([2, 1, 0]);
  });

  it('puts missing values last in both directions', () => {
    const column = numberColumn('x', Float64Array.from([Number.NaN, 2, Number.NaN, 1]));
    expect(Array.from(orderBy(column, 4))).toEqual([3, 1, 0, 2]);
    expect(Array.from(orderBy(column, 4, true))).toEqual([1, 3, 0, 2]);
  });

  it('orders texts by alphabet and numbers in them by size, missing ones last', () => {
    const texts = ['b', null, 'a10', 'A2', '', 'é', 'e'];
    const order = orderBy(freeText('text', texts), texts.length);
    expect(Array.from(order, (i) => texts[i])).toEqual(['A2', 'a10', 'b', 'e', 'é', null, '']);
  });

  it('orders categories by their names', () => {
    const random = randomFrom(3);
    const texts = Array.from({ length: 300 }, () => (random() < 0.2 ? null : `group ${Math.floor(random() * 12)}`));
    const column = textColumn('group', texts);
    expect(column.type).toBe('category');
    const present = Array.from(orderBy(column, 300), (i) => texts[i]).filter((text) => text !== null);
    const numbers = present.map((text) => Number(text.slice(6)));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });
});
