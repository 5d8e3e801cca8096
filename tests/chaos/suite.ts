import { badDayRuns } from "./bad-day.ts";
import { copyRuns } from "./copies.ts";
import { deletionRuns } from "./deletions.ts";
import { editRuns } from "./edits.ts";
import { type DatabaseKind, type Ground, type Lane, startGround } from "./ground.ts";
import { killRuns } from "./kills.ts";
import { meanwhileRuns } from "./meanwhile.ts";
import { cutRuns, lateRuns, misdeedRuns, skewRuns, slowRuns } from "./misdeeds.ts";
import { databaseCutRuns, holderRuns, postgresRuns } from "./outages.ts";
import { anyMomentRun, cancelRuns, changeRun, crowdRun, takeoverRuns } from "./races.ts";
import type { Judged, Row, Run } from "./runs.ts";
import { COMMANDS, stopRun } from "./stops.ts";

/*
 * All scenarios on all platforms over both databases, several at once, and the table they make.
 */

export interface Wanted {
  readonly seed: number;
  /** How often what is left to chance is tried. */
  readonly count: number;
  /** A part of "what breaks, platform, database", in small letters, or some of them with `|` between; everything if not
   * given. */
  readonly only?: string;
  readonly short: boolean;
  /**
   * No run begins later than this after the first, in milliseconds; all of them run if not given. What is left out is
   * left to chance: the seed decides the order.
   */
  readonly withinMs?: number;
  readonly onRun?: (line: string) => void;
}

export interface Cell extends Row {
  readonly runs: number;
  readonly deliveries: number;
  readonly once: number;
  readonly cancelled: number;
  readonly unconfirmed: number;
  /** The platform said no, and holds nothing. */
  readonly refused: number;
  readonly lost: number;
  readonly doubled: number;
  /** A scenario that could not break what it was to break proves nothing. */
  readonly failed: number;
  readonly notes: readonly string[];
}

/** How many hubs of each kind work at the same time at most, and how much work it takes to make another. */
const LANES = 2;
const RUNS_WORTH_A_LANE = 10;
const RUN_MOST_MS = 600_000;

export async function chaos(wanted: Wanted, ground?: Ground): Promise<readonly Cell[]> {
  const own = ground ?? (await startGround());
  try {
    return await onGround(own, wanted);
  } finally {
    if (!ground) await own.stop();
  }
}

async function onGround(ground: Ground, wanted: Wanted): Promise<readonly Cell[]> {
  const { onRun, only = "" } = wanted;
  const like = await ground.lane("pg");
  const all = runsOf(like, wanted);
  const fitting = all.filter(({ breaks, platform, database }) =>
    only.split("|").some((part) => `${breaks}, ${platform}, ${database}`.toLowerCase().includes(part)),
  );
  const chosen = wanted.withinMs === undefined ? fitting : shuffled(fitting, wanted.seed);
  if (chosen.length === 0) throw new Error(`nothing of ${all.length} scenarios is called "${only}"`);

  const cells = new Map<string, Cell>();
  let serial = 0;
  const { withinMs } = wanted;
  const firstAt = performance.now();
  const next = (queue: Run[]) =>
    withinMs === undefined || performance.now() - firstAt < withinMs ? queue.shift() : undefined;
  const work = async (lane: Lane, queue: Run[]) => {
    for (let run = next(queue); run; run = next(queue)) {
      serial += 1;
      const began = performance.now();
      const ended = await attempt(lane, run, `${lane.name}r${serial}`);
      count(cells, run, ended);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      onRun?.(
        `${seconds.padStart(5)} s  ${run.breaks}, ${run.platform}, ${run.database}` +
          ("error" in ended ? `: ${ended.error}` : ""),
      );
    }
  };
  const many = async (kind: DatabaseKind, first?: Lane) => {
    const queue = chosen.filter((run) => run.database === kind && !run.alone);
    const count = Math.min(LANES, Math.ceil(queue.length / RUNS_WORTH_A_LANE));
    await Promise.all(
      Array.from({ length: count }, async (_, n) => work(n === 0 && first ? first : await ground.lane(kind), queue)),
    );
  };
  await Promise.all([many("pg", like), many("embedded")]);
  const alone = chosen.filter((run) => run.alone);
  if (alone.length > 0) {
    const lane = await ground.laneAlone();
    servers.set(lane, lane.postgres);
    await work(lane, [...alone]);
  }
  return [...cells.values()];
}

