/** What the numbers on show are: commit, rows, exact, and what is stale. */
import { count, plural } from '../../core/numbers';
import { report } from '../../core/messages';
import { patch } from '../../core/state';
import { session } from '../session';
import { useApp } from '../useApp';
import styles from './shell.module.css';

function NewerCommit() {
  const commit = useApp((state) => state.commit);
  const newest = useApp((state) => state.newestCommit);
  const sae = useApp((state) => state.sae);
  if (commit === null || newest === null || newest <= commit) return null;
  const follow = () => {
    if (sae === null) patch({ commit: newest });
    else session.reopen().catch(report);
  };
  return (
    <span className={styles.newer}>
      Commit {newest} is here
      <button type="button" onClick={follow}>
        Show it
      </button>
    </span>
  );
}

function Counts() {
  const detail = useApp((state) => state.detail);
  const n_passing = useApp((state) => state.view?.n ?? null);
  const n_selected = useApp((state) => state.selection?.ids.length ?? 0);
  if (!detail) return null;
  const stale = detail.analyses.filter(({ state }) => state === 'stale').map(({ name }) => name);
  return (
    <>
      <span>
        {n_passing === null || n_passing === detail.n_features
          ? plural(detail.n_features, 'feature')
          : `${count(n_passing)} of ${plural(detail.n_features, 'feature')}`}
        {n_selected ? `, ${count(n_selected)} selected` : ''}
      </span>
      {detail.has_activations ? (
        <span title="Every number is computed from all rows of the corpus">
          {plural(detail.n_rows ?? 0, 'row')}
          {detail.corpus === null ? '' : ` of ${detail.corpus}`}, exact
        </span>
      ) : (
        <span>No activations</span>
      )}
      {stale.length ? (
        <span className={styles.stale} title={stale.join(', ')}>
          Stale, not shown: {stale.slice(0, 3).join(', ')}
          {stale.length > 3 ? ` and ${stale.length - 3} more` : ''}
        </span>
      ) : null}
    </>
  );
}

export function StatusLine() {
  const commit = useApp((state) => state.commit);
  const isReadOnly = useApp((state) => state.readOnly);
  return (
    <footer className={`${styles.status} no-print`} aria-label="Status">
      {commit === null ? <span>…</span> : <span>Commit {commit}</span>}
      <Counts />
      {isReadOnly ? <span>Read-only</span> : null}
      <NewerCommit />
    </footer>
  );
}
