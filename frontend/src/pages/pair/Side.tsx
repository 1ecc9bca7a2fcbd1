/** One of two features: what it is called, how it fires, and the shape of its values. */

import { Histogram } from '../../plots/Histogram';
import { Go } from '../../ui/Go';
import { Absent, Section } from '../../ui/section/Section';
import { featurePath } from '../feature/Header';
import { factsOf, type PairSide } from './measures';
import styles from './pair.module.css';

export function Side({ sae, side }: { sae: string; side: PairSide }) {
  return (
    <Section
      title={`Feature ${side.feature}`}
      note={
        <Go to={featurePath(sae, side.feature)} className={`${styles.link} no-print`}>
          its page
        </Go>
      }
    >
      <p className={side.text ? styles.text : styles.none} dir="auto" title={side.text ?? undefined}>
        {side.text ?? 'no label yet'}
      </p>
      <dl className={styles.facts}>
        {factsOf(side).map(({ name, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Values side={side} />
    </Section>
  );
}

function Values({ side }: { side: PairSide }) {
  const { histogram } = side;
  if (!histogram?.n_active) return <Absent>It is active at no row.</Absent>;
  return (
    <Histogram
      title={`Active values of feature ${side.feature}`}
      isTitleHidden
      linear={histogram}
      nActive={histogram.n_active}
      nInactive={histogram.n_inactive}
    />
  );
}
