/** Texts cut where tokens lie in them: what was written, not what the tokenizer made of it. */

export interface NaturalText {
  /** What each token covers of the text. */
  readonly tokens: readonly string[];
  /** What stands before each token and is covered by none. */
  readonly gaps: readonly string[];
}

type Spans = readonly (readonly [number | null, number | null])[];

/**
 * Cut a text that begins at character `first` of its document. Null where the tokens do not lie in it one after the
 * other: then there is no natural text to show.
 */
export function cutText(text: string, first: number, spans: Spans): NaturalText | null {
  // Places count characters, of which one may take two units of a string.
  const letters = [...text];
  const tokens: string[] = [];
  const gaps: string[] = [];
  let at = 0;
  for (const [start, stop] of spans) {
    if (start === null || stop === null) return null;
    const [from, to] = [start - first, stop - first];
    if (from < at || to < from || to > letters.length) return null;
    gaps.push(letters.slice(at, from).join(''));
    tokens.push(letters.slice(from, to).join(''));
    at = to;
  }
  return { tokens, gaps };
}

/** A gap as it stands in one line: a sign for each line that ends in it, and one space. */
export function gapInLine(gap: string): { sign: string; text: string } {
  const lines = gap.match(/\r\n|[\n\r\u2028\u2029]/g)?.length ?? 0;
  return { sign: '↵'.repeat(Math.min(lines, 3)), text: /\s/.test(gap) ? gap.replace(/\s+/g, ' ') : gap };
}
