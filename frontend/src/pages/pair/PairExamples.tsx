/** Rows where two features are active together: each token carries the values of both. */

import { useMemo } from 'react';

import { number } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import { Legend } from '../../ui/tokens/Legend';
import { reachOf } from '../../ui/tokens/shades';
import { TokenRun, type Overlay } from '../../ui/tokens/TokenRun';
import { LAYER_COLOURS } from '../document/layers';
import type { FeaturePair, PairExample } from './measures';
import styles from './pair.module.css';

export function PairExamples({ pair }: { pair: FeaturePair }) {
  const { a, b } = pair;
  const examples = pair.examples ?? [];
  const reachA = reachOf(examples.map((example) => example.values_a));
  const reachB = reachOf(examples.map((example) => example.values_b));
  return (
    <Section
      title="Examples where both are active"
      note={`feature ${a.feature} colours the tokens, feature ${b.feature} underlines them`}
      tools={<Legend reach={reachA} isSigned={false} />}
      isLong
    >
      {examples.length ? null : <Absent>There is no such row.</Absent>}
      {examples.map((example) => (
        <OneExample key={example.row} example={example} name={`feature ${b.feature}`} reachA={reachA} reachB={reachB} />
      ))}
    </Section>
  );
}

function OneExample(props: { example: PairExample; name: string; reachA: number; reachB: number }) {
  const { example, name, reachA, reachB } = props;
  const overlays = useMemo<readonly Overlay[]>(
    () => [{ name, colour: LAYER_COLOURS[1], values: example.values_b, reach: reachB }],
    [name, example, reachB],
  );
  const starts = useMemo(() => new Set(example.window_start === null ? [] : [example.window_start]), [example]);
  const values = `${number(example.value_a)} and ${number(example.value_b)}`;
  return (
    <article className={styles.example}>
      <p className={styles.values}>
        {number(example.value_a)} · {number(example.value_b)}
      </p>
      <div className={styles.context}>
        {example.context_available ? (
          <TokenRun
            label={`Example with values ${values}; arrow keys read its tokens`}
            tokens={example.tokens}
            values={example.values_a}
            visible={example.visible}
            reach={reachA}
            firstPosition={example.first_position}
            active={example.position - example.first_position}
            windowStarts={starts}
            overlays={overlays}
          />
        ) : (
          <p className={styles.none}>No tokens to show: {example.reason || 'no reason was given'}</p>
        )}
        <p className={styles.where}>
          <bdi>{example.document}</bdi> position {example.position}
        </p>
      </div>
    </article>
  );
}
