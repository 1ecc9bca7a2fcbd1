/** Reads ids out of pixels. */

/** The id in a square of pixels that is nearest to its middle; 0 where there is none. Rows of four bytes a pixel. */
export function nearestId(pixels: Uint8Array, side: number): number {
  const middle = (side - 1) / 2;
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < side * side; i++) {
    const id = pixels[4 * i] + pixels[4 * i + 1] * 256 + pixels[4 * i + 2] * 65536;
    if (!id) continue;
    const gap = ((i % side) - middle) ** 2 + (Math.floor(i / side) - middle) ** 2;
    if (gap < least) [best, least] = [id, gap];
  }
  return best;
}
