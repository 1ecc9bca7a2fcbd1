/** Search over features and documents: words, or the number of a feature. */
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useLocation } from 'wouter';
import { report, tell } from '../../core/messages';
import { featureOf, hasIndex, search, type Found, type FoundHit } from '../../core/search';
import { app, select } from '../../core/state';
import { segment } from '../../core/api';
import type { SaeDetail, SaeList } from '../../core/types';
import { pathTo, saeOf } from '../../core/url';
import { count } from '../../core/numbers';
import { go } from '../Go';
import { useApp } from '../useApp';
import { useJson } from '../useJson';
import { useCommands } from '../useCommands';
import styles from './search.module.css';

const LIMIT = 30;
/** As many hits as the server gives at once. */
const MOST_SELECTED = 1000;
const DELAY = 140;

/** The number of a feature that was typed, as a hit before all others. */
function numberHit(query: string): FoundHit | null {
  const { sae, detail } = app.getState();
  const feature = detail ? featureOf(query, detail.n_features) : null;
  if (sae === null || feature === null) return null;
  const snippet = [{ text: `Feature ${feature}`, is_match: true }];
  return { kind: 'features', sae, feature, corpus: null, document: null, where: 'number', snippet };
}

/** Whether the server can search: the SAE on show says so, and at the start the first SAE does. */
function useHasIndex(): boolean {
  const detail = useApp((state) => state.detail);
  const [path] = useLocation();
  const isStart = saeOf(path) === null;
  const { data } = useJson<SaeList>(isStart ? '/saes' : null);
  const first = data?.saes[0]?.name ?? null;
  const { data: ofFirst } = useJson<SaeDetail>(isStart && first !== null ? `/saes/${segment(first)}` : null);
  return hasIndex(detail ?? ofFirst);
}

function useSearch(query: string): { found: Found | null; isLoading: boolean } {
  const [found, setFound] = useState<{ query: string; found: Found } | null>(null);
  const sae = useApp((state) => state.sae);
  const store = useApp((state) => state.store);
  const isIndexed = useHasIndex();
  useEffect(() => {
    const text = query.trim();
    if (!text) return;
    const giveUp = new AbortController();
    const timer = setTimeout(() => {
      search(text, { sae, store, hasIndex: isIndexed, limit: LIMIT }, giveUp.signal)
        .then((answer) => giveUp.signal.aborted || setFound({ query, found: answer }))
        .catch((error: unknown) => giveUp.signal.aborted || report(error));
    }, DELAY);
    return () => {
      clearTimeout(timer);
      giveUp.abort();
    };
  }, [query, sae, store, isIndexed]);
  const isHere = found?.query === query;
  return { found: isHere ? found.found : null, isLoading: query.trim() !== '' && !isHere };
}

function follow(hit: FoundHit): void {
  if (hit.feature !== null && hit.sae !== null) {
    const isOther = hit.sae !== app.getState().sae;
    go(pathTo(hit.sae, `f/${hit.feature}`), isOther);
  } else if (hit.corpus !== null && hit.document !== null)
    go(`/c/${encodeURIComponent(hit.corpus)}/d/${encodeURIComponent(hit.document)}`);
}

function Hit({ hit }: { hit: FoundHit }) {
  return (
    <>
      <span className={styles.what} dir="auto" title={hit.document ?? undefined}>
        {hit.feature === null ? hit.document : hit.feature}
      </span>
      <span className={styles.text} dir="auto">
        {hit.snippet.map((part, index) => (part.is_match ? <mark key={index}>{part.text}</mark> : part.text))}
      </span>
      <span className="muted">{hit.where}</span>
    </>
  );
}

function foundText(found: Found): string {
  const by =
    found.by === 'labels'
      ? ', in labels and explanations only: there is no index'
      : found.is_any
        ? ', none with all words'
        : '';
  return `${count(found.total)} found${found.total > LIMIT ? `, the first ${LIMIT} shown` : ''}${by}`;
}

/** Select the features of the SAE on show that a search finds, and not only those that it lists. */
async function selectFound(query: string): Promise<void> {
  const { sae, store } = app.getState();
  const first = numberHit(query);
  const { hits, total } = await search(query, { sae, store, kind: 'features', limit: MOST_SELECTED });
  const found = hits.flatMap((hit) => (hit.feature !== null && (hit.sae ?? sae) === sae ? [hit.feature] : []));
  const all = typeof first?.feature === 'number' ? [first.feature, ...found] : found;
  select(all, `Search: ${query}`);
  if (total > hits.length) tell('info', `${count(hits.length)} of ${count(total)} are selected, the best`);
}

export function SearchBox() {
  const [query, setQuery] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const { found, isLoading } = useSearch(query);
  const first = numberHit(query);
  const hits = [...(first ? [first] : []), ...(found?.hits ?? [])];
  const commands = useMemo(
    () => [{ keys: '/', label: 'Search features and documents', group: 'Pages', run: () => input.current?.select() }],
    [],
  );
  useCommands(commands);
  const choose = (hit: FoundHit) => {
    setOpen(false);
    input.current?.blur();
    follow(hit);
  };
  const selectAll = () => {
    selectFound(query.trim()).catch(report);
    setOpen(false);
    // Keys are those of the page again, which shows what was selected.
    input.current?.blur();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      if (!isOpen) input.current?.blur();
      setOpen(false);
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setOpen(true);
      if (hits.length) setActive((active + step + hits.length) % hits.length);
    } else if (event.key === 'Enter' && hits[active]) {
      if (event.shiftKey) selectAll();
      else choose(hits[active]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const isShown = isOpen && query.trim() !== '';
  return (
    <div className={styles.box} role="search">
      <input
        ref={input}
        type="search"
        role="combobox"
        placeholder="Search features, documents, or a number   /"
        aria-label="Search"
        aria-expanded={isShown}
        aria-controls={isShown ? `${id}-list` : undefined}
        aria-activedescendant={isShown && hits[active] ? `${id}-${active}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        spellCheck={false}
        dir="auto"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {isShown ? (
        // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- keeps the focus in the input
        <div className={styles.panel} onMouseDown={(event) => event.preventDefault()}>
          <div className={styles.head} role="status">
            <span>{isLoading ? 'Searching …' : found ? foundText(found) : ''}</span>
            {found?.corrected ? (
              <span>
                Searched for <b dir="auto">{found.corrected}</b>
              </span>
            ) : null}
            {hits.some((hit) => hit.feature !== null) ? (
              <button type="button" className="quiet" tabIndex={-1} onClick={selectAll} title="Shift+Enter">
                Select these features
              </button>
            ) : null}
          </div>
          <div className={styles.list} id={`${id}-list`} role="listbox" aria-label="Found">
            {hits.map((hit, index) => (
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the input takes the keys
              <div
                key={`${hit.sae}/${hit.feature}/${hit.corpus}/${hit.document}/${hit.where}/${index}`}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === active}
                className={index === active ? `${styles.hit} ${styles.active}` : styles.hit}
                onClick={() => choose(hit)}
                onMouseEnter={() => setActive(index)}
              >
                <Hit hit={hit} />
              </div>
            ))}
          </div>
          {found && !hits.length ? <p className={styles.none}>Nothing fits. Fewer or other words may.</p> : null}
        </div>
      ) : null}
    </div>
  );
}
