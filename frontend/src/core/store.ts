/** The columns of one SAE at one commit, fetched when something asks for them. */
import { getArrow, pinned, segment } from './api';
import { columnsOf, numberColumn, type Column } from './columns';
import type { Table } from '@uwdata/flechette';

export type { CategoryColumn, Column, NumberColumn, TextColumn } from './columns';

/** Labels are newer than the commit, and change while it does not. */
export function isOfLabels(name: string): boolean {
  return name.startsWith('labels.');
}

export type FetchColumns = (names: readonly string[], signal?: AbortSignal) => Promise<Table>;

/** Columns of features by name. A column never changes once it is here; `revision` counts what arrived. */
export class FeatureStore {
  readonly sae: string;
  readonly commit: number;
  readonly n: number;
  /** Columns that there are to load; null where nobody said. */
  names: ReadonlySet<string> | null;
  revision = 0;
  readonly #columns = new Map<string, Column>();
  readonly #coming = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  readonly #fetch: FetchColumns;

  constructor(sae: string, commit: number, n: number, names?: Iterable<string> | null, fetchColumns?: FetchColumns) {
    this.sae = sae;
    this.commit = commit;
    this.n = n;
    this.names = names ? new Set(names) : null;
    this.#fetch =
      fetchColumns ??
      ((names, signal) => {
        const path = `/saes/${segment(sae)}/features`;
        return getArrow(names.every(isOfLabels) ? path : pinned(path, commit), { columns: names }, signal);
      });
    this.#columns.set(
      'feature',
      numberColumn(
        'feature',
        Float64Array.from({ length: n }, (_, i) => i),
      ),
    );
  }

  column(name: string): Column | undefined {
    return this.#columns.get(name);
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  /** Put a column that was computed here or fetched otherwise; its length is the number of features. */
  put(column: Column): void {
    this.#columns.set(column.name, column);
    this.#tell();
  }

  /** Fetch the named columns that are not here yet, in one request; those on their way are waited for. */
  async load(names: readonly string[]): Promise<void> {
    const wanted = [...new Set(names)].filter((name) => !this.#columns.has(name));
    const fresh = wanted.filter((name) => !this.#coming.has(name));
    for (const part of [fresh.filter(isOfLabels), fresh.filter((name) => !isOfLabels(name))]) {
      if (!part.length) continue;
      const arrival = this.#load(part).finally(() => part.forEach((name) => this.#coming.delete(name)));
      part.forEach((name) => this.#coming.set(name, arrival));
    }
    await Promise.all(wanted.map((name) => this.#coming.get(name)));
  }

  /** Fetch the columns of labels that are here once more, and those that labels added. */
  async refreshLabels(names: Iterable<string>): Promise<void> {
    const known = [...this.#columns.keys()].filter(isOfLabels);
    this.names = new Set([...(this.names ?? []), ...names]);
    if (known.length) await this.#load(known);
  }

  async #load(names: readonly string[]): Promise<void> {
    for (const column of columnsOf(await this.#fetch(names), this.n)) this.#columns.set(column.name, column);
    this.#tell();
  }

  /** Called after columns arrived; the answer ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    this.revision += 1;
    for (const listener of this.#listeners) listener();
  }
}
