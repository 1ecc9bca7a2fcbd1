/** The answer about two features, and its numbers in words. */

import type { Basis, Example, HistogramInfo, Scalar } from '../../core/types';
import { count, number, percent } from '../../plots/numbers';

export interface PairSide {
  readonly feature: number;
  readonly text: string | null;
  readonly stats: Readonly<Record<string, Scalar>> | null;
  readonly histogram: HistogramInfo | null;
}

export type PairExample = Omit<Example, 'value' | 'values'> & {
  readonly value_a: number;
  readonly value_b: number;
  readonly values_a: readonly (number | null)[];
  readonly values_b: readonly (number | null)[];
};

export interface FeaturePair {
  readonly commit: number;
  readonly sae: string;
  readonly basis: Basis | null;
  readonly a: PairSide;
  readonly b: PairSide;
  readonly n_rows: number | null;
  readonly n_a: number | null;
  readonly n_b: number | null;
  readonly n_both: number | null;
  readonly lift: number | null;
  readonly pmi: number | null;
  readonly jaccard: number | null;
  readonly pearson: number | null;
  readonly p_b_given_a: number | null;
  readonly p_a_given_b: number | null;
  readonly decoder_cosine: number | null;
  readonly decoder_reason: string;
  readonly encoder_cosine: number | null;
  readonly encoder_reason: string;
  readonly joint: { readonly edges_a: number[]; readonly edges_b: number[]; readonly counts: number[][] } | null;
  readonly n_documents: number | null;
  readonly documents: readonly PairDocument[] | null;
  readonly shared_tokens: readonly PairToken[] | null;
  readonly tokens_reason: string;
  readonly examples: readonly PairExample[] | null;
}

export interface PairDocument {
  readonly document: number;
  readonly id: string;
  readonly n_rows: number;
  readonly count: number;
  readonly max_a: number;
  readonly max_b: number;
}

export interface PairToken {
  readonly token: number;
  readonly string: string;
  readonly count: number;
  readonly mean_a: number;
  readonly mean_b: number;
  readonly share: number;
}

export interface Measure {
  readonly name: string;
  readonly value: string;
  readonly about: string;
}

/** The joint numbers in the order in which they are read; a missing one says why. */
export function measuresOf(pair: FeaturePair): Measure[] {
  const { a, b } = pair;
  const cosine = (value: number | null, reason: string) => (value === null ? reason || 'missing' : number(value, 4));
  return [
    { name: 'rows where both are active', value: count(pair.n_both), about: `of ${count(pair.n_rows)} rows` },
    { name: `${b.feature} given ${a.feature}`, value: percent(pair.p_b_given_a), about: 'share of its active rows' },
    { name: `${a.feature} given ${b.feature}`, value: percent(pair.p_a_given_b), about: 'share of its active rows' },
    { name: 'lift', value: number(pair.lift, 4), about: 'how much more often than by chance' },
    { name: 'mutual information', value: number(pair.pmi, 4), about: 'pointwise, in bits' },
    { name: 'Jaccard', value: number(pair.jaccard, 4), about: 'both, of rows where either is active' },
    { name: 'Pearson', value: number(pair.pearson, 4), about: 'over all rows, silent ones as 0' },
    { name: 'decoder cosine', value: cosine(pair.decoder_cosine, pair.decoder_reason), about: 'of the directions' },
    { name: 'encoder cosine', value: cosine(pair.encoder_cosine, pair.encoder_reason), about: 'of the directions' },
  ];
}

/** What one feature is, as a list of facts that stand beside those of the other. */
export function factsOf(side: PairSide): { name: string; value: string }[] {
  const { stats } = side;
  if (!stats) return [];
  const value = (name: string): number | null => {
    const found = stats[name];
    return typeof found === 'number' ? found : null;
  };
  return [
    { name: 'active rows', value: count(value('n_active')) },
    { name: 'density', value: percent(value('density')) },
    { name: 'mean', value: number(value('mean'), 4) },
    { name: 'median', value: number(value('median'), 4) },
    { name: 'largest', value: number(value('max'), 4) },
  ];
}
