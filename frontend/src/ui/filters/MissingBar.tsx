/** The bar of missing values: a press keeps them, drops them, or shows only them. */
import type { RangeFilter } from '../../core/state';
import { count } from '../../core/numbers';
import { putRange } from './columnState';
import styles from './filters.module.css';

const NEXT = { keep: 'drop', drop: 'only', only: 'keep' } as const;
const WORDS = { keep: 'kept', drop: 'left out', only: 'only these' } as const;

interface MissingBarProps {
  name: string;
  filter: RangeFilter | null;
  n: number;
  passing: number;
  /** Of the bar, in pixels. */
  height: number;
  /** Whether it stands beside a field, with no axis below. */
  isBeside?: boolean;
}

export function MissingBar({ name, filter, n, passing, height, isBeside = false }: MissingBarProps) {
  const missing = filter?.missing ?? 'keep';
  return (
    <button
      type="button"
      className={`${styles.missing} ${styles[missing]} ${isBeside ? styles.beside : ''}`}
      disabled={n === 0 && missing === 'keep'}
      onClick={() => putRange(name, filter, { missing: NEXT[missing] })}
      title={`Missing in ${count(n)} features, ${count(passing)} of them pass the other filters: ${WORDS[missing]}. Press to change`}
    >
      <span className={styles.missingCount}>{compact(n)}</span>
      <span
        className={styles.missingBar}
        style={{ height: n ? Math.max(2, Math.min(30, height)) : 0 }}
        aria-hidden="true"
      />
      <span className={styles.missingText}>
        {' '}
        missing
        <span className="visually-hidden">
          {' '}
          {name}: {WORDS[missing]}
        </span>
      </span>
    </button>
  );
}

/** A count in five characters. */
function compact(n: number): string {
  if (n < 10_000) return count(n);
  if (n < 1_000_000) return `${Math.round(n / 1000)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}
