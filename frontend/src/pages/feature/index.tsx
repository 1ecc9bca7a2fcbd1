/** The feature page: everything that is known of one feature, and the ways to the others. */

import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';

import { identityLine } from '../../core/identity';
import { report } from '../../core/messages';
import type { FeatureBundle } from '../../core/types';
import { pathTo } from '../../core/url';
import { PictureProvider, type PictureSource } from '../../plots/ChartFrame';
import { Failure } from '../../ui/Failure';
import { Go, go } from '../../ui/Go';
import { coloursOf } from '../../ui/labels/labels';
import { useCategories } from '../../ui/labels/categories';
import { LabelPanel } from '../../ui/labels/LabelPanel';
import { useReady } from '../../ui/ready';
import { session } from '../../ui/session';
import { Absent, Section, Skeleton } from '../../ui/section/Section';
import { useApp } from '../../ui/useApp';
import { useCommands } from '../../ui/useCommands';
import { usePath } from '../../ui/usePath';
import { DocumentDialog } from '../document/DocumentDialog';
import { Activations } from './Activations';
import { Breakdowns } from './Breakdowns';
import { fetchBundle, useBundle } from './bundle';
import { Effects } from './Effects';
import styles from './feature.module.css';
import { featurePath, Header, nameOf } from './Header';
import { reasonOf } from './missing';
import { anyOther, stepsFrom } from './order';
import { Coactive, Neighbours } from './Relations';
import { Clusters, Explanations, Missing } from './Said';
import { Columns, Statistics } from './Statistics';
import { Tokens } from './Tokens';

export default function FeaturePage() {
  const [, sae = '', , id = ''] = usePath();
  const feature = /^\d+$/.test(id) ? Number(id) : null;
  if (feature === null) {
    return (
      <main className="page" aria-label="Feature">
        <h1>There is no such feature</h1>
        <p>
          A feature id is a whole number, found: “<bdi>{id}</bdi>”. The <Go to={pathTo(sae, 'explore')}>table</Go> shows
          all of them.
        </p>
      </main>
    );
  }
  return <OneFeature sae={sae} feature={feature} />;
}

/** Where the table's order leads, once its columns are here; ids until then. */
function useSteps(feature: number, n: number) {
  const view = useApp((state) => state.view);
  const sort = useApp((state) => state.sort);
  const filters = useApp((state) => state.filters);
  const isIdOrder = !sort && !filters.length;
  const order = isIdOrder ? null : (view?.order ?? null);
  const steps = useMemo(() => stepsFrom(order, n, feature), [order, n, feature]);
  const by = sort ? `by ${sort.column}, ${sort.descending ? 'largest' : 'smallest'} first` : 'by id';
  return { order, steps, orderName: filters.length ? `${by}, filtered` : by };
}

function OneFeature({ sae, feature }: { sae: string; feature: number }) {
  const detail = useApp((state) => (state.detail?.name === sae ? state.detail : null));
  const version = `${detail?.commit} ${detail?.labels_position}`;
  const { bundle, error, reload } = useBundle(sae, feature, version);
  const n = bundle?.n_features ?? detail?.n_features ?? 0;
  const { order, steps, orderName } = useSteps(feature, n);
  const categories = useCategories();
  const isReadOnly = useApp((state) => state.readOnly);
  const colours = useMemo(() => coloursOf(categories), [categories]);
  const labelText = useRef<HTMLInputElement>(null);
  const to = useCallback((next: number | null) => next !== null && go(featurePath(sae, next)), [sae]);
  const random = useCallback(() => to(anyOther(order, n, feature, Math.random())), [to, order, n, feature]);
  const labelled = useCallback(() => {
    reload();
    session.refreshLabels().catch(report);
  }, [reload]);
  useReady('feature', bundle !== null || error !== null);
  useEffect(() => {
    // The next one is asked for while this one is read.
    if (bundle && steps.next !== null) fetchBundle(sae, steps.next, version).catch(() => undefined);
  }, [bundle, steps.next, sae, version]);
  useCommands(
    useMemo(
      () => [
        { keys: '[', label: 'Previous feature', group: 'Feature', run: () => to(steps.previous) },
        { keys: ']', label: 'Next feature', group: 'Feature', run: () => to(steps.next) },
        { keys: 'r', label: 'Any other feature', group: 'Feature', run: random },
        { keys: 'l', label: 'Label this feature', group: 'Feature', run: () => labelText.current?.focus() },
      ],
      [to, random, steps],
    ),
  );
  const head = { sae, feature, n, bundle, steps, orderName, colours, onGo: to, onRandom: random };
  return (
    <main className={styles.page} aria-label={`Feature ${feature} of ${sae}`}>
      <Header {...head} />
      {error && !bundle ? <Failure error={error} retry={reload} /> : null}
      {!bundle && !error ? <Waiting /> : null}
      {bundle ? (
        <Sections
          key={`${sae}/${feature}`}
          bundle={bundle}
          corpus={detail?.corpus ?? null}
          labels={
            <LabelPanel
              sae={sae}
              feature={feature}
              current={bundle.labels.current}
              nHistory={bundle.labels.n_history}
              categories={categories}
              isReadOnly={isReadOnly}
              textRef={labelText}
              onChange={labelled}
            />
          }
        />
      ) : null}
    </main>
  );
}

