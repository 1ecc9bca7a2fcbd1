/** Picking features: one, a range in the order of the table, or all that pass the filters. */
import { app, clearSelection, putFilter, select, type Selection } from './state';

const masks = new WeakMap<Selection, Uint8Array>();

/** 1 for each of `n` features that is selected; made once for each selection. */
export function maskOf(selection: Selection, n: number): Uint8Array {
  let mask = masks.get(selection);
  if (mask?.length !== n) {
    mask = new Uint8Array(n);
    for (const id of selection.ids) if (id < n) mask[id] = 1;
    masks.set(selection, mask);
  }
  return mask;
}

/** Whether a feature is selected, by bisection. */
export function isSelected(selection: Selection | null, feature: number): boolean {
  if (!selection) return false;
  const { ids } = selection;
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ids[middle] < feature) low = middle + 1;
    else high = middle;
  }
  return ids[low] === feature;
}

const PICKED = 'Picked';

/** Add a feature to the selection, or take it out. */
export function toggle(feature: number): void {
  const { selection } = app.getState();
  if (isSelected(selection, feature))
    select(
      selection!.ids.filter((id) => id !== feature),
      selection!.name,
    );
  else select([...(selection?.ids ?? []), feature], selection?.name ?? PICKED);
}

/** Add all features between two, as the view orders them. */
export function selectRange(from: number, to: number): void {
  const { selection, view } = app.getState();
  if (!view) return;
  const [a, b] = [view.order.indexOf(from), view.order.indexOf(to)];
  if (a < 0 || b < 0) return;
  const range = view.order.subarray(Math.min(a, b), Math.max(a, b) + 1);
  const ids = new Uint32Array(range.length + (selection?.ids.length ?? 0));
  ids.set(range);
  if (selection) ids.set(selection.ids, range.length);
  select(ids, selection?.name ?? PICKED);
}

/** Select every feature that passes the filters; once more, none. */
export function toggleAll(): void {
  const { view, selection, filters, detail } = app.getState();
  if (!view) return;
  const isAll = selection?.ids.length === view.order.length && selection.ids.every((id) => view.mask[id]);
  if (isAll) clearSelection();
  else select(view.order, filters.length ? 'All that pass' : `All of ${detail?.name ?? 'the SAE'}`);
}

export function renameSelection(name: string): void {
  const { selection } = app.getState();
  if (selection && name.trim()) app.setState({ selection: { ...selection, name: name.trim() } });
}

/** Make the selection a filter of its own, which all views then keep to. */
export function filterToSelection(): void {
  const { selection, filters } = app.getState();
  if (!selection) return;
  let [name, n] = [selection.name, 1];
  while (filters.some((filter) => filter.id === `set:${name}`)) name = `${selection.name} ${(n += 1)}`;
  putFilter({ id: `set:${name}`, name, kind: 'set', ids: selection.ids, hash: selection.hash });
  clearSelection();
}
