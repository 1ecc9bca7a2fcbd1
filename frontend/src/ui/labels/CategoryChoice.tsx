/** The categories of the user's taxonomy, each in its colour, one of them chosen or none. */

import { useId } from 'react';

import type { Category } from '../../core/types';
import styles from './labels.module.css';

export function CategoryChoice(props: {
  categories: readonly Category[];
  value: string;
  onChange: (name: string) => void;
  /** Called to change what categories there are. */
  onEdit: () => void;
}) {
  const { categories, value, onChange, onEdit } = props;
  const name = useId();
  const names = categories.map((category) => category.name);
  const others =
    value && !names.includes(value) ? [{ name: value, colour: null, description: null, parent: null }] : [];
  const edit = (
    <button type="button" className={styles.link} onClick={onEdit}>
      {categories.length ? 'Edit categories' : 'Set up categories'}
    </button>
  );
  if (!categories.length && !others.length) return <div className={styles.wide}>{edit}</div>;
  return (
    <fieldset className={styles.categories}>
      <legend>Category</legend>
      <Choice group={name} text="none" isChosen={value === ''} onChoose={() => onChange('')} />
      {[...categories, ...others].map((category) => (
        <Choice
          key={category.name}
          group={name}
          text={category.name}
          colour={category.colour}
          title={category.description}
          isChosen={value === category.name}
          onChoose={() => onChange(category.name)}
        />
      ))}
      {edit}
    </fieldset>
  );
}

interface ChoiceProps {
  readonly group: string;
  readonly text: string;
  readonly colour?: string | null;
  readonly title?: string | null;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function Choice({ group, text, colour, title, isChosen, onChoose }: ChoiceProps) {
  return (
    <label className={styles.choice} title={title ?? undefined}>
      <input type="radio" name={group} checked={isChosen} onChange={onChoose} />
      <Swatch colour={colour ?? null} />
      <span dir="auto">{text}</span>
    </label>
  );
}

/** A dot in a category's colour; nothing where it has none. */
function Swatch({ colour }: { colour: string | null }) {
  return colour ? <span aria-hidden="true" className={styles.swatch} style={{ backgroundColor: colour }} /> : null;
}

/** A category as it stands beside a label. */
export function CategoryChip({ name, colour }: { name: string; colour: string | null }) {
  return (
    <span className={styles.chip}>
      <Swatch colour={colour} />
      <span dir="auto">{name}</span>
    </span>
  );
}
