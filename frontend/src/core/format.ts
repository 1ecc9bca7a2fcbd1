/** Values of columns as the table shows them: as many digits as tell them apart, and no more. */
import type { Column } from './columns';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A number in at most eight characters or so. */
export function shortNumber(value: number): string {
  if (Number.isNaN(value)) return '';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return WHOLE.format(value).replace('-', '−');
  const text =
    size >= 1e6 || size < 1e-3
      ? value.toExponential(2).replace('e+', 'e')
      : size >= 1000
        ? value.toFixed(0)
        : size >= 100
          ? value.toFixed(1)
          : value.toPrecision(3);
  return text.replaceAll('-', '−');
}

/** Numbers of a cluster or a feature are names, and have no separators. */
export function cellText(column: Column, feature: number): string | null {
  if (column.type === 'number') {
    const value = column.values[feature];
    if (Number.isNaN(value)) return null;
    return column.name === 'feature' || isIdColumn(column.name) ? String(value) : shortNumber(value);
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
