/** A whole document with the features that fire in it, each in its own colour: on its page and over a feature's. */

import { useEffect, useMemo, useRef, useState } from 'react';

import { getJson, isAborted, pinned, segment } from '../../core/api';
import { app } from '../../core/state';
import type { DocumentView, Scalar } from '../../core/types';
import { number, plural } from '../../core/numbers';
import { Absent, Skeleton } from '../../ui/section/Section';
import { Legend } from '../../ui/tokens/Legend';
import { reachOf } from '../../ui/tokens/shades';
import { TokenRun, type Overlay } from '../../ui/tokens/TokenRun';
import styles from './document.module.css';
import { FeatureChooser } from './FeatureChooser';
import { LAYER_COLOURS, MOST_LAYERS, naturalText, seenFrom, toggled, valuesOf, windowStarts } from './layers';

/** Rows of one answer; the server gives no more. */
const PAGE = 5000;

export interface DocumentPanelProps {
  readonly corpus: string;
  readonly document: string;
  readonly sae: string | null;
  /** The feature that the tokens are coloured by at first. */
  readonly feature?: number;
  /** Where to look: it is scrolled to, and what the model could not see from there is dimmed. */
  readonly position?: number;
  /** Whether the model looks back only. */
  readonly isCausal?: boolean;
  readonly onView?: (view: DocumentView) => void;
}

export function DocumentPanel(props: DocumentPanelProps) {
  const { corpus, document, sae, feature, position, onView } = props;
  const [start, setStart] = useState(() => Math.floor((position ?? 0) / PAGE) * PAGE);
  const [picked, setPicked] = useState<readonly (number | null)[] | null>(feature === undefined ? null : [feature]);
  const { view, error } = useDocument({ corpus, document, sae, start }, onView);
  // Until somebody chooses, the strongest feature is drawn.
  const chosen = useMemo(() => picked ?? view?.features?.slice(0, 1).map((each) => each.feature) ?? [], [picked, view]);
  if (error) return <Absent>{error.message}</Absent>;
  if (!view) return <Skeleton lines={14} label="The document is on its way" />;
  return (
    <div className={styles.panel}>
      <Facts view={view} />
      {view.features ? (
        <FeatureChooser
          view={view}
          chosen={chosen}
          isFull={chosen.length >= MOST_LAYERS && !chosen.includes(null)}
          onToggle={(each) => setPicked(toggled(chosen, each))}
        />
      ) : null}
      <Pages view={view} onStart={setStart} />
      <Body {...props} view={view} chosen={chosen} />
    </div>
  );
}

interface Asked {
  readonly corpus: string;
  readonly document: string;
  readonly sae: string | null;
  readonly start: number;
}

function useDocument({ corpus, document, sae, start }: Asked, onView?: (view: DocumentView) => void) {
  const [view, setView] = useState<DocumentView | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const asking = new AbortController();
    const path = `/corpora/${segment(corpus)}/documents/${segment(document)}`;
    getJson<DocumentView>(pinned(path, app.getState().commit), { sae, start }, asking.signal).then(
      (answer) => {
        setView(answer);
        setError(null);
        onView?.(answer);
      },
      (failure: Error) => {
        if (!isAborted(failure)) setError(failure);
      },
    );
    return () => asking.abort();
  }, [corpus, document, sae, start, onView]);
  return { view, error };
}

function Body(props: DocumentPanelProps & { view: DocumentView; chosen: readonly (number | null)[] }) {
  const { view, chosen, position, isCausal = false } = props;
  const window = view.window_size;
  const natural = useMemo(() => naturalText(view), [view]);
  const [main, overlays] = useMemo(() => layersOf(view, chosen), [view, chosen]);
  const starts = useMemo(() => windowStarts(window, view.start, view.stop), [window, view]);
  const visible = useMemo(
    () =>
      position === undefined
        ? undefined
        : seenFrom(view.start, view.tokens?.length ?? 0, { position, window, isCausal }),
    [view, position, window, isCausal],
  );
  const tokens = useRef<HTMLDivElement>(null);
  useEffect(() => {
    tokens.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'center' });
  }, [view]);
  if (!view.tokens?.length) return <PlainText view={view} />;
  const isSigned = main.values.some((value) => value !== null && value < 0);
  return (
    <>
      {main.feature === null ? null : (
        <p className={styles.key}>
          Feature {main.feature} <Legend reach={main.reach} isSigned={isSigned} />
          {window ? <span>a dashed line begins each window of {plural(window, 'token')}</span> : null}
        </p>
      )}
      <div ref={tokens}>
        <TokenRun
          label={`Document ${view.document}, rows ${view.start} to ${view.stop}; arrow keys read its tokens`}
          layout="document"
          tokens={natural?.tokens ?? view.tokens}
          gaps={natural?.gaps}
          names={view.tokens}
          values={main.values}
          reach={main.reach}
          firstPosition={view.start}
          rows={view.rows}
          overlays={overlays}
          windowStarts={starts}
          visible={visible}
          active={
            position !== undefined && position >= view.start && position < view.stop ? position - view.start : undefined
          }
        />
      </div>
    </>
  );
}

interface MainLayer {
  readonly feature: number | null;
  readonly values: readonly (number | null)[];
  readonly reach: number;
}

/** The first feature colours the tokens, the others are lines under them in their own colours. */
function layersOf(view: DocumentView, chosen: readonly (number | null)[]): [MainLayer, Overlay[]] {
  const first = chosen[0] ?? null;
  const values = first === null ? new Array<null>(view.tokens?.length ?? 0).fill(null) : valuesOf(view, first);
  const overlays = chosen.flatMap((each, index) => {
    if (index === 0 || each === null) return [];
    const own = valuesOf(view, each);
    return [{ name: `feature ${each}`, colour: LAYER_COLOURS[index], values: own, reach: reachOf([own]) }];
  });
  return [{ feature: first, values, reach: reachOf([values]) }, overlays];
}

function PlainText({ view }: { view: DocumentView }) {
  return (
    <>
      <p className={styles.note}>No tokens to colour: {view.reason || 'the corpus was imported without them'}.</p>
      {view.text ? (
        <p className={styles.plain} dir="auto">
          {view.text}
        </p>
      ) : null}
    </>
  );
}

function Pages({ view, onStart }: { view: DocumentView; onStart: (start: number) => void }) {
  if (view.n_rows <= PAGE) return null;
  return (
    <p className={styles.pages}>
      <button type="button" disabled={view.start === 0} onClick={() => onStart(Math.max(0, view.start - PAGE))}>
        Earlier rows
      </button>
      <span>
        rows {view.start} to {view.stop} of {view.n_rows}
      </span>
      <button type="button" disabled={view.stop >= view.n_rows} onClick={() => onStart(view.start + PAGE)}>
        Later rows
      </button>
    </p>
  );
}

function Facts({ view }: { view: DocumentView }) {
  return (
    <dl className={styles.facts}>
      <div>
        <dt>rows</dt>
        <dd>{number(view.n_rows, 12)}</dd>
      </div>
      {Object.entries(view.metadata).map(([name, value]) => (
        <div key={name}>
          <dt>
            <bdi>{name}</bdi>
          </dt>
          <dd className={value === null ? styles.gone : undefined}>
            <bdi>{factText(value)}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function factText(value: Scalar): string {
  if (value === null) return 'missing';
  // Whole numbers are often years and ids: they stand as they are.
  return typeof value === 'number' && !Number.isInteger(value) ? number(value, 6) : String(value);
}
