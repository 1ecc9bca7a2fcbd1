/** Which feature comes before and after one, in the order that the table has now. */

export interface Step {
  readonly previous: number | null;
  readonly next: number | null;
  /** From 1; null where the feature is not among those that the filters let through. */
  readonly place: number | null;
  readonly total: number;
}

/**
 * The neighbours of a feature in an order. A feature that the filters leave out has the neighbours that its id has
 * among those that pass; without an order, ids are the order.
 */
export function stepsFrom(order: Uint32Array | null, n: number, feature: number): Step {
  if (!order) {
    return {
      previous: feature > 0 ? feature - 1 : null,
      next: feature + 1 < n ? feature + 1 : null,
      place: feature < n ? feature + 1 : null,
      total: n,
    };
  }
  const at = order.indexOf(feature);
  if (at >= 0) {
    return { previous: order[at - 1] ?? null, next: order[at + 1] ?? null, place: at + 1, total: order.length };
  }
  let previous: number | null = null;
  let next: number | null = null;
  for (const id of order) {
    if (id < feature && (previous === null || id > previous)) previous = id;
    if (id > feature && (next === null || id < next)) next = id;
  }
  return { previous, next, place: null, total: order.length };
}

/** Any feature of the order but this one; null where there is no other. `random` is from 0 up to 1. */
export function anyOther(order: Uint32Array | null, n: number, feature: number, random: number): number | null {
  const total = order ? order.length : n;
  const at = order ? order.indexOf(feature) : feature < n ? feature : -1;
  const choices = at >= 0 ? total - 1 : total;
  if (choices < 1) return null;
  const pick = Math.min(choices - 1, Math.floor(random * choices));
  const place = at >= 0 && pick >= at ? pick + 1 : pick;
  return order ? order[place] : place;
}

/** The id that a person typed: a whole number of the SAE's features, or what is wrong with it. */
export function idFrom(text: string, n: number): number | string {
  const trimmed = text.trim();
  if (!/^\d+$/.test(trimmed)) return `A feature id is a whole number, found: '${trimmed}'`;
  const id = Number(trimmed);
  return id < n ? id : `Feature ids go up to ${n - 1}, found: ${trimmed}`;
}
