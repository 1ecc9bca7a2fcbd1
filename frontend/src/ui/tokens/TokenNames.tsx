/** A few tokens in one line, each a word of its own: what a feature fires on where nobody said what it is. */
import { shownParts } from './shown';
import styles from './tokens.module.css';

export function TokenNames({ tokens }: { tokens: readonly string[] }) {
  return (
    <span className={styles.names}>
      {tokens.map((token, index) => (
        <bdi key={index} className={styles.nameOf}>
          {shownParts(token.trim() || token).map(({ text }) => text)}
        </bdi>
      ))}
    </span>
  );
}
