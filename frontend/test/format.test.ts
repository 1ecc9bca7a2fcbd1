import { describe, expect, it } from 'vitest';
import { numberColumn, textColumn } from '../src/core/columns';
import { filterText } from '../src/core/filterText';
import { cellText, isIdColumn, roundedBound, shortNumber, typedNumber } from '../src/core/format';

describe('numbers in cells', () => {
  it.each([
    [0, '0'],
    [1234567, '1,234,567'],
    [-3, '−3'],
    [0.5, '0.500'],
    [0.99999, '1.00'],
    [12.3456, '12.3'],
    [123.456, '123.5'],
    [1234.56, '1235'],
    [1e-5, '1.00e−5'],
    [-1.5e9, '−1.50e9'],
    [Infinity, '∞'],
    [Number.NaN, ''],
  ])('%d is %s', (value, text) => expect(shortNumber(value)).toBe(text));

  it('have more digits where all values are nearly equal', () => {
    const column = numberColumn('norm', Float64Array.from([0.999, 1.001, Number.NaN]));
    expect([0, 1, 2].map((feature) => cellText(column, feature))).toEqual(['0.99900', '1.0010', null]);
  });

  it('of ids have no separators', () => {
    const column = numberColumn('clusters.ward_90', Float64Array.from([12345]));
    expect(cellText(column, 0)).toBe('12345');
    expect(isIdColumn('clusters.hdbscan_probability')).toBe(false);
  });

  it('that are missing are nothing, in every kind of column', () => {
    const column = textColumn('t', ['a', null, 'a', 'a', 'a']);
    expect([cellText(column, 0), cellText(column, 1)]).toEqual(['a', null]);
  });
});

describe('a filter in words', () => {
  const range = {
    id: 'r',
    name: 'a',
    kind: 'range' as const,
    column: 'a',
    low: null,
    high: null,
    missing: 'drop' as const,
  };

  it('says its bounds, and what becomes of missing values', () => {
    expect(
      [
        { ...range, low: 1, high: 2 },
        { ...range, low: 0.5 },
        { ...range, high: 1e-6, missing: 'keep' as const },
        range,
        { ...range, missing: 'only' as const },
      ].map(filterText),
    ).toEqual(['1 – 2', '≥ 0.500', '≤ 1.00e−6 or missing', 'not missing', 'missing only']);
  });

  it('says what it looks for', () => {
    const base = { id: 'x', name: 'a', column: 'a' };
    expect(filterText({ ...base, kind: 'values', values: ['x', null] })).toBe('x, missing');
    expect(filterText({ ...base, kind: 'text', query: 'so' })).toBe('“so”');
    expect(filterText({ ...base, kind: 'set', ids: new Uint32Array(1234) })).toBe('1,234');
  });
});

describe('a dragged bound', () => {
  it('has the digits that its step needs', () => {
    expect(roundedBound(1.23456, 0.01)).toBe(1.23);
    expect(roundedBound(1234.56, 10)).toBe(1235);
    expect(roundedBound(1.23456, 0)).toBe(1.23456);
  });
});

describe('a typed bound', () => {
  it.each([
    ['', null],
    ['  ', null],
    ['2', 2],
    ['-0.5', -0.5],
    ['−0,5', -0.5],
    ['.25', 0.25],
    ['1e-3', 0.001],
    ['1,000', 1000],
    ['23,043', 23043],
    ['1,234,567.5', 1234567.5],
    ['0,123', 0.123],
  ])('%j is %d', (text, value) => expect(typedNumber(text)).toBe(value));

  it.each(['x', '0x10', '1 000', '1,2,3', 'Infinity', 'NaN', '--1', '1e', ','])('%j is no number', (text) =>
    expect(typedNumber(text)).toBeNaN(),
  );
});
