/** How wide the columns of the table are: numbers alike, texts as long as most of what they hold. */
import type { Column } from '../../core/columns';

export interface Width {
  /** In pixels; below it the table scrolls sideways. */
  least: number;
  most: number;
}

/** Features that are looked at; what they hold stands for the others. */
const SAMPLE = 512;
const LETTER = 7.2;
const PADDING = 18;
const NUMBER: Width = { least: 88, most: 112 };
const TEXT = { least: 120, usual: 240, most: 900 };

const RARE = 0.25;

const known = new WeakMap<Column, Width>();

interface Usual {
  /** The length that nine of ten texts stay below; 0 where there is none. */
  length: number;
  /** Share of the features that have a text. */
  present: number;
}

function usualOf(at: (feature: number) => string | null, n: number): Usual {
  const step = Math.max(1, Math.floor(n / SAMPLE));
  const lengths: number[] = [];
  let seen = 0;
  for (let feature = 0; feature < n; feature += step) {
    const text = at(feature);
    seen += 1;
    if (text !== null) lengths.push(text.length);
  }
  lengths.sort((a, b) => a - b);
  return { length: lengths[Math.floor(lengths.length * 0.9)] ?? 0, present: lengths.length / Math.max(1, seen) };
}

function fit(length: number, present = 1): Width {
  const natural = Math.min(TEXT.most, Math.max(TEXT.least, Math.ceil(length * LETTER) + PADDING));
  // What few features have may be cut before what all have is.
  return { least: Math.min(natural, present < RARE ? TEXT.least : TEXT.usual), most: natural };
}

/** The width of a column of `n` features; of one that is not here yet, that of a number. */
export function widthOf(column: Column | undefined, n: number): Width {
  if (!column || column.type === 'number') return NUMBER;
  const found = known.get(column) ?? measured(column, n);
  known.set(column, found);
  return found;
}

function measured(column: Exclude<Column, { type: 'number' }>, n: number): Width {
  if (column.type === 'text') {
    const { length, present } = usualOf(column.at, n);
    return fit(length, present);
  }
  const longest = column.names.reduce((most, name) => Math.max(most, name.length), 0);
  const { least, most } = fit(Math.min(longest, 40));
  return { least: Math.max(NUMBER.least, Math.min(least, 140)), most };
}
