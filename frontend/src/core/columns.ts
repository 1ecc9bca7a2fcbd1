/** Columns of features in typed arrays: what the table, the filters and the map read, outside of React. */
import { Type, type Column as ArrowColumn, type Table } from '@uwdata/flechette';

export interface NumberColumn {
  name: string;
  type: 'number';
  /** One value for each feature, in the order of ids; NaN where it is missing. */
  values: Float32Array | Float64Array;
}

export interface TextColumn {
  name: string;
  type: 'text';
  at(feature: number): string | null;
  /** Whether there is one, which is quicker to tell than what it is. */
  isThere(feature: number): boolean;
}

export interface CategoryColumn {
  name: string;
  type: 'category';
  /** Index into `names` for each feature; -1 where it is missing. */
  codes: Int32Array;
  names: string[];
}

export type Column = NumberColumn | TextColumn | CategoryColumn;

/** Texts with more distinct values than this are searched rather than picked from a list. */
const MOST_CATEGORIES = 64;

/** What people write in sentences is searched, however few sentences there are yet. */
const PROSE = /\.(text|notes|strings)$/;

export function numberColumn(name: string, values: Float32Array | Float64Array): NumberColumn {
  return { name, type: 'number', values };
}

/** A column of texts that are there already; those beyond the last are missing. */
export function freeText(name: string, texts: readonly (string | null)[]): TextColumn {
  const at = (feature: number) => texts[feature] ?? null;
  return { name, type: 'text', at, isThere: (feature) => at(feature) !== null };
}

/** A column of texts: of categories where few values recur, and of free text otherwise. */
export function textColumn(name: string, texts: readonly (string | null)[]): TextColumn | CategoryColumn {
  if (PROSE.test(name)) return freeText(name, texts);
  const codeOf = new Map<string, number>();
  let n_present = 0;
  for (const text of texts) {
    if (text === null) continue;
    n_present += 1;
    if (!codeOf.has(text)) codeOf.set(text, codeOf.size);
    if (codeOf.size > MOST_CATEGORIES) break;
  }
  if (!codeOf.size || codeOf.size > MOST_CATEGORIES || codeOf.size * 2 > n_present) return freeText(name, texts);
  const names = [...codeOf.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  names.forEach((text, code) => codeOf.set(text, code));
  return {
    name,
    type: 'category',
    names,
    codes: Int32Array.from(texts, (text) => (text === null ? -1 : codeOf.get(text)!)),
  };
}

/** A column of texts that are decoded when they are first read: of 131,072 features, a table shows thirty. */
function proseColumn(name: string, column: ArrowColumn<unknown>): TextColumn {
  const texts = new Array<string | null | undefined>(column.length);
  const at = (feature: number) => (texts[feature] ??= textOf(column.at(feature)));
  const [batch] = column.data;
  // A batch without missing values has no bitmap, and would call every one of them missing.
  const isThere = (feature: number) =>
    column.nullCount === 0 || (column.data.length === 1 ? batch.isValid(feature) : at(feature) !== null);
  return { name, type: 'text', at, isThere };
}

function numbersOf(column: ArrowColumn<unknown>, places: Int32Array | null, n: number): NumberColumn['values'] {
  const source = column.toArray() as ArrayLike<number | null>;
  const values = source instanceof Float32Array ? new Float32Array(n) : new Float64Array(n);
  values.fill(Number.NaN);
  for (let i = 0; i < source.length; i++) {
    const value = source[i];
    if (value !== null) values[places ? places[i] : i] = value;
  }
  return values;
}

function booleansOf(name: string, column: ArrowColumn<unknown>, places: Int32Array | null, n: number): CategoryColumn {
  const codes = new Int32Array(n).fill(-1);
  const source = column.toArray() as ArrayLike<boolean | null>;
  for (let i = 0; i < source.length; i++) {
    const value = source[i];
    if (value !== null) codes[places ? places[i] : i] = value ? 1 : 0;
  }
  return { name, type: 'category', codes, names: ['false', 'true'] };
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<unknown>, (item) => textOf(item) ?? '').join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const TEXT_TYPES: ReadonlySet<number> = new Set([Type.Utf8, Type.LargeUtf8, Type.Utf8View, Type.Dictionary]);

/** Where the rows of a table belong, or null where row i is feature i. */
function placesOf(table: Table, n: number): Int32Array | null {
  const ids = table.getChild('feature')?.toArray() as ArrayLike<number> | undefined;
  if (!ids) throw new Error('The table has no column feature');
  const places = Int32Array.from(ids, Number);
  for (const id of places) if (id < 0 || id >= n) throw new Error(`The table names feature ${id} of ${n}`);
  if (places.length === n && places.every((id, i) => id === i)) return null;
  return places;
}

/** The columns of an answer about features, spread over all `n` features. */
export function columnsOf(table: Table, n: number): Column[] {
  const places = placesOf(table, n);
  const columns: Column[] = [];
  table.names.forEach((field, index) => {
    const name = String(field);
    if (name === 'feature') return;
    const column = table.getChildAt(index) as ArrowColumn<unknown>;
    const first = firstValue(column);
    if (typeof first === 'boolean') columns.push(booleansOf(name, column, places, n));
    else if (typeof first === 'number' || (first === undefined && !TEXT_TYPES.has(column.type.typeId)))
      columns.push(numberColumn(name, numbersOf(column, places, n)));
    else if (!places && PROSE.test(name)) columns.push(proseColumn(name, column));
    else {
      const texts = new Array<string | null>(n).fill(null);
      let i = 0;
      for (const value of column) {
        texts[places ? places[i] : i] = textOf(value);
        i += 1;
      }
      columns.push(textColumn(name, texts));
    }
  });
  return columns;
}

/** A value that is there, to tell the type by; undefined for a column that is missing throughout. */
function firstValue(column: ArrowColumn<unknown>): unknown {
  if (column.nullCount === column.length) return undefined;
  for (const value of column) if (value !== null && value !== undefined) return value;
  return undefined;
}

/** The values of a column for one feature, as what a person reads and a program can parse; null where missing. */
export function valueAt(column: Column, feature: number): number | string | null {
  if (column.type === 'number') {
    const value = column.values[feature];
    return Number.isNaN(value) ? null : value;
  }
  if (column.type === 'category') return column.codes[feature] < 0 ? null : column.names[column.codes[feature]];
  return column.at(feature);
}

export function isMissing(column: Column, feature: number): boolean {
  if (column.type === 'number') return Number.isNaN(column.values[feature]);
  if (column.type === 'category') return column.codes[feature] < 0;
  return !column.isThere(feature);
}
