/*
 * All chance of a history comes from its seed. Each decision has a name, and the name alone decides it: leaving one
 * thing out of a history changes no decision about the others.
 */

export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number;
  happens(rate: number): boolean;
  pick<T>(some: readonly [T, ...T[]]): T;
}

/** FNV-1a, so that names of any length begin anywhere. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  return h >>> 0;
}

/** Mulberry32 from the hash of a name. */
export function chanceOf(name: string): Chance {
  let state = hash(name);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  // The first values of near seeds are near each other.
  next();
  const int = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return { next, int, happens: (rate) => next() < rate, pick: (some) => some[int(0, some.length - 1)] ?? some[0] };
}
