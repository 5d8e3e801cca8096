import { arch, cpus, loadavg, platform, totalmem } from "node:os";

/** One line of the report: what was measured, and the ratio that holds on a noisy machine. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** Against the peer or limit named in `against`, measured in the same run. */
  readonly ratio?: number;
  readonly against?: string;
  readonly aim?: string;
  readonly met?: boolean;
}

export type Bench = (args: readonly string[]) => Promise<readonly Figure[]>;

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/**
 * Runs the two in turn, A B A B …, and returns the median of each in milliseconds and of the ratios pair by pair. What
 * returns a number has measured its own time, in milliseconds.
 */
export async function pairwise(
  rounds: number,
  a: () => unknown,
  b: () => unknown,
): Promise<{ readonly a: number; readonly b: number; readonly ratio: number }> {
  const times = await inTurns(rounds, new Map([["a", a] as const, ["b", b] as const]));
  const [as = [], bs = []] = [times.get("a"), times.get("b")];
  return { a: median(as), b: median(bs), ratio: ratioOf(as, bs) };
}

/**
 * Runs all of them in turn, A B C A B C …, and returns each one's times in milliseconds, in the order of the rounds;
 * the first round warms up and does not count. What returns a number has measured its own time.
 */
export async function inTurns(
  rounds: number,
  works: ReadonlyMap<string, () => unknown>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map([...works.keys()].map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round += 1)
    for (const [name, work] of works) {
      const took = await timed(work);
      if (round >= 0) times.get(name)?.push(took);
    }
  return times;
}

/** The median of `a` against `b` round by round. */
export function ratioOf(a: readonly number[], b: readonly number[]): number {
  return median(a.map((one, round) => one / (b[round] ?? Number.NaN)));
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  const measured = await work();
  return typeof measured === "number" ? measured : performance.now() - start;
}

export function perSecond(count: number, ms: number): string {
  return `${Math.round((count / ms) * 1000).toLocaleString("en")}/s`;
}

/** What was measured on, and when. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GB`;
  const date = new Date().toISOString().slice(0, 10);
  // Of the last quarter of an hour: what else the machine was doing.
  const load = (loadavg()[2] ?? 0).toFixed(1);
  return (
    `psn bench · ${date} · Bun ${Bun.version} · ${platform()}-${arch()} · ${cpus().length} cores of ${model} · ` +
    `${memory} · load ${load}`
  );
}

export function print(title: string, figures: readonly Figure[]): void {
  console.log(`\n${title}`);
  for (const { name, value, ratio, against, aim, met } of figures) {
    const compared = ratio === undefined ? "" : `  ${ratio.toFixed(2)}x ${against ?? ""}`;
    const wanted = aim === undefined ? "" : `  aim ${aim}${met === undefined ? "" : met ? ": met" : ": NOT met"}`;
    console.log(`  ${name.padEnd(44)} ${value.padStart(14)}${compared}${wanted}`);
  }
}
