/** What labels say, apart from how they are drawn. */

import type { Category, Label, LabelNew } from '../../core/types';

/** Tags as typed: separated by commas, each once, in the order they were typed. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.split(',').map((tag) => tag.trim().replace(/\s+/g, ' ')))].filter(Boolean);
}

export interface LabelDraft {
  readonly text: string;
  readonly category: string;
  readonly tags: string;
  readonly notes: string;
  /** In percent; empty where it is not said. */
  readonly confidence: string;
  readonly by: string;
}

export const EMPTY_DRAFT: LabelDraft = { text: '', category: '', tags: '', notes: '', confidence: '', by: '' };

/** A draft that starts from a label, to be changed and saved as the one that supersedes it. */
export function draftFrom(label: Label | null, by: string): LabelDraft {
  if (!label) return { ...EMPTY_DRAFT, by };
  return {
    text: label.text ?? '',
    category: label.category ?? '',
    tags: label.tags.join(', '),
    notes: label.notes ?? '',
    confidence: label.confidence === null ? '' : String(Math.round(label.confidence * 100)),
    by,
  };
}

/** What is wrong with a draft, by field; empty where it can be saved. */
export function draftProblems(draft: LabelDraft): Partial<Record<keyof LabelDraft, string>> {
  const problems: Partial<Record<keyof LabelDraft, string>> = {};
  if (!draft.text.trim() && !draft.category && !tagsOf(draft.tags).length && !draft.notes.trim())
    problems.text = 'Say something: a text, a category, a tag or a note';
  if (!draft.by.trim()) problems.by = 'Say who you are: labels keep their author';
  const confidence = Number(draft.confidence);
  if (draft.confidence.trim() && !(confidence >= 0 && confidence <= 100))
    problems.confidence = 'Confidence is a percentage from 0 to 100';
  return problems;
}

/** The body that saves a draft; what was left empty is null. */
export function bodyOf(draft: LabelDraft): LabelNew {
  return {
    text: draft.text.trim() || null,
    category: draft.category || null,
    tags: tagsOf(draft.tags),
    notes: draft.notes.trim() || null,
    confidence: draft.confidence.trim() ? Number(draft.confidence) / 100 : null,
    by: draft.by.trim(),
  };
}

export type LabelState = 'current' | 'superseded' | 'retracted' | 'retraction';

export function stateOf(label: Label): LabelState {
  if (label.action === 'retract') return 'retraction';
  if (label.is_retracted) return 'retracted';
  return label.superseded_by === null ? 'current' : 'superseded';
}

/** The colours of categories by name: the user's own, and none where the user chose none. */
export function coloursOf(categories: readonly Category[]): Map<string, string> {
  return new Map(categories.flatMap(({ name, colour }) => (colour ? [[name, colour] as const] : [])));
}

/** A moment as a person reads it, in their own zone; the exact text where it is no moment. */
export function moment(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
