/** One row of a feature in its context, and where it stands. */

import { memo, useMemo } from 'react';

import type { Example, Scalar } from '../../core/types';
import { number } from '../../plots/numbers';
import { cutText, type NaturalText } from '../../ui/tokens/natural';
import { TokenRun } from '../../ui/tokens/TokenRun';
import styles from './feature.module.css';

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
          {Object.entries(example.metadata).map(([name, value]) => (
            <Fact key={name} name={name} value={value} />
          ))}
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

function Fact({ name, value }: { name: string; value: Scalar }) {
  const text = value === null ? 'missing' : typeof value === 'number' ? number(value, 6) : String(value);
  return (
    <span className={styles.fact} title={`${name}: ${text}`}>
      <bdi>{name}</bdi> <bdi className={value === null ? styles.gone : styles.known}>{text}</bdi>
    </span>
  );
}
