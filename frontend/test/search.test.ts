import { describe, expect, it } from 'vitest';
import { freeText } from '../src/core/columns';
import { featureOf, hasIndex, searchLabels, snippetOf } from '../src/core/search';
import { FeatureStore } from '../src/core/store';
import type { SaeDetail } from '../src/core/types';

const LABELS = [
  'refunds and complaints',
  null,
  'names of months',
  'REFUND requests',
  '日本語の助詞',
  'إرجاع الأموال',
  'month',
];

function storeOf(): FeatureStore {
  const store = new FeatureStore('toy', 1, LABELS.length, null, () =>
    Promise.reject(new Error('Nothing is fetched here')),
  );
  store.put(freeText('labels.text', LABELS));
  store.put(freeText('explanations.text', [null, 'about refunds']));
  return store;
}

const found = (query: string) => searchLabels(storeOf(), query, 10).hits.map(({ feature }) => feature);

describe('search without an index', () => {
  it('finds words and their beginnings in labels and explanations, whatever their case', () => {
    expect(found('refund').sort()).toEqual([0, 1, 3]);
    expect(found('month').sort()).toEqual([2, 6]);
  });

  it('forgives a wrong letter', () => {
    expect(found('refumd')).toContain(0);
  });

  it('finds nothing where there is nothing', () => {
    expect(searchLabels(storeOf(), 'zzzz', 10)).toMatchObject({ total: 0, hits: [] });
  });

  it('finds other scripts', () => {
    expect(found('日本語')).toEqual([4]);
    expect(found('إرجاع')).toEqual([5]);
  });

  it('says where it was found and marks it', () => {
    const [hit] = searchLabels(storeOf(), 'complaints', 10).hits;
    expect(hit.where).toBe('label');
    expect(hit.snippet).toEqual([
      { text: 'refunds and ', is_match: false },
      { text: 'complaints', is_match: true },
    ]);
  });

  it('counts all and shows the first', () => {
    const answer = searchLabels(storeOf(), 'refund', 2);
    expect([answer.total, answer.hits.length]).toEqual([3, 2]);
  });
});

describe('snippets', () => {
  it('put together are the text', () => {
    for (const ranges of [[], [0, 3], [2, 5, 7, 9], [8, 10]])
      expect(
        snippetOf('abcdefghij', ranges)
          .map(({ text }) => text)
          .join(''),
      ).toBe('abcdefghij');
  });
});

describe('a number', () => {
  it('is a feature that the SAE has', () => {
    expect([
      featureOf('12', 20),
      featureOf(' #3 ', 20),
      featureOf('20', 20),
      featureOf('1.5', 20),
      featureOf('-1', 20),
    ]).toEqual([12, 3, null, null, null]);
  });
});

describe('the index', () => {
  it('is asked only where it is current', () => {
    const detail = (state: string) => ({ analyses: [{ name: 'search', state }] }) as unknown as SaeDetail;
    expect([hasIndex(detail('current')), hasIndex(detail('stale')), hasIndex(null)]).toEqual([true, false, false]);
  });
});
