/** Which names are written on the map, and where: by priority, never over each other. Pure arithmetic. */

export interface Name {
  readonly key: string;
  readonly text: string;
  /** Where it points to, in pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Higher is placed first. */
  readonly priority: number;
}

export interface Placed extends Name {
  /** The left upper corner of its box. */
  readonly left: number;
  readonly top: number;
}

export interface Space {
  readonly width: number;
  readonly height: number;
  /** At most so many names. */
  readonly most: number;
  readonly gap?: number;
}

const CELL = 64;

/** Boxes that are taken, in cells, so that a new one is compared with few. */
class Taken {
  readonly #cells = new Map<number, [number, number, number, number][]>();

  #keys(left: number, top: number, right: number, bottom: number): number[] {
    const keys: number[] = [];
    for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++)
      for (let column = Math.floor(left / CELL); column <= Math.floor(right / CELL); column++)
        keys.push(row * 4096 + column);
    return keys;
  }

  /** Take a box if it is free. */
  take(left: number, top: number, right: number, bottom: number): boolean {
    const keys = this.#keys(left, top, right, bottom);
    for (const key of keys)
      for (const [l, t, r, b] of this.#cells.get(key) ?? [])
        if (left < r && right > l && top < b && bottom > t) return false;
    for (const key of keys) {
      const cell = this.#cells.get(key);
      if (cell) cell.push([left, top, right, bottom]);
      else this.#cells.set(key, [[left, top, right, bottom]]);
    }
    return true;
  }
}

/**
 * Place names centred on their points, else just above or below. A name that was there before comes before others
 * of nearly the same priority, so that names do not flicker while the map turns.
 */
export function placeNames(names: readonly Name[], space: Space, before: ReadonlySet<string> = new Set()): Placed[] {
  const rank = (name: Name) => name.priority * (before.has(name.key) ? 1.25 : 1);
  const ordered = [...names].sort((a, b) => rank(b) - rank(a) || (a.key < b.key ? -1 : 1));
  const gap = space.gap ?? 4;
  const taken = new Taken();
  const placed: Placed[] = [];
  for (const name of ordered) {
    if (placed.length >= space.most) break;
    const left = Math.min(Math.max(name.x - name.width / 2, 2), space.width - name.width - 2);
    if (left < 0 || name.x < 0 || name.x > space.width || name.y < 0 || name.y > space.height) continue;
    for (const shift of [0, -0.9, 0.9]) {
      const top = name.y - name.height / 2 + shift * name.height;
      if (top < 0 || top + name.height > space.height) continue;
      if (!taken.take(left - gap, top - gap, left + name.width + gap, top + name.height + gap)) continue;
      placed.push({ ...name, left, top });
      break;
    }
  }
  return placed;
}

/**
 * Where the name of a group stands: the member that is nearest to the middle of the group, by the median of each
 * coordinate, so that a few far members do not pull it away and it never stands where the group is not.
 */
export function anchorOf(places: Float32Array, members: ArrayLike<number>): number {
  const present: number[] = [];
  for (let i = 0; i < members.length; i++) if (!Number.isNaN(places[3 * members[i]])) present.push(members[i]);
  if (!present.length) return -1;
  const middle = [0, 1, 2].map((d) => {
    const values = Float32Array.from(present, (member) => places[3 * member + d]).sort();
    return values[values.length >> 1];
  });
  let best = -1;
  let least = Infinity;
  for (const member of present) {
    let gap = 0;
    for (let d = 0; d < 3; d++) gap += (places[3 * member + d] - middle[d]) ** 2;
    if (gap < least) [best, least] = [member, gap];
  }
  return best;
}

/** A text of at most `most` characters, whole words where that leaves enough. */
export function shorten(text: string, most: number): string {
  const letters = [...text.trim().replace(/\s+/gu, ' ')];
  if (letters.length <= most) return letters.join('');
  const cut = letters.slice(0, most - 1).join('');
  const space = cut.lastIndexOf(' ');
  return `${(space > most * 0.6 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
