import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BESIDE, buildInstalled, EMPTY, emptyBun, type Started, take } from "./installed.ts";
import { type Figure, inTurns, median, ratioOf } from "./report.ts";

/*
 * What a person waits for, as whole processes of psn as it is installed, and the memory of its worker.
 *
 *   bun run bench startup [--beside=PROGRAM]
 *
 * --beside: another compiled psn, an earlier one for instance, takes its turn in each round.
 */

const ROUNDS = 9;
const INITS = 5;
const MB = 1024 * 1024;
/** How long a worker that has started is left alone before it is looked at, in milliseconds. */
const SETTLE_MS = 10_000;
const QUEUE = ["queue"];
const POST = ["post", "hello", "--to", "feed"];

/** A psn and the hub that it has made. */
interface Way {
  readonly name: string;
  readonly started: Started;
  /** The hub's folder. */
  readonly hub: string;
}

/** A command, and its aim in milliseconds; `empty` is what an empty Bun took. */
interface Command {
  readonly name: string;
  readonly argv: readonly string[];
  readonly aim: (empty: number) => number;
}

/** Without a database: three times an empty Bun, and 40 milliseconds. */
const little = (empty: number): number => 3 * empty + 40;
const ALONE: readonly Command[] = [
  { name: "psn --version", argv: ["--version"], aim: little },
  { name: "psn --help", argv: ["--help"], aim: little },
  { name: "psn queue", argv: QUEUE, aim: () => 300 },
  { name: "psn post, to a feed", argv: POST, aim: () => 550 },
];
const SERVED: readonly Command[] = [
  { name: "psn queue beside a worker", argv: QUEUE, aim: () => 120 },
  { name: "psn post beside a worker", argv: POST, aim: () => 350 },
];
const INIT_AIM_MS = 2_000;
const INIT_AIM_MB = 350;
const WORKER_AIM_MB = 160;

export default async function startup(args: readonly string[]): Promise<readonly Figure[]> {
  const root = await mkdtemp(join(tmpdir(), "psn-bench-"));
  try {
    const installed = await buildInstalled(root, args);
    const ways = [...installed].map(([name, started], n) => ({ name, started, hub: join(root, `hub${n}`) }));
    const inits = await initialised(ways);
    for (const { started, hub } of ways)
      await take([...started, "connect", "feed", "public", "--url", "https://example.com"], { cwd: hub });
    const alone = await commands(ways, ALONE);
    const workers = await Promise.all(ways.map(startWorker));
    const idle = workers.map(({ pid }) => [residentBytes(pid) / MB]);
    const served = await commands(ways, SERVED);
    const after = workers.map(({ pid }) => [residentBytes(pid) / MB]);
    for (const worker of workers) worker.kill("SIGINT");
    await Promise.all(workers.map(({ exited }) => exited));
    return [
      ...alone,
      ...served,
      ...inits,
      ...best({ name: "memory of the idle worker", ways, values: idle, unit: "MB", aim: WORKER_AIM_MB }),
      ...best({ name: "when it has served these commands", ways, values: after, unit: "MB" }),
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Each command in each way, all in turn with an empty Bun. */
async function commands(ways: readonly Way[], all: readonly Command[]): Promise<readonly Figure[]> {
  const works = new Map<string, () => Promise<number>>([[EMPTY, emptyBun]]);
  for (const { name, argv } of all)
    for (const way of ways)
      works.set(`${name} ${way.name}`, async () => (await take([...way.started, ...argv], { cwd: way.hub })).ms);
  const times = await inTurns(ROUNDS, works);
  const empty = times.get(EMPTY) ?? [];
  const figures = all.flatMap(({ name, aim }) => {
    const values = ways.map((way) => times.get(`${name} ${way.name}`) ?? []);
    return best({ name, ways, values, unit: "ms", aim: aim(median(empty)), empty });
  });
  return [...figures, { name: `${EMPTY}, meanwhile`, value: `${median(empty).toFixed(1)} ms` }];
}

/** Makes the hub of each way, again and again, in turns. */
async function initialised(ways: readonly Way[]): Promise<readonly Figure[]> {
  const peaks = ways.map((): number[] => []);
  const works = new Map<string, () => Promise<number>>([[EMPTY, emptyBun]]);
  for (const [n, { name, started, hub }] of ways.entries())
    works.set(name, async () => {
      await rm(hub, { recursive: true, force: true });
      await mkdir(hub);
      const { ms, peak } = await take([...started, "init", "--tz", "UTC"], { cwd: hub });
      peaks[n]?.push(peak / MB);
      return ms;
    });
  const times = await inTurns(INITS, works);
  const empty = times.get(EMPTY) ?? [];
  const values = ways.map(({ name }) => times.get(name) ?? []);
  const most = peaks.map((all) => [Math.max(...all)]);
  return [
    ...best({ name: "psn init", ways, values, unit: "ms", aim: INIT_AIM_MS, empty }),
    ...best({ name: "its most memory", ways, values: most, unit: "MB", aim: INIT_AIM_MB }),
  ];
}

interface Compared {
  readonly name: string;
  readonly ways: readonly Way[];
  /** Of each way, in the order of the rounds. */
  readonly values: readonly (readonly number[])[];
  readonly unit: "ms" | "MB";
  /** Of the medians, at most. */
  readonly aim?: number;
  /** What an empty Bun took in the same rounds. */
  readonly empty?: readonly number[];
}

/** The way with the smallest median, held against the aim; then the others, and its ratio to the other program. */
function best({ name, ways, values, unit, aim, empty }: Compared): readonly Figure[] {
  const all = ways.map((way, n) => ({ way: way.name, each: values[n] ?? [], value: median(values[n] ?? []) }));
  const shown = (value: number) => `${value.toFixed(0)} ${unit}`;
  const against = (each: readonly number[]) => empty && { ratio: ratioOf(each, empty), against: EMPTY };
  const [first, ...others] = all.filter(({ way }) => way !== BESIDE).toSorted((a, b) => a.value - b.value);
  if (first === undefined) return [];
  const met = aim === undefined ? undefined : { aim: `≤ ${aim.toFixed(0)} ${unit}`, met: first.value <= aim };
  const other = all.find(({ way }) => way === BESIDE);
  return [
    { name: `${name} (${first.way})`, value: shown(first.value), ...against(first.each), ...met },
    ...others.map(({ way, each, value }) => ({ name: `the same (${way})`, value: shown(value), ...against(each) })),
    ...(other === undefined ? [] : [beside(name, shown(other.value), ratioOf(first.each, other.each))]),
  ];
}

const beside = (name: string, value: string, ratio: number): Figure => ({
  name: `${name}, by ${BESIDE}`,
  value,
  ratio,
  against: BESIDE,
});

async function startWorker({ started, hub }: Way): Promise<Bun.Subprocess> {
  const worker = Bun.spawn([...started, "worker"], { cwd: hub, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  await sleep(SETTLE_MS);
  if (worker.exitCode !== null) throw new Error(`psn worker ended with ${worker.exitCode}`);
  return worker;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html (2026-11); unknown where there is no /proc. */
function residentBytes(pid: number): number {
  if (process.platform !== "linux") return Number.NaN;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
