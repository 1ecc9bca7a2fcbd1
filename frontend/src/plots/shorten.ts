/** Text that fits its place: an ellipsis where letters were left out. */

/** The first letters of a text, `most` of them with the ellipsis. */
export function shorten(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, Math.max(1, most - 1)).join('')}…`;
}
