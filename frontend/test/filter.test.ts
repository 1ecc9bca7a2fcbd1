import { describe, expect, it } from 'vitest';
import { freeText, numberColumn, textColumn } from '../src/core/columns';
import { FilterEngine, foldText, maskWithout } from '../src/core/filter';
import type { Filter, RangeFilter } from '../src/core/state';
import { FeatureStore } from '../src/core/store';
import { Viewer } from '../src/core/view';
import { awkwardNumbers, randomFrom } from './random';

const N = 2000;

function storeOf(): FeatureStore {
  const store = new FeatureStore('toy', 1, N, null, () => Promise.reject(new Error('Nothing is fetched here')));
  const random = randomFrom(5);
  store.put(numberColumn('a', awkwardNumbers(N, 1)));
  store.put(numberColumn('b', awkwardNumbers(N, 2)));
  store.put(
    textColumn(
      'group',
      Array.from({ length: N }, () => (random() < 0.3 ? null : 'xyz'[Math.floor(random() * 3)])),
    ),
  );
  const texts = Array.from({ length: N }, (_, i) => (i % 3 ? `Feature about Café number ${i}` : null));
  store.put(freeText('text', texts));
  return store;
}

const range = (change: Partial<RangeFilter>): RangeFilter => ({
  id: 'range:a',
  name: 'a',
  kind: 'range',
  column: 'a',
  low: null,
  high: null,
  missing: 'drop',
  ...change,
});

function passing(store: FeatureStore, filters: Filter[]): number[] {
  const { mask } = new FilterEngine(store).apply(filters);
  return Array.from(mask.keys()).filter((i) => mask[i]);
}

function valuesOf(store: FeatureStore, name: string): ArrayLike<number> {
  const column = store.column(name);
  if (column?.type !== 'number') throw new Error(name);
  return column.values;
}

describe('filters', () => {
  it('pass everything where there are none', () => {
    expect(new FilterEngine(storeOf()).apply([]).n).toBe(N);
  });

  it.each([
    [-1, 1],
    [null, 0],
    [0, null],
    [null, null],
    [5, -5],
  ])('bound a range on both sides, ends included: %s to %s', (low, high) => {
    const store = storeOf();
    const values = valuesOf(store, 'a');
    for (const missing of ['keep', 'drop', 'only'] as const) {
      const expected = Array.from({ length: N }, (_, i) => i).filter((i) => {
        if (Number.isNaN(values[i])) return missing !== 'drop';
        return missing !== 'only' && (low === null || values[i] >= low) && (high === null || values[i] <= high);
      });
      expect(passing(store, [range({ low, high, missing })])).toEqual(expected);
    }
  });

  it('hold together, and each histogram leaves out its own', () => {
    const store = storeOf();
    const filters = [range({ low: 0 }), range({ id: 'range:b', column: 'b', high: 3, missing: 'keep' })];
    const filtered = new FilterEngine(store).apply(filters);
    const [a, b] = filters.map((filter) => passing(store, [filter]));
    expect(passing(store, filters)).toEqual(a.filter((id) => b.includes(id)));
    const others = maskWithout(filtered, 'range:a');
    expect(Array.from(others.keys()).filter((i) => others[i])).toEqual(b);
    expect(maskWithout(filtered, null)).toBe(filtered.mask);
    expect(filtered.n).toBe(filtered.mask.reduce((sum, bit) => sum + bit, 0));
  });

  it('pick categories, missing among them', () => {
    const store = storeOf();
    const column = store.column('group');
    if (column?.type !== 'category') throw new Error('group');
    const filter: Filter = { id: 'values:group', name: 'group', kind: 'values', column: 'group', values: ['x', null] };
    for (const id of passing(store, [filter])) expect(['x', undefined]).toContain(column.names[column.codes[id]]);
    const n_none = passing(store, [{ ...filter, values: [] }]).length;
    const n_all = passing(store, [{ ...filter, values: ['x', 'y', 'z', null] }]).length;
    expect([n_none, n_all]).toEqual([0, N]);
  });

  it('find words whatever their case and accents, and never in what is missing', () => {
    const store = storeOf();
    const filter: Filter = { id: 'text:text', name: 'text', kind: 'text', column: 'text', query: 'cafe 100' };
    const found = passing(store, [filter]);
    expect(found).toEqual([100, 1000, 1001, 1003, 1004, 1006, 1007, 1009, 1100]);
    expect(passing(store, [{ ...filter, query: ' ' }]).length).toBe(N);
    expect(foldText('ÀÉ ß')).toBe('ae ß');
  });

  it('tell texts that are there from missing ones', () => {
    const store = storeOf();
    const thirds = Array.from({ length: N }, (_, i) => i).filter((i) => i % 3 === 0);
    expect(passing(store, [range({ column: 'text', missing: 'only' })])).toEqual(thirds);
    expect(passing(store, [range({ column: 'text', missing: 'drop' })]).length).toBe(N - thirds.length);
  });

  it('keep the features of a list, and of no other SAE that is wider', () => {
    const filter: Filter = { id: 'set:s', name: 's', kind: 'set', ids: Uint32Array.from([1, 5, N + 3]) };
    expect(passing(storeOf(), [filter])).toEqual([1, 5]);
  });

  it('leave out a column that is not here until it is', () => {
    const store = storeOf();
    const engine = new FilterEngine(store);
    const filter = range({ column: 'late', low: 1 });
    expect(engine.apply([filter]).n).toBe(N);
    store.put(numberColumn('late', new Float64Array(N).fill(1)));
    expect(engine.apply([filter]).n).toBe(N);
    expect(engine.apply([{ ...filter, low: 2 }]).n).toBe(0);
  });
});

describe('the view', () => {
  it('holds the features that pass in the order of the sort', () => {
    const store = storeOf();
    const filters = [range({ low: 0, missing: 'keep' })];
    const { order, n } = new Viewer(store).view(filters, { column: 'b', descending: true });
    const values = valuesOf(store, 'b');
    expect(Array.from(order).sort((x, y) => x - y)).toEqual(passing(store, filters));
    expect(n).toBe(order.length);
    for (let i = 1; i < order.length; i++)
      if (!Number.isNaN(values[order[i]])) expect(values[order[i - 1]]).toBeGreaterThanOrEqual(values[order[i]]);
  });

  it('is in the order of ids without a sort, and where the column is not here', () => {
    const viewer = new Viewer(storeOf());
    const ids = Array.from({ length: N }, (_, i) => i);
    expect(Array.from(viewer.view([], null).order)).toEqual(ids);
    expect(Array.from(viewer.view([], { column: 'nothing', descending: true }).order)).toEqual(ids);
  });
});
