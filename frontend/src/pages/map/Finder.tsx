/** Marks what a search finds on the map; Enter selects it. */
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { report } from '../../core/messages';
import { search } from '../../core/search';
import { patch, select } from '../../core/state';
import { count } from '../../core/numbers';
import { useApp } from '../../ui/useApp';
import type { MapController } from './controller';
import styles from './map.module.css';

const LIMIT = 500;
const DELAY = 180;

export function Finder({ controller }: { controller: MapController }) {
  const query = useApp((state) => state.mark);
  const [total, setTotal] = useState<number | null>(null);
  const found = useStore(controller.store, (state) => state.found);
  const sae = useApp((state) => state.sae);
  const store = useApp((state) => state.store);
  useEffect(() => {
    const text = query.trim();
    if (!text) {
      if (controller.store.getState().found) controller.setFound(null);
      return;
    }
    const giveUp = new AbortController();
    const timer = setTimeout(() => {
      search(text, { sae, store, kind: 'features', limit: LIMIT }, giveUp.signal)
        .then((answer) => {
          if (giveUp.signal.aborted) return;
          const own = answer.hits.filter((hit) => hit.feature !== null && (hit.sae ?? sae) === sae);
          controller.setFound(new Set(own.map((hit) => hit.feature!)));
          setTotal(answer.total);
        })
        .catch((error: unknown) => giveUp.signal.aborted || report(error));
    }, DELAY);
    return () => {
      clearTimeout(timer);
      giveUp.abort();
    };
  }, [query, sae, store, controller]);
  const choose = () => {
    if (!found?.size) return;
    select(found, query.trim());
    patch({ mark: '' });
  };
  return (
    <label className={styles.choice}>
      <span>Mark</span>
      <input
        type="search"
        value={query}
        placeholder="words"
        size={8}
        title="Marks features by the words of their labels and tokens; Enter selects them"
        onChange={(event) => patch({ mark: event.target.value })}
        onKeyDown={(event) => {
          if (event.key === 'Enter') choose();
          if (event.key === 'Escape') patch({ mark: '' });
        }}
      />
      {query.trim() && found ? (
        <small className="muted" role="status">
          {count(found.size)}
          {total !== null && total > LIMIT ? ' best' : ''}
        </small>
      ) : null}
    </label>
  );
}