const servers = new WeakMap<Lane, Awaited<ReturnType<Ground["laneAlone"]>>["postgres"]>();

/** Every scenario; the lane only tells the targets' traits. */
function runsOf({ targets, more }: Lane, { short, seed, count: times }: Wanted): Run[] {
  const random = randomOf(seed);
  const repeated = (make: () => Run) => Array.from({ length: times }, make);
  const postgresOf = (lane: Lane) => {
    const server = servers.get(lane);
    if (!server) throw new Error("this lane has no server of its own");
    return server;
  };
  const everywhere = [...targets, ...more];
  const named = (names: readonly string[]) => everywhere.filter(({ name }) => names.includes(name));
  const both = ["pg", "embedded"] as const;
  if (short) {
    const some = <T>(runs: readonly T[], nth: number) => runs.filter((_, n) => n % nth === 0);
    return [
      ...killRuns("pg", named(["bluesky", "mastodon, no keys", "webhook"]), true),
      ...some(killRuns("pg", named(["searched", "blind", "feed", "x"]), true), 2),
      ...some(killRuns("embedded", named(["bluesky", "mastodon, no keys", "blind"]), true), 6),
      ...both.flatMap((kind) => [...editRuns(kind, everywhere), ...deletionRuns(kind, everywhere)]),
      ...some(meanwhileRuns("pg", everywhere, ["is killed", "goes on"]), 7),
      ...some(meanwhileRuns("embedded", everywhere, ["is killed"]), 9),
      ...misdeedRuns("pg", named(["mastodon, no keys", "webhook", "blind"]), true),
      ...cutRuns("pg", named(["bluesky", "mastodon, no keys", "webhook"]), true),
      ...slowRuns("pg", named(["blind"])),
      ...badDayRuns("pg", named(["mastodon, no keys", "webhook"]), true),
      ...badDayRuns("embedded", named(["mastodon, no keys"]), true),
      ...lateRuns("pg", named(["mastodon, no keys"])),
      ...takeoverRuns("pg", named(["searched", "mastodon, no keys"])),
      ...databaseCutRuns(true),
      ...holderRuns(true),
      ...copyRuns(),
      changeRun("pg", random),
      crowdRun("pg", 4, 1, random),
    ];
  }
  return [
    ...both.flatMap((kind) => killRuns(kind, everywhere, false)),
    ...both.flatMap((kind) => [...editRuns(kind, everywhere), ...deletionRuns(kind, everywhere)]),
    ...meanwhileRuns("pg", everywhere, ["is killed", "goes on"]),
    ...meanwhileRuns("embedded", everywhere, ["is killed"]),
    ...misdeedRuns("pg", targets, false),
    ...cutRuns("pg", targets, false),
    ...slowRuns("pg", targets),
    ...lateRuns("pg", targets),
    ...skewRuns("pg", targets),
    ...both.flatMap((kind) => badDayRuns(kind, targets, false)),
    ...both.flatMap((kind) => takeoverRuns(kind, targets)),
    ...databaseCutRuns(false),
    ...postgresRuns(postgresOf, false),
    ...holderRuns(false),
    ...copyRuns(),
    ...cancelRuns("pg"),
    ...both.flatMap((kind) => [
      crowdRun(kind, 10, 0, random),
      ...repeated(() => crowdRun(kind, 10, 5, random)),
      ...repeated(() => changeRun(kind, random)),
      ...repeated(() => anyMomentRun(kind, random)),
      ...COMMANDS.flatMap((command) => repeated(() => stopRun(kind, random, command))),
    ]),
  ];
}

