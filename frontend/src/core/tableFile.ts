/** What the table shows as a file: made here from the columns that are here, so that it is what was seen. */
import { valueAt, type Column } from './columns';

/** Beginning of what a spreadsheet would compute, by full-width signs too; with "'" before it, so that one comes off. */
const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

/** A text as the files of the command line have it: one that a spreadsheet would compute gets a "'" before it. */
const guarded = (value: number | string | null): number | string | null =>
  typeof value === 'string' && FORMULA.test(value) ? `'${value}` : value;

/** A cell of a delimited file; missing is empty, and an empty text is a pair of quotes. */
function cell(value: number | string | null, delimiter: string): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  return value === '' || /["\n\r]/.test(value) || value.includes(delimiter) || value.trim() !== value
    ? `"${value.replaceAll('"', '""')}"`
    : value;
}

/** Lines for the features in their order, after one with the names of the columns. */
export function delimited(columns: readonly Column[], features: Uint32Array, delimiter: ',' | '\t'): string {
  const lines = [columns.map(({ name }) => cell(name, delimiter)).join(delimiter)];
  for (const feature of features)
    lines.push(columns.map((column) => cell(guarded(valueAt(column, feature)), delimiter)).join(delimiter));
  return `${lines.join('\n')}\n`;
}

/** Whether a column is of whole numbers, by all its values, so that its type is the same whichever lines are saved. */
function isWhole(values: Float32Array | Float64Array): boolean {
  return (
    values.some(Number.isSafeInteger) && values.every((value) => Number.isNaN(value) || Number.isSafeInteger(value))
  );
}

/** The same as an Arrow stream: numbers as doubles or whole numbers, texts as texts, missing as null. */
export async function arrowBytes(columns: readonly Column[], features: Uint32Array): Promise<Uint8Array> {
  const { columnFromArray, float64, int64, tableFromColumns, tableToIPC, utf8 } = await import('@uwdata/flechette');
  const made = columns.map((column) => {
    const values = Array.from(features, (feature) => valueAt(column, feature));
    const type = column.type !== 'number' ? utf8() : isWhole(column.values) ? int64() : float64();
    return [column.name, columnFromArray(values, type)] satisfies [string, unknown];
  });
  const bytes = tableToIPC(tableFromColumns(made), { format: 'stream' });
  if (!bytes) throw new Error('The columns could not be written as Arrow');
  return bytes;
}

/** A name for the file that says what it holds. */
export function fileName(about: { sae: string; commit: number; n: number }, ending: string): string {
  const sae = about.sae.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-');
  return `${sae}-commit-${about.commit}-${about.n}-features.${ending}`;
}
