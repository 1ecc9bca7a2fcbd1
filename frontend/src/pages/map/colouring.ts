/** Which columns the layers of a map are coloured and sized by, and the scales that come of them. */
import { getJson } from '../../core/api';
import { parseHex } from '../../core/colour';
import type { CategoryColumn, Column, NumberColumn } from '../../core/columns';
import { categoryColour, spreadColours, type Ground } from '../../core/palette';
import type { Category, SaeDetail } from '../../core/types';
import { anchorOf } from '../../gl/labels';
import { clusteringFor, clusterText, type Clustering, type Layer, type MapData } from './load';
import { categoryScale, numberScale, type NumberScale, type Scale } from './paint';

/** Colour by the SAE that a feature is of. */
export const BY_LAYER = 'layer';
/** One colour for all. */
export const BY_NOTHING = 'none';

export interface Colouring {
  readonly scale: Scale;
  /** The column of each layer, null where it has none of that name. */
  readonly columns: readonly (NumberColumn | CategoryColumn | null)[];
  /** Why the wish could not be followed; null where it was. */
  readonly reason: string | null;
}

export interface Sizing {
  readonly scale: NumberScale;
  readonly columns: readonly (NumberColumn | null)[];
}

/** The name of the clustering that a column of the table holds. */
function clusteringOf(detail: SaeDetail, column: string): string | null {
  return detail.clusterings.find(({ name }) => column === `clusters.${name}`)?.name ?? null;
}

/** What a map is coloured by where nobody chose: clusters, else layers, else nothing. */
export function colourFor(
  detail: SaeDetail,
  n_layers: number,
  wanted: string | null,
  clusterBy: string | null,
): string {
  if (wanted !== null) return wanted;
  if (n_layers > 1) return BY_LAYER;
  const clustering = clusteringFor(detail, clusterBy);
  return clustering === null ? BY_NOTHING : `clusters.${clustering}`;
}

async function loaded(layer: Layer, name: string): Promise<Column | null> {
  if (!layer.detail.columns.some((column) => column.name === name)) return null;
  await layer.store.load([name]);
  return layer.store.column(name) ?? null;
}

/** The clusterings of this name of all layers; null for a layer without it. */
export async function clusteringsOf(
  data: MapData,
  layers: readonly Layer[],
  name: string,
): Promise<(Clustering | null)[]> {
  const has = ({ detail }: Layer) => detail.clusterings.some((each) => each.name === name);
  return Promise.all(layers.map((layer) => (has(layer) ? data.clustering(layer, name) : null)));
}

/** Clusters of several SAEs have nothing in common but their number, so the first layer says how they are called. */
function clusterColours(layer: Layer, clustering: Clustering, ground: Ground): Map<string, string> {
  const members: number[][] = clustering.clusters.map(() => []);
  clustering.column.codes.forEach((code, feature) => code >= 0 && members[code].push(feature));
  const places = new Float32Array(3 * members.length);
  members.forEach((list, code) => {
    const anchor = anchorOf(layer.places, list);
    if (anchor >= 0) places.set(layer.places.subarray(3 * anchor, 3 * anchor + 3), 3 * code);
  });
  const colours = spreadColours(places, 3);
  return new Map(clustering.column.names.map((name, code) => [name, categoryColour(colours[code], ground)]));
}

async function byClusters(data: MapData, layers: readonly Layer[], name: string, ground: Ground): Promise<Colouring> {
  const clusterings = await clusteringsOf(data, layers, name);
  const first = clusterings.findIndex((each) => each !== null);
  const columns = clusterings.map((each) => each?.column ?? null);
  const told = clusterings[first]!;
  const texts = new Map(told.clusters.map((cluster, code) => [told.column.names[code], clusterText(cluster)]));
  const colours = clusterColours(layers[first], told, ground);
  return { scale: categoryScale(`clusters.${name}`, columns, ground, { texts, colours }), columns, reason: null };
}

async function userColours(column: string): Promise<Map<string, string> | undefined> {
  if (!/^labels\.category$/.test(column)) return undefined;
  const answer = await getJson<{ categories?: Category[] } | Category[]>('/labels/categories');
  const list = Array.isArray(answer) ? answer : (answer.categories ?? []);
  return new Map(list.flatMap(({ name, colour }) => (colour && parseHex(colour) ? [[name, colour]] : [])));
}

/** The colours of all layers by a column, a clustering, or the layer. */
export async function colouringOf(
  data: MapData,
  layers: readonly Layer[],
  by: string,
  ground: Ground,
): Promise<Colouring> {
  const none = layers.map(() => null);
  if (by === BY_NOTHING) return { scale: { kind: 'plain' }, columns: none, reason: null };
  if (by === BY_LAYER) {
    const items = layers.map(({ sae, n_placed }, index) => ({
      name: sae,
      text: sae,
      count: n_placed,
      colour: categoryColour(index, ground),
    }));
    return { scale: { kind: 'layer', items }, columns: none, reason: null };
  }
  const clustering = layers.map(({ detail }) => clusteringOf(detail, by)).find((name) => name !== null);
  if (clustering) return byClusters(data, layers, clustering, ground);
  const columns = await Promise.all(layers.map((layer) => loaded(layer, by)));
  const first = columns.find((column) => column !== null);
  const plain = (reason: string): Colouring => ({ scale: { kind: 'plain' }, columns: none, reason });
  if (!first) return plain(`No layer on the map has the column ${by}`);
  if (first.type === 'text') return plain(`${by} has too many values for colours`);
  if (first.type === 'number') {
    const numbers = columns.map((column) => (column?.type === 'number' ? column : null));
    return { scale: numberScale(by, numbers.map(valuesOf)), columns: numbers, reason: null };
  }
  const categories = columns.map((column) => (column?.type === 'category' ? column : null));
  const colours = await userColours(by);
  return {
    scale: categoryScale(by, categories, ground, { colours, areOwn: colours !== undefined }),
    columns: categories,
    reason: null,
  };
}

function valuesOf(column: NumberColumn | null): NumberColumn['values'] | null {
  return column?.values ?? null;
}

/** The sizes of all layers by a column of numbers; null for one size. */
export async function sizingOf(layers: readonly Layer[], by: string | null): Promise<Sizing | null> {
  if (by === null) return null;
  const columns = await Promise.all(layers.map((layer) => loaded(layer, by)));
  const numbers = columns.map((column) => (column?.type === 'number' ? column : null));
  if (numbers.every((column) => column === null)) return null;
  return { scale: numberScale(by, numbers.map(valuesOf)), columns: numbers };
}

/** Columns that a feature is called by, the best first. */
const NAMES = ['labels.text', 'explanations.text', 'token-profile.single_token_string'];

/** What features of a layer are called. */
export async function namesOf(layer: Layer): Promise<(feature: number) => string | null> {
  const names = NAMES.filter((name) => layer.detail.columns.some((column) => column.name === name));
  await layer.store.load(names);
  const columns = names.flatMap((name) => layer.store.column(name) ?? []);
  return (feature) => {
    for (const column of columns) {
      const text =
        column.type === 'text'
          ? column.at(feature)
          : column.type === 'category'
            ? column.names[column.codes[feature]]
            : null;
      if (text) return text;
    }
    return null;
  };
}
