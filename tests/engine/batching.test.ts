import { publishDelivery } from "@psn/app/publish-delivery.ts";
import { concurrencyOf, runWorker } from "@psn/app/run-worker.ts";
import { together } from "@psn/core/db/stores/together.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { answered, failed, LEASE_MS } from "@psn/domain/delivery.ts";
import { describe, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { someOf } from "../support/how-much.ts";
import { sharedPostgres } from "../support/shared-postgres.ts";
import { atMost, until } from "../support/until.ts";
import { createWorld, noting } from "../support/world.ts";
import { recorder } from "./recorder.ts";
import { openStage, PLATFORMS, picture, type Stage, stageOn } from "./stage.ts";

/* What the promise is worth when many deliveries share a round trip. */

const published: DeliveryChange = answered(0, {
  outcome: { status: "published", ref: { id: "1", url: "https://example.com/1" } },
  next: undefined,
  leaseMs: LEASE_MS,
});

/** So many due deliveries of one text, each of an account of its own, claimed. */
async function claimed(stage: Stage, count: number): Promise<readonly Claim[]> {
  for (let n = 0; n < count; n += 1)
    await stage.post(await stage.connect("blind", `account-${n}`), { texts: [`post ${n}`] });
  const { deliveries } = stage.world.stores;
  const claims = await deliveries.claim({
    worker: "w",
    most: count,
    leaseMs: LEASE_MS,
    concurrency: await concurrencyOf(stage.world),
  });
  expect(claims).toHaveLength(count);
  return claims;
}

const states = async (stage: Stage) =>
  Object.fromEntries(
    (await stage.world.stores.posts.list(stage.userId, "all", 1000)).map(({ id, state }) => [id, state]),
  );
/** How many transactions of this database have written so far. */
const writes = async (stage: Stage) =>
  Number((await asOwner<{ xid: string }>(stage.db, "SELECT pg_current_xact_id()::text AS xid"))[0]?.xid);

describe.each(someOf(["pg", "embedded"] as const))("deliveries that end at the same time (%s)", (driver) => {
  test("share a write, and each hears of its own lease: one lost among ten that hold", async () => {
    const stage = await openStage(driver);
    const claims = await claimed(stage, 11);
    const lost = claims[4];
    await asOwner(stage.db, "UPDATE psn.deliveries SET fence = fence + 1, worker = 'another' WHERE id = $1", [
      lost?.deliveryId,
    ]);
    const before = await writes(stage);
    const held = await Promise.all(claims.map((claim) => stage.world.stores.deliveries.record(claim, "w", published)));
    expect((await writes(stage)) - before - 1).toBe(1);
    expect(held).toEqual(claims.map((claim) => claim !== lost));
    const now = await states(stage);
    for (const { deliveryId } of claims)
      expect(now[deliveryId]).toBe(deliveryId === lost?.deliveryId ? "sending" : "published");
  });

  test("cost two writes in all when they were claimed together, and are loaded in one round trip", async () => {
    const stage = await openStage(driver);
    for (let n = 0; n < 20; n += 1) await stage.post(await stage.connect("blind", `account-${n}`));
    const spy = noting(stage.db.database);
    const { world } = createWorld(spy.database, { platforms: PLATFORMS, fetch: stage.remote.fetch });
    const before = await writes(stage);
    expect(await stage.run({ world: { ...stage.world, stores: world.stores } })).toHaveLength(20);
    expect((await writes(stage)) - before - 1).toBeLessThanOrEqual(3);
    expect(spy.statements.filter((text) => text.includes("oauth_tokens")).length).toBeLessThanOrEqual(2);
    expect(new Set(Object.values(await states(stage)))).toEqual(new Set(["published"]));
    expect(stage.remote.posts).toHaveLength(20);
  });

  test("and one whose write the database refuses takes no other down", async () => {
    const stage = await openStage(driver);
    const claims = await claimed(stage, 6);
    // No such state.
    const refused = {
      ...failed(0, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 }),
      state: "gone" as "failed",
    };
    const ended = await Promise.allSettled(
      claims.map((claim, n) => stage.world.stores.deliveries.record(claim, "w", n === 2 ? refused : published)),
    );
    expect(ended.map(({ status }) => status)).toEqual(claims.map((_, n) => (n === 2 ? "rejected" : "fulfilled")));
    expect(ended[2]).toMatchObject({ reason: { code: "DB_FAILED" } });
    expect(ended.filter((one) => one.status === "fulfilled" && one.value)).toHaveLength(5);
    expect(Object.values(await states(stage)).filter((state) => state === "published")).toHaveLength(5);
  });

  test("and change their account do not overwrite each other", async () => {
    const stage = await openStage(driver);
    const account = await stage.connect("chosen");
    for (let n = 0; n < 2; n += 1) await stage.post(account, { texts: [`post ${n}`] });
    const { deliveries, accounts } = stage.world.stores;
    const claims = await deliveries.claim({ worker: "w", most: 2, leaseMs: LEASE_MS, concurrency: { chosen: 2 } });
    const pause = failed(0, {
      error: new PsnError("RATE_LIMITED", "slower", { retryAfterMs: 60_000 }),
      attempt: 1,
      random: 0,
    });
    const reconnect = failed(0, { error: new PsnError("AUTH_REVOKED", "connect again"), attempt: 1, random: 0 });
    const held = await Promise.all(
      claims.map((claim, n) => deliveries.record(claim, "w", n === 0 ? pause : reconnect)),
    );
    expect(held).toEqual([true, true]);
    const [now] = await accounts.list(stage.userId);
    expect(now).toMatchObject({ health: "needs-reconnect", healthReason: "connect again" });
    expect(now?.pausedUntil?.getTime()).toBeGreaterThan(Date.now());
  });
});

