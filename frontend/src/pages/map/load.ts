/** What the map is made of, fetched once for each SAE: places, clusters with their words, and edges. */
import { envelopeOf, getArrow, getJson, pinned, segment } from '../../core/api';
import type { CategoryColumn } from '../../core/columns';
import { app } from '../../core/state';
import { FeatureStore } from '../../core/store';
import type { ProjectionInfo, SaeDetail } from '../../core/types';
import { graphOf, type Graph } from '../../gl/edges';

export interface Layer {
  readonly sae: string;
  readonly detail: SaeDetail;
  readonly store: FeatureStore;
  readonly projection: ProjectionInfo;
  /** Three numbers for each feature, in the unit of the map; NaN where a feature has no place. */
  readonly places: Float32Array;
  readonly n_placed: number;
}

export interface Cluster {
  readonly cluster: number;
  readonly size: number;
  readonly terms: readonly string[];
  readonly medoid: number | null;
  readonly path: string | null;
}

export interface Clustering {
  readonly name: string;
  /** Which cluster each feature is in; names are what the column of the table holds. */
  readonly column: CategoryColumn;
  /** In the order of the names of the column. */
  readonly clusters: readonly Cluster[];
}

/** The map to show first: the one asked for, else the one with as many dimensions, else the first. */
export function projectionFor(detail: SaeDetail, wanted: string | null, dimensions = 0): ProjectionInfo | null {
  const { projections } = detail;
  return (
    projections.find(({ name }) => name === wanted) ??
    projections.find((projection) => projection.dimensions === dimensions) ??
    projections[0] ??
    null
  );
}

/** The clustering whose names are legible on a map: nearest to some thirty clusters. */
export function clusteringFor(detail: SaeDetail, wanted: string | null): string | null {
  const names = detail.clusterings.map(({ name }) => name);
  if (wanted !== null && names.includes(wanted)) return wanted;
  const sized = names.flatMap((name) => {
    const n = Number(/_(\d+)$/.exec(name)?.[1]);
    return n > 0 ? [{ name, gap: Math.abs(Math.log(n / 30)) }] : [];
  });
  sized.sort((a, b) => a.gap - b.gap);
  return sized[0]?.name ?? names[0] ?? null;
}

/** Fetches and keeps what belongs to one SAE at one commit. */
export class MapData {
  readonly #known = new Map<string, Promise<unknown>>();

  #once<T>(key: string, fetch: () => Promise<T>): Promise<T> {
    let known = this.#known.get(key) as Promise<T> | undefined;
    if (!known) {
      known = fetch();
      known.catch(() => this.#known.delete(key));
      this.#known.set(key, known);
    }
    return known;
  }

  /** The SAE that is open, or another one at the newest commit. */
  #opened(sae: string): Promise<{ detail: SaeDetail; store: FeatureStore }> {
    const { detail, store } = app.getState();
    if (detail && store && detail.name === sae) return Promise.resolve({ detail, store });
    return this.#once(`open ${sae}`, async () => {
      const other = await getJson<SaeDetail>(`/saes/${segment(sae)}`);
      return { detail: other, store: new FeatureStore(sae, other.commit, other.n_features) };
    });
  }

  /** A layer, or null where the SAE has no map at all. */
  async layer(sae: string, wanted: string | null, dimensions: number): Promise<Layer | null> {
    const { detail, store } = await this.#opened(sae);
    const projection = projectionFor(detail, wanted, dimensions);
    if (!projection) return null;
    const key = `${sae}@${detail.commit} projection ${projection.name}`;
    const { places, n_placed } = await this.#once(key, () => fetchPlaces(detail, projection));
    return { sae, detail, store, projection, places, n_placed };
  }

  clustering({ detail }: Layer, name: string): Promise<Clustering> {
    return this.#once(`${detail.name}@${detail.commit} clusters ${name}`, () => fetchClustering(detail, name));
  }

  /** The edges that go with a map: those that came with it, else those between nearest features. Null for none. */
  graph({ detail, projection }: Layer): Promise<Graph | null> {
    const { graphs } = detail;
    const graph = graphs.find(({ name }) => name === projection.name) ?? graphs[0];
    if (!graph) return Promise.resolve(null);
    return this.#once(`${detail.name}@${detail.commit} graph ${graph.name}`, async () => {
      const table = await getArrow(
        pinned(`/saes/${segment(detail.name)}/graphs/${segment(graph.name)}`, detail.commit),
      );
      const numbers = (name: string) => table.getChild(name)!.toArray() as ArrayLike<number>;
      return graphOf(detail.n_features, numbers('source'), numbers('target'), numbers('weight'));
    });
  }
}

