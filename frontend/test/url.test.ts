import { describe, expect, it } from 'vitest';
import { initialState, type Filter } from '../src/core/state';
import { decodeFilter, decodeState, encodeFilter, encodeState, pathTo, saeOf, type Shared } from '../src/core/url';
import { sharedOf } from '../src/core/history';
import { randomFrom } from './random';

const AWKWARD = ['a', 'stats.max', 'a*b', 'a%2Ab', '-x', '=', 'über & "co"', '日本語', 'a_b', '', ' ', '%', '👩‍🔬', '‮x'];

function shared(change: Partial<Shared>): Shared {
  return { ...sharedOf(initialState), ...change };
}

/** The state as it comes back from what a browser makes of the address. */
function roundTrip(state: Shared): Shared {
  return decodeState(new URL(`http://x/?${encodeState(state).toString()}`).searchParams);
}

describe('the address', () => {
  it('of nothing is empty', () => {
    expect(encodeState(shared({})).toString()).toBe('');
    expect(decodeState(new URLSearchParams())).toEqual(shared({}));
  });

  it.each(AWKWARD)('brings back filters of any name: %j', (name) => {
    const filters: Filter[] = [
      { id: `range:${name}`, name, kind: 'range', column: name, low: -1.5e-9, high: null, missing: 'keep' },
      { id: `values:${name}`, name, kind: 'values', column: name, values: [...AWKWARD, null] },
      { id: `text:${name}`, name, kind: 'text', column: name, query: name },
      { id: `set:${name}`, name, kind: 'set', ids: Uint32Array.from([0, 7, 4294967295]) },
      { id: `set:${name}`, name, kind: 'set', ids: new Uint32Array(0) },
    ];
    expect(roundTrip(shared({ filters })).filters).toEqual(filters);
  });

  it('brings back everything at once', () => {
    const state = shared({
      projection: 'umap-3d',
      layers: ['gpt2 l1', 'a*b'],
      arrangement: 'stacked',
      allEdges: true,
      mark: 'refunds & 50 % off',
      filters: [{ id: 'range:a', name: 'Loud', kind: 'range', column: 'a', low: 1, high: 2, missing: 'only' }],
      selection: { kind: 'features', name: 'my * set', ids: Uint32Array.from([1, 2, 3]) },
      sort: { column: 'stats.max', descending: true },
      columns: ['stats.max', 'labels.text', 'x*y'],
      colourBy: 'stats.max',
      sizeBy: 'stats.n_active',
      clusterBy: 'ward_10',
      focus: 0,
      camera: { position: [1, -2.5, 3e-5], target: [0, 0, 0], zoom: 1.25 },
    });
    expect(roundTrip(state)).toEqual(state);
  });

  it.each([1, 2, 3, 4])('brings back numbers to the last digit, seed %i', (seed) => {
    const random = randomFrom(seed);
    for (let i = 0; i < 50; i++) {
      const [low, high] = [(random() - 0.5) * 10 ** (random() * 40 - 20), random()];
      const filter: Filter = { id: 'range:x', name: 'x', kind: 'range', column: 'x', low, high, missing: 'drop' };
      expect(decodeFilter(encodeFilter(filter)!)).toEqual(filter);
    }
  });

  it('names long lists by their hash, and leaves out those that the server does not hold', () => {
    const ids = Uint32Array.from({ length: 300 }, (_, i) => i);
    const set: Filter = { id: 'set:many', name: 'many', kind: 'set', ids };
    expect(encodeFilter(set)).toBeNull();
    const back = roundTrip(shared({ filters: [{ ...set, hash: 'abc1' }], selection: null })).filters[0];
    expect(back).toMatchObject({ kind: 'set', hash: 'abc1', name: 'many' });
    const selection = { kind: 'features' as const, name: 'many', ids, hash: 'ff' };
    expect(roundTrip(shared({ selection })).selection).toMatchObject({ name: 'many', hash: 'ff' });
    expect(roundTrip(shared({ selection: { ...selection, hash: undefined } })).selection).toBeNull();
  });

  it.each([
    'f=',
    'f=q*a',
    'f=r',
    'f=s*a*1_x',
    'f=s*a*99999999999',
    'sel=a',
    'sel=a*',
    'focus=-1',
    'focus=1.5',
    'cam=1_2',
    'cam=a_b_c_d_e_f',
    'f=%25',
  ])('leaves out what cannot be read: %s', (text) => {
    expect(decodeState(new URLSearchParams(`v=1&${text}`))).toEqual(shared({}));
  });

  it('of another version is read as empty', () => {
    expect(decodeState(new URLSearchParams('v=2&sort=a'))).toEqual(shared({}));
  });

  it('keeps parameters that are not ours', () => {
    const query = encodeState(shared({ focus: 3 }), new URLSearchParams('brush=1_2&focus=9&f=old'));
    expect([...query.keys()].sort()).toEqual(['brush', 'focus', 'v']);
    expect(query.get('focus')).toBe('3');
  });

  it('holds the SAE in its path', () => {
    for (const name of AWKWARD.filter(Boolean)) expect(saeOf(pathTo(name, 'map'))).toBe(name);
    expect(saeOf('/')).toBeNull();
    expect(saeOf('/c/reviews/d/1')).toBeNull();
  });
});