function Waiting() {
  return (
    <div className={styles.columns}>
      <div className={styles.column}>
        <Section title="Activation values">
          <Skeleton lines={9} label="The feature is on its way" />
        </Section>
        <Section title="Examples">
          <Skeleton lines={24} label="Examples are on their way" />
        </Section>
      </div>
      <div className={styles.column}>
        <Section title="Labels">
          <Skeleton lines={12} label="Labels are on their way" />
        </Section>
      </div>
    </div>
  );
}

interface Shown {
  readonly document: string;
  readonly position: number;
}

function Sections({ bundle, corpus, labels }: { bundle: FeatureBundle; corpus: string | null; labels: ReactNode }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const show = useCallback((document: string, position: number) => setShown({ document, position }), []);
  const why = (...parts: string[]): string => reasonOf(bundle.missing, ...parts) ?? 'There is nothing to show.';
  const source = useMemo(() => pictureSource(bundle), [bundle]);
  return (
    <PictureProvider value={source}>
      <div className={styles.columns}>
        <div className={styles.main}>
          <div className={styles.column}>
            {bundle.basis ? (
              <Activations
                bundle={bundle}
                reasons={{ histograms: why('histograms'), examples: why('examples') }}
                onDocument={show}
              />
            ) : (
              <Section title="Activations">
                <Absent>{why('stats')}</Absent>
              </Section>
            )}
          </div>
          <div className={styles.relations}>
            <div className={styles.column}>
              <Neighbours bundle={bundle} reason={why('neighbors')} />
              {bundle.basis ? <Breakdowns bundle={bundle} reason={why('breakdowns')} /> : null}
            </div>
            {bundle.basis ? (
              <div className={styles.column}>
                <Coactive bundle={bundle} reason={why('coactive')} />
                <Tokens bundle={bundle} reasons={{ tokens: why('tokens'), ngrams: why('ngrams') }} />
              </div>
            ) : null}
          </div>
        </div>
        <div className={styles.column}>
          <Section title="Labels">{labels}</Section>
          <Explanations bundle={bundle} />
          {bundle.basis ? <Statistics bundle={bundle} reason={why('stats')} /> : null}
          <Effects bundle={bundle} reason={why('effects')} />
          <Clusters bundle={bundle} />
          <Columns columns={bundle.columns} />
          <Missing bundle={bundle} />
        </div>
      </div>
      {shown && corpus ? (
        <DocumentDialog
          corpus={corpus}
          document={shown.document}
          sae={bundle.sae}
          feature={bundle.feature}
          position={shown.position}
          isCausal={bundle.identity.attention === 'causal'}
          onClose={() => setShown(null)}
        />
      ) : null}
    </PictureProvider>
  );
}

function pictureSource(bundle: FeatureBundle): PictureSource {
  return {
    sae: bundle.sae,
    identity: identityLine(bundle.identity, bundle.identity_digest),
    commit: bundle.commit,
    subject: `Feature ${bundle.feature}`,
    subtitle: nameOf(bundle)?.text,
  };
}
