/** Words that a text has to hold. */
import { useEffect, useMemo, useState } from 'react';
import type { TextColumn } from '../../core/columns';
import { maskWithout } from '../../core/filter';
import { putFilter, removeFilter } from '../../core/state';
import { useApp } from '../useApp';
import { useFilter } from './columnState';
import styles from './filters.module.css';
import { MissingBar } from './MissingBar';

const DELAY = 150;

export function WordsFilter({ column }: { column: TextColumn }) {
  const { name } = column;
  const filter = useFilter('text', name);
  const range = useFilter('range', name);
  const view = useApp((state) => state.view);
  const n = useApp((state) => state.store?.n ?? 0);
  const [text, setText] = useState(filter?.query ?? '');
  // A space at the end is a word in the making, and no part of the filter yet.
  useEffect(() => setText((now) => (now.trim() === (filter?.query ?? '') ? now : (filter?.query ?? ''))), [filter]);
  useEffect(() => {
    const query = text.trim();
    if (query === (filter?.query ?? '')) return;
    const timer = setTimeout(() => {
      if (query) putFilter({ id: `text:${name}`, name, kind: 'text', column: name, query });
      else removeFilter(`text:${name}`);
    }, DELAY);
    return () => clearTimeout(timer);
  }, [text, filter, name]);
  const missing = useMemo(() => {
    const mask = new Uint8Array(n);
    let all = 0;
    for (let i = 0; i < n; i++) {
      mask[i] = +!column.isThere(i);
      all += mask[i];
    }
    return { mask, all };
  }, [column, n]);
  const passing = useMemo(() => {
    if (!view) return 0;
    const others = maskWithout(view, `range:${name}`);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += others[i] & missing.mask[i];
    return sum;
  }, [view, missing, n, name]);
  return (
    <div className={styles.plot}>
      <input
        type="search"
        className={styles.words}
        dir="auto"
        placeholder="Words in it"
        aria-label={`Words in ${name}`}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <MissingBar name={name} filter={range} n={missing.all} passing={passing} height={6} isBeside />
    </div>
  );
}
