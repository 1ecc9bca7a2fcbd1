/** Filters as bytes per feature: which features fail which filter, and so what each histogram may count. */
import { isMissing, valueAt, type Column } from './columns';
import type { Filter, RangeFilter, TextFilter, ValuesFilter } from './state';
import type { FeatureStore } from './store';

/** What the filters let through. */
export interface Filtered {
  /** 1 for each feature that passes all filters. */
  mask: Uint8Array;
  n: number;
  /** How many filters each feature fails. */
  fails: Uint8Array;
  /** For each filter by id: 1 for each feature that fails it. */
  failing: Map<string, Uint8Array>;
}

function failRange(filter: RangeFilter, column: Column, fail: Uint8Array): void {
  const low = filter.low ?? -Infinity;
  const high = filter.high ?? Infinity;
  const keepsMissing = filter.missing !== 'drop';
  const keepsPresent = filter.missing !== 'only';
  if (column.type !== 'number') {
    for (let i = 0; i < fail.length; i++) fail[i] = isMissing(column, i) ? +!keepsMissing : +!keepsPresent;
    return;
  }
  const { values } = column;
  for (let i = 0; i < fail.length; i++) {
    const value = values[i];
    fail[i] = Number.isNaN(value) ? +!keepsMissing : +!(keepsPresent && value >= low && value <= high);
  }
}

function failValues(filter: ValuesFilter, column: Column, fail: Uint8Array): void {
  const wanted = new Set(filter.values);
  if (column.type === 'category') {
    const passes = column.names.map((name) => +!wanted.has(name));
    const missing = +!wanted.has(null);
    for (let i = 0; i < fail.length; i++) fail[i] = column.codes[i] < 0 ? missing : passes[column.codes[i]];
    return;
  }
  for (let i = 0; i < fail.length; i++) {
    const value = valueAt(column, i);
    fail[i] = +!wanted.has(value === null ? null : String(value));
  }
}

/** The words of a query as they are compared: lower case, without accents. */
export function foldText(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
}

function failText(filter: TextFilter, column: Column, fail: Uint8Array): void {
  const words = foldText(filter.query).split(/\s+/).filter(Boolean);
  for (let i = 0; i < fail.length; i++) {
    const value = valueAt(column, i);
    const text = value === null ? null : String(value);
    const folded = text === null ? null : foldText(text);
    fail[i] = +!(words.length === 0 || (folded !== null && words.every((word) => folded.includes(word))));
  }
}

function failingOf(filter: Filter, store: FeatureStore): Uint8Array | null {
  const fail = new Uint8Array(store.n);
  if (filter.kind === 'set') {
    fail.fill(1);
    for (const id of filter.ids) if (id < store.n) fail[id] = 0;
    return fail;
  }
  const column = store.column(filter.column);
  if (!column) return null;
  if (filter.kind === 'range') failRange(filter, column, fail);
  else if (filter.kind === 'values') failValues(filter, column, fail);
  else failText(filter, column, fail);
  return fail;
}

/** Keeps what did not change: while one bound is dragged only that filter is looked at again. */
export class FilterEngine {
  readonly #store: FeatureStore;
  readonly #known = new WeakMap<Filter, Uint8Array>();

  constructor(store: FeatureStore) {
    this.#store = store;
  }

  /** The filters whose column is not here yet are left out; `apply` again once it arrived. */
  apply(filters: readonly Filter[]): Filtered {
    const n = this.#store.n;
    const fails = new Uint8Array(n);
    const failing = new Map<string, Uint8Array>();
    for (const filter of filters) {
      const fail = this.#known.get(filter) ?? failingOf(filter, this.#store);
      if (!fail) continue;
      this.#known.set(filter, fail);
      failing.set(filter.id, fail);
      for (let i = 0; i < n; i++) fails[i] += fail[i];
    }
    const mask = new Uint8Array(n);
    let n_passing = 0;
    for (let i = 0; i < n; i++) {
      const passes = +(fails[i] === 0);
      mask[i] = passes;
      n_passing += passes;
    }
    return { mask, n: n_passing, fails, failing };
  }
}

/** 1 for the features that pass every filter but the named one: what that filter's own histogram shows. */
export function maskWithout(filtered: Filtered, id: string | null): Uint8Array {
  const fail = id === null ? undefined : filtered.failing.get(id);
  if (!fail) return filtered.mask;
  const mask = new Uint8Array(filtered.mask.length);
  for (let i = 0; i < mask.length; i++) mask[i] = +(filtered.fails[i] - fail[i] === 0);
  return mask;
}
