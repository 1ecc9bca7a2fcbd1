/** One feature beside the table or the map: what it is at a glance, and the way to its page. */
import { pinned, segment } from '../../core/api';
import { scalarText } from '../../core/identity';
import { number } from '../../core/numbers';
import { setFocus, setHover } from '../../core/state';
import type { FeatureBundle } from '../../core/types';
import { pathTo } from '../../core/url';
import { Sparkline } from '../../plots/Sparkline';
import { Failure } from '../Failure';
import { Go } from '../Go';
import { TokenNames } from '../tokens/TokenNames';
import { TokenRun } from '../tokens/TokenRun';
import { useApp } from '../useApp';
import { useJson } from '../useJson';
import styles from './drawer.module.css';

const FACTS = ['n_active', 'density', 'mean', 'max', 'median', 'std'] as const;
const N_EXAMPLES = 4;
const N_NEIGHBORS = 6;

function Texts({ bundle }: { bundle: FeatureBundle }) {
  const label = bundle.labels.current[0] ?? null;
  return (
    <>
      {label ? (
        <p className={styles.label} dir="auto">
          {label.text ?? label.category ?? label.tags.join(', ')}
          {label.identity_changed ? <span className={styles.warn}> (label of another SAE)</span> : null}
        </p>
      ) : (
        <p className="muted">Not labelled</p>
      )}
      {bundle.headline.length ? (
        <p className={styles.fires}>
          <span className="muted">fires on</span> <TokenNames tokens={bundle.headline} />
        </p>
      ) : null}
      {bundle.explanations.slice(0, 3).map(({ set, text }, index) => (
        <p key={index} className={styles.explanation} dir="auto" title={`Explanation of ${set}`}>
          {text ?? <span className="muted">An explanation failed</span>}
        </p>
      ))}
    </>
  );
}

function Stats({ bundle }: { bundle: FeatureBundle }) {
  if (bundle.is_dead) return <p className="notice warn">This feature is active in no row of the corpus.</p>;
  if (!bundle.stats) return null;
  const { stats } = bundle;
  return (
    <>
      {bundle.histograms ? (
        <Sparkline
          counts={bundle.histograms.log.counts}
          label={`Histogram of feature ${bundle.feature}`}
          width={288}
          height={40}
        />
      ) : null}
      <dl className={styles.facts}>
        {FACTS.map((name) => (
          <div key={name}>
            <dt>{name.replaceAll('_', ' ')}</dt>
            <dd>{scalarText(stats[name])}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Examples({ bundle }: { bundle: FeatureBundle }) {
  const examples = bundle.examples?.top?.slice(0, N_EXAMPLES) ?? [];
  if (!examples.length) return null;
  const reach = Math.max(...examples.map(({ value }) => value));
  return (
    <section aria-label="Examples with the largest values">
      <h3>Largest values</h3>
      {examples.map((example) => (
        <div key={example.row} className={styles.example}>
          <TokenRun
            label={`Example ${example.rank + 1}, value ${example.value}`}
            tokens={example.tokens}
            values={example.values}
            visible={example.visible}
            reach={reach}
            firstPosition={example.first_position}
          />
        </div>
      ))}
    </section>
  );
}

function Neighbors({ bundle }: { bundle: FeatureBundle }) {
  const sae = bundle.sae;
  if (!bundle.neighbors?.length) return null;
  return (
    <section aria-label="Nearest decoder directions">
      <h3>Nearest decoder directions</h3>
      <ul className={styles.neighbors}>
        {bundle.neighbors.slice(0, N_NEIGHBORS).map(({ feature, cosine, text, tokens }) => (
          <li key={feature}>
            <button
              type="button"
              className="quiet"
              onClick={() => setFocus(feature)}
              onMouseEnter={() => setHover({ sae, feature })}
              onMouseLeave={() => setHover(null)}
            >
              <span>{feature}</span>
              <span className="ellipsis" dir="auto">
                {text ?? <TokenNames tokens={tokens} />}
              </span>
              <span className="muted">{number(cosine)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Body({ bundle }: { bundle: FeatureBundle }) {
  return (
    <>
      <Texts bundle={bundle} />
      <Stats bundle={bundle} />
      <Examples bundle={bundle} />
      <Neighbors bundle={bundle} />
      {bundle.missing.length ? (
        <p className={`${styles.absent} muted`}>
          Not here: {[...new Set(bundle.missing.map(({ part }) => part))].join(', ')}.
        </p>
      ) : null}
    </>
  );
}

export default function Drawer() {
  const sae = useApp((state) => state.sae);
  const focus = useApp((state) => state.focus);
  const position = useApp((state) => state.detail?.labels_position ?? 0);
  const commit = useApp((state) => state.commit);
  const path = sae === null || focus === null ? null : pinned(`/saes/${segment(sae)}/features/${focus}`, commit);
  const { data, error } = useJson<FeatureBundle>(path, {}, position);
  if (sae === null || focus === null) return null;
  return (
    <aside className={`${styles.drawer} no-print`} aria-label={`Feature ${focus}`}>
      <header className={styles.head}>
        <h2>Feature {focus}</h2>
        <Go to={pathTo(sae, `f/${focus}`)} className="button">
          Open page
        </Go>
        <button type="button" className="quiet icon" aria-label="Close the drawer" onClick={() => setFocus(null)}>
          ×
        </button>
      </header>
      {error ? <Failure error={error} /> : null}
      {data ? <Body bundle={data} /> : error ? null : <p className="muted">Loading …</p>}
    </aside>
  );
}
