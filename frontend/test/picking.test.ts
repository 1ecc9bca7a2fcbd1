import { afterEach, describe, expect, it } from 'vitest';
import {
  filterToSelection,
  isSelected,
  maskOf,
  renameSelection,
  selectRange,
  toggle,
  toggleAll,
} from '../src/core/selection';
import { app, clearSelection, idsOf, initialState, putFilter, removeFilter, select, setHover } from '../src/core/state';
import type { View } from '../src/core/view';
import { randomFrom } from './random';

afterEach(() => app.setState(initialState, true));

const selected = () => (app.getState().selection ? Array.from(app.getState().selection!.ids) : null);

function showing(order: number[], n: number): void {
  const mask = new Uint8Array(n);
  for (const id of order) mask[id] = 1;
  const view: View = { mask, n: order.length, order: Uint32Array.from(order), fails: mask, failing: new Map() };
  app.setState({ view });
}

describe('the selection', () => {
  it('holds each feature once, in order, however it was picked', () => {
    const random = randomFrom(1);
    const picked = Array.from({ length: 500 }, () => Math.floor(random() * 100));
    expect(Array.from(idsOf(picked))).toEqual([...new Set(picked)].sort((a, b) => a - b));
  });

  it('is nothing when nothing is left of it', () => {
    toggle(3);
    toggle(1);
    expect(selected()).toEqual([1, 3]);
    toggle(3);
    toggle(1);
    expect(selected()).toBeNull();
    select([], 'none');
    expect(selected()).toBeNull();
  });

  it('takes a range as the table orders it, in either direction', () => {
    showing([9, 2, 7, 4, 1], 10);
    selectRange(4, 2);
    expect(selected()).toEqual([2, 4, 7]);
    selectRange(1, 1);
    expect(selected()).toEqual([1, 2, 4, 7]);
    selectRange(3, 1);
    expect(selected()).toEqual([1, 2, 4, 7]);
  });

  it('takes all that pass, and once more none', () => {
    showing([9, 2, 7], 10);
    toggleAll();
    expect(selected()).toEqual([2, 7, 9]);
    toggleAll();
    expect(selected()).toBeNull();
  });

  it('knows its members by bisection and by mask alike', () => {
    select([0, 5, 9, 10], 'some');
    const { selection } = app.getState();
    const mask = maskOf(selection!, 8);
    for (let id = 0; id < 12; id++) {
      expect(isSelected(selection, id)).toBe([0, 5, 9, 10].includes(id));
      if (id < 8) expect(mask[id]).toBe(+[0, 5].includes(id));
    }
    expect(maskOf(selection!, 8)).toBe(mask);
    expect(isSelected(null, 1)).toBe(false);
  });

  it('keeps its name until it is given another', () => {
    select([1], 'loud');
    renameSelection('  ');
    toggle(2);
    expect(app.getState().selection?.name).toBe('loud');
    renameSelection(' quiet ');
    expect(app.getState().selection?.name).toBe('quiet');
  });

  it('becomes a filter of its name, and of another where that is taken', () => {
    for (const ids of [[1], [2]]) {
      select(ids, 'mine');
      filterToSelection();
    }
    const { filters, selection } = app.getState();
    expect(filters.map(({ id }) => id)).toEqual(['set:mine', 'set:mine 2']);
    expect(selection).toBeNull();
  });
});

describe('filters, selection and hover', () => {
  it('are three things: none changes another', () => {
    select([1, 2], 'mine');
    setHover({ sae: 'toy', feature: 5 });
    putFilter({ id: 'text:t', name: 't', kind: 'text', column: 't', query: 'x' });
    const before = app.getState();
    putFilter({ id: 'text:t', name: 't', kind: 'text', column: 't', query: 'y' });
    expect(app.getState().filters).toHaveLength(1);
    removeFilter('text:t');
    expect(app.getState().selection).toBe(before.selection);
    expect(app.getState().hover).toBe(before.hover);
    clearSelection();
    expect(app.getState().hover).toBe(before.hover);
  });

  it('tell nobody of a hover that is the same', () => {
    let n = 0;
    const end = app.subscribe(() => (n += 1));
    setHover({ sae: 'toy', feature: 5 });
    setHover({ sae: 'toy', feature: 5 });
    setHover(null);
    setHover(null);
    end();
    expect(n).toBe(2);
  });
});
