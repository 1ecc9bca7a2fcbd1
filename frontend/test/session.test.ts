import { describe, expect, it } from 'vitest';
import { tableToIPC, tableFromArrays, tableFromIPC } from '@uwdata/flechette';
import { address, nameAtlas, pinned, segment } from '../src/core/api';
import { firstColumns, neededColumns } from '../src/core/session';
import { initialState } from '../src/core/state';
import { FeatureStore } from '../src/core/store';
import type { ColumnInfo, SaeDetail } from '../src/core/types';

function infos(...names: string[]): ColumnInfo[] {
  return names.map((name) => {
    const [analysis, column] = name.split('.');
    return { name, analysis, column, type: column === 'edges' ? 'list' : 'number', description: null };
  });
}

describe('the columns of a table that nobody chose', () => {
  it('are those that say most, as far as they are there', () => {
    expect(firstColumns(infos('umap.x', 'stats.max', 'labels.text', 'stats.n_active'))).toEqual([
      'labels.text',
      'stats.n_active',
      'stats.max',
    ]);
  });

  it('are the first ones where none of those is there, without lists', () => {
    expect(firstColumns(infos('a.x', 'a.edges', 'a.y'))).toEqual(['a.x', 'a.y']);
    expect(firstColumns([])).toEqual([]);
  });

  it('are asked for with what filters, order and colour need, and nothing that is not there', () => {
    const detail = { columns: infos('a.x', 'a.y', 'a.z', 'a.w') } as unknown as SaeDetail;
    const needed = neededColumns({
      ...initialState,
      detail,
      columns: ['a.x', 'gone.x'],
      sort: { column: 'a.y', descending: true },
      colourBy: 'a.z',
      sizeBy: 'nothing',
      filters: [
        { id: 't', name: 't', kind: 'text', column: 'a.w', query: '' },
        { id: 's', name: 's', kind: 'set', ids: new Uint32Array(1) },
      ],
    });
    expect(needed).toEqual(['a.x', 'a.w', 'a.y', 'a.z']);
  });
});

describe('addresses of requests', () => {
  it('hold any name, and leave out what is not said', () => {
    expect(segment('a/b ü')).toBe('a%2Fb%20%C3%BC');
    expect(address('/saes', { a: null, b: undefined, c: [], d: 0, e: ['x', 'y'], f: false })).toBe(
      '/api/v1/saes?d=0&e=x%2Cy&f=false',
    );
  });

  it('at a commit name the atlas once it is known', () => {
    expect([pinned('/saes', null), pinned('/saes', 3)]).toEqual(['/saes', '/@3/saes']);
    nameAtlas('70c5b4ee');
    expect(pinned('/saes', 3)).toBe('/@3-70c5b4ee/saes');
    nameAtlas(null);
  });
});

describe('the store', () => {
  function storeOf(): { store: FeatureStore; asked: string[][] } {
    const asked: string[][] = [];
    const store = new FeatureStore('toy', 1, 3, null, (names) => {
      asked.push([...names]);
      const columns = Object.fromEntries(names.map((name) => [name, Float64Array.from([1, 2, 3])]));
      const bytes = tableToIPC(tableFromArrays({ feature: Int32Array.from([0, 1, 2]), ...columns }), {})!;
      return Promise.resolve(tableFromIPC(bytes));
    });
    return { store, asked };
  }

  it('asks once for a column, however many need it', async () => {
    const { store, asked } = storeOf();
    await Promise.all([store.load(['a', 'b']), store.load(['b', 'a']), store.load(['b', 'c'])]);
    await store.load(['a', 'b', 'c', 'feature']);
    expect(asked).toEqual([['a', 'b'], ['c']]);
    expect(store.column('c')).toMatchObject({ type: 'number' });
  });

  it('tells of what arrived, until it is told not to', async () => {
    const { store } = storeOf();
    let n = 0;
    const end = store.subscribe(() => (n += 1));
    await store.load(['a']);
    end();
    await store.load(['b']);
    expect([n, store.revision]).toEqual([1, 2]);
  });

  it('asks for labels by themselves, and again when they changed', async () => {
    const { store, asked } = storeOf();
    await store.load(['a', 'labels.text']);
    await store.refreshLabels(['labels.text', 'labels.category']);
    expect(asked).toEqual([['labels.text'], ['a'], ['labels.text']]);
    expect(store.names?.has('labels.category')).toBe(true);
  });

  it('forgets a request that failed, so that it can be made again', async () => {
    let n = 0;
    const store = new FeatureStore('toy', 1, 3, null, () => Promise.reject(new Error(`failure ${(n += 1)}`)));
    await expect(store.load(['a'])).rejects.toThrow('failure 1');
    await expect(store.load(['a'])).rejects.toThrow('failure 2');
  });
});
