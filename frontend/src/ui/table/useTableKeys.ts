/** The keys of the table: moving, picking and opening. */
import { useMemo, type KeyboardEvent } from 'react';
import { toggleAll } from '../../core/selection';
import { app, setFocus } from '../../core/state';
import { pathTo } from '../../core/url';
import { go } from '../Go';
import { useCommands } from '../useCommands';
import { pick } from './Row';

interface TableKeys {
  order: Uint32Array;
  /** Place of the active row in the order. */
  place: number;
  show: (place: number) => void;
  pageSize: number;
}

export function useTableKeys({ order, place, show, pageSize }: TableKeys): (event: KeyboardEvent) => void {
  const last = order.length - 1;
  const move = (to: number) => {
    if (last < 0) return;
    const next = Math.max(0, Math.min(last, to));
    show(next);
    if (app.getState().focus !== null) setFocus(order[next]);
  };
  const open = () => {
    const { sae } = app.getState();
    // A control that has the focus, such as a bound of a filter, is not what opens a row.
    const { activeElement } = document;
    const isHere = !activeElement || activeElement === document.body || activeElement.closest('#feature-table');
    if (isHere && sae !== null && last >= 0) go(pathTo(sae, `f/${order[place]}`));
  };
  const group = 'Table';
  const commands = useMemo(
    () => [
      { keys: 'j', label: 'Next row', group, run: () => move(place + 1) },
      { keys: 'k', label: 'Row before', group, run: () => move(place - 1) },
      { keys: 'o', label: 'Show the row in the drawer', group, run: () => last >= 0 && setFocus(order[place]) },
      { keys: 'Enter', label: 'Open the page of the row', group, run: open },
      { keys: 'x', label: 'Select the row, or not', group, run: () => last >= 0 && pick(order[place], false) },
      {
        keys: 'X',
        label: 'Select from the last one to this row',
        group,
        run: () => last >= 0 && pick(order[place], true),
      },
      { keys: 'a', label: 'Select all that pass the filters', group, run: toggleAll },
    ],
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the functions follow from these
    [order, place, show],
  );
  useCommands(commands);
  return (event) => {
    if (event.target !== event.currentTarget || event.altKey || event.metaKey) return;
    const steps: Record<string, () => void> = {
      ArrowDown: () => move(place + 1),
      ArrowUp: () => move(place - 1),
      PageDown: () => move(place + pageSize),
      PageUp: () => move(place - pageSize),
      Home: () => move(0),
      End: () => move(last),
      ' ': () => last >= 0 && pick(order[place], event.shiftKey),
    };
    const step = steps[event.key];
    if (!step || event.ctrlKey) return;
    event.preventDefault();
    step();
    if (event.shiftKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      const next = Math.max(0, Math.min(last, place + (event.key === 'ArrowDown' ? 1 : -1)));
      pick(order[place], true);
      pick(order[next], true);
    }
  };
}
