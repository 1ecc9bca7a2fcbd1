/** Rows where a feature is active, in their contexts: the strongest, from parts of equal size, or drawn at random. */

import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';

import { getJson, isAborted, pinned, segment } from '../../core/api';
import type { ExampleList, FeatureBundle } from '../../core/types';
import { number, plural } from '../../core/numbers';
import { useOwn } from '../../ui/useOwn';
import { Absent, Section, Skeleton } from '../../ui/section/Section';
import { Legend } from '../../ui/tokens/Legend';
import { reachOf } from '../../ui/tokens/shades';
import { ExampleCard } from './ExampleCard';
import styles from './feature.module.css';
import { rememberText, wantsText } from './asWritten';
import {
  CONTEXTS,
  SHOWN_N,
  groupsOf,
  isFirst,
  MOST_N,
  paramsOf,
  PICKS,
  readContext,
  readPick,
  readSeed,
  shownFor,
  type Answer,
  type Pick,
  type Question,
  type Range,
  type Shown,
} from './picks';

export interface ExamplesProps {
  readonly bundle: FeatureBundle;
  readonly reason: string;
  readonly range: Range;
  readonly onPoint: (value: number | null) => void;
  readonly onDocument: (document: string, position: number) => void;
}

export function Examples({ bundle, reason, range, onPoint, onDocument }: ExamplesProps) {
  const [pick, setPick] = useOwn('pick', readPick, String);
  const [sizes, setSizes] = useState(SHOWN_N);
  const n = sizes[pick];
  const [context, setContext] = useOwn('context', readContext, String);
  const [seed, setSeed] = useOwn('seed', readSeed, String);
  const [isText, setText] = useState(wantsText);
  const question = useMemo(() => ({ pick, n, seed, context, range, isText }), [pick, n, seed, context, range, isText]);
  const { shown, isOld, error } = useExamples(bundle, question);
  const examples = shown?.examples;
  if (!bundle.examples) {
    return (
      <Section title="Examples">
        <Absent>{reason}</Absent>
      </Section>
    );
  }
  const reach = reachOf(examples?.map((example) => example.values) ?? []);
  const isSigned = examples?.some((example) => example.values.some((value) => value !== null && value < 0)) ?? false;
  const tools = (
    <>
      <Legend reach={reach} isSigned={isSigned} />
      <label className={styles.inline}>
        Show{' '}
        <select
          value={isText ? 'text' : 'tokens'}
          onChange={(event) => {
            setText(event.target.value === 'text');
            rememberText(event.target.value === 'text');
          }}
        >
          <option value="tokens">tokens</option>
          <option value="text">text as written</option>
        </select>
      </label>
      <label className={styles.inline}>
        Context{' '}
        <select value={context} onChange={(event) => setContext(Number(event.target.value))}>
          {CONTEXTS.map((size) => (
            <option key={size} value={size}>
              {size} tokens
            </option>
          ))}
        </select>
      </label>
    </>
  );
  return (
    <Section title="Examples" note={rangeText(shown?.range ?? range)} tools={tools} isLong>
      <Tabs pick={pick} onPick={setPick} />
      <div
        role="tabpanel"
        id="examples"
        aria-labelledby={`examples-${pick}`}
        aria-busy={isOld && !error}
        className={styles.examples}
      >
        {error ? <Absent>{error.message}</Absent> : null}
        {!examples && !error ? <Skeleton lines={12} label="Examples are on their way" /> : null}
        {examples?.length === 0 ? <Absent>No row is active with such a value.</Absent> : null}
        {examples
          ? groupsOf(examples).map((group) => (
              <div key={group.title ?? ''} className={styles.group}>
                {group.title ? <h3>{group.title}</h3> : null}
                {group.examples.map((example) => (
                  <ExampleCard
                    key={`${example.row} ${example.rank}`}
                    example={example}
                    reach={reach}
                    onPoint={onPoint}
                    onDocument={onDocument}
                  />
                ))}
              </div>
            ))
          : null}
      </div>
      <div className={styles.after}>
        {examples ? <span className={styles.none}>{plural(examples.length, 'example')} shown</span> : null}
        {examples && examples.length >= n && n < MOST_N ? (
          <button type="button" onClick={() => setSizes({ ...sizes, [pick]: Math.min(MOST_N, n * 2) })}>
            More
          </button>
        ) : null}
        {pick === 'top' ? null : (
          <button type="button" onClick={() => setSeed(seed + 1)} title={`Drawn with seed ${seed}`}>
            Draw others
          </button>
        )}
      </div>
    </Section>
  );
}

function rangeText({ low, high }: Range): string {
  if (low === null && high === null) return 'from all active rows of the corpus';
  if (low === null) return `values below ${number(high)}`;
  return high === null ? `values from ${number(low)}` : `values from ${number(low)} to below ${number(high)}`;
}

function useExamples(
  bundle: FeatureBundle,
  question: Question,
): { shown: Shown | null; isOld: boolean; error: Error | null } {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const first = (isFirst(question) && bundle.examples?.[question.pick]) || null;
  useEffect(() => {
    setError(null);
    if (first || !bundle.examples) return;
    const asking = new AbortController();
    const path = `/saes/${segment(bundle.sae)}/features/${bundle.feature}/examples`;
    getJson<ExampleList>(pinned(path, bundle.commit), paramsOf(question), asking.signal).then(
      ({ examples }) => setAnswer({ to: question, examples }),
      (failure: Error) => {
        if (!isAborted(failure)) setError(failure);
      },
    );
    return () => asking.abort();
  }, [bundle, question, first]);
  return {
    shown: shownFor(question, { first, answer, bundle, error }),
    isOld: !first && answer?.to !== question,
    error,
  };
}

function Tabs({ pick, onPick }: { pick: Pick; onPick: (pick: Pick) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const press = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const now = PICKS.findIndex(({ name }) => name === pick);
    const next = (now + by + PICKS.length) % PICKS.length;
    onPick(PICKS[next].name);
    list.current?.querySelectorAll('button')[next]?.focus();
  };
  return (
    <div ref={list} role="tablist" aria-label="Which examples" className={styles.tabs} onKeyDown={press} tabIndex={-1}>
      {PICKS.map(({ name, text, about }) => (
        <button
          key={name}
          id={`examples-${name}`}
          type="button"
          role="tab"
          aria-selected={name === pick}
          aria-controls="examples"
          tabIndex={name === pick ? 0 : -1}
          title={about}
          onClick={() => onPick(name)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
