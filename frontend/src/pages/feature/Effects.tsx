/** Which tokens a feature makes more likely, and which less. */

import type { FeatureBundle, TokenEffect } from '../../core/types';
import { Bars } from '../../plots/Bars';
import { Absent, Section } from '../../ui/section/Section';
import { shownParts } from '../../ui/tokens/shown';
import styles from './feature.module.css';

export function Effects({ bundle, reason }: { bundle: FeatureBundle; reason: string }) {
  const { effects } = bundle;
  if (!effects) {
    return (
      <Section title="Effect on logits">
        <Absent>{reason}</Absent>
      </Section>
    );
  }
  const reach = Math.max(0, ...[...effects.promoted, ...effects.suppressed].map((line) => Math.abs(line.effect)));
  return (
    <Section title="Effect on logits" note="decoder direction times unembedding">
      <div className={styles.effects}>
        <Bars title="Raised" n={`${effects.promoted.length} tokens`} data={barsOf(effects.promoted)} reach={reach} />
        <Bars
          title="Lowered"
          n={`${effects.suppressed.length} tokens`}
          data={barsOf(effects.suppressed)}
          reach={reach}
        />
      </div>
    </Section>
  );
}

function barsOf(lines: readonly TokenEffect[]): { label: string; value: number }[] {
  return lines.map((line) => ({
    label:
      line.string === null
        ? `token ${line.token}`
        : shownParts(line.string)
            .map((part) => part.text)
            .join(''),
    value: line.effect,
  }));
}
