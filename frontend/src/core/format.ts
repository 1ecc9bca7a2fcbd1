/** Values of columns as the table shows them: as many digits as tell them apart, and no more. */
import type { Column, NumberColumn } from './columns';
import { count } from './numbers';

/** A number in some eight characters; of more than three significant digits where asked. */
export function shortNumber(value: number, digits = 3): string {
  if (Number.isNaN(value)) return '';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  // What is rounded up to 1 has no digit more than 1 itself.
  const size = Math.abs(Number(value.toPrecision(digits)));
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return count(value).replace('-', '−');
  const text =
    size >= 1e6 || size < 1e-3
      ? value.toExponential(digits - 1).replace('e+', 'e')
      : value.toFixed(Math.max(size >= 1000 ? 0 : size >= 100 ? 1 : 0, digits - 1 - Math.floor(Math.log10(size))));
  return text.replaceAll('-', '−');
}

const digitsOfColumn = new WeakMap<NumberColumn, number>();

/** Significant digits that tell the values of a column apart: three, and more where all of them are nearly equal. */
export function digitsFor(column: NumberColumn): number {
  const known = digitsOfColumn.get(column);
  if (known !== undefined) return known;
  let [low, high] = [Infinity, -Infinity];
  for (const value of column.values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const spread = (high - low) / Math.max(Math.abs(low), Math.abs(high));
  // What differs by less than single precision can say differs by rounding.
  const digits = spread > 1e-5 && spread < 0.1 ? Math.min(6, 3 + Math.floor(-Math.log10(spread))) : 3;
  digitsOfColumn.set(column, digits);
  return digits;
}

/** Numbers of a cluster or a feature are names, and have no separators. */
export function cellText(column: Column, feature: number): string | null {
  if (column.type === 'number') {
    const value = column.values[feature];
    if (Number.isNaN(value)) return null;
    return column.name === 'feature' || isIdColumn(column.name) ? String(value) : shortNumber(value, digitsFor(column));
  }
  if (column.type === 'category') return column.codes[feature] < 0 ? null : column.names[column.codes[feature]];
  return column.at(feature);
}

/** Columns whose numbers name something. */
export function isIdColumn(name: string): boolean {
  return /^clusters\.(?!.*probability)|(_id|\.id|duplicate_of|single_token|_axis)$/.test(name);
}

/** A bound of a filter, rounded to what a hand can set, and never past the end of the data. */
export function roundedBound(value: number, step: number): number {
  if (!(step > 0)) return value;
  const digits = Math.max(0, Math.min(20, -Math.floor(Math.log10(step))));
  return Number(value.toFixed(digits));
}

const GROUPED = /^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/;
const DECIMAL = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?$/i;

/** A number as people type it, with a decimal comma or grouped as it is shown here; null for none, NaN for no number. */
export function typedNumber(text: string): number | null {
  const trimmed = text.trim().replace('−', '-');
  if (trimmed === '') return null;
  if (GROUPED.test(trimmed)) return Number(trimmed.replaceAll(',', ''));
  return DECIMAL.test(trimmed) ? Number(trimmed.replace(',', '.')) : Number.NaN;
}
