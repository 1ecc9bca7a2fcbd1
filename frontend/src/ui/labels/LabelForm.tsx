/** What a person says about features: a form that saves nothing itself, for one feature and for many. */

import { useId, useState, type FormEvent, type KeyboardEvent, type RefObject } from 'react';

import type { Category, LabelNew } from '../../core/types';
import { rememberAuthor, rememberedAuthor } from './author';
import { CategoryChoice } from './CategoryChoice';
import { CategoryEditor } from './CategoryEditor';
import { bodyOf, draftFrom, draftProblems, type LabelDraft } from './labels';
import type { Label } from '../../core/types';
import styles from './labels.module.css';

export interface LabelFormProps {
  readonly categories: readonly Category[];
  /** The label to start from: what is saved supersedes it. */
  readonly initial?: Label | null;
  readonly submitText: string;
  readonly onSubmit: (body: LabelNew) => Promise<void>;
  readonly onCancel?: () => void;
  readonly textRef?: RefObject<HTMLInputElement | null>;
  /** What it is about: what was written and not saved is there again when the form is about it once more. */
  readonly about: string;
}

/** What was written and not saved, while the pages are open. */
const unsaved = new Map<string, LabelDraft>();

export function LabelForm(props: LabelFormProps) {
  const { categories, initial = null, submitText, onSubmit, onCancel, textRef, about } = props;
  const [draft, setDraft] = useState<LabelDraft>(() => unsaved.get(about) ?? draftFrom(initial, rememberedAuthor()));
  const [problems, setProblems] = useState<ReturnType<typeof draftProblems>>({});
  const [failure, setFailure] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [isEditing, setEditing] = useState(false);
  const set = (field: keyof LabelDraft) => (value: string) => {
    const next = { ...draft, [field]: value };
    unsaved.set(about, next);
    if (field === 'by') rememberAuthor(value.trim());
    setDraft(next);
  };
  const cancel = (): void => {
    unsaved.delete(about);
    onCancel?.();
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const found = draftProblems(draft);
    setProblems(found);
    if (Object.keys(found).length || isBusy) return;
    setBusy(true);
    setFailure('');
    try {
      rememberAuthor(draft.by.trim());
      await onSubmit(bodyOf(draft));
      unsaved.delete(about);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    if (onCancel) {
      event.stopPropagation();
      cancel();
    } else if (event.target instanceof HTMLElement) event.target.blur();
  };
  return (
    <>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Esc leaves the form from any field */}
      <form className={styles.form} onSubmit={(event) => void submit(event)} onKeyDown={escape} noValidate>
        <Field
          name="Label"
          value={draft.text}
          problem={problems.text}
          onChange={set('text')}
          inputRef={textRef}
          isWide
        />
        <CategoryChoice
          categories={categories}
          value={draft.category}
          onChange={set('category')}
          onEdit={() => setEditing(true)}
        />
        <Field name="Tags, separated by commas" value={draft.tags} onChange={set('tags')} />
        <Field
          name="Confidence, %"
          value={draft.confidence}
          problem={problems.confidence}
          onChange={set('confidence')}
          isNumber
        />
        <Notes value={draft.notes} onChange={set('notes')} />
        <Field name="By" value={draft.by} problem={problems.by} onChange={set('by')} />
        <div className={styles.actions}>
          <button type="submit" className={styles.primary} disabled={isBusy}>
            {submitText}
          </button>
          {onCancel ? (
            <button type="button" onClick={cancel}>
              Cancel
            </button>
          ) : null}
          <span role="alert" className={styles.problem}>
            {failure}
          </span>
        </div>
      </form>
      {isEditing ? <CategoryEditor categories={categories} onClose={() => setEditing(false)} /> : null}
    </>
  );
}

interface FieldProps {
  readonly name: string;
  readonly value: string;
  readonly problem?: string;
  readonly onChange: (value: string) => void;
  readonly inputRef?: RefObject<HTMLInputElement | null>;
  readonly isWide?: boolean;
  readonly isNumber?: boolean;
}

function Field({ name, value, problem, onChange, inputRef, isWide, isNumber }: FieldProps) {
  const id = useId();
  return (
    <div className={isWide ? styles.wide : styles.field}>
      <label htmlFor={id}>{name}</label>
      <input
        id={id}
        ref={inputRef}
        dir="auto"
        type={isNumber ? 'number' : 'text'}
        min={isNumber ? 0 : undefined}
        max={isNumber ? 100 : undefined}
        value={value}
        maxLength={2000}
        autoComplete="off"
        aria-invalid={problem ? true : undefined}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {problem ? (
        <span id={`${id}-problem`} className={styles.problem}>
          {problem}
        </span>
      ) : null}
    </div>
  );
}

function Notes({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const id = useId();
  return (
    <div className={styles.wide}>
      <label htmlFor={id}>Notes</label>
      <textarea id={id} dir="auto" rows={1} value={value} onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}
