/** A small table in a part of a page: what a line is about at the left, its numbers at the right. */

import type { ReactNode } from 'react';

import styles from './lineTable.module.css';

interface LineTableProps {
  /** What stands over each column. */
  readonly heads: readonly ReactNode[];
  /** The rows. */
  readonly children: ReactNode;
}

export function LineTable({ heads, children }: LineTableProps) {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          {heads.map((head, index) => (
            <th key={index} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}
