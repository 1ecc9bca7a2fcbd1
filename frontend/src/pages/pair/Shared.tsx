/** The tokens and the documents in which two features are active together. */

import { count, number, percent, plural } from '../../core/numbers';
import { useApp } from '../../ui/useApp';
import { Go } from '../../ui/Go';
import { LineTable } from '../../ui/section/LineTable';
import { Absent, Section } from '../../ui/section/Section';
import { documentPath } from '../document/DocumentDialog';
import { TokenText } from '../feature/Tokens';
import type { FeaturePair } from './measures';
import styles from './pair.module.css';

export function SharedTokens({ pair }: { pair: FeaturePair }) {
  const { shared_tokens: tokens, a, b } = pair;
  return (
    <Section title="Tokens where both are active">
      {tokens?.length ? (
        <LineTable heads={['token', 'rows', 'share', `mean of ${a.feature}`, `mean of ${b.feature}`]}>
          {tokens.map((line) => (
            <tr key={line.token}>
              <td>
                <TokenText text={line.string} />
              </td>
              <td>{count(line.count)}</td>
              <td>{percent(line.share)}</td>
              <td>{number(line.mean_a)}</td>
              <td>{number(line.mean_b)}</td>
            </tr>
          ))}
        </LineTable>
      ) : (
        <Absent>{pair.tokens_reason || 'There are none.'}</Absent>
      )}
    </Section>
  );
}

export function SharedDocuments({ pair }: { pair: FeaturePair }) {
  const { documents, a, b } = pair;
  const corpus = useApp((state) => state.detail?.corpus ?? null);
  const note = pair.n_documents ? `${plural(pair.n_documents, 'document')}, the most shared rows first` : undefined;
  return (
    <Section title="Documents where both are active" note={note}>
      {documents?.length ? (
        <LineTable heads={['document', 'rows', `largest of ${a.feature}`, `largest of ${b.feature}`]}>
          {documents.slice(0, 10).map((line) => (
            <tr key={line.document}>
              <td>
                {corpus === null ? (
                  <bdi>{line.id}</bdi>
                ) : (
                  <Go to={documentPath(corpus, line.id)} className={styles.link} title={line.id}>
                    <bdi>{line.id}</bdi>
                  </Go>
                )}
              </td>
              <td>
                {count(line.count)} of {count(line.n_rows)}
              </td>
              <td>{number(line.max_a)}</td>
              <td>{number(line.max_b)}</td>
            </tr>
          ))}
        </LineTable>
      ) : (
        <Absent>There are none.</Absent>
      )}
    </Section>
  );
}
