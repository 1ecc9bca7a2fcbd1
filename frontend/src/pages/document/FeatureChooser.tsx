/** Which features of a document are drawn over its tokens: the strongest ones to choose from. */

import { useId, useState, type FormEvent } from 'react';

import type { DocumentView } from '../../core/types';
import { count, number, plural } from '../../core/numbers';
import { Go } from '../../ui/Go';
import { featurePath } from '../feature/Header';
import styles from './document.module.css';
import { LAYER_COLOURS, MOST_LAYERS, type FeatureInDocument } from './layers';

/** Strongest features to choose from; any other one is chosen by its id. */
const OFFERED = 24;

export interface FeatureChooserProps {
  readonly view: DocumentView;
  /** By colour; null where a colour is free. */
  readonly chosen: readonly (number | null)[];
  readonly isFull: boolean;
  readonly onToggle: (feature: number) => void;
}

export function FeatureChooser({ view, chosen, isFull, onToggle }: FeatureChooserProps) {
  const all = view.features ?? [];
  const strongest = all.slice(0, OFFERED);
  const others = chosen.filter((id) => id !== null && !strongest.some(({ feature }) => feature === id));
  const listed = [...strongest, ...others.map((id) => all.find(({ feature }) => feature === id) ?? silent(id ?? 0))];
  return (
    <fieldset className={styles.chooser}>
      <legend>
        The strongest of {count(view.n_features)} features that are active here: choose up to {MOST_LAYERS}. The first
        colours the tokens, the others underline them.
      </legend>
      {listed.map(({ feature, count: n, max, text }) => {
        const place = chosen.indexOf(feature);
        return (
          <span key={feature} className={styles.choice}>
            <label
              title={`${text ? `${text}: ` : ''}active at ${plural(n, 'row')} shown, largest value ${number(max)}`}
            >
              <input
                type="checkbox"
                checked={place >= 0}
                disabled={place < 0 && isFull}
                style={{ accentColor: LAYER_COLOURS[Math.max(0, place)] }}
                onChange={() => onToggle(feature)}
              />
              {feature} {text ? <bdi className={styles.said}>{text}</bdi> : null}
              <span className={styles.max}>{n ? number(max) : 'silent here'}</span>
            </label>
            {view.sae ? (
              <Go to={featurePath(view.sae, feature)} aria-label={`Page of feature ${feature}`} className={styles.open}>
                ↗
              </Go>
            ) : null}
          </span>
        );
      })}
      <OtherFeature onToggle={onToggle} isFull={isFull} />
    </fieldset>
  );
}

function silent(feature: number): FeatureInDocument {
  return { feature, count: 0, max: 0, mean: 0, text: null };
}

function OtherFeature({ onToggle, isFull }: { onToggle: (feature: number) => void; isFull: boolean }) {
  const id = useId();
  const [text, setText] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!/^\d+$/.test(text.trim())) return;
    onToggle(Number(text));
    setText('');
  };
  return (
    <form className={styles.other} onSubmit={submit}>
      <label htmlFor={id}>other id</label>
      <input
        id={id}
        size={6}
        inputMode="numeric"
        autoComplete="off"
        value={text}
        disabled={isFull}
        onChange={(event) => setText(event.target.value)}
      />
    </form>
  );
}
