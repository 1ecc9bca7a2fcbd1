/** The tokens and sequences that a feature fires on. */

import { useState } from 'react';

import type { FeatureBundle, Scalar } from '../../core/types';
import { count, number, percent } from '../../core/numbers';
import { LineTable } from '../../ui/section/LineTable';
import { Absent, Section } from '../../ui/section/Section';
import { namedToken, shownParts } from '../../ui/tokens/shown';
import styles from './feature.module.css';

type Line = Record<string, Scalar>;

const MOST_TOKENS = 10;
const MOST_SEQUENCES = 8;

const KINDS: Readonly<Record<string, string>> = {
  anywhere: 'anywhere around it',
  left: 'right before it',
  right: 'right after it',
  characters: 'characters around it',
};

export function Tokens({ bundle, reasons }: { bundle: FeatureBundle; reasons: { tokens: string; ngrams: string } }) {
  const { tokens, ngrams, ngrams_basis: basis } = bundle;
  return (
    <Section title="Tokens it fires on" note={tokens?.length ? 'most frequent first; lift over the corpus' : undefined}>
      {tokens?.length ? (
        <TokenTable lines={tokens.slice(0, MOST_TOKENS)} />
      ) : (
        <Absent>{tokens ? 'It fires on no known token.' : reasons.tokens}</Absent>
      )}
      <h3 className={styles.sub}>Sequences around {basis?.sampled ?? (basis ? 'all its active rows' : 'it')}</h3>
      {ngrams?.length ? (
        <NgramTable lines={ngrams} />
      ) : (
        <Absent>{ngrams ? 'None stands in two contexts.' : reasons.ngrams}</Absent>
      )}
    </Section>
  );
}

function TokenTable({ lines }: { lines: readonly Line[] }) {
  return (
    <LineTable heads={['token', 'rows', 'share', 'mean', 'lift']}>
      {lines.map((line, index) => (
        <tr key={index}>
          <td>
            <TokenText text={textOf(line.string)} />
          </td>
          <td>{count(numeric(line.count))}</td>
          <td>{percent(numeric(line.share))}</td>
          <td>{number(numeric(line.mean))}</td>
          <td>{number(numeric(line.lift))}</td>
        </tr>
      ))}
    </LineTable>
  );
}

function NgramTable({ lines }: { lines: readonly Line[] }) {
  const kinds = [...new Set(lines.map((line) => textOf(line.kind)))];
  const [kind, setKind] = useState(kinds[0]);
  const shown = lines
    .filter((line) => line.kind === kind)
    .sort((a, b) => (numeric(b.n_contexts) ?? 0) - (numeric(a.n_contexts) ?? 0))
    .slice(0, MOST_SEQUENCES);
  return (
    <>
      <label className={styles.inline}>
        Where{' '}
        <select value={kind} onChange={(event) => setKind(event.target.value)}>
          {kinds.map((name) => (
            <option key={name} value={name}>
              {KINDS[name] ?? name}
            </option>
          ))}
        </select>
      </label>
      <LineTable heads={['sequence', 'contexts', 'share', 'documents']}>
        {shown.map((line, index) => (
          <tr key={index}>
            <td>
              <TokenText text={textOf(line.text).trim()} />
            </td>
            <td>{count(numeric(line.n_contexts))}</td>
            <td>{percent(numeric(line.share))}</td>
            <td>{count(numeric(line.n_documents))}</td>
          </tr>
        ))}
      </LineTable>
    </>
  );
}

/** A token in a table: invisible characters are shown, long ones end in an ellipsis. */
export function TokenText({ text }: { text: string }) {
  return (
    <span className={styles.token} dir="auto" title={namedToken(text)}>
      {shownParts(text).map((part, index) =>
        part.isSign ? (
          <span key={index} className={styles.sign}>
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </span>
  );
}

function numeric(value: Scalar | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function textOf(value: Scalar | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}