describe("a row that somebody else is writing", () => {
  test("holds up its own delivery alone", async () => {
    const stage = await openStage();
    const claims = await claimed(stage, 8);
    const settled: number[] = [];
    const all = await stage.db.owner.asOwner?.(async (other) => {
      await other.query("BEGIN");
      await other.query("UPDATE psn.deliveries SET updated_at = now() WHERE id = $1", [claims[7]?.deliveryId]);
      const settling = claims.map((claim, n) =>
        stage.world.stores.deliveries.record(claim, "w", published).then(() => settled.push(n)),
      );
      await until("the others are settled", () => settled.length === 7, 800);
      await other.query("COMMIT");
      return Promise.all(settling);
    });
    expect(all).toHaveLength(8);
    expect(settled.at(-1)).toBe(7);
    expect(new Set(Object.values(await states(stage)))).toEqual(new Set(["published"]));
  });

  test("by a transaction that wants the others too makes no deadlock that it hears of", async () => {
    const stage = await openStage();
    const claims = await claimed(stage, 8);
    const ids = claims.map(({ deliveryId }) => deliveryId);
    const held = await stage.db.owner.asOwner?.(async (other) => {
      const touch = (id: string | undefined) =>
        other.query("UPDATE psn.deliveries SET updated_at = now() WHERE id = $1", [id]);
      await other.query("BEGIN");
      await touch(ids[7]);
      // A slow machine may hold the row for longer than a write waits; the engine then writes again, and so does this.
      const settle = async (claim: (typeof claims)[number]): Promise<boolean> => {
        try {
          return await stage.world.stores.deliveries.record(claim, "w", published);
        } catch (error) {
          if (!(error instanceof PsnError && error.code === "DB_LOCKED")) throw error;
          return settle(claim);
        }
      };
      const settling = claims.map(settle);
      // The shared write has some rows and waits for one; this transaction has that one and waits for the rest.
      await until("it waits", async () => (await waiting(stage)) > 0);
      for (const id of ids.slice(0, 7)) await touch(id);
      await other.query("COMMIT");
      return Promise.all(settling);
    });
    expect(held).toEqual(ids.map(() => true));
    expect(new Set(Object.values(await states(stage)))).toEqual(new Set(["published"]));
  });
});

