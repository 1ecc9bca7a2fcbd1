/** The features of a document, and the values of each at its tokens. */

import type { DocumentView } from '../../core/types';

/** Colours of features over one another: Okabe and Ito's, those that stand out on both grounds. */
export const LAYER_COLOURS = ['#e69f00', '#56b4e9', '#009e73', '#cc79a7', '#d55e00'] as const;

/** As many features as there are colours that a person can tell apart. */
export const MOST_LAYERS = LAYER_COLOURS.length;

export interface FeatureInDocument {
  readonly feature: number;
  /** Rows of what is shown where it is active. */
  readonly n: number;
  readonly max: number;
}

/** The features that a document view lists, the largest value first; of equal ones the lower id. */
export function featuresIn(view: DocumentView): FeatureInDocument[] {
  const found = new Map<number, { n: number; max: number }>();
  const { feature = [], value = [] } = view.activations ?? {};
  feature.forEach((id, index) => {
    const line = found.get(id) ?? { n: 0, max: -Infinity };
    line.n += value[index] > 0 ? 1 : 0;
    line.max = Math.max(line.max, value[index]);
    found.set(id, line);
  });
  return [...found]
    .map(([id, line]) => ({ feature: id, ...line }))
    .sort((a, b) => b.max - a.max || a.feature - b.feature);
}

/** The values of one feature at each token that is shown; null where it is not listed. */
export function valuesOf(view: DocumentView, feature: number): (number | null)[] {
  const values = new Array<number | null>(view.tokens?.length ?? 0).fill(null);
  const { feature: ids = [], position = [], value = [] } = view.activations ?? {};
  ids.forEach((id, index) => {
    const place = position[index] - view.start;
    if (id === feature && place >= 0 && place < values.length) values[place] = value[index];
  });
  return values;
}

/** Which features are drawn after one was switched: the colours of the others stay what they were. */
export function toggled(chosen: readonly (number | null)[], feature: number): (number | null)[] {
  const at = chosen.indexOf(feature);
  if (at >= 0) return chosen.map((each, index) => (index === at ? null : each));
  const free = chosen.indexOf(null);
  if (free >= 0) return chosen.map((each, index) => (index === free ? feature : each));
  return chosen.length < MOST_LAYERS ? [...chosen, feature] : [...chosen];
}

/** The positions at which a window of the model begins, for windows that tile the document from its start. */
export function windowStarts(window: number | null, start: number, stop: number): Set<number> {
  const found = new Set<number>();
  if (!window || window < 1) return found;
  for (let position = Math.ceil(start / window) * window; position < stop; position += window) found.add(position);
  return found;
}
