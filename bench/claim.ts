import { runWorker } from "@psn/app/run-worker.ts";
import { openBenchHub } from "./hub.ts";
import { type Figure, perSecond } from "./report.ts";

const COUNT = { pg: 2_000, embedded: 1_000 } as const;

/** Deliveries a second through the whole engine: claim, load, publish to nowhere, settle. */
export default async function claim(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const kind of ["pg", "embedded"] as const) {
    const hub = await openBenchHub(kind);
    try {
      const due = new Date();
      const keys = new Set<string>();
      for (let i = 0; i < COUNT[kind]; i += 1) keys.add(await hub.schedule(due));
      const stop = new AbortController();
      const published = new Set<string>();
      const start = performance.now();
      let settled = 0;
      hub.onPublish = (key) => published.add(key);
      const onDone = () => {
        settled += 1;
        if (settled >= keys.size) stop.abort();
      };
      await runWorker({ world: hub.world, name: "bench", version: "0", stop: stop.signal, onDone });
      const ms = performance.now() - start;
      if (published.size !== keys.size) throw new Error(`${published.size} of ${keys.size} published`);
      figures.push({ name: `claim + settle, ${hub.driver}`, value: perSecond(keys.size, ms) });
    } finally {
      await hub.close();
    }
  }
  return figures;
}
