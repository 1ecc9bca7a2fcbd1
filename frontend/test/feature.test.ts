import { describe, expect, it } from 'vitest';
import type { DocumentView, Example, MissingPart } from '../src/core/types';
import { MOST_LAYERS, naturalText, seenFrom, toggled, valuesOf, windowStarts } from '../src/pages/document/layers';
import { byEffect, certaintyText, effectText, levelLines, type BreakdownInfo } from '../src/pages/feature/breakdowns';
import { columnsLeftOut, lacksOf, reasonOf } from '../src/pages/feature/missing';
import { anyOther, idFrom, stepsFrom } from '../src/pages/feature/order';
import { segmentsOf } from '../src/ui/usePath';
import {
  groupsOf,
  isFirst,
  paramsOf,
  readContext,
  readPick,
  readRange,
  readSeed,
  shownFor,
  writeRange,
  type Question,
} from '../src/pages/feature/picks';

describe('names in an address', () => {
  it.each(['typing:TypedDict', 'a/b', 'a%3Ab', '日本 語', '?#'])('come back as they were: %s', (name) =>
    expect(segmentsOf(`/c/reviews/d/${encodeURIComponent(name)}`)).toEqual(['c', 'reviews', 'd', name]),
  );
  it('stay as they are where they are not encoded', () => expect(segmentsOf('/s/100%/f/1')[1]).toBe('100%'));
});

const ALL = { low: null, high: null };

describe('the order of features', () => {
  const order = Uint32Array.from([7, 2, 9, 4]);

  it('is that of the table', () => {
    expect(stepsFrom(order, 10, 2)).toEqual({ previous: 7, next: 9, place: 2, total: 4 });
    expect(stepsFrom(order, 10, 7)).toMatchObject({ previous: null, next: 2 });
    expect(stepsFrom(order, 10, 4)).toMatchObject({ previous: 9, next: null, place: 4 });
  });

  it('is that of ids without one', () => {
    expect(stepsFrom(null, 10, 0)).toEqual({ previous: null, next: 1, place: 1, total: 10 });
    expect(stepsFrom(null, 10, 9)).toMatchObject({ previous: 8, next: null });
  });

  it('leads from a feature that the filters leave out to those that they let through', () => {
    expect(stepsFrom(order, 10, 5)).toEqual({ previous: 4, next: 7, place: null, total: 4 });
    expect(stepsFrom(new Uint32Array(0), 10, 5)).toEqual({ previous: null, next: null, place: null, total: 0 });
  });

  it.each([0, 0.3, 0.5, 0.999])('is left at random for any other feature, never for the same, %d', (random) => {
    expect(anyOther(order, 10, 2, random)).not.toBe(2);
    expect(order).toContain(anyOther(order, 10, 2, random));
    expect(anyOther(null, 3, 1, random)).not.toBe(1);
    expect(anyOther(null, 1, 0, random)).toBeNull();
    expect(order).toContain(anyOther(order, 10, 5, random));
  });

  it('reaches every other feature', () => {
    const found = new Set(Array.from({ length: 100 }, (_, i) => anyOther(order, 10, 9, i / 100)));
    expect([...found].sort()).toEqual([2, 4, 7]);
  });

  it('takes ids that are there', () => {
    expect(idFrom(' 12 ', 100)).toBe(12);
    expect(idFrom('100', 100)).toContain('99');
    expect(idFrom('1e3', 100)).toContain('whole number');
    expect(idFrom('', 100)).toContain('whole number');
  });
});

