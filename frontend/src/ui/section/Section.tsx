/** A part of a page: a landmark with its heading, what it counts, and its own tools. */

import { useId, type ReactNode } from 'react';

import styles from './section.module.css';

export interface SectionProps {
  readonly title: string;
  /** What the part is about in numbers: how many rows it considered, how many there are. */
  readonly note?: ReactNode;
  readonly tools?: ReactNode;
  readonly children: ReactNode;
  /** A list that may go on over pages of paper. */
  readonly isLong?: boolean;
}

export function Section({ title, note, tools, children, isLong = false }: SectionProps) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={isLong ? `${styles.section} ${styles.long}` : styles.section}>
      <header className={styles.head}>
        <h2 id={id}>{title}</h2>
        {note ? <span className={styles.note}>{note}</span> : null}
        {tools ? <span className={styles.tools}>{tools}</span> : null}
      </header>
      {children}
    </section>
  );
}

/** What stands where a part has nothing to show: why, and what makes it. */
export function Absent({ children }: { children: ReactNode }) {
  return <p className={styles.absent}>{children}</p>;
}

/** Grey lines as tall as what will stand there, so that nothing moves when it comes. */
export function Skeleton({ lines, label }: { lines: number; label: string }) {
  return (
    <div className={styles.skeleton} role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} aria-hidden="true" />
      ))}
    </div>
  );
}
