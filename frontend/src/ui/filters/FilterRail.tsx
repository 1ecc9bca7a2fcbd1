/** The filters of the columns on show, each with its histogram. */
import { useMemo, useState } from 'react';
import { missingAnalyses } from '../../core/identity';
import type { SaeDetail } from '../../core/types';
import { useApp } from '../useApp';
import { ColumnFilter } from './ColumnFilter';
import styles from './filters.module.css';

const EMPTY: string[] = [];

/** What stands where an SAE has no columns: the analysis that most others follow from. */
function NoColumns({ detail }: { detail: SaeDetail }) {
  const first = missingAnalyses(detail.analyses, detail.name).find(({ name }) => name === 'stats');
  return (
    <div className={styles.nothing}>
      <p>There are no columns yet to show and to filter by.</p>
      {detail.has_activations && first ? (
        <p>
          Begin with <code>{first.command}</code>
        </p>
      ) : null}
      <p>
        <a href="/">The start page</a> lists every analysis with its command.
      </p>
    </div>
  );
}

export function FilterRail() {
  const detail = useApp((state) => state.detail);
  const columns = useApp((state) => state.columns);
  const filters = useApp((state) => state.filters);
  const [added, setAdded] = useState(EMPTY);
  const names = useMemo(() => {
    const filtered = filters.flatMap((filter) => (filter.kind === 'set' ? [] : [filter.column]));
    const known = new Set(['feature', ...(detail?.columns.map(({ name }) => name) ?? [])]);
    return [...new Set([...columns, ...filtered, ...added])].filter((name) => known.has(name));
  }, [detail, columns, filters, added]);
  const others = detail?.columns.filter(({ name, type }) => type !== 'list' && !names.includes(name)) ?? [];
  return (
    <aside className={styles.rail} aria-label="Filters">
      <h2 className="visually-hidden">Filters</h2>
      {names.map((name) => (
        <ColumnFilter key={name} name={name} />
      ))}
      {detail && !names.length && !others.length ? <NoColumns detail={detail} /> : null}
      {others.length ? (
        <select
          className={styles.add}
          aria-label="Filter by another column"
          value=""
          onChange={(event) => setAdded([...added, event.target.value])}
        >
          <option value="">Filter by another column …</option>
          {others.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      ) : null}
    </aside>
  );
}
