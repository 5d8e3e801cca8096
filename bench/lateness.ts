import { setTimeout as sleep } from "node:timers/promises";
import { runWorker } from "@psn/app/run-worker.ts";
import { drain } from "./claim.ts";
import { openBenchHub } from "./hub.ts";
import { type Figure, median, perSecond, quantile } from "./report.ts";

/** A crowded hour, in a minute. */
const CROWD = { count: 10_000, overMs: 60_000 } as const;
const EMBEDDED = { count: 1_000, overMs: 20_000 } as const;
const AIM_MS = 100;
const BACKLOG = 100_000;
/** Growth of the worker's memory over a backlog that counts as flat, in bytes. */
const FLAT = 32 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

/** How late posts scheduled ahead are sent, and what a backlog does to the worker's memory. */
export default async function lateness(): Promise<readonly Figure[]> {
  return [await crowd("pg", CROWD), await crowd("embedded", EMBEDDED), ...(await backlog())];
}

/**
 * How late a timer is at the 99th of a hundred, in milliseconds, in a process that does nothing else: what the machine
 * allows.
 */
async function bareTimers(forMs: number): Promise<number> {
  const script = `const late = [], end = Date.now() + ${forMs};
    while (Date.now() < end) {
      const due = performance.now() + 20;
      await Bun.sleep(20);
      late.push(performance.now() - due);
    }
    console.log(late.sort((a, b) => a - b)[Math.floor(late.length * 0.99)]);`;
  const { stdout } = Bun.spawn([process.execPath, "-e", script]);
  return Number(await new Response(stdout).text());
}

/** From the due instant to the moment the platform is called. */
async function crowd(
  kind: "pg" | "embedded",
  { count, overMs }: { readonly count: number; readonly overMs: number },
): Promise<Figure> {
  const hub = await openBenchHub(kind);
  const stop = new AbortController();
  try {
    // Time to write them all before the first is due.
    const begin = Date.now() + 10_000;
    await hub.fill(count, new Date(begin), overMs);
    const rows = await hub.asOwner<{ key: string; due: Date }>(
      "SELECT u.id AS key, d.due_at AS due FROM psn.deliveries d JOIN psn.delivery_units u ON u.delivery_id = d.id",
    );
    if (Date.now() > begin) throw new Error("they were not written in time");
    const dueOf = new Map(rows.map(({ key, due }) => [key, due.getTime()]));
    const late: number[] = [];
    hub.onPublish = (key) => late.push(Date.now() - (dueOf.get(key) ?? 0));
    const floor = bareTimers(begin + overMs - Date.now());
    const worker = runWorker({ world: hub.world, name: "bench", version: "0", stop: stop.signal });
    for (const deadline = begin + overMs + 20_000; late.length < count && Date.now() < deadline; ) await sleep(100);
    stop.abort();
    await worker;
    late.sort((a, b) => a - b);
    const p99 = quantile(late, 0.99);
    return {
      name:
        `${late.length.toLocaleString("en")} of ${count.toLocaleString("en")} posts in ${overMs / 1000} s, ` +
        `${hub.driver}`,
      value: `p50 ${quantile(late, 0.5)}, p99 ${p99}, max ${late.at(-1)} ms late`,
      ratio: p99 / (await floor),
      against: "a bare timer's p99",
      aim: `p99 ≤ ${AIM_MS} ms`,
      met: late.length === count && p99 <= AIM_MS,
    };
  } finally {
    stop.abort();
    await hub.close();
  }
}

async function backlog(): Promise<readonly Figure[]> {
  const hub = await openBenchHub("pg");
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(process.memoryUsage.rss()), 100);
  try {
    await hub.fill(BACKLOG, new Date(Date.now() - 1000), 0);
    samples.length = 0;
    const ms = await drain(hub, BACKLOG);
    // The first tenth warms up: the compiler and the heap take what they need.
    const tenth = Math.ceil(samples.length / 10);
    const [before, after] = [median(samples.slice(tenth, 2 * tenth)), median(samples.slice(-tenth))];
    const grown = after - before;
    return [
      { name: `a backlog of ${BACKLOG.toLocaleString("en")}, pg`, value: `${perSecond(BACKLOG, ms)}` },
      {
        name: "memory of the worker meanwhile",
        value:
          `${(before / MEGABYTE).toFixed(0)} → ${(after / MEGABYTE).toFixed(0)} MB, most ` +
          `${(Math.max(...samples) / MEGABYTE).toFixed(0)}`,
        ratio: after / before,
        against: "its second tenth",
        aim: `grows ≤ ${FLAT / MEGABYTE} MB`,
        met: grown <= FLAT,
      },
    ];
  } finally {
    clearInterval(timer);
    await hub.close();
  }
}