/** Sessions that wait for a lock. */
async function waiting(stage: Stage): Promise<number> {
  const text =
    "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = current_database() " +
    "AND wait_event_type = 'Lock'";
  return (await asOwner<{ n: number }>(stage.db, text))[0]?.n ?? 0;
}

test("a database that goes away during a shared write loses no outcome, and nothing is sent twice", async () => {
  const stage = await openStage("pg", { shorten: (ms) => ms });
  const server = await sharedPostgres();
  const claims = await claimed(stage, 10);
  let here = 0;
  let answer: () => void = () => undefined;
  const answers = new Promise<void>((resolve) => {
    answer = resolve;
  });
  for (const _ of claims) {
    stage.remote.fault({
      first: () => {
        here += 1;
        return answers;
      },
    });
  }
  const settling = stage.calls.record;
  const all = Promise.all(
    claims.map((claim) => publishDelivery({ world: stage.world, claim, worker: "w", leaseMs: LEASE_MS })),
  );
  await until("all are at the platform", () => here === 10);
  const other = stage.db.owner.asOwner?.(async (session) => {
    await session.query("BEGIN");
    await session.query("UPDATE psn.deliveries SET updated_at = now() WHERE id = $1", [claims[9]?.deliveryId]);
    answer();
    // The shared write has some of its rows, and waits for this one.
    await until("it waits", async () => (await waiting(stage)) > 0, 2_000);
    await server.kill();
  });
  await other?.catch(() => undefined);
  await server.restart();
  const ended = await all;
  expect(stage.calls.record - settling).toBeGreaterThan(10);
  // Whoever wrote and did not hear of it finds the delivery settled: that is undefined, and no harm.
  for (const change of ended) expect([undefined, "published"]).toContain(change?.state);
  expect(new Set(Object.values(await states(stage)))).toEqual(new Set(["published"]));
  expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toHaveLength(10);
  for (const { deliveryId } of claims) expect((await stage.detail(deliveryId)).attempt).toBe(1);
});

/** A worker on this stage until `done`. */
async function work(
  stage: Stage,
  done: () => boolean | Promise<boolean>,
  more: { mostInFlight?: number; world?: Stage["world"] } = {},
): Promise<readonly string[]> {
  const stop = new AbortController();
  const trouble: string[] = [];
  const onTrouble = ({ code }: PsnError) => void trouble.push(code);
  const ended = runWorker({ world: stage.world, name: "w", version: "0", stop: stop.signal, onTrouble, ...more });
  try {
    await until("the work is done", done, 20_000);
  } finally {
    stop.abort();
    await ended;
  }
  return trouble;
}