describe('examples', () => {
  const question: Question = { pick: 'quantiles', n: 20, seed: 0, context: 20, range: ALL, isText: false };

  it('of the first request are not asked for again', () => {
    expect(isFirst(question)).toBe(true);
    expect(isFirst({ ...question, seed: 1 })).toBe(false);
    expect(isFirst({ ...question, isText: true })).toBe(false);
    expect(isFirst({ ...question, range: { low: 1, high: null } })).toBe(false);
  });

  it('are asked for by their part, and without a seed where nothing is drawn', () => {
    expect(paramsOf(question)).toMatchObject({ n: 5, strata: 4, seed: 0, before: 20, after: 10 });
    expect(paramsOf({ ...question, pick: 'top' })).toMatchObject({ n: 20, seed: undefined, strata: undefined });
  });

  it('stand under the range that they are of, and not at all under an error', () => {
    const one = (value: number) => ({ value }) as Example;
    const bundle = { examples: { top: [one(9)], quantiles: [one(5), one(4)], random: null } };
    const range = { low: 6, high: null };
    const asked: Question = { ...question, range };
    const known = { first: null, answer: null, bundle, error: null };
    expect(shownFor(asked, known)).toEqual({ examples: bundle.examples.quantiles, range: ALL });
    expect(shownFor({ ...asked, pick: 'random' }, known)).toBeNull();
    const answer = { to: asked, examples: [one(7)] };
    expect(shownFor(asked, { ...known, answer })).toEqual({ examples: answer.examples, range });
    expect(shownFor({ ...asked, range: { low: 1, high: 2 } }, { ...known, answer })?.range).toEqual(range);
    expect(shownFor({ ...asked, pick: 'top' }, { ...known, answer })?.range).toEqual(ALL);
    expect(shownFor(asked, { ...known, answer, error: new Error('gone') })).toBeNull();
    expect(shownFor(question, { ...known, first: [one(3)] })).toEqual({ examples: [one(3)], range: ALL });
  });

  it('come back from an address, and nothing broken does', () => {
    for (const range of [
      { low: null, high: null },
      { low: 0.1, high: null },
      { low: null, high: 1e-7 },
      { low: -2.5, high: 3 },
    ])
      expect(readRange(writeRange(range))).toEqual(range);
    expect(readRange(null)).toEqual({ low: null, high: null });
    expect(readRange('x_NaN')).toEqual({ low: null, high: null });
    expect(readRange('5')).toEqual({ low: 5, high: null });
    expect([readPick('quantiles'), readPick('worst'), readPick(null)]).toEqual(['quantiles', 'top', 'top']);
    expect([readContext('50'), readContext('51'), readContext(null)]).toEqual([50, 20, 20]);
    expect([readSeed('7'), readSeed('-7'), readSeed('1e9'), readSeed(null)]).toEqual([7, 0, 0, 0]);
  });

  it('stand in groups by the part they were drawn from', () => {
    const example = (stratum: number | null, value: number) => ({ stratum, value }) as Example;
    expect(groupsOf([example(null, 3)])).toHaveLength(1);
    const groups = groupsOf([example(1, 2), example(0, 9), example(0, 7)]);
    expect(groups.map(({ examples }) => examples.length)).toEqual([2, 1]);
    expect(groups[0].title).toContain('7 to 9');
  });
});

function breakdown(change: Partial<BreakdownInfo>): BreakdownInfo {
  return {
    column: 'kind',
    kind: 'categorical',
    effect_name: 'cramers_v',
    effect: 0.5,
    effect_corrected: 0.49,
    p: 0.001,
    q: 0.01,
    q_reason: '',
    min_expected: 7,
    n_documents: 10,
    n_missing: 0,
    levels: [],
    ...change,
  };
}

function level(name: string | null, documents: number, active: number) {
  const counts = { n_documents: documents, n_documents_active: active, n_rows: documents * 10, n_active: active };
  return { level: name, lower: null, upper: null, ...counts, rate: active / 10, mean: 1 };
}

describe('what is missing', () => {
  const part = (name: string, analysis: string | null, state: string) =>
    ({ part: name, analysis, state, reason: 'it has 316 levels' }) as MissingPart;

  it('is one command for each analysis, none for what was computed', () => {
    const missing = [
      part('examples.random', 'examples', 'absent'),
      part('examples.quantiles', 'examples', 'stale'),
      part('breakdowns.name', 'metadata-association', 'current'),
      part('tokens', null, 'absent'),
    ];
    expect(lacksOf(missing, "it's", true)).toEqual([
      {
        analysis: 'examples',
        parts: ['examples'],
        reason: 'not computed',
        command: `saeatlas analyze examples --sae 'it'\\''s'`,
      },
    ]);
    expect(lacksOf(missing, 'x', false)).toEqual([]);
    expect(columnsLeftOut(missing)).toEqual([{ column: 'name', reason: 'it has 316 levels' }]);
    expect(reasonOf(missing, 'tokens')).toBe('It has 316 levels.');
    expect(reasonOf(missing, 'effects')).toBeNull();
  });
});

