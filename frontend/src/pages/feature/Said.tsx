/** What explainers said of a feature, the clusters that hold it, and what is not here with the command that makes it. */

import { useState } from 'react';

import { report } from '../../core/messages';
import type { FeatureBundle } from '../../core/types';
import { plural } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import styles from './feature.module.css';
import { lacksOf, type Lack } from './missing';

export function Explanations({ bundle }: { bundle: FeatureBundle }) {
  const { explanations } = bundle;
  return (
    <Section title="Explanations" note={explanations.length ? plural(explanations.length, 'text') : undefined}>
      {explanations.length ? null : <Absent>Nothing was said of it by an explainer.</Absent>}
      {explanations.map((line, index) => (
        <blockquote key={index} className={styles.quote}>
          <p dir="auto">{line.text ?? <span className={styles.none}>the explainer gave no text</span>}</p>
          <footer>
            <bdi>{line.explainer ?? 'unknown explainer'}</bdi>
            {line.method ? <bdi>{line.method}</bdi> : null}
            <bdi>set {line.set}</bdi>
          </footer>
        </blockquote>
      ))}
    </Section>
  );
}

export function Clusters({ bundle }: { bundle: FeatureBundle }) {
  const { clusters } = bundle;
  if (!clusters.length) return null;
  return (
    <Section title="Clusters">
      <dl className={styles.facts}>
        {clusters.map((line) => (
          <Cluster key={line.name} {...line} />
        ))}
      </dl>
    </Section>
  );
}

function Cluster({ name, cluster, terms, size }: FeatureBundle['clusters'][number]) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        {cluster === null ? (
          <span className={styles.none}>in none</span>
        ) : (
          <>
            <bdi>{terms.slice(0, 5).join(', ') || `cluster ${cluster}`}</bdi>{' '}
            <span className={styles.size}>{plural(size, 'feature')}</span>
          </>
        )}
      </dd>
    </>
  );
}

export function Missing({ bundle }: { bundle: FeatureBundle }) {
  const lacks = lacksOf(bundle.missing, bundle.sae, bundle.basis !== null);
  if (!lacks.length) return null;
  return (
    <Section title="Not here" note="and the command that makes it">
      <ul className={styles.missing}>
        {lacks.map((lack) => (
          <MissingLine key={lack.analysis} lack={lack} />
        ))}
      </ul>
    </Section>
  );
}

function MissingLine({ lack }: { lack: Lack }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () => void navigator.clipboard?.writeText(lack.command).then(() => setCopied(true), report);
  return (
    <li>
      <strong>{lack.parts.join(', ')}</strong> <span className={styles.none}>{lack.reason}</span>
      <span className={styles.command}>
        <code>{lack.command}</code>
        <button type="button" aria-label={`Copy ${lack.command}`} onClick={copy}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </span>
    </li>
  );
}
