/** What happens when an SAE is opened: its detail and columns are fetched, and the view follows every change. */
import { getJson, nameAtlas, postJson, segment, isAborted, type ApiError } from './api';
import { app, patch, type AppState, type Filter, type Selection } from './state';
import { FeatureStore, isOfLabels } from './store';
import { decodeState, MOST_IDS, type Shared } from './url';
import type { ColumnInfo, Health, SaeDetail, FeatureSet } from './types';
import { Viewer } from './view';

/** What tables and maps show first, as far as it is there. */
const FIRST_COLUMNS = [
  'labels.text',
  'labels.category',
  'explanations.text',
  'top-tokens.strings',
  'stats.n_active',
  'stats.density',
  'stats.mean',
  'stats.max',
  'token-profile.entropy_corrected',
  'example-similarity.mean_cosine',
  'weights.decoder_norm',
];

const LABELS = 'labels.text';

const HEALTH_EVERY = 20_000;

/** Columns that a table shows before anyone chose. */
export function firstColumns(columns: readonly ColumnInfo[]): string[] {
  const names = new Set(columns.map(({ name }) => name));
  const first = FIRST_COLUMNS.filter((name) => names.has(name));
  if (first.length >= 3) return first;
  const rest = columns.filter(({ name, type }) => type !== 'list' && !first.includes(name));
  return [...first, ...rest.slice(0, 8 - first.length).map(({ name }) => name)];
}

/** The columns that filters, sort, colour and table need to be here. */
export function neededColumns(state: AppState): string[] {
  const known = new Set(state.detail?.columns.map(({ name }) => name));
  const names = [
    ...state.columns,
    ...state.filters.flatMap((filter) => (filter.kind === 'set' ? [] : [filter.column])),
    ...[state.sort?.column, state.colourBy, state.sizeBy, state.clusterBy],
  ];
  return names.filter((name): name is string => !!name && known.has(name));
}

export type Report = (error: ApiError | Error) => void;

/** Follows the state of one page load. Only one is ever started; `close` ends it. */
export class Session {
  readonly #report: Report;
  readonly #ends: (() => void)[] = [];
  #viewer: Viewer | null = null;
  #opening: AbortController | null = null;
  #health: Promise<void> | null = null;

  constructor(report: Report) {
    this.#report = report;
    this.#ends.push(app.subscribe((state, before) => this.#follow(state, before)));
    const onVisible = () => document.visibilityState === 'visible' && void this.checkHealth();
    const timer = setInterval(onVisible, HEALTH_EVERY);
    document.addEventListener('visibilitychange', onVisible);
    this.#ends.push(() => clearInterval(timer));
    this.#ends.push(() => document.removeEventListener('visibilitychange', onVisible));
  }

  close(): void {
    this.#opening?.abort();
    for (const end of this.#ends) end();
  }

  /** Ask which commit is the newest, and whether labels may be written. */
  checkHealth(): Promise<void> {
    this.#health = this.#ask();
    return this.#health;
  }

  /** What the server said about itself last; it is asked if it never was. */
  knowHealth(): Promise<void> {
    return this.#health ?? this.checkHealth();
  }

  async #ask(): Promise<void> {
    try {
      const health = await getJson<Health>('/health');
      nameAtlas(health.atlas_id);
      const { commit } = app.getState();
      patch({ newestCommit: health.commit, commit: commit ?? health.commit, readOnly: health.read_only });
    } catch (error) {
      if (!isAborted(error)) this.#report(error as Error);
    }
  }

  /** Show an SAE at its newest commit, with the state that the address holds. */
  async open(sae: string): Promise<void> {
    const { columns } = app.getState();
    const shared = decodeState(new URLSearchParams(location.search));
    patch({ ...shared, columns: shared.columns.length ? shared.columns : columns });
    await this.#fetch(sae);
  }

  /** The same SAE at the newest commit, with filters, selection and order as they are. */
  async reopen(): Promise<void> {
    const { sae } = app.getState();
    if (sae !== null) await this.#fetch(sae);
  }

