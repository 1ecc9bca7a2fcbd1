import { expect, test } from 'vitest';
import type { Category } from '../src/core/types';
import { freeColour, possibleParents } from '../src/ui/labels/categories';

const category = (name: string, parent: string | null = null, colour: string | null = null): Category => ({
  name,
  parent,
  colour,
  description: null,
});

test('nothing can be put below itself or below what is below it', () => {
  const all = [category('a'), category('b', 'a'), category('c', 'b'), category('d')];
  expect(possibleParents(all, 'a')).toEqual(['d']);
  expect(possibleParents(all, 'b')).toEqual(['a', 'd']);
  expect(possibleParents(all, 'c')).toEqual(['a', 'b', 'd']);
});

test('categories that are above one another in a circle end the search', () => {
  const circle = [category('a', 'b'), category('b', 'a'), category('c')];
  expect(possibleParents(circle, 'c')).toEqual(['a', 'b']);
});

test('the colour offered is one that no category has, as long as there are any', () => {
  const first = freeColour([]);
  const second = freeColour([category('a', null, first.toUpperCase())]);
  expect(second).not.toBe(first);
  const all: Category[] = [];
  for (let n = 0; n < 8; n++) all.push(category(String(n), null, freeColour(all)));
  expect(new Set(all.map(({ colour }) => colour)).size).toBe(8);
  expect(freeColour(all)).toMatch(/^#[0-9a-f]{6}$/);
});