/** Fisher and Yates: each order is as likely as any other. */
function shuffled<T>(all: readonly T[], seed: number): T[] {
  const [random, mixed] = [randomOf(seed), [...all]];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Ended = { readonly judged: readonly Judged[] } | { readonly error: string };

async function attempt(lane: Lane, run: Run, tag: string): Promise<Ended> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${RUN_MOST_MS / 1000} s`)), RUN_MOST_MS);
  });
  try {
    return { judged: await Promise.race([run.go(lane, tag), late]) };
  } catch (error) {
    // What it left must not fall to the next one.
    await lane.quiet();
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

const NONE = {
  runs: 0,
  deliveries: 0,
  once: 0,
  cancelled: 0,
  unconfirmed: 0,
  refused: 0,
  lost: 0,
  doubled: 0,
  failed: 0,
  notes: [],
};

function count(cells: Map<string, Cell>, { breaks, platform, database }: Run, ended: Ended): void {
  const add = (name: string, change: (cell: Cell) => Cell) => {
    const key = `${breaks}\n${name}\n${database}`;
    cells.set(key, change(cells.get(key) ?? { ...NONE, breaks, platform: name, database }));
  };
  if ("error" in ended) {
    add(platform, (cell) => ({
      ...cell,
      runs: cell.runs + 1,
      failed: cell.failed + 1,
      notes: [...cell.notes, ended.error],
    }));
    return;
  }
  for (const name of new Set(ended.judged.map(({ target }) => target.name)))
    add(name, (cell) => ({ ...cell, runs: cell.runs + 1 }));
  for (const { target, verdict, why, told } of ended.judged)
    add(target.name, (cell) => ({
      ...cell,
      deliveries: cell.deliveries + 1,
      [verdict]: cell[verdict] + 1,
      notes:
        verdict === "lost" || verdict === "doubled"
          ? [...cell.notes, `${verdict}: ${why}; ${told.events.join(", ")}`]
          : cell.notes,
    }));
}

/**
 * Never lost, never twice; in doubt only where a platform leaves it to a person, which is checked where it is counted.
 */
export const holds = ({ lost, doubled, failed }: Cell): boolean => lost + doubled + failed === 0;

/** The table: what broke, on which platform, over which database. */
export function tableOf(cells: readonly Cell[]): string {
  const head = [
    "what breaks",
    "platform",
    "database",
    "runs",
    "posts",
    "once",
    "cancelled",
    "unconfirmed",
    "refused",
    "lost",
    "doubled",
  ];
  const row = ({
    breaks,
    platform,
    database,
    runs,
    deliveries,
    once,
    cancelled,
    unconfirmed,
    refused,
    lost,
    doubled,
    failed,
  }: Cell) => [
    failed > 0 ? `${breaks} (FAILED ${failed}x)` : breaks,
    platform,
    database,
    ...[runs, deliveries, once, cancelled, unconfirmed, refused, lost, doubled].map(String),
  ];
  const rows = [head, ...cells.toSorted((a, b) => order(a).localeCompare(order(b))).map(row), row(sumOf(cells))];
  const widths = head.map((_, column) => Math.max(...rows.map((cellsOf) => cellsOf[column]?.length ?? 0)));
  return rows
    .map((texts) =>
      texts.map((text, n) => (n < 3 ? text.padEnd(widths[n] ?? 0) : text.padStart(widths[n] ?? 0))).join("  "),
    )
    .join("\n");
}

const order = ({ breaks, platform, database }: Row) => `${breaks}\n${database}\n${platform}`;

export function sumOf(cells: readonly Cell[]): Cell {
  const sum = (field: keyof typeof NONE & Exclude<keyof Cell, "notes">) =>
    cells.reduce((all, cell) => all + cell[field], 0);
  return {
    breaks: "all",
    platform: "",
    database: "" as DatabaseKind,
    runs: sum("runs"),
    deliveries: sum("deliveries"),
    once: sum("once"),
    cancelled: sum("cancelled"),
    unconfirmed: sum("unconfirmed"),
    refused: sum("refused"),
    lost: sum("lost"),
    doubled: sum("doubled"),
    failed: sum("failed"),
    notes: [],
  };
}
