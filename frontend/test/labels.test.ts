import { describe, expect, it } from 'vitest';
import type { Label } from '../src/core/types';
import {
  bodyOf,
  coloursOf,
  draftFrom,
  draftProblems,
  EMPTY_DRAFT,
  moment,
  stateOf,
  tagsOf,
} from '../src/ui/labels/labels';

const LABEL = {
  text: 'refunds',
  category: 'topic',
  tags: ['a', 'b'],
  notes: null,
  confidence: 0.8,
  superseded_by: null,
  is_retracted: false,
} as unknown as Label;

describe('labels', () => {
  it('take tags once each, without empty ones', () => {
    expect(tagsOf(' a, b ,a,, c  d')).toEqual(['a', 'b', 'c d']);
    expect(tagsOf('')).toEqual([]);
  });

  it('come back from a draft as they were', () => {
    const body = bodyOf(draftFrom(LABEL, 'ana'));
    expect(body).toEqual({
      text: 'refunds',
      category: 'topic',
      tags: ['a', 'b'],
      notes: null,
      confidence: 0.8,
      by: 'ana',
    });
  });

  it('must say something, by someone, as sure as a percentage can say', () => {
    expect(Object.keys(draftProblems(EMPTY_DRAFT))).toEqual(['text', 'by']);
    expect(draftProblems({ ...EMPTY_DRAFT, tags: 'x', by: 'ana' })).toEqual({});
    expect(draftProblems({ ...EMPTY_DRAFT, text: 'x', by: 'ana', confidence: '120' }).confidence).toBeDefined();
    expect(draftProblems({ ...EMPTY_DRAFT, text: 'x', by: 'ana', confidence: '0' })).toEqual({});
  });

  it('say nothing of what was left empty', () => {
    expect(bodyOf({ ...EMPTY_DRAFT, text: ' x ', by: ' ana ' })).toEqual({
      text: 'x',
      category: null,
      tags: [],
      notes: null,
      confidence: null,
      by: 'ana',
    });
  });

  it('are current, superseded or retracted', () => {
    expect(stateOf(LABEL)).toBe('current');
    expect(stateOf({ ...LABEL, superseded_by: 'x' })).toBe('superseded');
    expect(stateOf({ ...LABEL, superseded_by: 'x', is_retracted: true })).toBe('retracted');
  });

  it('have the colours of their categories only where the user chose some', () => {
    const category = { name: 'topic', colour: '#0072b2', description: null, parent: null };
    expect([...coloursOf([category, { ...category, name: 'other', colour: null }])]).toEqual([['topic', '#0072b2']]);
  });

  it('keep a moment that cannot be read as it was written', () => expect(moment('yesterday')).toBe('yesterday'));
});
