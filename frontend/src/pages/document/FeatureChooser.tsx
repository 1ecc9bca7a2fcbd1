/** Which features of a document are drawn over its tokens: the strongest ones to choose from. */

import { useId, useMemo, useState, type FormEvent } from 'react';

import type { DocumentView } from '../../core/types';
import { number, plural } from '../../plots/numbers';
import { Go } from '../../ui/Go';
import { featurePath } from '../feature/Header';
import styles from './document.module.css';
import { featuresIn, LAYER_COLOURS, MOST_LAYERS } from './layers';

export interface FeatureChooserProps {
  readonly view: DocumentView;
  /** By colour; null where a colour is free. */
  readonly chosen: readonly (number | null)[];
  readonly isFull: boolean;
  readonly onToggle: (feature: number) => void;
}

export function FeatureChooser({ view, chosen, isFull, onToggle }: FeatureChooserProps) {
  const listed = useMemo(() => featuresIn(view), [view]);
  return (
    <fieldset className={styles.chooser}>
      <legend>
        Features: the strongest here, up to {MOST_LAYERS} at once; the first colours the tokens, the others underline them
      </legend>
      {listed.map(({ feature, n, max }) => {
        const place = chosen.indexOf(feature);
        return (
          <span key={feature} className={styles.choice}>
            <label title={`Active at ${plural(n, 'row')} shown, largest value ${number(max)}`}>
              <input
                type="checkbox"
                checked={place >= 0}
                disabled={place < 0 && isFull}
                onChange={() => onToggle(feature)}
              />
              <span
                aria-hidden="true"
                className={styles.dot}
                style={{ backgroundColor: place >= 0 ? LAYER_COLOURS[place] : 'transparent' }}
              />
              {feature} <span className={styles.max}>{number(max)}</span>
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
