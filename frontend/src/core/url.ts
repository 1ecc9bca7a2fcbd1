/** The shared state in an address, version 1: what a share link holds, and what comes back out of it. */
import type { AppState, Camera, Filter, Selection, Sort } from './state';

/** The part of the state that an address holds. */
export type Shared = Pick<
  AppState,
  | 'projection'
  | 'layers'
  | 'arrangement'
  | 'allEdges'
  | 'mark'
  | 'filters'
  | 'sort'
  | 'columns'
  | 'isMapBeside'
  | 'colourBy'
  | 'sizeBy'
  | 'clusterBy'
  | 'focus'
  | 'camera'
> & { selection: Selection | null };

/** Longer lists of features are kept by the server, and the address holds their hash. */
export const MOST_IDS = 200;

const VERSION = '1';
const OURS = [
  'v',
  'f',
  'sel',
  'sort',
  'cols',
  'map',
  'proj',
  'layers',
  'arr',
  'edges',
  'mark',
  'colour',
  'size',
  'cluster',
  'focus',
  'cam',
];

/** Fields are joined by an asterisk, which an address holds as it is; inside of a field it is written %2A. */
function join(fields: readonly string[]): string {
  return fields.map((field) => encodeURIComponent(field).replaceAll('*', '%2A')).join('*');
}

function split(text: string): string[] {
  return text.split('*').map((field) => {
    try {
      return decodeURIComponent(field);
    } catch {
      return field;
    }
  });
}

function idsText(ids: Uint32Array, hash: string | undefined): string | null {
  if (ids.length <= MOST_IDS) return Array.from(ids).join('_');
  return hash ? `h${hash}` : null;
}

function idsFrom(text: string): { ids: Uint32Array; hash?: string } | null {
  if (/^h[0-9A-Za-z_-]+$/.test(text)) return { ids: new Uint32Array(0), hash: text.slice(1) };
  if (text === '') return { ids: new Uint32Array(0) };
  if (!/^\d+(_\d+)*$/.test(text)) return null;
  const ids = text.split('_').map(Number);
  return ids.every((id) => id < 2 ** 32) ? { ids: Uint32Array.from(new Set(ids)).sort() } : null;
}

function numberText(value: number | null): string {
  return value === null ? '' : String(value);
}

