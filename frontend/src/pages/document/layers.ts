/** The features of a document, and the values of each at its tokens. */

import type { DocumentView } from '../../core/types';
import { cutText, type NaturalText } from '../../ui/tokens/natural';

export type FeatureInDocument = NonNullable<DocumentView['features']>[number];

/** The text itself, cut where tokens lie in it; null where it is not known, or where tokens overlap. */
export function naturalText(view: DocumentView): NaturalText | null {
  const { text, text_start: first, spans } = view;
  if (text === null || first === null || !spans || spans.length !== view.tokens?.length) return null;
  return cutText(text, first, spans);
}

/** Colours of features over one another: Okabe and Ito's, those that stand out on both grounds. */
export const LAYER_COLOURS = ['#e69f00', '#56b4e9', '#009e73', '#cc79a7', '#d55e00'] as const;

/** As many features as there are colours that a person can tell apart. */
export const MOST_LAYERS = LAYER_COLOURS.length;

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

/** What a reader knows of how the model saw a document: from where, in windows of how many tokens, looking back only. */
export interface Sight {
  readonly position: number;
  readonly window: number | null;
  readonly isCausal: boolean;
}

/** Whether the model could see each token when it computed the one at a position; null where that is not known. */
export function seenFrom(start: number, n: number, { position, window, isCausal }: Sight): (boolean | null)[] {
  return Array.from({ length: n }, (_, index) => {
    const at = start + index;
    if (at === position) return true;
    if (isCausal && at > position) return false;
    if (window && Math.floor(at / window) !== Math.floor(position / window)) return false;
    return null;
  });
}
