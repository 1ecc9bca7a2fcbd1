/**
 * The colours of data on every page: categories that people with any kind of colour vision tell apart, scales whose
 * lightness grows with the value, and for what is missing a colour of its own that is in neither.
 */
import { hexOf, mix, rgbOf, type Rgb } from './colour';

export type Ground = 'light' | 'dark';
export type ScaleName = 'viridis' | 'cividis' | 'diverging';

/** What the colours stand on. */
export const BACKGROUND: Record<Ground, string> = { light: '#ffffff', dark: '#14171b' };

/** A value that is missing. No category and no scale comes near to it. */
export const MISSING: Record<Ground, string> = { light: '#9a9a9a', dark: '#767676' };

/** What the filters leave out: still there, as a ground to see the rest against. */
export const CONTEXT: Record<Ground, string> = { light: '#c9ced6', dark: '#3a414b' };

/** The mark of what is picked, in front of any colour. */
export const MARK: Record<Ground, string> = { light: '#111418', dark: '#ffffff' };

/**
 * Hues after Okabe and Ito, moved until every two of them, and the missing one, are at least 0.07 apart in OKLab for
 * normal sight, protanopia, deuteranopia and tritanopia, and 3:1 from the background of their theme.
 */
const CATEGORIES: Record<Ground, readonly string[]> = {
  light: ['#216eef', '#cc8102', '#1c8156', '#bd5599', '#bf4510', '#2499d6', '#5f4d41', '#5a40a7'],
  dark: ['#2577c7', '#ef9c1f', '#40c97e', '#ce81b7', '#e75d2b', '#7cd3f5', '#ece35a', '#8788fe'],
};

/** So many categories have a colour of their own; after that colours come again. */
export const N_CATEGORIES = 8;

/** Stops from low to high. The ends that would vanish on the background of a theme are left out. */
const STOPS: Record<ScaleName, Record<Ground, readonly string[]>> = {
  viridis: {
    light: ['#440154', '#482878', '#3e4989', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6ece58'],
    dark: ['#6b4596', '#5a5fa6', '#427aa3', '#2f909a', '#29a78b', '#45bf70', '#80d34d', '#bfdf25', '#fde725'],
  },
  cividis: {
    light: ['#00204d', '#00336f', '#39486b', '#575c6d', '#707173', '#8a8779', '#a59d73', '#bcae60'],
    dark: ['#3f5680', '#5b6882', '#757a80', '#8f8c7c', '#aaa074', '#c6b566', '#e3cc53', '#ffea46'],
  },
  diverging: {
    light: ['#1f4fae', '#4e7cc4', '#86a3cf', '#8c8f94', '#d19a66', '#c56a24', '#933f00'],
    dark: ['#63a5ff', '#5d8acb', '#57729c', '#6d6f73', '#a57444', '#d98a3a', '#ffae52'],
  },
};

/** The colour of category `index`, counted from the most frequent. */
export function categoryColour(index: number, ground: Ground): string {
  return CATEGORIES[ground][index % N_CATEGORIES];
}

/** A scale at `share` of its length, 0 to 1. */
export function scaleColour(name: ScaleName, share: number, ground: Ground): Rgb {
  const stops = STOPS[name][ground];
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const first = Math.min(stops.length - 2, Math.floor(place));
  return mix(rgbOf(stops[first]), rgbOf(stops[first + 1]), place - first);
}

/** A scale as 256 colours of three bytes. */
export function scaleTable(name: ScaleName, ground: Ground): Uint8Array {
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) table.set(scaleColour(name, i / 255, ground).map(Math.round), 3 * i);
  return table;
}

/** A scale as the background of a legend. */
export function scaleGradient(name: ScaleName, ground: Ground, direction = 'to right'): string {
  const stops = Array.from({ length: 17 }, (_, i) => hexOf(scaleColour(name, i / 16, ground)));
  return `linear-gradient(${direction}, ${stops.join(', ')})`;
}

/**
 * Colours for more groups than there are colours: groups that lie next to each other on a map get different ones.
 *
 * `places` holds the coordinates of the groups, `dimensions` of each, in order of size; the answer is the index of a
 * colour for each group. Nearest groups count most: each takes the colour whose nearest use is farthest away.
 */
export function spreadColours(places: Float32Array, dimensions: number, n_colours = N_CATEGORIES): Uint8Array {
  const n = Math.floor(places.length / dimensions);
  const colours = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if (i < n_colours) {
      colours[i] = i;
      continue;
    }
    const nearest = new Float64Array(n_colours).fill(Infinity);
    for (let j = 0; j < i; j++) {
      let gap = 0;
      for (let d = 0; d < dimensions; d++) gap += (places[i * dimensions + d] - places[j * dimensions + d]) ** 2;
      nearest[colours[j]] = Math.min(nearest[colours[j]], gap);
    }
    colours[i] = nearest.indexOf(Math.max(...nearest));
  }
  return colours;
}
