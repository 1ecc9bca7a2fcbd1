/** How far a map can be trusted, in words. */
import { number } from '../../core/numbers';
import type { ProjectionInfo } from '../../core/types';

interface Line {
  k?: number | null;
  trustworthiness?: number | null;
  trustworthiness_se?: number | null;
  recall?: number | null;
  recall_chance?: number | null;
  n_measured?: number | null;
}

/** The quality as it comes: one entry for each number of neighbours. */
function linesOf({ quality }: ProjectionInfo): Line[] {
  if (!quality) return [];
  return (Array.isArray(quality) ? quality : [quality]) as Line[];
}

export function qualityText(projection: ProjectionInfo): { short: string; long: string } {
  const lines = linesOf(projection).filter(({ trustworthiness }) => typeof trustworthiness === 'number');
  if (!lines.length) return { short: 'quality unknown', long: 'Nobody measured how well this map keeps neighbours' };
  const [first] = lines;
  const long = lines.map((line) => {
    const error = line.trustworthiness_se ? ` ± ${number(line.trustworthiness_se, 2)}` : '';
    const recall =
      typeof line.recall === 'number'
        ? `, ${number(100 * line.recall)} % of the true neighbours are near (by chance ${number(100 * (line.recall_chance ?? 0))} %)`
        : '';
    return `Among ${line.k} neighbours: trustworthiness ${number(line.trustworthiness)}${error}${recall}`;
  });
  return { short: `trust ${number(first.trustworthiness)}`, long: `${long.join('. ')}. 1 is perfect.` };
}
