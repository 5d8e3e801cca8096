import { answered } from "@psn/domain/delivery.ts";
import { openBenchHub } from "./hub.ts";
import { type Figure, median } from "./report.ts";

const SIZES = [10_000, 1_000_000] as const;
const CLAIMS = 40;
const AIM = 1.5;

/** One claim among few and among a million scheduled rows. */
export default async function growth(): Promise<readonly Figure[]> {
  const hub = await openBenchHub("pg");
  try {
    const times: number[] = [];
    let rows = 0;
    for (const size of SIZES) {
      await fill(hub, size - rows);
      rows = size;
      times.push(await claimTime(hub));
    }
    const [few = 0, many = 0] = times;
    const ratio = many / few;
    return [
      { name: `claim among ${SIZES[0].toLocaleString("en")} rows`, value: `${few.toFixed(2)} ms` },
      {
        name: `claim among ${SIZES[1].toLocaleString("en")} rows`,
        value: `${many.toFixed(2)} ms`,
        ratio,
        against: "the smaller",
        aim: `≤ ${AIM}x`,
        met: ratio <= AIM,
      },
    ];
  } finally {
    await hub.close();
  }
}

type Hub = Awaited<ReturnType<typeof openBenchHub>>;

/** Scheduled far ahead, one post each, written as the owner. */
async function fill({ database, userId, accountId }: Hub, count: number): Promise<void> {
  await database.asOwner?.(async (client) => {
    await client.query("BEGIN");
    await client.query("ALTER TABLE psn.deliveries DISABLE TRIGGER deliveries_wake");
    await client.query(
      `WITH made AS (
         INSERT INTO psn.posts (id, user_id, parts) SELECT gen_random_uuid(), $1, '[{"text":"later","media":[]}]' FROM generate_series(1, $2) RETURNING id
       ) INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at)
         SELECT gen_random_uuid(), $1, id, $3, 'scheduled', now() + interval '1 day' + random() * interval '300 days', now() + interval '1 day' + random() * interval '300 days' FROM made`,
      [userId, count, accountId],
    );
    await client.query("ALTER TABLE psn.deliveries ENABLE TRIGGER deliveries_wake");
    await client.query("COMMIT");
    await client.query("VACUUM ANALYZE psn.posts, psn.deliveries");
    // Else the disk is still busy with the filling while the claims are timed.
    await client.query("CHECKPOINT");
  });
}

async function claimTime(hub: Hub): Promise<number> {
  const { deliveries } = hub.world.stores;
  const times: number[] = [];
  for (let i = 0; i < CLAIMS; i += 1) {
    await hub.schedule(new Date());
    const start = performance.now();
    const [claim] = await deliveries.claim({ worker: "bench", most: 1, leaseMs: 60_000, concurrency: { idle: 64 } });
    times.push(performance.now() - start);
    if (!claim) throw new Error("nothing was claimed");
    await deliveries.settle(
      claim,
      "bench",
      answered(0, { status: "published", ref: { id: "1", url: "https://example.com/1" } }, undefined, 60_000),
    );
  }
  return median(times.slice(5));
}
