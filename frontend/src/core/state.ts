/** The one state that all views share: filters, selection, hover, colour, and what they are about. */
import { createStore } from 'zustand/vanilla';
import type { FeatureStore } from './store';
import type { SaeDetail } from './types';
import type { View } from './view';

interface FilterBase {
  id: string;
  /** What its chip says. */
  name: string;
}

/**
 * Features with low <= value <= high; null leaves that side open. `missing` says what becomes of the others.
 * Over texts and categories it tells only what is there from what is missing.
 */
export interface RangeFilter extends FilterBase {
  kind: 'range';
  column: string;
  low: number | null;
  high: number | null;
  missing: 'keep' | 'drop' | 'only';
}

/** Features whose category is one of `values`; null among them means missing. */
export interface ValuesFilter extends FilterBase {
  kind: 'values';
  column: string;
  values: (string | null)[];
}

/** Features whose text contains every word of the query, whatever its case. */
export interface TextFilter extends FilterBase {
  kind: 'text';
  column: string;
  query: string;
}

/** The features of a list; `hash` names it on the server where it is too long for an address. */
export interface SetFilter extends FilterBase {
  kind: 'set';
  ids: Uint32Array;
  hash?: string;
}

export type Filter = RangeFilter | ValuesFilter | TextFilter | SetFilter;

/** Features that were picked, in ascending order, under the name that its chip shows. */
export interface Selection {
  kind: 'features';
  ids: Uint32Array;
  name: string;
  hash?: string;
}

export interface Sort {
  column: string;
  descending: boolean;
}

export interface Camera {
  position: [number, number, number];
  target: [number, number, number];
  /** Half the height of what an orthographic (2-D) camera sees. */
  zoom?: number;
}

/** How the maps of several SAEs share a space. */
export type Arrangement = 'beside' | 'stacked';

export type Theme = 'system' | 'light' | 'dark';

export interface AppState {
  sae: string | null;
  detail: SaeDetail | null;
  store: FeatureStore | null;
  /** The features that pass the filters, in the order of the sort. */
  view: View | null;
  /** Counts what arrived in the store, so that views know when to read again. */
  revision: number;
  /** The commit that the pages show, and the newest one the server told of. */
  commit: number | null;
  newestCommit: number | null;
  projection: string | null;
  /** Other SAEs that the map shows beside this one. */
  layers: string[];
  arrangement: Arrangement;
  /** Whether the map draws every edge, or only those of what is selected. */
  allEdges: boolean;
  /** Words whose features the map marks; empty for none. */
  mark: string;
  filters: Filter[];
  selection: Selection | null;
  hover: { sae: string; feature: number } | null;
  /** The feature in the drawer. */
  focus: number | null;
  colourBy: string | null;
  sizeBy: string | null;
  clusterBy: string | null;
  sort: Sort | null;
  columns: string[];
  /** Whether the map stands beside the table; null where nobody said, and the width of the window decides. */
  isMapBeside: boolean | null;
  camera: Camera | null;
  theme: Theme;
  readOnly: boolean;
}

export const initialState: AppState = {
  sae: null,
  detail: null,
  store: null,
  view: null,
  revision: 0,
  commit: null,
  newestCommit: null,
  projection: null,
  layers: [],
  arrangement: 'beside',
  allEdges: false,
  mark: '',
  filters: [],
  selection: null,
  hover: null,
  focus: null,
  colourBy: null,
  sizeBy: null,
  clusterBy: null,
  sort: null,
  columns: [],
  isMapBeside: null,
  camera: null,
  theme: 'system',
  readOnly: false,
};

export const app = createStore<AppState>(() => initialState);

export function patch(change: Partial<AppState>): void {
  app.setState(change);
}

/** Ids in ascending order, each once. */
export function idsOf(features: Iterable<number>): Uint32Array {
  const ids = Uint32Array.from(features).sort();
  let n = 0;
  for (let i = 0; i < ids.length; i++) if (i === 0 || ids[i] !== ids[i - 1]) ids[n++] = ids[i];
  return ids.slice(0, n);
}

/** Add a filter, or put it in the place of the one with its id. */
export function putFilter(filter: Filter): void {
  app.setState(({ filters }) => ({
    filters: filters.some((each) => each.id === filter.id)
      ? filters.map((each) => (each.id === filter.id ? filter : each))
      : [...filters, filter],
  }));
}

export function removeFilter(id: string): void {
  app.setState(({ filters }) => ({ filters: filters.filter((each) => each.id !== id) }));
}

/** Select features under a name; none at all ends the selection. */
export function select(features: Iterable<number>, name: string): void {
  const ids = idsOf(features);
  app.setState({ selection: ids.length ? { kind: 'features', ids, name } : null });
}

export function clearSelection(): void {
  app.setState({ selection: null });
}

export function setHover(hover: AppState['hover']): void {
  const now = app.getState().hover;
  if (now?.sae !== hover?.sae || now?.feature !== hover?.feature) app.setState({ hover });
}

export function setFocus(focus: number | null): void {
  app.setState({ focus });
}

export function setSort(sort: Sort | null): void {
  app.setState({ sort });
}
