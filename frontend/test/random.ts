/** Numbers from a seed, for tests. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values with ties, negatives, zeros, infinities and many that are missing. */
export function awkwardNumbers(n: number, seed: number): Float64Array {
  const random = randomFrom(seed);
  return Float64Array.from({ length: n }, () => {
    const kind = random();
    if (kind < 0.3) return Number.NaN;
    if (kind < 0.4) return Math.round(random() * 4) - 2;
    if (kind < 0.42) return random() < 0.5 ? Infinity : -Infinity;
    if (kind < 0.45) return random() < 0.5 ? 0 : -0;
    return (random() - 0.5) * 10 ** Math.round(random() * 20 - 10);
  });
}
