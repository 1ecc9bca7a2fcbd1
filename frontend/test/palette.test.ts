import { describe, expect, it } from 'vitest';
import {
  contrast,
  distance,
  hexOf,
  labOf,
  lightOf,
  parseHex,
  partOf,
  rgbOf,
  rgbOfLab,
  type Rgb,
} from '../src/core/colour';
import {
  BACKGROUND,
  categoryColour,
  MARK,
  MISSING,
  N_CATEGORIES,
  scaleColour,
  scaleTable,
  spreadColours,
  type Ground,
} from '../src/core/palette';

/** What is left of light for people without one kind of cone: the matrices of Machado, Oliveira and Fernandes (2009). */
const SIGHTS: Record<string, number[][]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function seen(rgb: Rgb, sight: string): Rgb {
  const light = rgb.map(lightOf);
  return SIGHTS[sight].map((row) => partOf(row.reduce((sum, share, i) => sum + share * light[i], 0))) as unknown as Rgb;
}

const GROUNDS: Ground[] = ['light', 'dark'];

describe('colours', () => {
  it('are read and written', () => {
    expect(hexOf(rgbOf('#12ab9f'))).toBe('#12ab9f');
    expect(parseHex('red')).toBeNull();
    expect(parseHex('#12345g')).toBeNull();
    for (const hex of ['#000000', '#ffffff', '#216eef']) expect(hexOf(rgbOfLab(labOf(rgbOf(hex))))).toBe(hex);
    expect(contrast(rgbOf('#000000'), rgbOf('#ffffff'))).toBeCloseTo(21, 5);
  });
});

describe.each(GROUNDS)('on a %s ground', (ground) => {
  const categories = Array.from({ length: N_CATEGORIES }, (_, i) => rgbOf(categoryColour(i, ground)));
  const background = rgbOf(BACKGROUND[ground]);

  it.each(Object.keys(SIGHTS))('categories and missing are told apart with %s', (sight) => {
    const all = [...categories, rgbOf(MISSING[ground])].map((rgb) => seen(rgb, sight));
    for (let i = 0; i < all.length; i++)
      for (let j = 0; j < i; j++) expect(distance(all[i], all[j]), `${i} and ${j}`).toBeGreaterThan(0.07);
  });

  it('categories and marks stand out from the background by 3:1', () => {
    for (const rgb of [...categories, rgbOf(MARK[ground])]) expect(contrast(rgb, background)).toBeGreaterThanOrEqual(3);
    expect(contrast(rgbOf(MISSING[ground]), background)).toBeGreaterThan(2.7);
  });

  it.each(['viridis', 'cividis'] as const)('%s grows in lightness with every sight and never fades away', (name) => {
    for (const sight of Object.keys(SIGHTS)) {
      let before = -1;
      for (let i = 0; i <= 32; i++) {
        const lightness = labOf(seen(scaleColour(name, i / 32, ground), sight))[0];
        expect(lightness, `${sight} ${i}`).toBeGreaterThan(before);
        before = lightness;
      }
    }
    for (let i = 0; i <= 32; i++) expect(contrast(scaleColour(name, i / 32, ground), background)).toBeGreaterThan(1.8);
  });

  it.each(['protanopia', 'deuteranopia', 'tritanopia'])('both ends of the diverging scale differ with %s', (sight) => {
    const [low, middle, high] = [0, 0.5, 1].map((share) => seen(scaleColour('diverging', share, ground), sight));
    expect(distance(low, high)).toBeGreaterThan(0.1);
    expect(distance(low, middle)).toBeGreaterThan(0.1);
    expect(distance(high, middle)).toBeGreaterThan(0.1);
  });

  it('a table holds the ends of its scale', () => {
    const table = scaleTable('viridis', ground);
    expect(table).toHaveLength(768);
    expect([...table.slice(0, 3)]).toEqual(scaleColour('viridis', 0, ground).map(Math.round));
    expect([...table.slice(765)]).toEqual(scaleColour('viridis', 1, ground).map(Math.round));
  });
});

describe('colours of many groups', () => {
  it('differ between groups side by side', () => {
    const n = 64;
    const places = Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? Math.floor(i / 2 / 8) : (i >> 1) % 8));
    const colours = spreadColours(places, 2);
    let alike = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) {
        const gap = Math.hypot(places[2 * i] - places[2 * j], places[2 * i + 1] - places[2 * j + 1]);
        if (gap < 1.1 && colours[i] === colours[j]) alike += 1;
      }
    expect(alike).toBe(0);
  });
});
