import { setTimeout as sleep } from "node:timers/promises";
import { runWorker } from "@psn/app/run-worker.ts";
import { openBenchHub } from "./hub.ts";
import { type Figure, quantile } from "./report.ts";

const COUNT = 200;
const OVER_MS = 20_000;
const AIM_MS = 100;

/** From the due instant to the moment the platform is called, for posts scheduled ahead over twenty seconds. */
export default async function lateness(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const kind of ["pg", "embedded"] as const) {
    const hub = await openBenchHub(kind);
    try {
      const begin = Date.now() + 3_000;
      const dueOf = new Map<string, number>();
      const late: number[] = [];
      for (let i = 0; i < COUNT; i += 1) {
        const due = begin + Math.round((i * OVER_MS) / COUNT);
        dueOf.set(await hub.schedule(new Date(due)), due);
      }
      hub.onPublish = (key) => late.push(Date.now() - (dueOf.get(key) ?? 0));
      const stop = new AbortController();
      const worker = runWorker({ world: hub.world, name: "bench", version: "0", stop: stop.signal });
      for (const deadline = begin + OVER_MS + 10_000; late.length < COUNT && Date.now() < deadline; ) await sleep(100);
      stop.abort();
      await worker;
      late.sort((a, b) => a - b);
      const p99 = quantile(late, 0.99);
      const value = `p50 ${quantile(late, 0.5)} ms, p99 ${p99} ms`;
      figures.push({
        name: `${late.length} of ${COUNT} posts, ${hub.driver}`,
        value,
        aim: `p99 ≤ ${AIM_MS} ms`,
        met: late.length === COUNT && p99 <= AIM_MS,
      });
    } finally {
      await hub.close();
    }
  }
  return figures;
}
