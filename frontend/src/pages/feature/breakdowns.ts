/** How a feature fires across the levels of a metadata column, made ready for a chart. */

import type { components } from '../../../generated/schema';
import { count, number, percent } from '../../core/numbers';
import { wilson } from '../../plots/intervals';
import type { IntervalLine } from '../../plots/Intervals';

export type BreakdownInfo = components['schemas']['BreakdownInfo'];
type BreakdownLevel = components['schemas']['LevelInfo'];

const MOST_LEVELS = 12;

/** The strongest effects first; columns without one come last, in their own order. */
export function byEffect(breakdowns: readonly BreakdownInfo[]): BreakdownInfo[] {
  return [...breakdowns].sort((a, b) => strengthOf(b) - strengthOf(a));
}

function strengthOf(breakdown: BreakdownInfo): number {
  return breakdown.effect === null ? -1 : Math.abs(breakdown.effect);
}

/** The effect and how sure it is, in words: never a number that is not there. */
export function effectText(breakdown: BreakdownInfo): string {
  if (breakdown.effect === null) return 'no effect is defined: the feature fires in no document, or in all of them';
  const name = breakdown.effect_name === 'cramers_v' ? 'Cramér’s V' : 'Spearman’s ρ';
  return `${name} ${number(breakdown.effect)}`;
}

/** The false discovery rate, or why there is none. */
export function certaintyText(breakdown: BreakdownInfo): string {
  if (breakdown.q !== null) return `q ${number(breakdown.q)}`;
  const reason = breakdown.q_reason || 'it was not computed';
  return breakdown.p === null ? `no q: ${reason}` : `p ${number(breakdown.p)}; no q: ${reason}`;
}

export interface LevelLines {
  readonly lines: readonly IntervalLine[];
  /** Levels that are not drawn, as there are too many. */
  readonly nLeftOut: number;
  /** The share over all levels, to compare with. */
  readonly overall: number | null;
}

/**
 * One line for each level: the share of its documents in which the feature fires, with a 95 % Wilson interval, as the
 * document is the unit of the test. Of many categories those with the most documents are drawn; missing ones stay.
 */
export function levelLines(breakdown: BreakdownInfo): LevelLines {
  const ordered =
    breakdown.kind === 'numeric' || breakdown.levels.length <= MOST_LEVELS
      ? breakdown.levels
      : [...breakdown.levels].sort((a, b) => missingLast(a, b) || b.n_documents - a.n_documents);
  const known = ordered.filter((level) => level.level !== null).slice(0, MOST_LEVELS);
  const missing = ordered.filter((level) => level.level === null);
  const active = breakdown.levels.reduce((sum, level) => sum + level.n_documents_active, 0);
  const all = breakdown.levels.reduce((sum, level) => sum + level.n_documents, 0);
  return {
    lines: [...known, ...missing].map(lineOf),
    nLeftOut: breakdown.levels.length - known.length - missing.length,
    overall: all > 0 ? active / all : null,
  };
}

function missingLast(a: BreakdownLevel, b: BreakdownLevel): number {
  return Number(a.level === null) - Number(b.level === null);
}

function lineOf(level: BreakdownLevel): IntervalLine {
  const label = level.level ?? 'missing';
  const share = level.n_documents > 0 ? level.n_documents_active / level.n_documents : null;
  const ends = wilson(level.n_documents_active, level.n_documents);
  const documents = `fires in ${count(level.n_documents_active)} of ${count(level.n_documents)} documents (${percent(share)})`;
  const rows = `${count(level.n_active)} of ${count(level.n_rows)} rows, mean value ${number(level.mean)}`;
  return {
    label,
    value: share,
    low: ends?.low ?? null,
    high: ends?.high ?? null,
    note: `${count(level.n_documents_active)} / ${count(level.n_documents)}`,
    detail: `${label}: ${documents}, ${rows}`,
  };
}
