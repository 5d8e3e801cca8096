import { answered } from "@psn/domain/delivery.ts";
import { startPostgres } from "../tests/support/postgres.ts";
import { type BenchHub, openBenchHub } from "./hub.ts";
import { type Figure, median } from "./report.ts";

const SIZES = [10_000, 1_000_000] as const;
/** With --large; some eight minutes and ten gigabytes of disk. */
const LARGE = 5_000_000;
/** Written at a time. */
const CHUNK = 250_000;
const ROUNDS = 60;
const AIM = 1.5;
/** As `psn queue` asks for if not told otherwise. */
const QUEUE = 50;

/** One claim, one settle and `psn queue` in a small hub and in large ones, in turns. Nine of ten rows are published. */
export default async function growth(args: readonly string[]): Promise<readonly Figure[]> {
  const sizes = args.includes("--large") ? [...SIZES, LARGE] : SIZES;
  const server = await startPostgres({ fast: false, settings: { max_wal_size: "4GB", maintenance_work_mem: "256MB" } });
  const hubs: BenchHub[] = [];
  try {
    for (const size of sizes) {
      const hub = await openBenchHub("pg", { server });
      hubs.push(hub);
      await fill(hub, size);
    }
    const times = hubs.map(() => ({ claim: [] as number[], settle: [] as number[], queue: [] as number[] }));
    for (let round = -5; round < ROUNDS; round += 1) {
      // There and back, so that none is always the first after a pause.
      for (const [index, hub] of round % 2 === 0 ? [...hubs.entries()] : [...hubs.entries()].reverse()) {
        const timed = await once(hub);
        if (round < 0) continue;
        times[index]?.claim.push(timed.claim);
        times[index]?.settle.push(timed.settle);
        times[index]?.queue.push(timed.queue);
      }
    }
    return (["claim", "settle", "queue"] as const).flatMap((what) =>
      sizes.map((size, index): Figure => {
        const few = median(times[0]?.[what] ?? []);
        const many = median(times[index]?.[what] ?? []);
        const name = `${what === "queue" ? "psn queue" : what} among ${size.toLocaleString("en")} deliveries`;
        const value = `${many.toFixed(2)} ms`;
        if (index === 0) return { name, value };
        const ratio = many / few;
        return { name, value, ratio, against: "the smallest", aim: `≤ ${AIM}x`, met: ratio <= AIM };
      }),
    );
  } finally {
    for (const hub of hubs) await hub.close();
    await server.stop();
  }
}

/** The past year's are published, one of ten is to come. */
async function fill(hub: BenchHub, size: number): Promise<void> {
  await hub.asOwner("ALTER TABLE psn.deliveries DISABLE TRIGGER deliveries_wake");
  const [account] = await hub.asOwner<{ id: string }>("SELECT id FROM psn.accounts");
  for (let done = 0; done < size; done += CHUNK)
    await hub.asOwner(FILL, [hub.userId, account?.id, Math.min(CHUNK, size - done)]);
  await hub.asOwner("ALTER TABLE psn.deliveries ENABLE TRIGGER deliveries_wake");
  await hub.asOwner("VACUUM ANALYZE");
  // Else the disk is still busy with the filling while something is timed.
  await hub.asOwner("CHECKPOINT");
}

async function once(
  hub: BenchHub,
): Promise<{ readonly claim: number; readonly settle: number; readonly queue: number }> {
  const { deliveries, posts } = hub.world.stores;
  await hub.schedule(new Date());
  const start = performance.now();
  const [claim] = await deliveries.claim({ worker: "bench", most: 1, leaseMs: 60_000, concurrency: { idle: 64 } });
  const claimed = performance.now();
  if (!claim) throw new Error("nothing was claimed");
  const outcome = { status: "published", ref: { id: "1", url: "https://example.com/1" } } as const;
  await deliveries.record(claim, "bench", answered(0, { outcome, next: undefined, leaseMs: 60_000 }));
  const settled = performance.now();
  await posts.list(hub.userId, "open", QUEUE);
  return { claim: claimed - start, settle: settled - claimed, queue: performance.now() - settled };
}

const FILL = `WITH n AS (
    SELECT uuidv7() AS post, uuidv7() AS delivery, n % 10 = 0 AS ahead, random() * interval '300 days' AS away
      FROM generate_series(1, $3::integer) n
  ),
  post AS (INSERT INTO psn.posts (id, user_id, parts) SELECT post, $1, '[{"text":"hello","media":[]}]' FROM n),
  delivery AS (
    INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at, updated_at, published_at)
    SELECT delivery, $1, post, $2, CASE WHEN ahead THEN 'scheduled' ELSE 'published' END, due, due,
      CASE WHEN ahead THEN now() ELSE due END, CASE WHEN ahead THEN NULL ELSE due END
    FROM n, LATERAL (SELECT CASE WHEN ahead THEN now() + interval '1 day' + away ELSE now() - away END AS due) at
  )
  INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, state, body, text, length, media, needs_prepare,
    ref_id, ref_url)
  SELECT uuidv7(), $1, delivery, 0, CASE WHEN ahead THEN 'waiting'
    ELSE 'published' END, '{}', 'hello', 5, '{}', false, '1', 'https://example.com/1' FROM n`;
