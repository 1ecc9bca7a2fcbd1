import { describe, expect, it } from 'vitest';
import { byName, missingAnalyses, quoted, scalarText } from '../src/core/identity';
import { reportLines } from '../src/core/reportCard';

describe('the report card', () => {
  it('says what is there and leaves out what is missing', () => {
    const card = {
      l0_mean: 16,
      l0_min: 3,
      l0_max: 40,
      dead_share: 0.125,
      n_dead: 128,
      dead_low: 0.1,
      dead_high: 0.15,
      fvu: null,
    };
    expect(reportLines(card).map(({ name, value }) => [name, value])).toEqual([
      ['Active features in a row', '16 (3 – 40)'],
      ['Never active', '128 (12.5 %, 95 %: 10 % – 15 %)'],
    ]);
    expect(reportLines({})).toEqual([]);
  });

  it('tells zero from nearly zero', () => {
    const value = (share: number) => reportLines({ dead_share: share })[0].value;
    expect([value(0), value(3.84e-6)]).toEqual(['0 %', '3.84e−4 %']);
  });
});

it('names stand by their numbers', () => {
  const names = ['layer-10', 'layer-9', 'a', 'layer-8'].map((name) => ({ name }));
  expect(byName(names).map(({ name }) => name)).toEqual(['a', 'layer-8', 'layer-9', 'layer-10']);
});

describe('what is missing', () => {
  it('comes with the command that makes it, stale analyses first', () => {
    const states = [
      { name: 'umap', state: 'absent' as const, reason: 'not computed', axis: null },
      { name: 'stats', state: 'current' as const, reason: '', axis: 'feature' },
      { name: 'clusters', state: 'stale' as const, reason: 'umap changed', axis: 'feature' },
    ];
    expect(missingAnalyses(states, "it's mine").map(({ name, command }) => [name, command])).toEqual([
      ['clusters', `saeatlas analyze clusters --sae 'it'\\''s mine'`],
      ['umap', `saeatlas analyze umap --sae 'it'\\''s mine'`],
    ]);
  });

  it('quotes only what a shell would read otherwise', () => {
    expect([quoted('gpt2-l8'), quoted('a b'), quoted('$(x)'), quoted('')]).toEqual([
      'gpt2-l8',
      `'a b'`,
      `'$(x)'`,
      `''`,
    ]);
  });

  it('shows missing as a dash and never as zero', () => {
    expect([scalarText(null), scalarText(0), scalarText(12345), scalarText(0.00123456), scalarText(true)]).toEqual([
      '–',
      '0',
      '12,345',
      '0.001235',
      'yes',
    ]);
  });
});
