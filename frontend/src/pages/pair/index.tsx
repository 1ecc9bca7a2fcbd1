/** Two features beside each other, with the exact numbers of what they have in common. */

import { useMemo } from 'react';

import { pinned, segment } from '../../core/api';
import { identityLine } from '../../core/identity';
import { PictureProvider } from '../../plots/ChartFrame';
import { Joint } from '../../plots/Joint';
import { count, plural } from '../../core/numbers';
import { Failure } from '../../ui/Failure';
import { Go, go } from '../../ui/Go';
import { useReady } from '../../ui/ready';
import { Absent, Section, Skeleton } from '../../ui/section/Section';
import { useApp } from '../../ui/useApp';
import { useJson } from '../../ui/useJson';
import { usePath } from '../../ui/usePath';
import { featurePath, Jump } from '../feature/Header';
import { pairPath } from '../feature/Relations';
import { measuresOf, type FeaturePair } from './measures';
import styles from './pair.module.css';
import { PairExamples } from './PairExamples';
import { SharedDocuments, SharedTokens } from './Shared';
import { Side } from './Side';

export default function PairPage() {
  const [, sae = '', , a = '', b = ''] = usePath();
  const commit = useApp((state) => state.commit);
  const path = pinned(`/saes/${segment(sae)}/pairs/${segment(a)}/${segment(b)}`, commit);
  const n = useApp((state) => state.detail?.n_features ?? 0);
  const { data, error } = useJson<FeaturePair>(path);
  useReady('pair', data !== null || error !== null);
  return (
    <main className={styles.page} aria-label={`Features ${a} and ${b} of ${sae}`}>
      <header className={styles.header}>
        <h1>
          Features <Go to={featurePath(sae, Number(a))}>{a}</Go> and <Go to={featurePath(sae, Number(b))}>{b}</Go>
        </h1>
        <Go to={pairPath(sae, Number(b), Number(a))} className={styles.swap}>
          Swap
        </Go>
        <Jump n={n} name={`Compare ${a} with id`} onGo={(other) => go(pairPath(sae, Number(a), other))} />
      </header>
      {error ? <Failure error={error} /> : null}
      {!data && !error ? <Skeleton lines={20} label="The two features are on their way" /> : null}
      {data ? <Pair pair={data} /> : null}
    </main>
  );
}

function Pair({ pair }: { pair: FeaturePair }) {
  const identity = useApp((state) => state.detail);
  const source = useMemo(
    () => ({
      sae: pair.sae,
      identity: identity ? identityLine(identity.identity, identity.identity_digest) : '',
      commit: pair.commit,
      subject: `Features ${pair.a.feature} and ${pair.b.feature}`,
    }),
    [pair, identity],
  );
  return (
    <PictureProvider value={source}>
      <div className={styles.sides}>
        <Side sae={pair.sae} side={pair.a} />
        <Side sae={pair.sae} side={pair.b} />
      </div>
      <div className={styles.together}>
        <div className={styles.stack}>
          <Section title="Together" note={pair.n_rows === null ? undefined : `over all ${plural(pair.n_rows, 'row')}`}>
            <dl className={styles.measures}>
              {measuresOf(pair).map((measure) => (
                <div key={measure.name}>
                  <dt>{measure.name}</dt>
                  <dd>{measure.value}</dd>
                  <dd className={styles.about}>{measure.about}</dd>
                </div>
              ))}
            </dl>
          </Section>
          <SharedTokens pair={pair} />
        </div>
        <div className={styles.stack}>
          <Section title="Values where both are active">
            {pair.joint && pair.n_both ? (
              <Joint
                title="Joint values"
                n={`${plural(pair.n_both, 'row')}; stronger cells hold more rows, on a log scale`}
                data={{ x_edges: pair.joint.edges_a, y_edges: pair.joint.edges_b, counts: pair.joint.counts }}
                xName={`feature ${pair.a.feature}`}
                yName={`feature ${pair.b.feature}`}
              />
            ) : (
              <Absent>They are active together at no row.</Absent>
            )}
          </Section>
          <SharedDocuments pair={pair} />
        </div>
      </div>
      <PairExamples pair={pair} />
      <p className={styles.basis}>
        {pair.basis
          ? `${count(pair.basis.n_rows)} rows considered, ${pair.basis.exact ? 'exact' : pair.basis.sampled}`
          : ''}
      </p>
    </PictureProvider>
  );
}
