/** A joint histogram of two features: one cell for each pair of bins. */

import { linear, type Scale } from './scale';

export interface JointData {
  readonly x_edges: readonly number[];
  readonly y_edges: readonly number[];
  /** counts[x][y] */
  readonly counts: readonly (readonly number[])[];
}

export interface JointCell {
  readonly column: number;
  readonly line: number;
  readonly count: number;
  /** 0 to 1: log of the count, over that of the largest; 0 only for empty cells, which are not drawn. */
  readonly shade: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface JointLayout {
  readonly cells: readonly JointCell[];
  readonly x: Scale;
  readonly y: Scale;
  readonly most: number;
}

/** Lay out a joint histogram; the second feature's values grow upwards. */
export function layoutJoint(
  data: JointData,
  box: { left: number; top: number; width: number; height: number },
): JointLayout {
  const x = linear(ends(data.x_edges), [box.left, box.left + box.width]);
  const y = linear(ends(data.y_edges), [box.top + box.height, box.top]);
  const most = Math.max(0, ...data.counts.map((line) => Math.max(0, ...line)));
  const cells: JointCell[] = [];
  data.counts.forEach((line, column) => {
    line.forEach((count, row) => {
      if (count <= 0) return;
      const left = x.at(data.x_edges[column] ?? 0);
      const top = y.at(data.y_edges[row + 1] ?? 0);
      cells.push({
        column,
        line: row,
        count,
        shade: Math.log1p(count) / Math.log1p(most),
        x: left,
        y: top,
        width: x.at(data.x_edges[column + 1] ?? 0) - left,
        height: y.at(data.y_edges[row] ?? 0) - top,
      });
    });
  });
  return { cells, x, y, most };
}

function ends(edges: readonly number[]): [number, number] {
  return [edges[0] ?? 0, edges[edges.length - 1] ?? 1];
}
