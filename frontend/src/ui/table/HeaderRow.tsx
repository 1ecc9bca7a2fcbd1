/** The names of the columns: each sorts by itself, and again the other way, and again not at all. */
import type { Column } from '../../core/columns';
import { toggleAll } from '../../core/selection';
import { setSort, type Sort } from '../../core/state';
import { useApp } from '../useApp';
import styles from './table.module.css';

export interface ShownColumn {
  name: string;
  column: Column | undefined;
}

/** Numbers are looked for from the top, texts from A. */
function nextSort(sort: Sort | null, name: string, isText: boolean): Sort | null {
  if (sort?.column !== name) return { column: name, descending: !isText };
  return sort.descending === !isText ? { column: name, descending: isText } : null;
}

function Head({ name, isText, index }: { name: string; isText: boolean; index: number }) {
  const sort = useApp((state) => (state.sort?.column === name ? state.sort : null));
  const description = useApp((state) => state.detail?.columns.find((each) => each.name === name)?.description ?? null);
  const dot = name.lastIndexOf('.');
  const order = sort === null ? 'none' : sort.descending ? 'descending' : 'ascending';
  return (
    <div role="columnheader" aria-sort={order} aria-colindex={index} className={isText ? styles.textHead : styles.head}>
      <button
        type="button"
        title={description ? `${name}: ${description}` : name}
        onClick={() => setSort(nextSort(sort, name, isText))}
      >
        <span className={styles.analysis}>{dot < 0 ? '' : name.slice(0, dot)}</span>
        <span className={styles.column}>
          {name.slice(dot + 1)}
          <span aria-hidden="true" className={styles.arrow}>
            {sort === null ? '' : sort.descending ? '▼' : '▲'}
          </span>
        </span>
      </button>
    </div>
  );
}

function AllBox({ n }: { n: number }) {
  const n_selected = useApp((state) => {
    const { selection, view } = state;
    if (!selection || !view) return 0;
    let count = 0;
    for (const id of selection.ids) count += view.mask[id] ?? 0;
    return count;
  });
  return (
    <input
      type="checkbox"
      ref={(node) => {
        if (node) node.indeterminate = n_selected > 0 && n_selected < n;
      }}
      checked={n > 0 && n_selected === n}
      disabled={n === 0}
      aria-label="Select all features that pass the filters"
      title="Select all that pass the filters (a)"
      onChange={toggleAll}
    />
  );
}

export function HeaderRow({ columns, n }: { columns: readonly ShownColumn[]; n: number }) {
  return (
    <div role="rowgroup" className={styles.headers}>
      <div role="row" aria-rowindex={1} className={styles.headerRow}>
        <div role="columnheader" aria-colindex={1} className={styles.check}>
          <AllBox n={n} />
        </div>
        <Head name="feature" isText index={2} />
        {columns.map(({ name, column }, index) => (
          <Head
            key={name}
            name={name}
            isText={column?.type === 'text' || column?.type === 'category'}
            index={index + 3}
          />
        ))}
      </div>
    </div>
  );
}
