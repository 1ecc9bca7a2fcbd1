/** Filters and the selection as chips: what each lets through, and a cross that takes it away. */
import { useState } from 'react';
import { filterText } from '../../core/filterText';
import { filterToSelection, renameSelection } from '../../core/selection';
import { clearSelection, patch, removeFilter, select, type Filter } from '../../core/state';
import { count } from '../../core/numbers';
import { useApp } from '../useApp';
import styles from './chips.module.css';

/** Give the focus to what is left of the chips, else to the content: what had it is gone. */
function focusAfter(chips: Element | null): void {
  setTimeout(() => {
    const next = chips?.isConnected ? chips.querySelector('button') : null;
    (next ?? document.getElementById('content'))?.focus();
  }, 0);
}

function FilterChip({ filter }: { filter: Filter }) {
  const isUnknown = useApp(
    ({ detail }) =>
      filter.kind !== 'set' &&
      filter.column !== 'feature' &&
      !detail?.columns.some(({ name }) => name === filter.column),
  );
  const text = filterText(filter);
  const showInRail = () => {
    if (filter.kind === 'set') select(filter.ids, filter.name);
    else document.getElementById(`filter-${filter.column}`)?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <li className={isUnknown ? `${styles.chip} ${styles.unknown}` : styles.chip}>
      <button
        type="button"
        className={styles.face}
        onClick={showInRail}
        title={
          isUnknown ? `There is no column ${filter.name} here, so this filters nothing` : `${filter.name}: ${text}`
        }
      >
        <span className={styles.name} dir="auto">
          {filter.name}
        </span>
        <span className={styles.what} dir="auto">
          {isUnknown ? 'no such column' : text}
        </span>
      </button>
      <button
        type="button"
        className={styles.cross}
        aria-label={`Remove the filter ${filter.name}`}
        onClick={(event) => {
          const chips = event.currentTarget.closest('ul');
          removeFilter(filter.id);
          focusAfter(chips);
        }}
      >
        ×
      </button>
    </li>
  );
}

function SelectionChip({ onLabel }: { onLabel: (() => void) | null }) {
  const selection = useApp((state) => state.selection);
  const [isRenaming, setRenaming] = useState(false);
  if (!selection) return null;
  const rename = (name: string) => {
    renameSelection(name);
    setRenaming(false);
  };
  return (
    <li className={`${styles.chip} ${styles.selection}`}>
      {isRenaming ? (
        <input
          // eslint-disable-next-line jsx-a11y/no-autofocus -- it takes the place of the button that was pressed
          autoFocus
          className={styles.rename}
          aria-label="Name of the selection"
          dir="auto"
          defaultValue={selection.name}
          onBlur={(event) => rename(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') rename(event.currentTarget.value);
            if (event.key === 'Escape') setRenaming(false);
          }}
        />
      ) : (
        <button
          type="button"
          className={styles.face}
          onClick={() => setRenaming(true)}
          title={`${selection.name}. Press to rename`}
        >
          <span className={styles.name} dir="auto">
            {selection.name}
          </span>
          <span className={styles.what}>{count(selection.ids.length)} selected</span>
        </button>
      )}
      <button
        type="button"
        className={styles.act}
        onClick={filterToSelection}
        title="Keep only these features in all views"
      >
        Filter
      </button>
      {onLabel && selection.ids.length ? (
        <button type="button" className={styles.act} onClick={onLabel} title="Label all of them at once">
          Label …
        </button>
      ) : null}
      <button
        type="button"
        className={styles.cross}
        aria-label="End the selection"
        onClick={(event) => {
          const chips = event.currentTarget.closest('ul');
          clearSelection();
          focusAfter(chips);
        }}
      >
        ×
      </button>
    </li>
  );
}

export function Chips({ onLabel }: { onLabel: (() => void) | null }) {
  const filters = useApp((state) => state.filters);
  const hasSelection = useApp((state) => state.selection !== null);
  if (!filters.length && !hasSelection) return null;
  return (
    <ul className={styles.chips} aria-label="Filters and selection">
      {filters.map((filter) => (
        <FilterChip key={filter.id} filter={filter} />
      ))}
      <SelectionChip onLabel={onLabel} />
      {filters.length > 1 ? (
        <li>
          <button type="button" className="quiet" onClick={() => patch({ filters: [] })}>
            Clear all filters
          </button>
        </li>
      ) : null}
    </ul>
  );
}
