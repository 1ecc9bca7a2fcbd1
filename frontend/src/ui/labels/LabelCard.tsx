/** One label: what was said, by whom and when, and what became of it. */

import type { ReactNode } from 'react';

import type { Label } from '../../core/types';
import { plural } from '../../core/numbers';
import { CategoryChip } from './CategoryChoice';
import { moment, stateOf } from './labels';
import styles from './labels.module.css';

const STATES = {
  current: '',
  superseded: 'superseded by a newer one',
  retracted: 'retracted',
  retraction: '',
} as const;

export function LabelCard(props: { label: Label; colours: ReadonlyMap<string, string>; children?: ReactNode }) {
  const { label, colours, children } = props;
  const state = stateOf(label);
  return (
    <article className={state === 'current' ? styles.card : `${styles.card} ${styles.past}`}>
      <p className={styles.text} dir="auto">
        {label.text ?? (
          <span className={styles.muted}>{state === 'retraction' ? 'took back what was said' : 'no text'}</span>
        )}
      </p>
      <p className={styles.facts}>
        {label.category ? <CategoryChip name={label.category} colour={colours.get(label.category) ?? null} /> : null}
        {label.tags.map((tag) => (
          <span key={tag} className={styles.tag} dir="auto">
            {tag}
          </span>
        ))}
        {label.confidence === null ? null : <span>{Math.round(label.confidence * 100)} % sure</span>}
        {STATES[state] ? <span className={styles.state}>{STATES[state]}</span> : null}
      </p>
      {label.notes ? (
        <p className={styles.notes} dir="auto">
          {label.notes}
        </p>
      ) : null}
      <p className={styles.facts}>
        <bdi>{label.by}</bdi>
        <time dateTime={label.at}>{moment(label.at)}</time>
        {label.source && label.source !== 'manual' ? <bdi>from {label.source}</bdi> : null}
        {label.n_features > 1 ? <span>one of {plural(label.n_features, 'feature')} labelled at once</span> : null}
        {children}
      </p>
      {label.identity_changed ? (
        <p className={styles.warning}>
          The SAE has another identity now than when this was said: see whether it still holds.
        </p>
      ) : null}
    </article>
  );
}
