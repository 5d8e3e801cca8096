/** A turn of work of a millisecond or two: shorter than a scheduler's turn, so that one of several is had whole. */
function turn(): number {
  const began = performance.now();
  let sum = 0;
  for (let n = 0; n < 400_000; n += 1) sum = (sum * 31 + n) | 0;
  // The sum is looked at, so that no compiler leaves the work out.
  return Number.isInteger(sum) ? performance.now() - began : 0;
}

/**
 * How many times as long as alone a piece of work takes on this machine at this moment: 1 and more, as measured for a
 * tenth of a second.
 */
export function slowness(): number {
  const turns: number[] = [];
  for (const until = performance.now() + 100; performance.now() < until; ) turns.push(turn());
  const mean = turns.reduce((sum, ms) => sum + ms, 0) / turns.length;
  return Math.max(1, mean / Math.min(...turns));
}

/** A limit of time as it is on this machine at this moment, in milliseconds: `ms` is what an idle one is given. */
export const atMost = (ms: number): number => ms * slowness();

/** Waits until it holds; throws where it does not within `ms` of an idle machine's time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const began = Date.now();
  for (let limit = ms; !(await holds()); await Bun.sleep(10)) {
    if (Date.now() - began <= limit) continue;
    limit = Math.max(limit, atMost(ms));
    if (Date.now() - began > limit) throw new Error(`not within ${Math.round(limit)} ms: ${what}`);
  }
}
