/** Finding features by words: the server's index where there is one, and the labels that are here where there is none. */
import uFuzzy from '@leeoniya/ufuzzy';
import { getJson } from './api';
import { valueAt } from './columns';
import { app } from './state';
import type { FeatureStore } from './store';
import type { SaeDetail, SearchHit, SearchResult, SnippetPart } from './types';

/** A hit as it is shown: of the index, of labels matched here, or the feature whose number was typed. */
export type FoundHit = Omit<SearchHit, 'where' | 'score' | 'index'> & { where: SearchHit['where'] | 'number' };

export interface Found {
  /** 'index' for the server's full-text index, 'labels' for labels matched here. */
  by: 'index' | 'labels';
  corrected: string | null;
  /** Whether nothing has all words, so that the hits have some of them. */
  is_any: boolean;
  total: number;
  hits: FoundHit[];
}

/** Text cut into what matches and what does not; `ranges` holds starts and ends in turn. */
export function snippetOf(text: string, ranges: readonly number[]): SnippetPart[] {
  const parts: SnippetPart[] = [];
  let end = 0;
  for (let i = 0; i + 1 < ranges.length; i += 2) {
    if (ranges[i] > end) parts.push({ text: text.slice(end, ranges[i]), is_match: false });
    parts.push({ text: text.slice(ranges[i], ranges[i + 1]), is_match: true });
    end = ranges[i + 1];
  }
  if (end < text.length) parts.push({ text: text.slice(end), is_match: false });
  return parts;
}

/** Columns of texts about features, best first. */
const LABEL_COLUMNS = ['labels.text', 'explanations.text', 'token-profile.single_token_string'];

/** The features whose label, explanation or token matches, tolerant of one wrong letter in a word. */
export function searchLabels(store: FeatureStore, query: string, limit: number): Found {
  const texts: string[] = [];
  const features: number[] = [];
  const wheres: SearchHit['where'][] = [];
  for (const name of LABEL_COLUMNS) {
    const column = store.column(name);
    if (!column) continue;
    for (let feature = 0; feature < store.n; feature++) {
      const text = valueAt(column, feature);
      if (text === null || text === '') continue;
      texts.push(String(text));
      features.push(feature);
      wheres.push(name.startsWith('labels') ? 'label' : name.startsWith('explanations') ? 'explanation' : 'token');
    }
  }
  const matcher = new uFuzzy({
    intraMode: 1,
    unicode: true,
    interSplit: "[^\\p{L}\\d']+",
    intraSplit: '\\p{Ll}\\p{Lu}',
  });
  const [found, info, order] = matcher.search(texts, query, 1, 10_000);
  const places =
    order && info ? order.map((place) => [info.idx[place], place]) : (found ?? []).map((index) => [index, -1]);
  const hits = new Map<number, FoundHit>();
  for (const [index, place] of places) {
    const feature = features[index];
    if (hits.has(feature)) continue;
    const ranges = place < 0 || !info ? [] : info.ranges[place];
    hits.set(feature, {
      kind: 'features',
      sae: store.sae,
      feature,
      corpus: null,
      document: null,
      where: wheres[index],
      snippet: snippetOf(texts[index], ranges),
    });
  }
  return { by: 'labels', corrected: null, is_any: false, total: hits.size, hits: [...hits.values()].slice(0, limit) };
}

/** A number that is typed is a feature. */
export function featureOf(query: string, n: number): number | null {
  const match = /^#?\s*(\d{1,9})$/.exec(query.trim());
  return match && Number(match[1]) < n ? Number(match[1]) : null;
}

export interface Asked {
  sae: string | null;
  store: FeatureStore | null;
  /** Whether the atlas has an index, where that is not for the SAE on show to say. */
  hasIndex?: boolean;
  /** Only hits of this kind; features and documents without. */
  kind?: 'features';
  limit: number;
}

/** Whether the server can search for an SAE: asking without an index is an error. */
export function hasIndex(detail: SaeDetail | null): boolean {
  return detail?.analyses.some(({ name, state }) => name.startsWith('search') && state === 'current') ?? false;
}

/** Ask the server's index; where the atlas has none, match the labels of the SAE on show. */
export async function search(query: string, about: Asked, signal?: AbortSignal): Promise<Found> {
  if (about.hasIndex ?? hasIndex(app.getState().detail)) {
    const answer = await getJson<SearchResult>(
      '/search',
      { q: query, sae: about.sae, kind: about.kind, limit: about.limit },
      signal,
    );
    const { corrected, is_any, total, hits } = answer;
    return { by: 'index', corrected, is_any, total, hits };
  }
  const { store } = about;
  if (!store) return { by: 'labels', corrected: null, is_any: false, total: 0, hits: [] };
  await store.load(LABEL_COLUMNS.filter((name) => isKnown(store, name)));
  return searchLabels(store, query, about.limit);
}

function isKnown(store: FeatureStore, name: string): boolean {
  return store.names === null || store.names.has(name);
}
