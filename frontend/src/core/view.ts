/** What the views show: the features that pass the filters, in the order of the sort. */
import { FilterEngine, type Filtered } from './filter';
import { orderBy } from './sort';
import type { Filter, Sort } from './state';
import type { FeatureStore } from './store';

export interface View extends Filtered {
  /** Ids of the features that pass, in order. */
  order: Uint32Array;
}

/** Makes views of one store, keeping the order while only filters change and the filters while only the sort does. */
export class Viewer {
  readonly #store: FeatureStore;
  readonly #engine: FilterEngine;
  #sorted: { key: string; order: Uint32Array } | null = null;

  constructor(store: FeatureStore) {
    this.#store = store;
    this.#engine = new FilterEngine(store);
  }

  #order(sort: Sort | null): Uint32Array | null {
    const column = sort && this.#store.column(sort.column);
    if (!column) return null;
    const key = `${sort.descending ? '-' : '+'}${sort.column}`;
    if (this.#sorted?.key !== key) this.#sorted = { key, order: orderBy(column, this.#store.n, sort.descending) };
    return this.#sorted.order;
  }

  view(filters: readonly Filter[], sort: Sort | null): View {
    const filtered = this.#engine.apply(filters);
    const all = this.#order(sort);
    const order = new Uint32Array(filtered.n);
    const { mask } = filtered;
    let n = 0;
    if (all) {
      for (const id of all) if (mask[id]) order[n++] = id;
    } else for (let id = 0; id < mask.length; id++) if (mask[id]) order[n++] = id;
    return { ...filtered, order };
  }
}
