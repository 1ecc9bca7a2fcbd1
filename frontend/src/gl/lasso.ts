/** Which points lie inside a shape that was drawn on the view. */

export type Point = readonly [x: number, y: number];

/** Whether a point lies inside a polygon, by the even-odd rule. */
export function isInside(polygon: readonly Point[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** The corners of a rectangle from two opposite ones. */
export function rectangle([x0, y0]: Point, [x1, y1]: Point): Point[] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/**
 * Indices of the points inside a polygon. `seen` holds x, y and depth for each point, NaN for what is not seen;
 * `isWanted` says which points count.
 */
export function inside(polygon: readonly Point[], seen: Float32Array, isWanted: (index: number) => boolean): number[] {
  if (polygon.length < 3) return [];
  const xs = polygon.map(([x]) => x);
  const ys = polygon.map(([, y]) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found: number[] = [];
  for (let i = 0; i < seen.length / 3; i++) {
    const [x, y] = [seen[3 * i], seen[3 * i + 1]];
    if (!(x >= left && x <= right && y >= top && y <= bottom && seen[3 * i + 2] > 0)) continue;
    if (isWanted(i) && isInside(polygon, x, y)) found.push(i);
  }
  return found;
}