describe("a worker with many deliveries at once", () => {
  test("publishes what others have although one adapter throws what nobody foresaw", async () => {
    const broken = {
      ...recorder("broken", { duplicates: "lookup" }),
      publish: () => {
        throw new TypeError("undefined is not a function");
      },
    };
    const plain = await openStage();
    const stage = await stageOn(plain.db, { platforms: [...PLATFORMS, broken], fetch: plain.remote.fetch });
    const [bad = ""] = await stage.post(await stage.connect("broken"));
    for (let n = 0; n < 20; n += 1) await stage.post(await stage.connect("blind", `account-${n}`));
    const settled = async () =>
      (await stage.detail(bad)).code === "OUTCOME_UNKNOWN" && plain.remote.posts.length === 20;
    expect(await work(stage, settled)).toEqual([]);
    const now = await states(stage);
    expect(Object.values(now).filter((state) => state === "published")).toHaveLength(20);
    expect(now[bad]).toBe("sending");
  });

  test("writes the history of each thread in order, and sends it in order", async () => {
    const stage = await openStage();
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1)
      ids.push(
        ...(await stage.post(await stage.connect("chosen", `account-${n}`), { texts: ["one", "two", "three"] })),
      );
    await work(stage, async () => Object.values(await states(stage)).every((state) => state === "published"));
    for (const id of ids) {
      const { events } = await stage.detail(id);
      expect(events.map(({ event, unit }) => (unit === null ? event : `${event} ${unit}`))).toEqual([
        "scheduled",
        "sending",
        "unit published 0",
        "unit published 1",
        "published 2",
      ]);
    }
    for (let n = 0; n < 12; n += 1)
      expect(stage.remote.posts.filter(({ account }) => account === `account-${n}`).map(({ text }) => text)).toEqual([
        "one",
        "two",
        "three",
      ]);
  });

  test("lets no backlog and no platform that hangs keep others waiting", async () => {
    const stage = await openStage();
    const [crowded, hanging, other] = [
      await stage.connect("blind", "crowded"),
      await stage.connect("blind", "hanging"),
      await stage.connect("blind", "other"),
    ];
    for (let n = 0; n < 40; n += 1) await stage.post(crowded, { texts: [`post ${n}`] });
    for (let n = 0; n < 4; n += 1) await stage.post(hanging, { texts: [`post ${n}`] });
    await stage.post(other, { texts: ["the last to be scheduled"] });
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    stage.remote.always("hanging", { first: () => gate });
    stage.remote.slowMs = 10;
    const sent = (account: string) => stage.remote.calls.filter((call) => call.account === account && call.sent).length;
    let crowdedWhenOther = -1;
    const without = () => {
      if (crowdedWhenOther < 0 && sent("other") === 1) crowdedWhenOther = sent("crowded");
      if (sent("crowded") < 40 || sent("other") < 1) return false;
      open();
      return stage.remote.posts.length === 45;
    };
    // Hanging may have no more than its platform's own limit, and never all of the worker.
    await work(stage, without, { mostInFlight: 6 });
    expect(crowdedWhenOther).toBeLessThan(20);
    expect(stage.remote.most.get("hanging")).toBe(2);
  });

  test("needs no more connections than its pool has, and runs into no trouble", async () => {
    const stage = await openStage();
    for (let n = 0; n < 60; n += 1) {
      const account = await stage.connect("blind", `account-${n}`);
      for (let m = 0; m < 3; m += 1) await stage.post(account, { texts: [`post ${m}`] });
    }
    stage.remote.slowMs = 15;
    let most = 0;
    const out = async () => {
      const text =
        "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = current_database() " +
        "AND usename LIKE 'psn_test_%'";
      most = Math.max(most, (await asOwner<{ n: number }>(stage.db, text))[0]?.n ?? 0);
      return stage.remote.posts.length === 180;
    };
    expect(await work(stage, out)).toEqual([]);
    expect(most).toBeLessThanOrEqual(8);
    expect(Math.max(...stage.remote.most.values())).toBe(2);
    expect(new Set(Object.values(await states(stage)))).toEqual(new Set(["published"]));
  });

  test("claims the next half while one is on its way", async () => {
    const stage = await openStage();
    for (let n = 0; n < 6; n += 1) await stage.post(await stage.connect("blind", `account-${n}`));
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    for (let n = 0; n < 6; n += 1) stage.remote.fault({ first: () => gate });
    const asked: number[] = [];
    const { deliveries } = stage.world.stores;
    const claim: typeof deliveries.claim = (request) => {
      asked.push(request.most);
      return deliveries.claim(request);
    };
    const world = { ...stage.world, stores: { ...stage.world.stores, deliveries: { ...deliveries, claim } } };
    const sent = () => stage.remote.calls.filter((call) => call.sent).length;
    let most = 0;
    const done = async () => {
      most = Math.max(most, sent());
      if (sent() === 4) {
        await Bun.sleep(50);
        most = sent();
        open();
      }
      return stage.remote.posts.length === 6 && sent() === 6;
    };
    await work(stage, done, { mostInFlight: 4, world });
    expect(asked.slice(0, 2)).toEqual([2, 2]);
    expect(Math.max(...asked)).toBe(2);
  });

  test("holds no more than eight uploads in memory", async () => {
    const stage = await openStage();
    for (let n = 0; n < 20; n += 1)
      await stage.post(await stage.connect("blind", `account-${n}`), { media: [picture()] });
    let [now, most] = [0, 0];
    let eight: () => void = () => undefined;
    const gathered = new Promise<void>((resolve) => {
      eight = resolve;
    });
    const fetch: typeof stage.world.fetch = async (input, init) => {
      if (!String(input).endsWith("/media")) return stage.remote.fetch(input, init);
      now += 1;
      most = Math.max(most, now);
      if (now === 8) eight();
      // The first eight wait for one another, and whoever came too many would be seen.
      await gathered;
      await Bun.sleep(20);
      now -= 1;
      return stage.remote.fetch(input, init);
    };
    await work(stage, () => stage.remote.posts.length === 20, { world: { ...stage.world, fetch } });
    expect(most).toBe(8);
  });

  test("takes at once what became due while it was claiming, whatever whole milliseconds its clock shows", async () => {
    const stage = await openStage();
    const toldAt: number[] = [];
    const waitedMs: number[] = [];
    const { deliveries } = stage.world.stores;
    const claim: typeof deliveries.claim = (request) => {
      const told = toldAt.at(-1);
      if (told !== undefined) waitedMs.push(performance.now() - told);
      return deliveries.claim(request);
    };
    const nextWake: typeof deliveries.nextWake = async () => {
      toldAt.push(performance.now());
      return -1.5;
    };
    const frozen = new Date();
    const world = {
      ...stage.world,
      now: () => frozen,
      stores: { ...stage.world.stores, deliveries: { ...deliveries, claim, nextWake } },
    };
    await work(stage, () => waitedMs.length >= 20, { world });
    // A worker that finds nothing to take pauses for 100 ms, unless it is rung for, as happens a few times when it
    // begins to listen. On a busy machine a turn without a pause may take as long, but not most of them.
    expect(waitedMs.toSorted((one, other) => one - other)[7]).toBeLessThan(atMost(60));
  });
});

