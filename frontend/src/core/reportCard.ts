/** The report card of an SAE in a few lines, where the analysis has some sixty columns. */
import { scalarText } from './identity';
import { percent } from './numbers';

export interface ReportLine {
  name: string;
  value: string;
  /** What the number is, in a sentence. */
  meaning: string;
}

type Card = Record<string, unknown>;

function numberOf(card: Card, name: string): number | null {
  const value = card[name];
  return typeof value === 'number' ? value : null;
}

/** A share with its interval: how many, what part, and between what and what it lies. */
function shareLine(card: Card, stem: string, name: string, meaning: string): ReportLine | null {
  const share = numberOf(card, `${stem}_share`);
  if (share === null) return null;
  const [n, low, high] = [`n_${stem}`, `${stem}_low`, `${stem}_high`].map((each) => numberOf(card, each));
  const range = low === null || high === null ? '' : `, 95 %: ${percent(low)} – ${percent(high)}`;
  const inside = percent(share) + range;
  return { name, value: n === null ? inside : `${scalarText(n)} (${inside})`, meaning };
}

/** A middle value and the ends. */
function rangeLine(card: Card, stem: string, middle: string, name: string, meaning: string): ReportLine | null {
  const [value, low, high] = [middle, 'min', 'max'].map((end) => numberOf(card, `${stem}_${end}`));
  if (value === null) return null;
  const range = low === null || high === null ? '' : ` (${scalarText(low)} – ${scalarText(high)})`;
  return { name, value: scalarText(value) + range, meaning };
}

function plainLine(card: Card, column: string, name: string, meaning: string): ReportLine | null {
  const value = numberOf(card, column);
  return value === null ? null : { name, value: scalarText(value), meaning };
}

/** The lines that there is something to say for. */
export function reportLines(card: Card): ReportLine[] {
  const lines = [
    rangeLine(card, 'l0', 'mean', 'Active features in a row', 'Mean of L0, with the smallest and the largest'),
    shareLine(card, 'silent_rows', 'Rows without any', 'Rows in which no feature is active, with the 95 % interval'),
    shareLine(card, 'dead', 'Never active', 'Features that are active in no row, with the 95 % interval'),
    shareLine(card, 'ultra_rare', 'Ultra-rare', 'Features that fire, but hardly ever, with the 95 % interval'),
    shareLine(card, 'ultra_dense', 'Ultra-dense', 'Features that are active in a large share of the rows'),
    plainLine(card, 'density_median', 'Median density', 'Share of rows in which a feature is active'),
    rangeLine(card, 'decoder_norm', 'median', 'Decoder norm', 'Median, with the smallest and the largest'),
    rangeLine(
      card,
      'encoder_decoder_cosine',
      'median',
      'Encoder and decoder',
      'Median cosine between the two directions',
    ),
    plainLine(card, 'fvu', 'Variance unexplained', 'Fraction of variance unexplained'),
  ];
  return lines.filter((line) => line !== null);
}
