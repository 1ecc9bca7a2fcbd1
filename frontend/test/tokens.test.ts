import { describe, expect, it } from 'vitest';
import { cutText, gapInLine } from '../src/ui/tokens/natural';
import { legendOf, reachOf, shadeOf } from '../src/ui/tokens/shades';
import {
  areWordPieces,
  baseDirection,
  directionRuns,
  isMixed,
  namedToken,
  pieceOf,
  shownParts,
} from '../src/ui/tokens/shown';

const text = (token: string) =>
  shownParts(token)
    .map((part) => part.text)
    .join('');

describe('tokens', () => {
  it.each([
    ['cat', 'cat'],
    [' cat', ' cat'],
    ['  ', '··'],
    ['', '∅'],
    ['.\n\n', '.↵↵'],
    ['\t', '⇥'],
    ['a\u202eb', 'aU+202Eb'],
    ['\u0007', 'U+0007'],
    ['日本', '日本'],
  ])('%j is shown as %j', (token, shown) => expect(text(token)).toBe(shown));

  it('say which of their parts are signs and no text', () => {
    expect(shownParts('.\n')).toEqual([
      { text: '.', isSign: false },
      { text: '↵', isSign: true },
    ]);
    expect(namedToken(' a\n')).toBe('“ a\\n”');
  });

  it('have spaces between word pieces only', () => {
    expect(areWordPieces(['class', 'point', '##2', '##d'])).toBe(true);
    expect(areWordPieces(['the', ' cat', ' sat'])).toBe(false);
    expect(areWordPieces(['日', '本', '語'])).toBe(false);
    expect(areWordPieces(['one'])).toBe(false);
    expect(pieceOf('##ing')).toEqual({ text: 'ing', isContinued: true });
    expect(pieceOf('##')).toEqual({ text: '##', isContinued: false });
  });

  it('keep the order of writing from the right inside of writing from the left', () => {
    expect(directionRuns(['The', ' word', ' שלום', ' ', 'עולם', ' means', ' peace', '.'])).toEqual([
      { direction: 'ltr', start: 0, stop: 2 },
      { direction: 'rtl', start: 2, stop: 5 },
      { direction: 'ltr', start: 5, stop: 8 },
    ]);
    expect(directionRuns(['سلام', ' ', 'دنيا', '!'])).toEqual([{ direction: 'rtl', start: 0, stop: 4 }]);
    expect(baseDirection(['1', '.', ' مرحبا'])).toBe('rtl');
    expect(baseDirection([' مرحبا', ' is', ' how', ' they', ' greet'])).toBe('ltr');
    expect(isMixed('abcשלום')).toBe(true);
    expect(isMixed('שלום.')).toBe(false);
  });

  it('are each in one run', () => {
    const tokens = ['a', '1', 'ש', '2', 'b', '', 'ש', 'ל', '.', '\n'];
    const runs = directionRuns(tokens);
    expect(runs[0].start).toBe(0);
    runs.slice(1).forEach((run, index) => expect(run.start).toBe(runs[index].stop));
    expect(runs.at(-1)!.stop).toBe(tokens.length);
  });
});

describe('natural text', () => {
  it('is one line where the text has several', () => {
    expect(gapInLine('\n    ')).toEqual({ sign: '↵', text: ' ' });
    expect(gapInLine('::\n\n  >')).toEqual({ sign: '↵↵', text: ':: >' });
    expect(gapInLine('')).toEqual({ sign: '', text: '' });
  });

  it('is none where a token has no place in it', () => {
    expect(
      cutText('abc', 0, [
        [0, 1],
        [null, null],
      ]),
    ).toBeNull();
    expect(
      cutText('abc', 5, [
        [5, 6],
        [7, 8],
      ]),
    ).toEqual({ tokens: ['a', 'c'], gaps: ['', 'b'] });
  });
});

describe('shades', () => {
  it('compare by the largest value of the list', () => {
    expect(reachOf([[1, null, -3], [2]])).toBe(3);
    expect(reachOf([])).toBe(0);
    expect(shadeOf(3, 3)).toEqual({ sign: 'positive', strength: 1 });
    expect(shadeOf(-3, 3)).toEqual({ sign: 'negative', strength: 1 });
    expect(shadeOf(1.5, 3).strength).toBeLessThan(shadeOf(2, 3).strength);
  });

  it('tell a small value from none at all', () => {
    expect(shadeOf(1e-9, 3).strength).toBeGreaterThan(0.1);
    for (const value of [0, null]) expect(shadeOf(value, 3)).toEqual({ sign: 'none', strength: 0 });
    expect(shadeOf(1, 0)).toEqual({ sign: 'none', strength: 0 });
  });

  it('have a legend with both signs only where there are both', () => {
    expect(legendOf(4, false)).toEqual([0, 2, 4]);
    expect(legendOf(4, true)).toEqual([-4, -2, 0, 2, 4]);
  });
});
