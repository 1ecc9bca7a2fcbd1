/** The user's categories: one line for each, to be coloured, described, put below another one or removed; and a new one. */
import { useId, useState, type FormEvent, type MouseEvent } from 'react';

import { announce } from '../../core/messages';
import type { Category } from '../../core/types';
import { Dialog } from '../Dialog';
import { changeCategory, freeColour, possibleParents, type CategoryChange } from './categories';
import styles from './labels.module.css';

/** What a field for colours shows of a category that has none. */
const NO_COLOUR = '#808080';

type Draft = Required<Omit<CategoryChange, 'action'>>;

const EMPTY: Draft = { name: '', colour: null, description: null, parent: null };

function useChange() {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const change = async (what: CategoryChange, said: string): Promise<boolean> => {
    setBusy(true);
    setProblem('');
    try {
      await changeCategory(what);
      announce(said);
      return true;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { problem, isBusy, change };
}

export function CategoryEditor({ categories, onClose }: { categories: readonly Category[]; onClose: () => void }) {
  return (
    <Dialog title="Categories" onClose={onClose}>
      <div className={styles.taxonomy}>
        <p className="muted">All SAEs of the atlas share them. A label keeps the name of a category that is removed.</p>
        <Added categories={categories} />
        {categories.map((category) => (
          <Line key={category.name} category={category} categories={categories} />
        ))}
      </div>
    </Dialog>
  );
}

function Added({ categories }: { categories: readonly Category[] }) {
  const [chosen, setDraft] = useState(EMPTY);
  const { problem, isBusy, change } = useChange();
  const draft = { ...chosen, colour: chosen.colour ?? freeColour(categories) };
  const name = draft.name.trim();
  const isThere = categories.some((each) => each.name === name);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!name || isThere || isBusy) return;
    if (await change({ ...draft, name, action: 'set' }, `Category ${name} is set up`)) setDraft(EMPTY);
  };
  return (
    <form className={styles.category} onSubmit={(event) => void submit(event)} aria-label="A new category">
      <input
        type="text"
        dir="auto"
        placeholder="New category"
        aria-label="Name of the new category"
        maxLength={100}
        value={draft.name}
        onChange={(event) => setDraft({ ...chosen, name: event.target.value })}
      />
      <Facts draft={draft} parents={categories.map((each) => each.name)} onChange={setDraft} />
      <span className={styles.categoryTools}>
        <button type="submit" className="primary">
          Add
        </button>
      </span>
      <Problem text={isThere ? 'There is one of this name' : problem} />
    </form>
  );
}

function Line({ category, categories }: { category: Category; categories: readonly Category[] }) {
  const { name, colour, description, parent } = category;
  const [draft, setDraft] = useState<Draft>({ name, colour, description, parent });
  const [isAsked, setAsked] = useState(false);
  const { problem, isBusy, change } = useChange();
  const isChanged = draft.colour !== colour || draft.description !== description || draft.parent !== parent;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isChanged && !isBusy) void change({ ...draft, action: 'set' }, `Category ${name} is changed`);
  };
  const drop = async (event: MouseEvent): Promise<void> => {
    const first = event.currentTarget.closest('dialog')?.querySelector('input');
    if (!isAsked) setAsked(true);
    else if (await change({ name, action: 'drop' }, `Category ${name} is removed`)) first?.focus();
  };
  return (
    <form className={styles.category} onSubmit={submit} aria-label={`Category ${name}`}>
      <b dir="auto" className="ellipsis" title={name}>
        {name}
      </b>
      <Facts draft={draft} parents={possibleParents(categories, name)} onChange={setDraft} />
      <span className={styles.categoryTools}>
        <button type="submit" className={isChanged ? 'primary' : undefined}>
          Save
        </button>
        <button type="button" onClick={(event) => void drop(event)} onBlur={() => setAsked(false)}>
          {isAsked ? 'Remove it?' : 'Remove'}
        </button>
      </span>
      <Problem text={problem} />
    </form>
  );
}

function Facts(props: { draft: Draft; parents: readonly string[]; onChange: (draft: Draft) => void }) {
  const { draft, parents, onChange } = props;
  const id = useId();
  const name = draft.name.trim() || 'the new category';
  return (
    <>
      <input
        type="color"
        aria-label={`Colour of ${name}`}
        title={draft.colour ?? 'no colour yet'}
        value={draft.colour ?? NO_COLOUR}
        onChange={(event) => onChange({ ...draft, colour: event.target.value })}
      />
      <input
        type="text"
        dir="auto"
        placeholder="What belongs into it"
        aria-label={`Description of ${name}`}
        maxLength={2000}
        value={draft.description ?? ''}
        onChange={(event) => onChange({ ...draft, description: event.target.value || null })}
      />
      <label htmlFor={id} className="visually-hidden">
        {`Category above ${name}`}
      </label>
      <select
        id={id}
        value={draft.parent ?? ''}
        onChange={(event) => onChange({ ...draft, parent: event.target.value || null })}
      >
        <option value="">part of none</option>
        {[...new Set([...parents, ...(draft.parent ? [draft.parent] : [])])].map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </>
  );
}

function Problem({ text }: { text: string }) {
  return (
    <span role="alert" className={styles.problem}>
      {text}
    </span>
  );
}