async function fetchPlaces(
  detail: SaeDetail,
  { name }: ProjectionInfo,
): Promise<{ places: Float32Array; n_placed: number }> {
  const path = pinned(`/saes/${segment(detail.name)}/projections/${segment(name)}`, detail.commit);
  const table = await getArrow(path);
  const places = new Float32Array(3 * detail.n_features).fill(Number.NaN);
  const ids = table.getChild('feature')!.toArray() as ArrayLike<number>;
  const axes = ['x', 'y', 'z'].map((axis) => table.getChild(axis)?.toArray() as ArrayLike<number | null> | undefined);
  let n_placed = 0;
  for (let i = 0; i < ids.length; i++) {
    const place = axes.map((axis) => (axis ? axis[i] : 0));
    if (place.some((value) => value === null || Number.isNaN(value))) continue;
    places.set(place as number[], 3 * ids[i]);
    n_placed += 1;
  }
  return { places, n_placed };
}

async function fetchClustering(detail: SaeDetail, name: string): Promise<Clustering> {
  const path = pinned(`/saes/${segment(detail.name)}/clusters/${segment(name)}`, detail.commit);
  const table = await getArrow(path);
  const told = (envelopeOf(table)?.extra?.clusters ?? []) as Partial<Cluster>[];
  const ids = table.getChild('feature')!.toArray() as ArrayLike<number>;
  const inside = table.getChild('cluster')!.toArray() as ArrayLike<number | null>;
  const sizes = new Map<number, number>();
  for (let i = 0; i < inside.length; i++) {
    const cluster = inside[i];
    if (cluster !== null && !Number.isNaN(cluster)) sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1);
  }
  const clusters = [...sizes]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([cluster, size]): Cluster => {
      const { terms = [], medoid = null, path: place = null } = told.find((each) => each.cluster === cluster) ?? {};
      return { cluster, size, terms, medoid, path: place };
    });
  const codeOf = new Map(clusters.map(({ cluster }, code) => [cluster, code]));
  const codes = new Int32Array(detail.n_features).fill(-1);
  for (let i = 0; i < ids.length; i++) codes[ids[i]] = codeOf.get(inside[i] as number) ?? -1;
  const names = clusters.map(({ cluster, path: place }) => place ?? String(cluster));
  return { name, column: { name: `clusters.${name}`, type: 'category', codes, names }, clusters };
}

/** What a cluster is called: its words, else its number. */
export function clusterText(cluster: Cluster, most = 3): string {
  return cluster.terms.length ? cluster.terms.slice(0, most).join(', ') : `cluster ${cluster.path ?? cluster.cluster}`;
}

/**
 * Names of clusters for the map, two words each: words that more than a quarter of the clusters share tell nothing and
 * are passed over where there are others. Empty for a cluster without words.
 */
export function clusterNames(clusters: readonly Cluster[]): string[] {
  const counts = new Map<string, number>();
  for (const { terms } of clusters) for (const term of new Set(terms)) counts.set(term, (counts.get(term) ?? 0) + 1);
  const most = Math.max(2, clusters.length / 4);
  return clusters.map(({ terms }) => {
    const telling = terms.filter((term) => counts.get(term)! <= most);
    return [...telling, ...terms.filter((term) => !telling.includes(term))].slice(0, 2).join(', ');
  });
}