  async #fetch(sae: string): Promise<void> {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    this.#viewer = null;
    patch({ sae, detail: null, store: null, view: null, hover: null });
    const asked = getJson<SaeDetail>(`/saes/${segment(sae)}`, {}, opening.signal);
    const [detail] = await Promise.all([asked, this.knowHealth()]);
    if (opening.signal.aborted) return;
    this.#start(sae, detail);
    await this.#fetchSets();
  }

  /** Show labels that were written since: their columns, and how many features have one. */
  async refreshLabels(): Promise<void> {
    const { detail, store } = app.getState();
    if (!detail || !store) return;
    const fresh = await getJson<SaeDetail>(`/saes/${segment(detail.name)}`);
    const ofLabels = fresh.columns.filter(({ name }) => isOfLabels(name));
    await store.refreshLabels(ofLabels.map(({ name }) => name));
    if (app.getState().detail !== detail) return;
    const columns = [...detail.columns.filter(({ name }) => !isOfLabels(name)), ...ofLabels];
    const { labels_position, n_labelled } = fresh;
    // The first label brings the column that shows it.
    const isFirst = !detail.columns.some(({ name }) => name === LABELS) && ofLabels.some(({ name }) => name === LABELS);
    const shown = app.getState().columns;
    patch({
      detail: { ...detail, columns, labels_position, n_labelled },
      columns: isFirst && !shown.includes(LABELS) ? [LABELS, ...shown] : shown,
    });
  }

  #start(sae: string, detail: SaeDetail): void {
    const known = new Set(['feature', ...detail.columns.map(({ name }) => name)]);
    const store = new FeatureStore(sae, detail.commit, detail.n_features, known);
    this.#viewer = new Viewer(store);
    const { columns: wanted, newestCommit } = app.getState();
    const columns = wanted.filter((name) => known.has(name));
    store.subscribe(() => {
      if (app.getState().store === store) patch({ revision: app.getState().revision + 1 });
    });
    patch({
      detail,
      store,
      commit: detail.commit,
      newestCommit: Math.max(detail.commit, newestCommit ?? 0),
      columns: columns.length ? columns : firstColumns(detail.columns),
    });
  }

  #follow(state: AppState, before: AppState): void {
    const { store } = state;
    if (!store || !this.#viewer) return;
    const isOther = state.store !== before.store;
    const needs = ['columns', 'filters', 'sort', 'colourBy', 'sizeBy', 'clusterBy'] as const;
    if (isOther || needs.some((key) => state[key] !== before[key])) {
      const missing = neededColumns(state).filter((name) => !store.has(name));
      if (missing.length) store.load(missing).catch(this.#report);
    }
    const isChanged = state.filters !== before.filters || state.sort !== before.sort;
    if (isOther || isChanged || state.revision !== before.revision)
      patch({ view: this.#viewer.view(state.filters, state.sort) });
    if (state.selection !== before.selection || state.filters !== before.filters) void this.#storeSets();
  }

  /** Put what an address holds, and fetch the lists that it names by their hash. */
  async apply(shared: Shared): Promise<void> {
    const { detail } = app.getState();
    const columns = shared.columns.length ? shared.columns : detail ? firstColumns(detail.columns) : [];
    patch({ ...shared, columns });
    await this.#fetchSets();
  }

  async #fetchSets(): Promise<void> {
    const { sae, filters, selection } = app.getState();
    if (sae === null) return;
    const isNamed = (each: { hash?: string; ids: Uint32Array }) => each.hash !== undefined && each.ids.length === 0;
    const fetchIds = async (hash: string) => {
      const answer = await getJson<{ features: number[] }>(`/saes/${segment(sae)}/sets/${segment(hash)}`);
      return Uint32Array.from(answer.features).sort();
    };
    const lists = filters.flatMap((filter) =>
      filter.kind === 'set' && isNamed(filter)
        ? [fetchIds(filter.hash!).then((ids) => this.#replace(filter, { ...filter, ids }))]
        : [],
    );
    if (selection && isNamed(selection))
      lists.push(
        fetchIds(selection.hash!).then((ids) => {
          if (app.getState().selection === selection) patch({ selection: { ...selection, ids } });
        }),
      );
    // One that is gone does not keep the others away.
    await Promise.all(lists.map((list) => list.catch(this.#report)));
  }

  #replace(old: Filter, fresh: Filter): void {
    patch({ filters: app.getState().filters.map((each) => (each === old ? fresh : each)) });
  }

  /** Lists too long for an address are given to the server, so that a link can name them. */
  async #storeSets(): Promise<void> {
    const { filters, selection, readOnly } = app.getState();
    if (readOnly) return;
    const needsHash = (each: { ids: Uint32Array; hash?: string }) => each.ids.length > MOST_IDS && !each.hash;
    try {
      if (selection && needsHash(selection)) await this.#storeSelection(selection);
      for (const filter of filters) {
        if (filter.kind !== 'set' || !needsHash(filter)) continue;
        const hash = await storeSet(filter.ids, filter.name);
        if (app.getState().filters.includes(filter)) this.#replace(filter, { ...filter, hash });
      }
    } catch (error) {
      this.#report(error as Error);
    }
  }

  async #storeSelection(selection: Selection): Promise<void> {
    const hash = await storeSet(selection.ids, selection.name);
    if (app.getState().selection === selection) patch({ selection: { ...selection, hash } });
  }
}

/** Keep a list of features on the server; the answer is its hash. */
async function storeSet(ids: Uint32Array, name: string): Promise<string> {
  const { sae } = app.getState();
  if (sae === null) throw new Error('No SAE is open');
  const body = { features: Array.from(ids), name };
  return (await postJson<FeatureSet>(`/saes/${segment(sae)}/sets`, body)).set;
}
