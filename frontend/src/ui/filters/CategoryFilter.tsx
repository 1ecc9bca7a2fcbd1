/** Categories to tick; missing is one of them. */
import type { Bins } from '../../core/bins';
import { putFilter, removeFilter } from '../../core/state';
import { count } from '../../core/numbers';
import { useCounts, useFilter } from './columnState';
import styles from './filters.module.css';

export function CategoryFilter({ name, bins }: { name: string; bins: Bins }) {
  const filter = useFilter('values', name);
  const counts = useCounts(bins, `values:${name}`);
  if (!counts) return null;
  const lines = bins.names.map((value, bin): [string | null, number] => [value, bin]);
  if (counts.all[bins.n]) lines.push([null, bins.n]);
  const most = counts.all.reduce((a, b) => Math.max(a, b), 1);
  const change = (value: string | null, isOn: boolean) => {
    const values = filter?.values ?? [];
    const next = isOn ? [...values, value] : values.filter((each) => each !== value);
    const id = `values:${name}`;
    if (next.length) putFilter({ id, name, kind: 'values', column: name, values: next });
    else removeFilter(id);
  };
  return (
    <div className={styles.categories} role="group" aria-label={`Values of ${name}`}>
      {lines.map(([value, bin]) => (
        <label key={value ?? '\0missing'} className={styles.category}>
          <input
            type="checkbox"
            checked={filter?.values.includes(value) ?? false}
            onChange={(event) => change(value, event.target.checked)}
          />
          <span
            className={value === null ? styles.none : styles.value}
            dir="auto"
            title={value ?? 'Features without a value'}
          >
            {value === null ? 'missing' : value === '' ? '(empty)' : value}
          </span>
          <span className={styles.gauge} aria-hidden="true">
            <span className={styles.gaugeAll} style={{ width: `${(100 * counts.all[bin]) / most}%` }} />
            <span className={styles.gaugePassing} style={{ width: `${(100 * counts.passing[bin]) / most}%` }} />
          </span>
          <span className={styles.n}>{count(counts.passing[bin])}</span>
        </label>
      ))}
    </div>
  );
}
