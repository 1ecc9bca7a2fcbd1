/** Which examples are asked for, and how they stand in groups. */

import type { Params } from '../../core/api';
import type { Example, FeatureBundle } from '../../core/types';
import { number } from '../../core/numbers';

export interface Range {
  readonly low: number | null;
  /** Values below it; null where there is no upper end. */
  readonly high: number | null;
}

/** A range as an address holds it: both ends, each empty where it is open. */
export function readRange(text: string | null): Range {
  const [low, high] = (text ?? '_')
    .split('_')
    .map((part) => (part.trim() === '' || !Number.isFinite(Number(part)) ? null : Number(part)));
  return { low: low ?? null, high: high ?? null };
}

export function writeRange({ low, high }: Range): string {
  return `${low ?? ''}_${high ?? ''}`;
}

export function readPick(text: string | null): Pick {
  return PICKS.find(({ name }) => name === text)?.name ?? 'top';
}

export function readContext(text: string | null): number {
  return CONTEXTS.find((size) => String(size) === text) ?? CONTEXT;
}

export function readSeed(text: string | null): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

export type Pick = 'top' | 'quantiles' | 'random';

export const PICKS: readonly { readonly name: Pick; readonly text: string; readonly about: string }[] = [
  { name: 'top', text: 'Top', about: 'the strongest' },
  { name: 'quantiles', text: 'Quantiles', about: 'drawn from equal parts by strength' },
  { name: 'random', text: 'Random', about: 'drawn uniformly from all active rows' },
];

export interface Question {
  readonly pick: Pick;
  readonly n: number;
  readonly seed: number;
  readonly context: number;
  readonly range: Range;
  /** Whether the documents' own text is wanted, beside what the tokenizer made of it. */
  readonly isText: boolean;
}

/** How many of each kind are shown before anyone asks for more. */
export const SHOWN_N: Readonly<Record<Pick, number>> = { top: 10, quantiles: 20, random: 10 };
/** What the page's first request brings of each kind. */
const FIRST_N: Readonly<Record<Pick, number>> = { top: 20, quantiles: 20, random: 10 };
export const MOST_N = 100;
export const CONTEXT = 20;
/** Tokens before the active one that may be asked for. */
export const CONTEXTS = [10, CONTEXT, 50, 100] as const;
const STRATA = 4;

/** Whether a question is the one that the page's first request answered. */
export function isFirst(question: Question): boolean {
  const { pick, n, seed, context, range, isText } = question;
  const isThere = pick === 'quantiles' ? n === FIRST_N.quantiles : n <= FIRST_N[pick];
  return isThere && !isText && seed === 0 && context === CONTEXT && range.low === null && range.high === null;
}

/** The parameters of a question; `n` with quantiles is that of each part. */
export function paramsOf({ pick, n, seed, context, range, isText }: Question): Params {
  return {
    pick,
    n: pick === 'quantiles' ? Math.max(1, Math.round(n / STRATA)) : n,
    before: context,
    after: Math.round(context / 2),
    seed: pick === 'top' ? undefined : seed,
    strata: pick === 'quantiles' ? STRATA : undefined,
    low: range.low,
    high: range.high,
    texts: isText || undefined,
  };
}

/** What was answered to a question. */
export interface Answer {
  readonly to: Question;
  readonly examples: readonly Example[];
}

/** Examples on show, and the range of values that they are of. */
export interface Shown {
  readonly examples: readonly Example[];
  readonly range: Range;
}

interface Known {
  /** What the page's first request says to this very question. */
  readonly first: readonly Example[] | null;
  readonly answer: Answer | null;
  readonly bundle: { readonly examples: FeatureBundle['examples'] };
  readonly error: Error | null;
}

/**
 * What is shown for a question. Until its answer is here, what was shown before for the same pick stays, under the
 * range that it is of; when there will be no answer, nothing does.
 */
export function shownFor(question: Question, { first, answer, bundle, error }: Known): Shown | null {
  if (first) return { examples: first.slice(0, question.n), range: question.range };
  if (error) return null;
  if (answer?.to.pick === question.pick) return { examples: answer.examples, range: answer.to.range };
  const early = bundle.examples?.[question.pick];
  return early ? { examples: early.slice(0, question.n), range: { low: null, high: null } } : null;
}

export interface ExampleGroup {
  readonly title: string | null;
  readonly examples: readonly Example[];
}

/** Examples by the part they were drawn from, the strongest first; one group without a title where there are none. */
export function groupsOf(examples: readonly Example[]): ExampleGroup[] {
  const strata = [...new Set(examples.map((example) => example.stratum))];
  if (strata.every((stratum) => stratum === null)) return [{ title: null, examples }];
  const n = Math.max(...strata.map((stratum) => stratum ?? 0)) + 1;
  return strata
    .sort((a, b) => (a ?? n) - (b ?? n))
    .map((stratum) => {
      const inside = examples.filter((example) => example.stratum === stratum);
      const values = inside.map((example) => example.value);
      const ends = `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
      return { title: `Part ${(stratum ?? 0) + 1} of ${n} by strength, shown: ${ends}`, examples: inside };
    });
}
