/** How often and how strongly a feature fires, with what is uncertain about it. */

import type { FeatureBundle, Scalar } from '../../core/types';
import { count, number, percent, plural } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import { useApp } from '../../ui/useApp';
import styles from './feature.module.css';

type Stats = Record<string, Scalar>;

const VALUES: readonly [string, string][] = [
  ['mean', 'mean'],
  ['std', 'standard deviation'],
  ['min', 'smallest'],
  ['q25', 'first quartile'],
  ['median', 'median'],
  ['q75', 'third quartile'],
  ['max', 'largest'],
  ['skewness', 'skewness'],
  ['kurtosis', 'excess kurtosis'],
];

export function Statistics({ bundle, reason }: { bundle: FeatureBundle; reason: string }) {
  const { stats } = bundle;
  return (
    <Section title="Statistics" note={stats ? 'of the active values, over the whole corpus' : undefined}>
      {stats ? <Numbers stats={stats} /> : <Absent>{reason}</Absent>}
    </Section>
  );
}

function Numbers({ stats }: { stats: Stats }) {
  const [active, rows, listed] = ['n_active', 'n_rows', 'n_listed'].map((name) => numeric(stats[name]));
  const [density, low, high] = ['density', 'density_low', 'density_high'].map((name) => numeric(stats[name]));
  return (
    <dl className={styles.facts}>
      <dt>active rows</dt>
      <dd>
        {count(active)} of {count(rows)}
      </dd>
      <dt>density</dt>
      <dd>
        {percent(density)}{' '}
        <span className={styles.none} title="95 % Wilson score interval, taking rows as independent">
          [{percent(low)}, {percent(high)}]
        </span>
      </dd>
      {listed !== active ? (
        <>
          <dt>listed rows</dt>
          <dd>{count(listed)}, zeros and negatives included</dd>
        </>
      ) : null}
      {active
        ? VALUES.map(([name, text]) => <Fact key={name} name={text} value={number(numeric(stats[name]), 4)} />)
        : null}
    </dl>
  );
}

function Fact({ name, value, description }: { name: string; value: string; description?: string | null }) {
  return (
    <>
      <dt title={description ? `${name}: ${description}` : undefined}>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** Every other number and text that analyses have for the feature, by name. */
export function Columns({ columns }: { columns: Record<string, Scalar> }) {
  const shown = Object.entries(columns).filter(
    ([name, value]) => !/^(stats|histogram|labels|explanations)\./.test(name) && !Array.isArray(value),
  );
  const infos = useApp((state) => state.detail?.columns);
  if (!shown.length) return null;
  const said = new Map(infos?.map(({ name, description }) => [name, description]));
  return (
    <Section title="All columns">
      <details className={styles.more}>
        <summary>{plural(shown.length, 'column')} of analyses</summary>
        <dl className={styles.facts}>
          {shown.map(([name, value]) => (
            <Fact key={name} name={name} value={textOf(value)} description={said.get(name)} />
          ))}
        </dl>
      </details>
    </Section>
  );
}

function numeric(value: Scalar | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function textOf(value: Scalar): string {
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : number(value, 4);
  return value === null ? '–' : String(value);
}
