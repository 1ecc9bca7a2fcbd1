/** Features that point the same way, and features that fire together with this one. */

import { useEffect, useState } from 'react';

import { getJson, isAborted, pinned, segment } from '../../core/api';
import { announce } from '../../core/messages';
import { select } from '../../core/state';
import type { FeatureBundle, TableAnswer } from '../../core/types';
import { pathTo } from '../../core/url';
import { count, number, plural } from '../../core/numbers';
import { Go } from '../../ui/Go';
import { LineTable } from '../../ui/section/LineTable';
import { namedToken } from '../../ui/tokens/shown';
import { TokenNames } from '../../ui/tokens/TokenNames';
import { Absent, Section, Skeleton } from '../../ui/section/Section';
import styles from './feature.module.css';
import { featurePath } from './Header';

interface Partner {
  readonly feature: number;
  readonly count: number;
  readonly lift: number | null;
  readonly jaccard: number | null;
  readonly pearson: number | null;
  readonly text?: string | null;
  readonly tokens?: readonly string[];
}

/** Over a column whose cells say what they do. */
const COMPARE = <span className="visually-hidden">compare</span>;
const MOST = 12;
const MEASURES = ['pearson', 'lift', 'jaccard'] as const;
type Measure = (typeof MEASURES)[number];

export function pairPath(sae: string, a: number, b: number): string {
  return pathTo(sae, `pair/${a}/${b}`);
}

export function Neighbours({ bundle, reason }: { bundle: FeatureBundle; reason: string }) {
  const { neighbors, sae, feature } = bundle;
  return (
    <Section
      title="Nearest by decoder"
      note={neighbors?.length ? 'cosine of the decoder directions' : undefined}
      tools={
        neighbors?.length ? <SelectAll lines={neighbors} feature={feature} name={`Nearest to ${feature}`} /> : null
      }
    >
      {neighbors?.length ? (
        <LineTable heads={['feature', 'cosine', COMPARE]}>
          {neighbors.map((line) => (
            <tr key={line.feature}>
              <td>
                <FeatureName sae={sae} feature={line.feature} text={line.text} tokens={line.tokens} />
              </td>
              <td>{number(line.cosine)}</td>
              <td>
                <PairLink sae={sae} a={feature} b={line.feature} />
              </td>
            </tr>
          ))}
        </LineTable>
      ) : (
        <Absent>{neighbors ? 'Its direction is zero: it has no neighbours.' : reason}</Absent>
      )}
    </Section>
  );
}

export function Coactive({ bundle, reason }: { bundle: FeatureBundle; reason: string }) {
  const [by, setBy] = useState<Measure>('pearson');
  const { partners, isComing, error } = usePartners(bundle, by);
  const shown = partners?.slice(0, MOST) ?? [];
  const tools = bundle.coactive?.length ? (
    <>
      <label className={styles.inline}>
        Order{' '}
        <select value={by} onChange={(event) => setBy(event.target.value as Measure)}>
          {MEASURES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {shown.length ? <SelectAll lines={shown} feature={bundle.feature} name={`Fires with ${bundle.feature}`} /> : null}
    </>
  ) : null;
  return (
    <Section
      title="Fires together with"
      note={partners?.length ? 'over all rows of the corpus' : undefined}
      tools={tools}
    >
      {error ? <Absent>{error.message}</Absent> : null}
      {isComing ? <Skeleton lines={MOST} label="Features are on their way" /> : null}
      {shown.length ? <PartnerTable partners={shown} sae={bundle.sae} feature={bundle.feature} /> : null}
      {shown.length || isComing || error ? null : (
        <Absent>{partners ? 'No other feature fires at its rows.' : reason}</Absent>
      )}
    </Section>
  );
}

/** Makes features and this one the selection that table and map show. */
function SelectAll(props: { lines: readonly { readonly feature: number }[]; feature: number; name: string }) {
  const { lines, feature, name } = props;
  const run = () => {
    select([feature, ...lines.map((line) => line.feature)], name);
    announce(`${plural(lines.length + 1, 'feature')} selected: ${name}`);
  };
  return (
    <button type="button" className={styles.small} title="Select them together with this feature" onClick={run}>
      Select
    </button>
  );
}

function PartnerTable({ partners, sae, feature }: { partners: readonly Partner[]; sae: string; feature: number }) {
  return (
    <LineTable heads={['feature', 'lift', 'pearson', 'rows', COMPARE]}>
      {partners.map((line) => (
        <tr key={line.feature}>
          <td>
            <FeatureName sae={sae} feature={line.feature} text={line.text ?? null} tokens={line.tokens} />
          </td>
          <td>{number(line.lift)}</td>
          <td>{number(line.pearson)}</td>
          <td>{count(line.count)}</td>
          <td>
            <PairLink sae={sae} a={feature} b={line.feature} />
          </td>
        </tr>
      ))}
    </LineTable>
  );
}

interface Partners {
  readonly partners: readonly Partner[] | null;
  readonly isComing: boolean;
  readonly error: Error | null;
}

/** The features that a measure puts first; never those of another measure in their place. */
function usePartners(bundle: FeatureBundle, by: Measure): Partners {
  const [answer, setAnswer] = useState<{ to: string; rows: Partner[] } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const isGiven = by === 'pearson' || !bundle.coactive;
  const to = `${by} ${bundle.feature} ${bundle.sae}`;
  useEffect(() => {
    setError(null);
    if (isGiven) return;
    const asking = new AbortController();
    const path = `/saes/${segment(bundle.sae)}/features/${bundle.feature}/coactive`;
    getJson<TableAnswer<Partner & Record<string, never>>>(
      pinned(path, bundle.commit),
      { by, n: MOST },
      asking.signal,
    ).then(
      ({ rows }) => setAnswer({ to, rows }),
      (failure: Error) => {
        if (!isAborted(failure)) setError(failure);
      },
    );
    return () => asking.abort();
  }, [bundle, by, isGiven, to]);
  const partners = isGiven ? bundle.coactive : answer?.to === to ? answer.rows : null;
  return { partners, isComing: !isGiven && !partners && !error, error };
}

interface FeatureNameProps {
  sae: string;
  feature: number;
  text: string | null;
  /** Shown where it has no name. */
  tokens?: readonly string[];
}

function FeatureName({ sae, feature, text, tokens = [] }: FeatureNameProps) {
  const fires = tokens.length ? `fires on ${tokens.map((token) => namedToken(token)).join(', ')}` : '';
  return (
    <Go to={featurePath(sae, feature)} className={styles.name} title={text ?? (fires || `Feature ${feature}`)}>
      <span className={styles.id}>{feature}</span>{' '}
      {text === null && tokens.length ? (
        <TokenNames tokens={tokens} />
      ) : (
        <bdi className={styles.nameText}>{text ?? ''}</bdi>
      )}
    </Go>
  );
}

function PairLink({ sae, a, b }: { sae: string; a: number; b: number }) {
  return (
    <Go to={pairPath(sae, a, b)} className={styles.pair} aria-label={`Compare feature ${a} with feature ${b}`}>
      compare
    </Go>
  );
}
