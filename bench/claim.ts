import { runWorker } from "@psn/app/run-worker.ts";
import pg from "pg";
import { type Postgres, startPostgres } from "../tests/support/postgres.ts";
import { type BenchHub, type BenchHubOptions, openBenchHub } from "./hub.ts";
import { timePeer } from "./peer.ts";
import { type Figure, median, perSecond } from "./report.ts";

const ROUNDS = 3;
const COUNT = 10_000;
const EMBEDDED_COUNT = 3_000;
/** As its documentation measures it: https://worker.graphile.org/docs/performance (2026-11). */
const PEER = { concurrentJobs: 24, maxPoolSize: 24 } as const;
const LOCAL_QUEUE = 500;
const COMMITS = 1_000;

/**
 * Deliveries a second through the whole engine: claim, load, publish to nowhere, settle; and the jobs a second of
 * graphile-worker, in turns on the same server.
 */
export default async function claim(): Promise<readonly Figure[]> {
  const server = await startPostgres({ fast: false });
  const each = {
    psn: [] as number[],
    shared: [] as number[],
    single: [] as number[],
    queued: [] as number[],
    commits: [] as number[],
  };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      each.psn.push(await timeHub("pg", COUNT, { server }));
      each.single.push(await timePeer(await server.createDatabase(), COUNT, PEER));
      each.shared.push(await timeHub("pg", COUNT, { server, accounts: 50, concurrency: 4 }));
      each.queued.push(await timePeer(await server.createDatabase(), COUNT, { ...PEER, localQueue: LOCAL_QUEUE }));
      each.commits.push(await timeCommits(server));
    }
  } finally {
    await server.stop();
  }
  const embedded = await timeHub("embedded", EMBEDDED_COUNT, {});
  const ratio = (of: readonly number[]) => median(each.psn.map((ms, round) => (of[round] ?? Number.NaN) / ms));
  const [psn, single] = [median(each.psn), ratio(each.single)];
  return [
    {
      name: "deliveries, pg",
      value: perSecond(COUNT, psn),
      ratio: single,
      against: "graphile-worker, default mode",
      aim: "> 1x",
      met: single > 1,
    },
    {
      name: "the same",
      value: perSecond(COUNT, psn),
      ratio: ratio(each.queued),
      against: "graphile-worker, local queue",
    },
    {
      name: "the same",
      value: perSecond(COUNT, psn),
      ratio: median(each.psn.map((ms, round) => (each.commits[round] ?? Number.NaN) / COMMITS / (ms / COUNT))),
      against: "commits, one connection",
    },
    { name: "deliveries, pg, 50 accounts, 4 at once each", value: perSecond(COUNT, median(each.shared)) },
    { name: "deliveries, embedded", value: perSecond(EMBEDDED_COUNT, embedded) },
    {
      name: `graphile-worker, default mode, ${PEER.concurrentJobs} at once`,
      value: perSecond(COUNT, median(each.single)),
    },
    { name: `graphile-worker, local queue of ${LOCAL_QUEUE}`, value: perSecond(COUNT, median(each.queued)) },
    { name: "commits of one row, one connection", value: perSecond(COMMITS, median(each.commits)) },
  ];
}

async function timeHub(kind: "pg" | "embedded", count: number, options: BenchHubOptions): Promise<number> {
  const hub = await openBenchHub(kind, options);
  try {
    await hub.fill(count, new Date(Date.now() - 1000), 0);
    return await drain(hub, count);
  } finally {
    await hub.close();
  }
}

/** Milliseconds until a worker has all of them out; each of them once, or it throws. */
export async function drain(hub: BenchHub, count: number): Promise<number> {
  const stop = new AbortController();
  let [sent, ended] = [0, 0];
  hub.onPublish = () => {
    sent += 1;
  };
  const onDone = () => {
    ended += 1;
    if (ended >= count) stop.abort();
  };
  const start = performance.now();
  await runWorker({ world: hub.world, name: "bench", version: "0", stop: stop.signal, onDone });
  const ms = performance.now() - start;
  const [found] = await hub.asOwner<{ out: number }>(
    "SELECT count(*)::integer AS out FROM psn.deliveries WHERE state = 'published' AND attempt = 1",
  );
  if (sent !== count || found?.out !== count) throw new Error(`${sent} sent and ${found?.out} published of ${count}`);
  return ms;
}

/** What the disk allows one writer who waits for each write. */
async function timeCommits(server: Postgres): Promise<number> {
  const client = new pg.Client({ connectionString: await server.createDatabase() });
  await client.connect();
  try {
    await client.query("CREATE TABLE one (n integer)");
    await client.query("INSERT INTO one VALUES (0)");
    const start = performance.now();
    for (let n = 0; n < COMMITS; n += 1) await client.query("UPDATE one SET n = n + 1");
    return performance.now() - start;
  } finally {
    await client.end();
  }
}