test("no claim, settle or look ahead reads a whole table, whatever the statistics of a long history say", async () => {
  const stage = await openStage();
  const account = await stage.connect("blind");
  const history = `WITH n AS (
      SELECT gen_random_uuid() AS post, gen_random_uuid() AS delivery, n % 10 = 0 AS ahead
      FROM generate_series(1, 20000) n
    ),
    post AS (INSERT INTO psn.posts (id, user_id, parts) SELECT post, $1, '[{"text":"hello","media":[]}]' FROM n),
    delivery AS (
      INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at)
      SELECT delivery, $1, post, $2, CASE WHEN ahead THEN 'scheduled' ELSE 'published' END, due, due
      FROM n, LATERAL (SELECT now() + CASE WHEN ahead THEN 1
        ELSE -1 END * (interval '1 day' + random() * interval '300 days') AS due) at
    )
    INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, state, body, text, length, media, needs_prepare)
    SELECT gen_random_uuid(), $1, delivery, 0, CASE WHEN ahead THEN 'waiting'
      ELSE 'published' END, '{}', 'hello', 5, '{}', false FROM n`;
  await asOwner(stage.db, history, [stage.userId, account.id]);
  for (let n = 0; n < 5; n += 1) await stage.post(account);
  await asOwner(stage.db, "VACUUM ANALYZE psn.deliveries, psn.delivery_units, psn.accounts");
  const scans = await stage.db.owner.asOwner?.(async (session) => {
    // What the statistics say is a matter of chance; this settles what the planner would like to do.
    await session.query("BEGIN; SET LOCAL random_page_cost = 100; SET LOCAL ROLE psn_service");
    await session.query("SELECT set_config('app.current_user_id', $1, true)", [stage.userId]);
    const { rows: claims } = await session.query(
      `SELECT * FROM psn.claim_due('w', 64, 60000, '{"blind": 64}', NULL, '{}')`,
    );
    expect(claims).toHaveLength(5);
    await session.query(`SELECT psn.next_wake('{"blind": 64}', NULL)`);
    await session.query(`SELECT * FROM psn.wake_ups('{"blind": 64}', 60000, 100)`);
    const changes = claims.map((claim) => ({
      ...published,
      id: claim["delivery_id"],
      fence: Number(claim["fence"]),
      actor: "w",
    }));
    expect((await session.query("SELECT * FROM psn.settle($1::jsonb)", [JSON.stringify(changes)])).rows).toHaveLength(
      5,
    );
    const text =
      "SELECT relname, seq_scan::integer FROM pg_stat_xact_user_tables WHERE schemaname = 'psn' " +
      "AND seq_scan > 0 AND relname <> 'accounts'";
    const { rows } = await session.query(text);
    await session.query("ROLLBACK");
    return rows;
  });
  expect(scans).toEqual([]);
});

