import { afterEach, describe, expect, it } from "vitest";
import { EXPIRED, schedule } from "../db/stage.ts";
import { asOwner, serverDatabases } from "../support/databases.ts";
import { claimAll, openPair, type Pair, userIdsOf } from "./member.ts";

let pair: Pair;
afterEach(() => pair?.db.close());

const BACKLOG = `WITH account AS (
    INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home)
    SELECT gen_random_uuid(), $1, $2, gen_random_uuid()::text, '@mallory', '', '' FROM generate_series(1, $3)
      RETURNING id
  ),
  post AS (INSERT INTO psn.posts (id, user_id, parts) VALUES (gen_random_uuid(), $1, '[]') RETURNING id),
  delivery AS (
    INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at)
    SELECT gen_random_uuid(), $1, post.id, account.id, 'scheduled', now() - interval '5 days',
      now() - interval '5 days' FROM account, post RETURNING id
  )
  INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
  SELECT gen_random_uuid(), $1, delivery.id, 0, '{}', 'x', 1, '{}', false FROM delivery`;

/** Overdue for long, one post on each of so many accounts: before everything of anybody else's, by time. */
const backlog = ({ db, mallory }: Pair, accounts = 80) =>
  asOwner(db, BACKLOG, [mallory.userId, mallory.platform, accounts]);

describe.each(serverDatabases)("a fair share for each, on $driver", (driver) => {
  it("of the places of one claim, and of a worker's", async () => {
    pair = await openPair(driver);
    const { vera, mallory } = pair;
    await backlog(pair);
    const { id } = await schedule(vera);
    const claims = await claimAll(pair, 64);
    expect(claims).toHaveLength(64);
    expect(claims.map(({ deliveryId }) => deliveryId)).toContain(id);
    expect(userIdsOf(claims).filter((user) => user === mallory.userId)).toHaveLength(63);

    // A worker that is full of one user's posts gives the places that get free to the others.
    const ids = await Promise.all(Array.from({ length: 5 }, () => schedule(vera)));
    const busy = claims.filter(({ userId }) => userId === mallory.userId).map(({ deliveryId }) => deliveryId);
    const next = await claimAll(pair, 4, busy);
    expect(userIdsOf(next)).toEqual(Array.from({ length: 4 }, () => vera.userId));
    expect(await claimAll(pair, 4, [...busy, ...next.map(({ deliveryId }) => deliveryId)])).toHaveLength(4);
    expect(ids).toHaveLength(5);
  });

  it("in turns, where both have more than there is room for; and alone, one gets all", async () => {
    pair = await openPair(driver);
    await backlog(pair);
    await Promise.all(Array.from({ length: 40 }, () => schedule(pair.vera)));
    const users = userIdsOf(await claimAll(pair, 20));
    expect(users.filter((user) => user === pair.vera.userId)).toHaveLength(10);
    const rest = userIdsOf(await claimAll(pair, 200));
    expect(rest).toHaveLength(100);
    await backlog(pair, 1);
    expect(await claimAll(pair, 1)).toHaveLength(1);
  });

  it("of the watchdog's wake-ups, and of what a pruning takes", async () => {
    pair = await openPair(driver);
    const { vera, mallory, db } = pair;
    await backlog(pair, 30);
    const due = await schedule(vera);
    const watched = { worker: "watch", version: "0", platforms: [vera.platform], aheadMs: EXPIRED, most: 20 };
    const wakeUps = await vera.stores.deliveries.wakeUps(watched);
    expect(wakeUps).toHaveLength(20);
    expect(wakeUps.map(({ deliveryId }) => deliveryId)).toContain(due.id);
    expect(wakeUps.map(({ at }) => at.getTime())).toEqual(wakeUps.map(({ at }) => at.getTime()).sort((a, b) => a - b));

    const content = new Uint8Array([1]);
    const file = () => ({
      id: Bun.randomUUIDv7(),
      kind: "image" as const,
      mime: "image/png",
      bytes: 1,
      sha256: "00",
      content,
    });
    for (const stage of [mallory, mallory, mallory, mallory, vera]) await schedule(stage, { media: [file(), file()] });
    await asOwner(db, "UPDATE psn.deliveries SET state = 'published'");
    const spent = await vera.stores.upkeep.spentMedia(0, 4);
    expect(spent.filter(({ userId }) => userId === vera.userId)).toHaveLength(2);
  });
});
