/** The answer about two features, and its numbers in words. */

import type { components } from '../../../generated/schema';
import { count, number, percent } from '../../core/numbers';

type Schemas = components['schemas'];

export type FeaturePair = Schemas['FeaturePair'];
export type PairSide = Schemas['PairSide'];
export type PairExample = Schemas['PairExample'];

export interface Measure {
  readonly name: string;
  readonly value: string;
  readonly about: string;
}

/** The joint numbers in the order in which they are read; a missing one says why. */
export function measuresOf(pair: FeaturePair): Measure[] {
  const { a, b } = pair;
  const cosine = (name: string, value: number | null, reason: string): Measure =>
    value === null
      ? { name, value: '–', about: reason || 'missing' }
      : { name, value: number(value, 4), about: 'of the directions' };
  return [
    { name: 'rows where both are active', value: count(pair.n_both), about: `of ${count(pair.n_rows)} rows` },
    { name: `${b.feature} given ${a.feature}`, value: percent(pair.p_b_given_a), about: 'share of its active rows' },
    { name: `${a.feature} given ${b.feature}`, value: percent(pair.p_a_given_b), about: 'share of its active rows' },
    { name: 'lift', value: number(pair.lift, 4), about: 'how much more often than by chance' },
    { name: 'mutual information', value: number(pair.pmi, 4), about: 'pointwise, in bits' },
    { name: 'Jaccard', value: number(pair.jaccard, 4), about: 'both, of rows where either is active' },
    { name: 'Pearson', value: number(pair.pearson, 4), about: 'over all rows, silent ones as 0' },
    cosine('decoder cosine', pair.decoder_cosine, pair.decoder_reason),
    cosine('encoder cosine', pair.encoder_cosine, pair.encoder_reason),
  ];
}

/** What one feature is, as a list of facts that stand beside those of the other. */
export function factsOf(side: PairSide): { name: string; value: string }[] {
  const { stats } = side;
  if (!stats) return [];
  return [
    { name: 'active rows', value: count(stats.n_active) },
    { name: 'density', value: percent(stats.density) },
    { name: 'mean', value: number(stats.mean, 4) },
    { name: 'median', value: number(stats.median, 4) },
    { name: 'largest', value: number(stats.max, 4) },
  ];
}
