import { expect, test } from 'vitest';
import { numberColumn, textColumn, type Column } from '../src/core/columns';
import { widthOf } from '../src/ui/table/widths';

const texts = (values: (string | null)[]): Column => textColumn('explanations.text', values);

test('a column of texts is as wide as nine of ten of them, whatever the few others are', () => {
  const short = texts(
    Array.from({ length: 1000 }, (_, i) => (i === 7 ? 'x'.repeat(5000) : 'thirty letters are about this.')),
  );
  const { least, most } = widthOf(short, 1000);
  expect(most).toBeGreaterThan(200);
  expect(most).toBeLessThan(300);
  expect(least).toBeLessThanOrEqual(most);
});

test('a column that holds next to nothing takes next to nothing, and a long one has a bound', () => {
  const empty = widthOf(texts(new Array<null>(100).fill(null)), 100);
  expect(empty.most).toBeLessThan(200);
  expect(widthOf(texts(new Array<string>(100).fill('x'.repeat(1000))), 100).most).toBeLessThanOrEqual(900);
});

test('numbers, and columns that are still on their way, are alike', () => {
  const width = widthOf(numberColumn('stats.max', new Float32Array(10)), 10);
  expect(widthOf(undefined, 10)).toEqual(width);
});

test('categories are as wide as their names', () => {
  const column = textColumn(
    'labels.category',
    Array.from({ length: 100 }, (_, i) => (i % 2 ? 'on' : 'off')),
  );
  expect(column.type).toBe('category');
  expect(widthOf(column, 100).most).toBeLessThan(150);
});
