/** The labels of one feature: what holds now, a form for more, and everything that was ever said. */

import { useEffect, useState, type RefObject } from 'react';

import { getJson, isAborted, postJson, segment } from '../../core/api';
import { announce, report, tell } from '../../core/messages';
import type { Category, Label, LabelHistory, LabelNew } from '../../core/types';
import { plural } from '../../core/numbers';
import { rememberedAuthor } from './author';
import { LabelCard } from './LabelCard';
import { LabelForm } from './LabelForm';
import { coloursOf } from './labels';
import styles from './labels.module.css';

export interface LabelPanelProps {
  readonly sae: string;
  readonly feature: number;
  readonly current: readonly Label[];
  readonly nHistory: number;
  readonly categories: readonly Category[];
  readonly isReadOnly: boolean;
  readonly textRef: RefObject<HTMLInputElement | null>;
  /** Called after something was said, so that the page asks anew. */
  readonly onChange: () => void;
}

export function LabelPanel(props: LabelPanelProps) {
  const { sae, feature, current, categories, isReadOnly, textRef, onChange } = props;
  const [edited, setEdited] = useState<Label | null>(null);
  const [turn, setTurn] = useState(0);
  const path = `/saes/${segment(sae)}/features/${feature}/labels`;
  const colours = coloursOf(categories);
  // What had the focus goes away with what was said or taken back.
  const focusForm = (): void => void setTimeout(() => textRef.current?.focus(), 0);
  const say = async (body: LabelNew): Promise<void> => {
    await postJson<Label>(path, edited ? { ...body, supersedes: [edited.id] } : body);
    announce(edited ? 'The label is replaced' : 'The label is saved');
    setEdited(null);
    setTurn((now) => now + 1);
    focusForm();
    onChange();
  };
  const edit = (label: Label): void => {
    setEdited(label);
    focusForm();
  };
  const cancel = (): void => {
    setEdited(null);
    focusForm();
  };
  return (
    <>
      {current.map((label) => (
        <LabelCard key={label.id} label={label} colours={colours}>
          {isReadOnly ? null : (
            <>
              <button type="button" className={styles.link} onClick={() => edit(label)}>
                Edit
              </button>
              <Retract
                path={path}
                label={label}
                onDone={() => {
                  setTurn((now) => now + 1);
                  focusForm();
                  onChange();
                }}
              />
            </>
          )}
        </LabelCard>
      ))}
      {isReadOnly ? (
        <p className={styles.facts}>This server only reads: labels cannot be added here.</p>
      ) : (
        <div className={styles.history}>
          <LabelForm
            key={`${feature} ${edited?.id ?? ''} ${turn}`}
            about={`${sae} ${feature} ${edited?.id ?? ''}`}
            categories={categories}
            initial={edited}
            submitText={edited ? 'Replace label' : 'Save label'}
            onSubmit={say}
            onCancel={edited ? cancel : undefined}
            textRef={textRef}
          />
        </div>
      )}
      <History path={path} n={props.nHistory} turn={turn} colours={colours} />
    </>
  );
}

/** Take a label back, after a second press: history keeps it. */
function Retract({ path, label, onDone }: { path: string; label: Label; onDone: () => void }) {
  const [isAsked, setAsked] = useState(false);
  const retract = (): void => {
    const by = rememberedAuthor();
    // The history says who took a label back: never somebody who did not.
    if (!by) return tell('info', 'Who takes it back?', 'Write your name in "By" below, then retract.');
    postJson(path, { action: 'retract', by, supersedes: [label.id] }).then(() => {
      announce('The label is retracted');
      onDone();
    }, report);
  };
  return (
    <button
      type="button"
      className={styles.link}
      onClick={() => (isAsked ? retract() : setAsked(true))}
      onBlur={() => setAsked(false)}
    >
      {isAsked ? 'Retract it?' : 'Retract'}
    </button>
  );
}

function History(props: { path: string; n: number; turn: number; colours: ReadonlyMap<string, string> }) {
  const { path, n, turn, colours } = props;
  const [isOpen, setOpen] = useState(false);
  const [history, setHistory] = useState<Label[] | null>(null);
  useEffect(() => {
    setHistory(null);
    if (!isOpen) return;
    const asking = new AbortController();
    getJson<LabelHistory>(path, {}, asking.signal).then(
      (answer) => setHistory(answer.history),
      (error: unknown) => {
        if (!isAborted(error)) report(error);
      },
    );
    return () => asking.abort();
  }, [path, isOpen, turn, n]);
  if (!n) return null;
  return (
    <details className={styles.history} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>History: {plural(n, 'event')}</summary>
      {history?.map((label) => (
        <LabelCard key={label.id} label={label} colours={colours} />
      ))}
    </details>
  );
}
