/** Orders of features by a column: radix sort for numbers, so that 131,072 of them take milliseconds. */
import type { Column } from './columns';

/** Bits of a float64 as two words that sort as unsigned integers the way the numbers do. */
function keysOf(values: Float32Array | Float64Array, descending: boolean): [Uint32Array, Uint32Array] {
  const n = values.length;
  const words = new Uint32Array(Float64Array.from(values).buffer);
  const low = new Uint32Array(n);
  const high = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    let lower = words[2 * i];
    let upper = words[2 * i + 1];
    if (upper === 0x80000000 && lower === 0) upper = 0; // -0 and 0 are equal
    if (upper & 0x80000000) {
      upper = ~upper;
      lower = ~lower;
    } else upper ^= 0x80000000;
    low[i] = descending ? ~lower : lower;
    high[i] = descending ? ~upper : upper;
  }
  return [low, high];
}

/** One stable pass over 16 bits of the keys; answers false where all keys agree in them. */
function pass(keys: Uint32Array, shift: number, from: Uint32Array, to: Uint32Array, counts: Uint32Array): boolean {
  counts.fill(0);
  for (const index of from) counts[(keys[index] >>> shift) & 0xffff]++;
  if (from.length && counts[(keys[from[0]] >>> shift) & 0xffff] === from.length) return false;
  let sum = 0;
  for (let digit = 0; digit < 65536; digit++) {
    const count = counts[digit];
    counts[digit] = sum;
    sum += count;
  }
  for (const index of from) to[counts[(keys[index] >>> shift) & 0xffff]++] = index;
  return true;
}

function orderOfNumbers(values: Float32Array | Float64Array, descending: boolean): Uint32Array {
  const n = values.length;
  const [low, high] = keysOf(values, descending);
  let n_present = 0;
  for (let i = 0; i < n; i++) if (!Number.isNaN(values[i])) n_present += 1;
  let from: Uint32Array = new Uint32Array(n_present);
  const missing = new Uint32Array(n - n_present);
  for (let i = 0, p = 0, m = 0; i < n; i++) {
    if (Number.isNaN(values[i])) missing[m++] = i;
    else from[p++] = i;
  }
  let to: Uint32Array = new Uint32Array(n_present);
  const counts = new Uint32Array(65536);
  for (const keys of [low, high])
    for (const shift of [0, 16]) if (pass(keys, shift, from, to, counts)) [from, to] = [to, from];
  const order = new Uint32Array(n);
  order.set(from);
  order.set(missing, n_present);
  return order;
}

/** Ranks of texts in the reader's alphabet; missing and empty texts come out as NaN. */
function ranksOf(column: Column, n: number): Float64Array {
  const ranks = new Float64Array(n).fill(Number.NaN);
  if (column.type === 'category') {
    for (let i = 0; i < n; i++) if (column.codes[i] >= 0) ranks[i] = column.codes[i];
    return ranks;
  }
  if (column.type === 'number') return Float64Array.from(column.values);
  const distinct = new Map<string, number>();
  const texts = Array.from({ length: n }, (_, i) => column.at(i));
  for (const text of texts) if (text) distinct.set(text, 0);
  const { compare } = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
  const ordered = [...distinct.keys()].sort((a, b) => compare(a, b) || (a < b ? -1 : 1));
  ordered.forEach((text, rank) => distinct.set(text, rank));
  texts.forEach((text, i) => {
    if (text) ranks[i] = distinct.get(text)!;
  });
  return ranks;
}

/** All features by a column; equal ones stay in the order of ids, and missing ones are last in both directions. */
export function orderBy(column: Column, n: number, descending = false): Uint32Array {
  return orderOfNumbers(column.type === 'number' ? column.values : ranksOf(column, n), descending);
}