function numberFrom(text: string | undefined): number | null {
  if (text === undefined || text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/** One filter as text; null for a long list that the server does not hold yet. */
export function encodeFilter(filter: Filter): string | null {
  switch (filter.kind) {
    case 'range': {
      const { column, low, high, missing, name } = filter;
      return join(['r', column, numberText(low), numberText(high), missing, name === column ? '' : name]);
    }
    case 'values':
      return join(['v', filter.column, ...filter.values.map((value) => (value === null ? '-' : `=${value}`))]);
    case 'text':
      return join(['t', filter.column, filter.query]);
    case 'set': {
      const ids = idsText(filter.ids, filter.hash);
      return ids === null ? null : join(['s', filter.name, ids]);
    }
  }
}

/** The filter of a text, or null where it is none. Its id follows from what it is about. */
export function decodeFilter(text: string): Filter | null {
  const [kind, first, ...rest] = split(text);
  if (first === undefined) return null;
  if (kind === 'r') {
    const missing = rest[2] === 'keep' || rest[2] === 'only' ? rest[2] : 'drop';
    const [low, high] = [numberFrom(rest[0]), numberFrom(rest[1])];
    return { id: `range:${first}`, name: rest[3] || first, kind: 'range', column: first, low, high, missing };
  }
  if (kind === 'v') {
    const values = rest.filter((each) => each === '-' || each.startsWith('='));
    return {
      id: `values:${first}`,
      name: first,
      kind: 'values',
      column: first,
      values: values.map((each) => (each === '-' ? null : each.slice(1))),
    };
  }
  if (kind === 't') return { id: `text:${first}`, name: first, kind: 'text', column: first, query: rest[0] ?? '' };
  if (kind !== 's' || rest[0] === undefined) return null;
  const set = idsFrom(rest[0]);
  return set && { id: `set:${first}`, name: first, kind: 'set', ...set };
}

function encodeCamera({ position, target, zoom }: Camera): string {
  const numbers = [...position, ...target, ...(zoom === undefined ? [] : [zoom])];
  return numbers.map((value) => Number(value.toPrecision(6))).join('_');
}

function decodeCamera(text: string | null): Camera | null {
  const numbers = text?.split('_').map(Number) ?? [];
  if ((numbers.length !== 6 && numbers.length !== 7) || !numbers.every(Number.isFinite)) return null;
  const [x, y, z, u, v, w, zoom] = numbers;
  return { position: [x, y, z], target: [u, v, w], ...(zoom === undefined ? {} : { zoom }) };
}

function encodeSelection(selection: Selection | null): string | null {
  const ids = selection && idsText(selection.ids, selection.hash);
  return selection && ids ? join([selection.name, ids]) : null;
}

function decodeSelection(text: string | null): Selection | null {
  if (text === null) return null;
  const [name, list] = split(text);
  const set = list === undefined ? null : idsFrom(list);
  return set && (set.ids.length || set.hash) ? { kind: 'features', name, ...set } : null;
}

function encodeSort(sort: Sort | null): string | null {
  return sort && (sort.descending ? '-' : '') + sort.column;
}

function decodeSort(text: string | null): Sort | null {
  if (!text) return null;
  return text.startsWith('-') ? { column: text.slice(1), descending: true } : { column: text, descending: false };
}

/** The parameters of an address for a state; those of `others` that are not ours stay. */
export function encodeState(state: Shared, others: URLSearchParams = new URLSearchParams()): URLSearchParams {
  const query = new URLSearchParams(others);
  for (const name of OURS) query.delete(name);
  const texts: [string, string | null][] = [
    ...state.filters.map((filter): [string, string | null] => ['f', encodeFilter(filter)]),
    ['sel', encodeSelection(state.selection)],
    ['sort', encodeSort(state.sort)],
    ['cols', state.columns.length ? join(state.columns) : null],
    ['map', state.isMapBeside === null ? null : state.isMapBeside ? '1' : '0'],
    ['proj', state.projection],
    ['layers', state.layers.length ? join(state.layers) : null],
    ['arr', state.arrangement === 'beside' ? null : state.arrangement],
    ['edges', state.allEdges ? '1' : null],
    ['mark', state.mark],
    ['colour', state.colourBy],
    ['size', state.sizeBy],
    ['cluster', state.clusterBy],
    ['focus', state.focus === null ? null : String(state.focus)],
    ['cam', state.camera && encodeCamera(state.camera)],
  ];
  const present = texts.filter((pair): pair is [string, string] => pair[1] !== null && pair[1] !== '');
  if (present.length) query.set('v', VERSION);
  for (const [name, text] of present) query.append(name, text);
  return query;
}

/** The state of an address. What cannot be read is left out; an address of another version is read as empty. */
export function decodeState(query: URLSearchParams): Shared {
  const known = query.get('v') === VERSION ? query : new URLSearchParams();
  const list = (name: string) => (known.get(name) ? split(known.get(name)!) : []);
  const focus = numberFrom(known.get('focus') ?? undefined);
  const filters = known.getAll('f').map(decodeFilter);
  return {
    filters: filters.filter((filter) => filter !== null),
    selection: decodeSelection(known.get('sel')),
    sort: decodeSort(known.get('sort')),
    columns: list('cols'),
    isMapBeside: known.get('map') === '1' ? true : known.get('map') === '0' ? false : null,
    projection: known.get('proj') || null,
    layers: list('layers'),
    arrangement: known.get('arr') === 'stacked' ? 'stacked' : 'beside',
    allEdges: known.get('edges') === '1',
    mark: known.get('mark') ?? '',
    colourBy: known.get('colour') || null,
    sizeBy: known.get('size') || null,
    clusterBy: known.get('cluster') || null,
    focus: focus !== null && Number.isInteger(focus) && focus >= 0 ? focus : null,
    camera: decodeCamera(known.get('cam')),
  };
}

export interface Place {
  path: string;
  sae: string | null;
}

/** The path of a page of an SAE. */
export function pathTo(sae: string, page: string): string {
  return `/s/${encodeURIComponent(sae)}/${page}`;
}

/** The SAE that a path is about. */
export function saeOf(path: string): string | null {
  const match = /^\/s\/([^/]+)\//.exec(path);
  if (!match) return null;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return match[1];
  }
}
