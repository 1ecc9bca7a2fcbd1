/** The filter of one column: a range with its histogram, categories, or words; and what becomes of missing values. */
import { useEffect } from 'react';
import type { Column } from '../../core/columns';
import { digitsFor } from '../../core/format';
import { report } from '../../core/messages';
import { removeFilter } from '../../core/state';
import { useApp } from '../useApp';
import { CategoryFilter } from './CategoryFilter';
import styles from './filters.module.css';
import { useBins } from './columnState';
import { RangeHistogram } from './RangeHistogram';
import { WordsFilter } from './WordsFilter';

/** The column, asked for if it is not here. */
function useColumn(name: string): Column | undefined {
  const store = useApp((state) => state.store);
  const column = useApp((state) => (state.revision >= 0 ? state.store?.column(name) : undefined));
  useEffect(() => {
    if (!column) store?.load([name]).catch(report);
  }, [store, name, column]);
  return column;
}

export function ColumnFilter({ name }: { name: string }) {
  const column = useColumn(name);
  const bins = useBins(column);
  const isOn = useApp((state) => state.filters.some((filter) => filter.kind !== 'set' && filter.column === name));
  const description = useApp((state) => state.detail?.columns.find((each) => each.name === name)?.description ?? null);
  const clear = () => {
    (['range', 'values', 'text'] as const).forEach((kind) => removeFilter(`${kind}:${name}`));
    // The button goes away with the filter.
    document.querySelector<HTMLElement>(`#${CSS.escape(`filter-${name}`)} :is(input, [tabindex='0'])`)?.focus();
  };
  return (
    <section
      className={isOn ? `${styles.filter} ${styles.on}` : styles.filter}
      id={`filter-${name}`}
      aria-label={`Filter ${name}`}
    >
      <header className={styles.head}>
        <h3 className="ellipsis" title={description ? `${name}: ${description}` : name}>
          {name}
        </h3>
        {isOn ? (
          <button type="button" className="quiet" onClick={clear} aria-label={`Clear the filter of ${name}`}>
            Clear
          </button>
        ) : null}
      </header>
      {!column ? <p className="muted">Loading …</p> : null}
      {column?.type === 'text' ? <WordsFilter column={column} /> : null}
      {bins?.scale === 'each' ? <CategoryFilter name={name} bins={bins} /> : null}
      {column?.type === 'number' && bins && bins.scale !== 'each' ? (
        <RangeHistogram name={name} bins={bins} digits={digitsFor(column)} />
      ) : null}
    </section>
  );
}
