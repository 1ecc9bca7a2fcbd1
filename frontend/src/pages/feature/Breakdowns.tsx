/** Whether a feature fires more in some kinds of documents than in others, and how sure that is. */

import type { FeatureBundle } from '../../core/types';
import { Intervals } from '../../plots/Intervals';
import { count, percent, plural } from '../../core/numbers';
import { Absent, Section } from '../../ui/section/Section';
import { byEffect, certaintyText, effectText, levelLines, type BreakdownInfo } from './breakdowns';
import styles from './feature.module.css';
import { columnsLeftOut } from './missing';

export function Breakdowns({ bundle, reason }: { bundle: FeatureBundle; reason: string }) {
  const found = byEffect(bundle.breakdowns);
  const leftOut = columnsLeftOut(bundle.missing);
  return (
    <Section title="By metadata" note={found.length ? 'strongest effect first; the unit is the document' : undefined}>
      {found.length || leftOut.length ? null : <Absent>{reason}</Absent>}
      {found.map((breakdown, index) => (
        <details key={breakdown.column} className={styles.breakdown} open={index === 0}>
          <summary>
            <bdi className={styles.columnName}>{breakdown.column}</bdi> <span>{effectText(breakdown)}</span>{' '}
            <span className={styles.none}>{breakdown.effect === null ? '' : certaintyText(breakdown)}</span>
          </summary>
          <Levels breakdown={breakdown} />
        </details>
      ))}
      {leftOut.map(({ column, reason: why }) => (
        <p key={column} className={styles.leftOut}>
          <bdi className={styles.columnName}>{column}</bdi> {why}
        </p>
      ))}
    </Section>
  );
}

function Levels({ breakdown }: { breakdown: BreakdownInfo }) {
  const { lines, nLeftOut, overall } = levelLines(breakdown);
  const effect = breakdown.effect === null ? '' : `${effectText(breakdown)}, ${certaintyText(breakdown)}; `;
  const missing = breakdown.n_missing ? `, ${count(breakdown.n_missing)} more without a value` : '';
  const documents = `share of ${plural(breakdown.n_documents, 'document')} in which it fires, with 95 % intervals${missing}`;
  return (
    <>
      <Intervals
        title={`Share of documents by ${breakdown.column}`}
        isTitleHidden
        n={`${effect}${documents}`}
        shown={documents}
        data={lines}
        reference={overall}
        format={(value) => percent(value)}
      />
      {nLeftOut ? <p className={styles.none}>{plural(nLeftOut, 'level')} with fewer documents are not drawn.</p> : null}
    </>
  );
}
