/** From columns to colours and sizes of points, and the legend that says which is which. Pure arithmetic. */
import type { CategoryColumn, NumberColumn } from '../../core/columns';
import { rgbOf, type Rgb } from '../../core/colour';
import { categoryColour, MISSING, N_CATEGORIES, scaleTable, type Ground, type ScaleName } from '../../core/palette';
import { Kind } from '../../gl/kinds';

/** How numbers become colours: the ends are quantiles, so that a few far values do not take all of the scale. */
export interface NumberScale {
  readonly kind: 'number';
  readonly column: string;
  readonly ramp: ScaleName;
  readonly isLog: boolean;
  readonly low: number;
  readonly high: number;
  /** The least and the greatest value there is. */
  readonly least: number;
  readonly greatest: number;
  readonly n: number;
  readonly n_missing: number;
}

export interface CategoryItem {
  readonly name: string;
  /** What the legend says; the name where nothing better is known. */
  readonly text: string;
  readonly count: number;
  readonly colour: string;
}

export interface CategoryScale {
  readonly kind: 'category';
  readonly column: string;
  readonly items: readonly CategoryItem[];
  readonly n_missing: number;
  /** Whether colours come more than once. */
  readonly repeats: boolean;
}

export interface LayerScale {
  readonly kind: 'layer';
  readonly items: readonly CategoryItem[];
}

export interface PlainScale {
  readonly kind: 'plain';
}

export type Scale = NumberScale | CategoryScale | LayerScale | PlainScale;

/** Quantiles of the values that colours are stretched between. */
const ENDS = [0.01, 0.99] as const;

/** The scale of a column over all layers that have it. */
export function numberScale(column: string, lists: readonly (NumberColumn['values'] | null)[]): NumberScale {
  const present = lists.filter((list) => list !== null);
  const total = present.reduce((sum, list) => sum + list.length, 0);
  const values = new Float64Array(total);
  let n = 0;
  for (const list of present) for (const value of list) if (Number.isFinite(value)) values[n++] = value;
  const sorted = values.subarray(0, n).sort();
  const at = (share: number) => (n ? sorted[Math.min(n - 1, Math.floor(share * n))] : Number.NaN);
  const [least, greatest] = [at(0), at(1)];
  let [low, high] = [at(ENDS[0]), at(ENDS[1])];
  if (low === high) [low, high] = [least, greatest];
  const isSigned = least < 0 && greatest > 0;
  const isLog = least > 0 && high / low > 100;
  if (isSigned) {
    high = Math.max(-low, high);
    low = -high;
  }
  const ramp = isSigned ? 'diverging' : 'viridis';
  return { kind: 'number', column, ramp, isLog, low, high, least, greatest, n, n_missing: total - n };
}

/** Where a value is on its scale, 0 to 1. */
export function shareOf({ isLog, low, high }: NumberScale, value: number): number {
  if (!(high > low)) return 0.5;
  const share = isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(1, Math.max(0, share));
}

/** The categories of a column over all layers, the most frequent first. */
export function categoryScale(
  column: string,
  columns: readonly (CategoryColumn | null)[],
  ground: Ground,
  told: { texts?: ReadonlyMap<string, string>; colours?: ReadonlyMap<string, string>; areOwn?: boolean } = {},
): CategoryScale {
  const counts = new Map<string, number>();
  let n_missing = 0;
  for (const each of columns) {
    if (!each) continue;
    const own = new Float64Array(each.names.length);
    for (const code of each.codes) {
      if (code < 0) n_missing += 1;
      else own[code] += 1;
    }
    each.names.forEach((name, code) => own[code] && counts.set(name, (counts.get(name) ?? 0) + own[code]));
  }
  const ordered = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0], undefined, { numeric: true }));
  const items = ordered.map(([name, count], index) => ({
    name,
    text: told.texts?.get(name) ?? name,
    count,
    colour: told.colours?.get(name) ?? categoryColour(index, ground),
  }));
  return { kind: 'category', column, items, n_missing, repeats: items.length > N_CATEGORIES && !told.areOwn };
}

export interface LookOptions {
  readonly ground: Ground;
  /** Index of the layer, for colours by layer. */
  readonly layer: number;
  readonly column: NumberColumn | CategoryColumn | null;
  /** 1 for each feature that passes the filters; null without filters. */
  readonly mask: Uint8Array | null;
  readonly selected: Uint8Array | null;
  readonly found: ReadonlySet<number> | null;
}

/** Four bytes for each of `n` features: its colour, and what it is. */
export function lookOf(n: number, scale: Scale, options: LookOptions): Uint8Array {
  const { mask, selected, found } = options;
  const look = new Uint8Array(4 * n);
  const colourAt = colourer(scale, options);
  const missing = rgbOf(MISSING[options.ground]);
  for (let i = 0; i < n; i++) {
    const rgb = colourAt(i);
    const [red, green, blue] = rgb ?? missing;
    look[4 * i] = red;
    look[4 * i + 1] = green;
    look[4 * i + 2] = blue;
    look[4 * i + 3] =
      mask && !mask[i]
        ? Kind.context
        : found?.has(i)
          ? Kind.found
          : selected?.[i]
            ? Kind.selected
            : rgb
              ? Kind.plain
              : Kind.missing;
  }
  return look;
}

function colourer(scale: Scale, { ground, layer, column }: LookOptions): (feature: number) => Rgb | null {
  if (scale.kind === 'number') {
    if (column?.type !== 'number') return () => null;
    const table = scaleTable(scale.ramp, ground);
    const colours = Array.from({ length: 256 }, (_, i): Rgb => [table[3 * i], table[3 * i + 1], table[3 * i + 2]]);
    const { values } = column;
    return (i) => (Number.isFinite(values[i]) ? colours[Math.round(255 * shareOf(scale, values[i]))] : null);
  }
  if (scale.kind === 'category') {
    if (column?.type !== 'category') return () => null;
    const byName = new Map(scale.items.map(({ name, colour }) => [name, rgbOf(colour)]));
    const colours = column.names.map((name) => byName.get(name) ?? null);
    return (i) => (column.codes[i] < 0 ? null : colours[column.codes[i]]);
  }
  const only = rgbOf(scale.kind === 'layer' ? scale.items[layer].colour : categoryColour(0, ground));
  return () => only;
}

/** A byte for the size of each feature, or null for one size; what is missing is smallest. */
export function sizesOf(
  n: number,
  scale: NumberScale | null,
  values: NumberColumn['values'] | null,
): Uint8Array | null {
  if (!scale) return null;
  const sizes = new Uint8Array(n).fill(20);
  if (!values) return sizes;
  const wide = scale.ramp === 'diverging' ? { ...scale, low: 0 } : scale;
  for (let i = 0; i < n; i++) {
    const value = scale.ramp === 'diverging' ? Math.abs(values[i]) : values[i];
    if (Number.isFinite(value)) sizes[i] = 60 + Math.round(195 * shareOf(wide, value));
  }
  return sizes;
}
