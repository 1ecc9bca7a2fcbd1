/** Analyses that an SAE does not have, and the commands that make them. */
import { missingAnalyses } from '../core/identity';
import type { SaeDetail } from '../core/types';
import styles from './missing.module.css';

export function Missing({ detail, isOpen = false }: { detail: SaeDetail; isOpen?: boolean }) {
  const missing = missingAnalyses(detail.analyses, detail.name);
  if (!missing.length) return <p className="muted">Every analysis is current.</p>;
  const n_stale = missing.filter(({ state }) => state === 'stale').length;
  const n_absent = missing.length - n_stale;
  const words = [n_stale ? `${n_stale} stale` : '', n_absent ? `${n_absent} not computed` : ''].filter(Boolean);
  return (
    <details className={styles.missing} open={isOpen && missing.length <= 8}>
      <summary>
        Analyses: {detail.analyses.length - missing.length} current, {words.join(', ')}
      </summary>
      <ul>
        {missing.map(({ name, state, reason, command }) => (
          <li key={name}>
            <span className={state === 'stale' ? styles.stale : undefined} title={reason ?? undefined}>
              {name}
              {state === 'stale' ? ' (stale)' : ''}
            </span>
            <code>{command}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
