/** What a feature's page lacks, in words of one kind, with the command that makes it. */

import { quoted } from '../../core/identity';
import type { MissingPart } from '../../core/types';

export interface Lack {
  readonly analysis: string;
  readonly parts: readonly string[];
  readonly reason: string;
  readonly command: string;
}

/** Parts that nothing can fill while the SAE has no activations. */
const OF_ACTIVATIONS = ['coactive', 'breakdowns', 'ngrams', 'tokens', 'examples', 'histograms', 'stats'];

/** The analyses that would fill parts of the page, each once with all the parts that wait for it. */
export function lacksOf(missing: readonly MissingPart[], sae: string, hasActivations: boolean): Lack[] {
  const byAnalysis = new Map<string, MissingPart[]>();
  for (const part of missing) {
    // What was computed and has nothing to show needs no command.
    if (part.analysis === null || part.state === 'current') continue;
    if (!hasActivations && OF_ACTIVATIONS.includes(part.part.split('.')[0])) continue;
    byAnalysis.set(part.analysis, [...(byAnalysis.get(part.analysis) ?? []), part]);
  }
  return [...byAnalysis].map(([analysis, parts]) => ({
    analysis,
    parts: [...new Set(parts.map(({ part }) => part.split('.')[0]))],
    reason: parts[0].state === 'stale' ? 'out of date' : 'not computed',
    command: `saeatlas analyze ${quoted(analysis)} --sae ${quoted(sae)}`,
  }));
}

/** Why a part is not there; null where nothing is known of it. */
export function reasonOf(missing: readonly MissingPart[], ...parts: string[]): string | null {
  const found = missing.find((each) => parts.includes(each.part));
  if (!found) return null;
  const reason = found.reason.charAt(0).toUpperCase() + found.reason.slice(1);
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

/** Columns that cannot be broken down, and why. */
export function columnsLeftOut(missing: readonly MissingPart[]): { column: string; reason: string }[] {
  return missing
    .filter(({ part, state }) => part.startsWith('breakdowns.') && state === 'current')
    .map(({ part, reason }) => ({ column: part.slice('breakdowns.'.length), reason }));
}
