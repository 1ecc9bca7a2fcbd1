/** A line of bars too small for axes: the shape of counts beside a number. */

export interface SparkBar {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Lay out counts in a box; an empty bin has no bar, and a bin with a count is at least one pixel high. */
export function layoutSparkline(counts: readonly number[], width: number, height: number): SparkBar[] {
  const most = Math.max(0, ...counts);
  if (most === 0) return [];
  const step = width / counts.length;
  return counts.flatMap((count, index) => {
    if (count <= 0) return [];
    const tall = Math.max(1, (count / most) * height);
    return [{ x: index * step, y: height - tall, width: Math.max(0.5, step - (step > 3 ? 1 : 0)), height: tall }];
  });
}