describe('breakdowns', () => {
  it('begin with the strongest effect, and end with those that have none', () => {
    const found = byEffect([breakdown({ effect: null }), breakdown({ effect: 0.1 }), breakdown({ effect: -0.4 })]);
    expect(found.map(({ effect }) => effect)).toEqual([-0.4, 0.1, null]);
  });

  it('say why there is no q, and no number where there is no effect', () => {
    expect(certaintyText(breakdown({}))).toBe('q 0.01');
    expect(certaintyText(breakdown({ q: null, q_reason: 'not computed' }))).toBe('p 0.001; no q: not computed');
    expect(effectText(breakdown({ effect: null }))).not.toMatch(/\d/);
  });

  it('show the share of documents, and missing ones as a line of their own', () => {
    const { lines, overall, nLeftOut } = levelLines(
      breakdown({ levels: [level('a', 4, 1), level(null, 6, 3), level('empty', 0, 0)] }),
    );
    expect(lines.map(({ label, value }) => [label, value])).toEqual([
      ['a', 0.25],
      ['empty', null],
      ['missing', 0.5],
    ]);
    expect(overall).toBe(0.4);
    expect(nLeftOut).toBe(0);
  });

  it('draw the largest of many levels and count the others', () => {
    const levels = Array.from({ length: 40 }, (_, i) => level(`l${i}`, i, 0));
    const { lines, nLeftOut } = levelLines(breakdown({ levels: [level(null, 100, 1), ...levels] }));
    expect(lines[0].label).toBe('l39');
    expect(lines.at(-1)!.label).toBe('missing');
    expect(lines.length + nLeftOut).toBe(41);
  });
});

describe('a document', () => {
  const view = {
    start: 10,
    stop: 14,
    tokens: ['a', 'b', 'c', 'd'],
    activations: { feature: [3, 3, 8, 5], position: [10, 12, 12, 99], value: [1, 2, 5, 7] },
  } as unknown as DocumentView;

  it('is read as it was written, with what no token covers between them', () => {
    const text = { text: '🙂 a\n  bc', text_start: 100, tokens: ['🙂', 'a', '##b'] };
    const spans = [
      [100, 101],
      [102, 103],
      [106, 107],
    ] as const;
    const found = naturalText({ ...text, spans } as unknown as DocumentView)!;
    expect(found).toEqual({ tokens: ['🙂', 'a', 'b'], gaps: ['', ' ', '\n  '] });
    expect(
      naturalText({
        ...text,
        spans: [
          [102, 103],
          [100, 101],
          [106, 107],
        ],
      } as unknown as DocumentView),
    ).toBeNull();
    expect(naturalText({ ...text, spans: null } as unknown as DocumentView)).toBeNull();
  });

  it('has the values of a feature at its tokens, and none elsewhere', () => {
    expect(valuesOf(view, 3)).toEqual([1, null, 2, null]);
    expect(valuesOf(view, 5)).toEqual([null, null, null, null]);
  });

  it('keeps the colours of features while others come and go', () => {
    let chosen: (number | null)[] = [1];
    for (const feature of [2, 3, 2, 4]) chosen = toggled(chosen, feature);
    expect(chosen).toEqual([1, 4, 3]);
    for (const feature of [5, 6, 7]) chosen = toggled(chosen, feature);
    expect(chosen).toHaveLength(MOST_LAYERS);
    expect(chosen).not.toContain(7);
  });

  it('dims what the model could not see', () => {
    const seen = (window: number | null, isCausal: boolean) => seenFrom(10, 5, { position: 12, window, isCausal });
    expect(seen(null, false)).toEqual([null, null, true, null, null]);
    expect(seen(null, true)).toEqual([null, null, true, false, false]);
    expect(seen(4, true)).toEqual([false, false, true, false, false]);
    expect(seen(12, false)).toEqual([false, false, true, null, null]);
  });

  it('knows where windows of the model begin', () => {
    expect([...windowStarts(4, 6, 17)]).toEqual([8, 12, 16]);
    expect(windowStarts(null, 0, 10).size).toBe(0);
  });
});
