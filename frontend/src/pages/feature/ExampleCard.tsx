/** One row of a feature in its context, and where it stands. */

import { memo, useMemo } from 'react';

import type { Example, Scalar } from '../../core/types';
import { number } from '../../core/numbers';
import { cutText, type NaturalText } from '../../ui/tokens/natural';
import { TokenRun } from '../../ui/tokens/TokenRun';
import styles from './example.module.css';

/** More than these do not fit a line. */
const MOST_FACTS = 6;

export interface ExampleCardProps {
  readonly example: Example;
  readonly reach: number;
  readonly onPoint: (value: number | null) => void;
  readonly onDocument: (document: string, position: number) => void;
}

export const ExampleCard = memo(function ExampleCard({ example, reach, onPoint, onDocument }: ExampleCardProps) {
  const { tokens, values, window_start: start } = example;
  const starts = useMemo(() => new Set(start === null ? [] : [start]), [start]);
  const natural = useMemo(() => naturalOf(example), [example]);
  return (
    <article className={styles.example}>
      <p className={styles.value} title={`Row ${example.row}`}>
        {number(example.value)}
      </p>
      <div className={styles.context}>
        {example.context_available ? (
          <TokenRun
            label={`Example with value ${number(example.value)} at position ${example.position}; arrow keys read its tokens`}
            tokens={natural?.tokens ?? tokens}
            gaps={natural?.gaps}
            names={tokens}
            values={values}
            visible={example.visible}
            reach={reach}
            firstPosition={example.first_position}
            active={example.position - example.first_position}
            windowStarts={starts}
            onPoint={onPoint}
          />
        ) : (
          <p className={styles.none}>No tokens to show: {example.reason || 'no reason was given'}</p>
        )}
        <p className={styles.where}>
          <button
            type="button"
            className={styles.document}
            title={`Show the whole document ${example.document}`}
            onClick={() => onDocument(example.document, example.position)}
          >
            <bdi>{example.document}</bdi>
          </button>
          <span>position {example.position}</span>
          <Facts metadata={example.metadata} />
        </p>
      </div>
    </article>
  );
});

/** The text of an example as it was written, where it was asked for and tokens lie in it. */
function naturalOf({ text, is_natural_text: isNatural }: Example): NaturalText | null {
  const first = text?.spans?.[0]?.[0];
  if (!text?.spans || !isNatural || first === undefined || first === null) return null;
  return cutText(text.before + text.active + text.after, first, text.spans);
}

/** The first facts of a document; the others are read on hover, and in the whole document. */
function Facts({ metadata }: { metadata: Example['metadata'] }) {
  const facts = Object.entries(metadata);
  const others = facts.slice(MOST_FACTS);
  return (
    <>
      {facts.slice(0, MOST_FACTS).map(([name, value]) => (
        <Fact key={name} name={name} value={value} />
      ))}
      {others.length ? (
        <span title={others.map(([name, value]) => `${name}: ${factText(value)}`).join('\n')}>+{others.length}</span>
      ) : null}
    </>
  );
}

function factText(value: Scalar): string {
  if (value === null) return 'missing';
  // Whole numbers are often years and ids: they stand as they are.
  return typeof value === 'number' && !Number.isInteger(value) ? number(value, 6) : String(value);
}

function Fact({ name, value }: { name: string; value: Scalar }) {
  const text = factText(value);
  return (
    <span className={styles.fact} title={`${name}: ${text}`}>
      <bdi>{name}</bdi> <bdi className={value === null ? styles.gone : styles.known}>{text}</bdi>
    </span>
  );
}
