/** What explainers said of a feature, the clusters that hold it, and what is not here with the command that makes it. */

import { useState } from 'react';

import type { FeatureBundle, MissingPart } from '../../core/types';
import { plural } from '../../plots/numbers';
import { Absent, Section } from '../../ui/section/Section';
import styles from './feature.module.css';

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
            <span className={styles.none}>{plural(size, 'feature')}</span>
          </>
        )}
      </dd>
    </>
  );
}

/** Why a part is not there: its own reason, or that nothing is known. */
export function reasonFor(bundle: FeatureBundle, ...parts: string[]): string {
  const found = bundle.missing.find((each) => parts.includes(each.part));
  if (!found) return 'There is nothing to show.';
  return found.state === 'stale' ? `Out of date: ${found.reason}` : sentence(found.reason);
}

function sentence(text: string): string {
  return text ? text.charAt(0).toUpperCase() + text.slice(1) : 'There is nothing to show.';
}

export function Missing({ bundle }: { bundle: FeatureBundle }) {
  if (!bundle.missing.length) return null;
  return (
    <Section title="Not here" note="and what makes it">
      <ul className={styles.missing}>
        {bundle.missing.map((part) => (
          <MissingLine key={`${part.part} ${part.analysis ?? ''}`} part={part} />
        ))}
      </ul>
    </Section>
  );
}

function MissingLine({ part }: { part: MissingPart }) {
  const [isCopied, setCopied] = useState(false);
  const command = part.analysis ? `saeatlas analyze ${part.analysis}` : null;
  return (
    <li>
      <strong>{part.part}</strong> <span className={styles.none}>{part.reason}</span>
      {command ? (
        <span className={styles.command}>
          <code>{command}</code>
          <button
            type="button"
            aria-label={`Copy ${command}`}
            onClick={() => void navigator.clipboard?.writeText(command).then(() => setCopied(true))}
          >
            {isCopied ? 'Copied' : 'Copy'}
          </button>
        </span>
      ) : null}
    </li>
  );
}