describe("what many ask for together", () => {
  /** A way to the database that answers when it is told to, with each item doubled. */
  function road(most = 100) {
    const trips: {
      readonly items: readonly number[];
      readonly arrive: () => void;
      readonly fail: (error: unknown) => void;
    }[] = [];
    const ask = together<number, number>({
      most,
      nameOf: (item) => String(item % 1000),
      ask: (_line, items) =>
        new Promise((resolve, reject) =>
          trips.push({ items, arrive: () => resolve(items.map((item) => item * 2)), fail: reject }),
        ),
    });
    return { trips, ask: (item: number, line = "a") => ask(line, item), sent: () => trips.map(({ items }) => items) };
  }
  const turn = () => Bun.sleep(0);

  test("leaves at once with whoever came in the same instant; who comes later leaves when it is back", async () => {
    const { trips, ask, sent } = road();
    const first = [ask(1), ask(2)];
    await Promise.resolve();
    await Promise.resolve();
    expect(sent()).toEqual([[1, 2]]);
    const second = [ask(3), ask(4)];
    await turn();
    const third = ask(5);
    await turn();
    expect(sent()).toEqual([[1, 2]]);
    trips[0]?.arrive();
    expect(await Promise.all(first)).toEqual([2, 4]);
    await turn();
    expect(sent()).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    trips[1]?.arrive();
    expect(await Promise.all([...second, third])).toEqual([6, 8, 10]);
  });

  test("goes by its own line, which nobody of another line holds up", async () => {
    const { ask, sent } = road();
    void ask(1, "a");
    await turn();
    void ask(2, "b");
    await turn();
    expect(sent()).toEqual([[1], [2]]);
  });

  test("is no more than so many, and never two of one name", async () => {
    const { trips, ask, sent } = road(3);
    const all = [ask(1), ask(1001), ask(2), ask(3), ask(4)];
    await turn();
    expect(sent()).toEqual([[1, 2, 3]]);
    trips[0]?.arrive();
    await turn();
    expect(sent().slice(1)).toEqual([[1001, 4]]);
    trips[1]?.arrive();
    expect(await Promise.all(all)).toEqual([2, 2002, 4, 6, 8]);
  });

  test("waits a quarter of a second and no longer for a round trip that does not come back", async () => {
    const { ask, sent } = road();
    void ask(1);
    await turn();
    const later = performance.now();
    void ask(2);
    await until("it leaves", () => sent().length === 2, 1_000);
    expect(performance.now() - later).toBeGreaterThan(150);
    expect(sent()).toEqual([[1], [2]]);
  });

  test("fails together when the database does not answer, and is not asked for again", async () => {
    const { trips, ask, sent } = road();
    const all = [ask(1), ask(2)];
    await turn();
    trips[0]?.fail(new PsnError("DB_UNREACHABLE", "away"));
    for (const one of await Promise.allSettled(all))
      expect(one).toMatchObject({ status: "rejected", reason: { code: "DB_UNREACHABLE" } });
    expect(sent()).toHaveLength(1);
  });

  test("is asked for one by one when it fails otherwise, and holds nobody up meanwhile", async () => {
    const { trips, ask, sent } = road();
    const all = [ask(1), ask(2)];
    await turn();
    trips[0]?.fail(new PsnError("DB_FAILED", "one of them is bad"));
    await turn();
    expect(sent().slice(1)).toEqual([[1], [2]]);
    void ask(3);
    await turn();
    expect(sent().slice(3)).toEqual([[3]]);
    trips[1]?.fail(new PsnError("DB_FAILED", "this one"));
    trips[2]?.arrive();
    expect(await Promise.allSettled(all)).toMatchObject([{ reason: { code: "DB_FAILED" } }, { value: 4 }]);
  });
});
