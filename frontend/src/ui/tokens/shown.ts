/** How tokens are put on screen: what cannot be seen gets a quiet sign, and writing from the right keeps its order. */

import { isRightToLeft } from '../../core/direction';

export interface ShownPart {
  readonly text: string;
  /** A sign that stands for something invisible; it is drawn faintly and is no part of the text. */
  readonly isSign: boolean;
}

const SIGNS: Readonly<Record<string, string>> = {
  '\n': '↵',
  '\r': '␍',
  '\t': '⇥',
  '\u00a0': '⍽',
  '\u200b': '∅',
  '\u200c': '‌',
  '\u200d': '‍',
  '\ufeff': '∅',
};
const INVISIBLE = /[\u0000-\u001f\u007f-\u00a0\u00ad\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff]/;

/** The parts of a token as they are drawn. A token of nothing but spaces shows them as dots; the empty one a sign. */
export function shownParts(token: string): ShownPart[] {
  if (token === '') return [{ text: '∅', isSign: true }];
  if (/^ +$/.test(token)) return [{ text: '·'.repeat(token.length), isSign: true }];
  const parts: ShownPart[] = [];
  for (const letter of token) {
    const isSign = INVISIBLE.test(letter);
    const text = isSign ? (SIGNS[letter] ?? codeOf(letter)) : letter;
    const last = parts.at(-1);
    if (last && last.isSign === isSign) parts[parts.length - 1] = { text: last.text + text, isSign };
    else parts.push({ text, isSign });
  }
  return parts;
}

/** A token as a person would name it: quoted, with invisible characters by name. */
export function namedToken(token: string): string {
  if (token === '') return 'empty token';
  const text = [...token].map((letter) => (letter === '\n' ? '\\n' : letter === '\t' ? '\\t' : letter)).join('');
  const named = [...text].map((letter) => (INVISIBLE.test(letter) ? codeOf(letter) : letter)).join('');
  return `“${named}”`;
}

function codeOf(letter: string): string {
  return `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * Whether spaces stand between the tokens: word pieces ("##ing") are words without their spaces, and so are token
 * lists in which no token begins or ends with one.
 */
export function areWordPieces(tokens: readonly string[]): boolean {
  if (tokens.length < 2) return false;
  if (tokens.some((token) => /\s/.test(token))) return false;
  return (
    tokens.some((token) => token.startsWith('##')) ||
    (tokens.filter((token) => /^[\p{L}\p{N}]+$/u.test(token)).length > 1 && !hasUnspacedScript(tokens))
  );
}

function hasUnspacedScript(tokens: readonly string[]): boolean {
  return tokens.some((token) => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(token));
}

/** A word piece without the sign that it goes on from the token before. */
export function pieceOf(token: string): { text: string; isContinued: boolean } {
  return token.startsWith('##') && token.length > 2
    ? { text: token.slice(2), isContinued: true }
    : { text: token, isContinued: false };
}

export interface DirectionRun {
  readonly direction: 'ltr' | 'rtl';
  readonly start: number;
  /** One past the last token. */
  readonly stop: number;
}

/** The direction of a text: that of most of its letters, as a context may begin anywhere, with a foreign word too. */
export function baseDirection(tokens: readonly string[]): 'ltr' | 'rtl' {
  let balance = 0;
  for (const token of tokens) {
    for (const letter of token.match(/\p{L}/gu) ?? []) balance += isRightToLeft(letter) ? 1 : -1;
  }
  return balance > 0 ? 'rtl' : 'ltr';
}

/**
 * Neighbouring tokens of one direction. Tokens without letters go with the tokens around them where those agree, and
 * with the text otherwise: so a phrase in Arabic keeps its order inside an English document.
 */
export function directionRuns(tokens: readonly string[]): DirectionRun[] {
  const base = baseDirection(tokens);
  const strong = tokens.map((token) => (/\p{L}/u.test(token) ? (isRightToLeft(token) ? 'rtl' : 'ltr') : null));
  const after: ('ltr' | 'rtl')[] = new Array(tokens.length);
  for (let index = tokens.length - 1, next: 'ltr' | 'rtl' = base; index >= 0; index -= 1) {
    next = strong[index] ?? next;
    after[index] = next;
  }
  const runs: DirectionRun[] = [];
  let before: 'ltr' | 'rtl' = base;
  strong.forEach((own, index) => {
    const direction = own ?? (before === after[index] ? before : base);
    if (own) before = own;
    const last = runs.at(-1);
    if (last && last.direction === direction) runs[runs.length - 1] = { ...last, stop: index + 1 };
    else runs.push({ direction, start: index, stop: index + 1 });
  });
  return runs;
}

/** Whether a token has letters of both directions, so that it must be kept to itself. */
export function isMixed(token: string): boolean {
  const letters = token.match(/\p{L}/gu) ?? [];
  return letters.some((letter) => isRightToLeft(letter)) && letters.some((letter) => !isRightToLeft(letter));
}
