import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

/*
 * graphile-worker (https://worker.graphile.org/docs/performance, 2026-11), the peer of this program's language and
 * database: how many jobs a second it gets through when a job does nothing.
 */

export interface PeerMode {
  /** Jobs at once, and connections. */
  readonly concurrentJobs: number;
  readonly maxPoolSize: number;
  /** Jobs it fetches and locks ahead; none in its default mode. */
  readonly localQueue?: number;
}

const PATIENCE_MS = 60_000;
const quiet = new Logger(() => () => undefined);

/** Milliseconds from the start of a worker until the last of `count` jobs is gone from its table. */
export async function timePeer(
  url: string,
  count: number,
  { concurrentJobs, maxPoolSize, localQueue }: PeerMode,
): Promise<number> {
  const pgPool = new pg.Pool({ connectionString: url, max: maxPoolSize });
  pgPool.on("error", () => undefined);
  pgPool.on("connect", (client) => client.on("error", () => undefined));
  try {
    await runMigrations({ pgPool, logger: quiet });
    await pgPool.query(
      "SELECT graphile_worker.add_job('idle', json_build_object('n', n)) FROM generate_series(1, $1::integer) n",
      [count],
    );
    await pgPool.query("VACUUM ANALYZE graphile_worker._private_jobs");
    await pgPool.query("CHECKPOINT");
    let ran = 0;
    let ended: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const start = performance.now();
    const runner = await run({
      pgPool,
      logger: quiet,
      noHandleSignals: true,
      taskList: {
        idle: async () => {
          ran += 1;
          if (ran >= count) ended();
        },
      },
      preset: {
        worker: {
          concurrentJobs,
          ...(localQueue ? { localQueue: { size: localQueue }, completeJobBatchDelay: 0 } : {}),
        },
      },
    });
    await all;
    // It reports a job as done before that is written; what counts is the table.
    for (const deadline = start + PATIENCE_MS; ; await Bun.sleep(2)) {
      const { rows } = await pgPool.query<{ left: number }>(
        "SELECT count(*)::integer AS left FROM graphile_worker._private_jobs",
      );
      if (rows[0]?.left === 0) break;
      if (performance.now() > deadline) throw new Error(`${rows[0]?.left} jobs are left`);
    }
    const ms = performance.now() - start;
    await runner.stop();
    return ms;
  } finally {
    await pgPool.end();
  }
}
