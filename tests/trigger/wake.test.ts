import { deletePost, planDeletion } from "@psn/app/delete-post.ts";
import { editPost, openPost } from "@psn/app/edit-post.ts";
import { wakeDelivery } from "@psn/app/wake-delivery.ts";
import { WATCHDOG, watchHub } from "@psn/app/watch-hub.ts";
import { PsnError } from "@psn/core/errors.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { triggerQueue } from "@psn/queue/trigger.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { atMost, until } from "../support/until.ts";
import { dying } from "../support/world.ts";
import { openTaskStage, type TaskStage } from "./stage.ts";

/* Wake-ups over Neon's HTTP and a Trigger.dev server: the row decides, the wake-up is a hint. */

let stage: TaskStage;
const opened: TaskStage[] = [];
async function open(options: Parameters<typeof openTaskStage>[0] = {}): Promise<TaskStage> {
  const next = await openTaskStage(options);
  opened.push(next);
  return next;
}
beforeEach(async () => {
  stage = await open();
});
afterEach(async () => {
  stage.gateway.faults.clear();
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const HOUR = 3_600_000;
const EVERY_MS = 30 * 60_000;
const sends = ({ remote }: TaskStage = stage) => remote.calls.filter(({ route }) => route === "POST /posts");
const change = (statement: string, ...values: unknown[]) => asOwner(stage.db, statement, values);
const watch = (everyMs = EVERY_MS) =>
  watchHub({ world: stage.world, version: "0.0.0", everyMs, onTrouble: () => void stage.trouble.push("watchdog") });
/** Statements of one kind in the requests since `from`. */
const asks = (what: RegExp, from: number) =>
  stage.gateway.requests.slice(from).filter(({ statements }) => statements.some((one) => what.test(one))).length;

/** A post that is due, or will be; nobody was told of it. */
async function due(inMs = -1000, platform = "chosen", on = stage): Promise<string> {
  const [id = ""] = await on.post(await on.connect(platform), { inMs });
  return id;
}

describe("a post that is taken back", () => {
  const out = async () => {
    const id = await due();
    await stage.wake(id);
    expect(stage.remote.posts).toHaveLength(1);
    return id;
  };
  const remove = async (id: string) =>
    deletePost(stage.world, { userId: stage.userId, plan: await planDeletion(stage.world, stage.userId, id) });

  test("has a wake-up, and is removed by it", async () => {
    const id = await out();
    const before = stage.asked().length;
    expect((await remove(id)).woken).toMatchObject({ missed: null, atHome: [] });
    const payload = { deliveryId: id, userId: stage.userId };
    expect(stage.asked().slice(before)).toMatchObject([{ task: "publish-delivery", payload }]);
    expect(await stage.wake(id)).toEqual({ state: "removed", acted: true, failure: null });
    expect(stage.remote.posts).toEqual([]);
    expect(await stage.wake(id)).toMatchObject({ state: "removed", acted: false });
  });

  test("whose answer is lost is asked after by a wake-up", async () => {
    const id = await out();
    await remove(id);
    stage.remote.removalFault("reset-after");
    const before = stage.asked().length;
    expect(await stage.wake(id)).toMatchObject({ state: "sending", acted: true });
    expect(
      stage
        .asked()
        .slice(before)
        .map(({ task }) => task),
    ).toContain("settle-unknown");
    await stage.expire();
    expect(await stage.wake(id)).toMatchObject({ state: "removed", acted: true });
  });
});

describe("a delivery that is due", () => {
  test("costs two round trips to the database, and is asked after when its lease would end", async () => {
    const id = await due();
    const before = stage.gateway.requests.length;
    const started = Date.now();
    expect(await stage.wake(id)).toEqual({ state: "published", acted: true, failure: null });
    expect(stage.gateway.requests.length - before).toBe(2);
    expect(stage.remote.posts.map(({ text }) => text)).toEqual(["hello"]);
    expect((await stage.detail(id)).events.map(({ event }) => event)).toEqual(["scheduled", "sending", "published"]);

    const account = (await stage.detail(id)).accountId;
    const [watched, ...others] = stage.asked();
    expect(others).toEqual([]);
    expect(watched).toMatchObject({
      task: "settle-unknown",
      queue: "settle",
      concurrencyKey: account,
      payload: { deliveryId: id, userId: stage.userId },
      status: "CANCELED",
    });
    expect(watched?.at?.getTime()).toBeGreaterThanOrEqual(started + LEASE_MS);
    expect(watched?.at?.getTime()).toBeLessThan(Date.now() + LEASE_MS + 5_000);
    expect(stage.trouble).toEqual([]);
  });

  test("an hour ago goes out now", async () => {
    const id = await due(-HOUR);
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
  });

  test("is published once though its run is delivered twice at once", async () => {
    const id = await due();
    const [one, two] = await Promise.all([stage.wake(id), stage.wake(id)]);
    expect([one.acted, two.acted].toSorted()).toEqual([false, true]);
    expect(stage.remote.posts).toHaveLength(1);
    expect(sends()).toHaveLength(1);
    expect((await stage.detail(id)).state).toBe("published");
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: false });
    expect(sends()).toHaveLength(1);
  });

  test("and was edited goes out with its new words, once, whatever older wake-ups come", async () => {
    const id = await due(HOUR);
    const { world, userId } = stage;
    const edit = async (text: string) => {
      const post = await openPost(world, userId, id);
      const draft = { parts: [{ text, media: [] }] as const, overrides: {}, split: false, numbered: false };
      return editPost(world, { userId, post, draft });
    };
    expect(await edit("second words")).toMatchObject({ revision: 2, left: [], woken: { missed: null } });
    expect(await stage.wake(id)).toMatchObject({ state: "scheduled", acted: false });
    await change("UPDATE psn.deliveries SET wake_at = now() - interval '1 second' WHERE id = $1", id);
    // A run that has just begun, and another edit: whoever is first, one revision goes out, whole.
    const [, third] = await Promise.all([stage.wake(id), edit("third words").catch((error: unknown) => error)]);
    await stage.wake(id);
    await stage.wake(id);
    const { text, state, revision } = await stage.detail(id);
    const words = third instanceof PsnError ? "second words" : "third words";
    expect({ text, state, revision }).toEqual({
      text: words,
      state: "published",
      revision: third instanceof PsnError ? 2 : 3,
    });
    expect(stage.remote.posts.map((one) => one.text)).toEqual([words]);
  });

  test("of a thread goes out whole", async () => {
    const [id = ""] = await stage.post(await stage.connect("searched"), { texts: ["one", "two", "three"] });
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(stage.remote.posts.map(({ text }) => text)).toEqual(["one", "two", "three"]);
  });

  test("and cannot be sent yet leaves the trying again to its run", async () => {
    const id = await due();
    stage.remote.fault("refused");
    const { state, failure } = await stage.wake(id);
    expect({ state, code: failure?.code }).toEqual({ state: "scheduled", code: "PLATFORM_UNREACHABLE" });
    expect(failure?.retryAfterMs).toBeGreaterThan(2_000);
    expect(stage.waiting()).toEqual([]);
  });

  test("whose answer is lost is asked about by a run of its own", async () => {
    const id = await due(-1000, "keyed");
    stage.remote.fault("reset-after");
    expect(await stage.wake(id)).toMatchObject({ state: "sending", acted: true, failure: { code: "OUTCOME_UNKNOWN" } });
    const [settling, ...others] = stage.waiting();
    expect(others).toEqual([]);
    expect(settling).toMatchObject({ task: "settle-unknown", queue: "settle" });
    expect(settling?.at?.getTime()).toBeLessThan(Date.now() + 5_000);
    await stage.expire();
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(sends()).toHaveLength(1);
  });

  test("that the platform is still working on is asked about when the platform said", async () => {
    const id = await due();
    stage.remote.fault("pending");
    expect(await stage.wake(id)).toMatchObject({ state: "pending", acted: true, failure: null });
    expect(stage.waiting()).toMatchObject([{ task: "publish-delivery", queue: "publish-chosen" }]);
    await until("it is out", async () => (await stage.wake(id)).state === "published");
    expect(sends()).toHaveLength(1);
  });
});

test("a task that dies while it sends leaves somebody behind who finds out", async () => {
  const id = await due(-1000, "keyed");
  const { world: mortal, died } = dying(stage.world, { verb: "record", nth: 1, when: "before" });
  void wakeDelivery({
    world: mortal,
    deliveryId: id,
    userId: stage.userId,
    worker: "mortal",
    onTrouble: () => undefined,
  });
  await died;
  await until("it is asked for", () => stage.waiting().length === 1);
  await stage.expire();
  await stage.api.advance(LEASE_MS + 5_000);
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
  expect(sends()).toHaveLength(1);
});

describe("a wake-up before its time", () => {
  test("is waited for, and the delivery goes out", async () => {
    const patient = await open({ shorten: (ms) => ms });
    const id = await due(700, "chosen", patient);
    expect(await patient.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(patient.remote.calls.at(-1)?.at).toBeGreaterThanOrEqual((await patient.detail(id)).dueAt.getTime());
  });

  test("by the clock of the database, which is behind this machine's, is waited for too", async () => {
    const patient = await open({ shorten: (ms) => ms });
    patient.clock.aheadMs = 1_200;
    const id = await due(1_000, "chosen", patient);
    await patient.tell(id);
    // The server runs it as soon as it is due there; its answer to the same wake-up is this very run.
    await patient.api.runDue();
    await patient.api.advance(2_000);
    expect(await patient.detail(id)).toMatchObject({ state: "published" });
  });

  test("by more than some seconds asks for another", async () => {
    const id = await due(HOUR);
    expect(await stage.wake(id)).toEqual({ state: "scheduled", acted: false, failure: null });
    const { dueAt } = await stage.detail(id);
    expect(stage.waiting()).toMatchObject([{ task: "publish-delivery", queue: "publish-chosen", at: dueAt }]);
  });
});

describe("a wake-up for what has changed meanwhile", () => {
  test("moved: asks for another at the new time, once", async () => {
    const id = await due();
    await stage.tell(id);
    const later = new Date(Math.ceil(Date.now() / 1000) * 1000 + HOUR);
    expect(
      await stage.world.stores.posts.move(stage.userId, {
        ids: [id],
        dueAt: later,
        wallTime: "later",
        timeZone: "UTC",
      }),
    ).toEqual([id]);
    await stage.tell(id);
    expect(await stage.wake(id)).toEqual({ state: "scheduled", acted: false, failure: null });
    expect(stage.asked().filter(({ at }) => at !== null)).toMatchObject([{ task: "publish-delivery", at: later }]);
    expect(sends()).toEqual([]);
  });

  test("cancelled: does nothing and asks for nothing", async () => {
    const id = await due();
    await stage.world.stores.posts.cancel(stage.userId, [id]);
    expect(await stage.wake(id)).toEqual({ state: "cancelled", acted: false, failure: null });
    expect(stage.asked()).toEqual([]);
    expect(sends()).toEqual([]);
  });

  test("deleted: ends well", async () => {
    const id = await due();
    await change("DELETE FROM psn.deliveries WHERE id = $1", id);
    expect(await stage.wake(id)).toEqual({ state: null, acted: false, failure: null });
    expect(stage.asked()).toEqual([]);
  });

  test("its account needs its user: waits for them without another wake-up", async () => {
    const id = await due();
    await change("UPDATE psn.accounts SET health = 'needs-reconnect'");
    expect(await stage.wake(id)).toEqual({ state: "scheduled", acted: false, failure: null });
    expect(stage.asked()).toEqual([]);
    expect(sends()).toEqual([]);
  });

  test("its account pauses: asks for another when the pause is over", async () => {
    const id = await due();
    const [row] = await asOwner<{ until: Date }>(
      stage.db,
      "UPDATE psn.accounts SET paused_until = date_trunc('second', now()) + interval '1 hour' RETURNING " +
        "paused_until AS until",
    );
    expect(await stage.wake(id)).toEqual({ state: "scheduled", acted: false, failure: null });
    expect(stage.waiting()).toMatchObject([{ task: "publish-delivery", at: row?.until }]);
    expect(sends()).toEqual([]);
  });

  test("claimed by another: asks for somebody to look when that lease ends", async () => {
    const id = await due();
    const { claim } = await stage.world.stores.deliveries.claimOne({
      worker: "another",
      leaseMs: LEASE_MS,
      platforms: stage.world.platforms.ids,
      userId: stage.userId,
      deliveryId: id,
    });
    expect(claim).toBeDefined();
    expect(await stage.wake(id)).toEqual({ state: "sending", acted: false, failure: null });
    const [row] = await asOwner<{ until: Date }>(stage.db, "SELECT lease_until AS until FROM psn.deliveries");
    expect(stage.waiting()).toMatchObject([{ task: "settle-unknown", queue: "settle", at: row?.until }]);
    expect(sends()).toEqual([]);
    await stage.expire();
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
  });
});

describe("a database that does not answer", () => {
  test("the answer to the claim is lost: the same attempt goes on at once", async () => {
    const id = await due();
    const before = stage.gateway.requests.length;
    const started = Date.now();
    stage.gateway.faults.next({ kind: "drop", when: "after" }, { statement: /claim_one/ });
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(Date.now() - started).toBeLessThan(atMost(5_000));
    expect(asks(/claim_one/, before)).toBe(2);
    expect(sends()).toHaveLength(1);
    expect((await stage.detail(id)).events.map(({ event }) => event)).toEqual(["scheduled", "sending", "published"]);
    expect((await stage.detail(id)).attempt).toBe(1);
  });

  test("the answer to the outcome is lost: it is out once, and the run says so", async () => {
    const id = await due();
    stage.gateway.faults.next({ kind: "drop", when: "after" }, { statement: /psn\.settle/ });
    const woke = await stage.wake(id);
    expect(await stage.detail(id)).toMatchObject({ state: "published", attempt: 1 });
    expect(sends()).toHaveLength(1);
    expect(stage.waiting()).toEqual([]);
    expect(woke).toEqual({ state: "published", acted: true, failure: null });
  });

  test("the answer to a pause is lost: somebody still comes when it is over", async () => {
    const id = await due();
    stage.remote.fault({ status: 429, reason: "slowly", retryAfter: 60 });
    stage.gateway.faults.next({ kind: "drop", when: "after" }, { statement: /psn\.settle/ });
    const woke = await stage.wake(id);
    expect((await stage.detail(id)).state).toBe("scheduled");
    // By its own run, as without the loss, or by another.
    expect(woke.failure?.retryAfterMs ?? stage.waiting()[0]?.at).toBeDefined();
  });

  test("asleep for three seconds: it is waited for", async () => {
    const id = await due();
    const before = stage.gateway.requests.length;
    stage.gateway.faults.cold(3_000);
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(stage.gateway.requests.length - before).toBe(2);
  });

  const answer = (status: number, body: string) => ({ kind: "answer", status, body }) as const;
  test.each([
    ["429 before the claim", answer(429, "too many requests"), /claim_one/],
    ["503 before the claim", answer(503, "Service Unavailable"), /claim_one/],
    ["a dropped connection before the claim", { kind: "drop", when: "before" } as const, /claim_one/],
    ["429 before the outcome is written", answer(429, "too many requests"), /psn\.settle/],
    ["503 before the outcome is written", answer(503, "Service Unavailable"), /psn\.settle/],
    ["a dropped connection before the outcome is written", { kind: "drop", when: "before" } as const, /psn\.settle/],
  ] as const)("%s: asked again, and sent once", async (_, fault, statement) => {
    const id = await due();
    stage.gateway.faults.next(fault, { statement, times: 2 });
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(sends()).toHaveLength(1);
    expect(stage.waiting()).toEqual([]);
  });

  test("down while the task runs, and up again: found out, and not sent again", async () => {
    const id = await due(-1000, "keyed");
    stage.gateway.faults.next({ kind: "drop", when: "before" }, { statement: /psn\.settle/, times: 50 });
    await expect(stage.wake(id)).rejects.toMatchObject({ code: "DB_UNREACHABLE" });
    expect(stage.remote.posts).toHaveLength(1);
    stage.gateway.faults.clear();
    // Whoever was asked to look when the lease ends is not taken back.
    expect(stage.waiting()).toMatchObject([{ task: "settle-unknown" }]);
    // Its run is tried again, and finds the lease of the attempt before.
    expect(await stage.wake(id)).toMatchObject({ state: "sending", acted: false });
    await stage.expire();
    expect(await stage.wake(id)).toMatchObject({ state: "published", acted: true });
    expect(sends()).toHaveLength(1);
  });
});

describe("a queue that does not answer", () => {
  test("stops no publishing", async () => {
    const id = await due();
    await stage.api.down();
    const before = stage.gateway.requests.length;
    expect(await stage.wake(id)).toEqual({ state: "published", acted: true, failure: null });
    expect(stage.gateway.requests.length - before).toBe(2);
    expect(stage.trouble).toEqual(["VENDOR_UNREACHABLE"]);
    await stage.api.up();
  });

  test("that answers nonsense does not either", async () => {
    const id = await due();
    stage.api.faults.push({ what: "500-before" }, { what: "garbage-after" });
    expect(await stage.wake(id)).toMatchObject({ state: "published" });
    expect(sends()).toHaveLength(1);
  });

  test("when a post was written: the watchdog finds it, and it goes out", async () => {
    await stage.api.down();
    const id = await due();
    await expect(stage.tell(id)).rejects.toMatchObject({ code: "VENDOR_UNREACHABLE" });
    await stage.api.up();
    expect(await watch()).toEqual({ overdue: 1, ahead: 0, missed: 0 });
    await stage.api.runDue();
    expect(await stage.detail(id)).toMatchObject({ state: "published", attempt: 1 });
    expect(sends()).toHaveLength(1);
    expect(await watch()).toEqual({ overdue: 0, ahead: 0, missed: 0 });
  });
});

describe("the watchdog", () => {
  test("asks for what is overdue under another name at each look, and under one name within a look", async () => {
    const id = await due();
    await stage.tell(id);
    // That run ended without having done anything; its name is taken for a month.
    expect(await watch()).toMatchObject({ overdue: 1, ahead: 0 });
    expect(await watch()).toMatchObject({ overdue: 1, ahead: 0 });
    expect(stage.asked().map(({ task }) => task)).toEqual(["publish-delivery", "publish-delivery"]);
    stage.clock.aheadMs = EVERY_MS;
    expect(await watch()).toMatchObject({ overdue: 1, ahead: 0 });
    const keys = stage.asked().map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    expect(stage.asked().map(({ payload }) => payload)).toEqual(
      keys.map(() => ({ deliveryId: id, userId: stage.userId })),
    );
    expect(sends()).toEqual([]);
  });

  test("asks again for what is due before its next look, which is one run with what was asked before", async () => {
    const soon = await due(EVERY_MS / 2);
    await due(EVERY_MS * 2, "keyed");
    await stage.tell(soon);
    expect(await watch()).toMatchObject({ overdue: 0, ahead: 1 });
    expect(stage.asked()).toMatchObject([
      { task: "publish-delivery", payload: { deliveryId: soon }, at: (await stage.detail(soon)).dueAt },
    ]);
  });

  test("asks for a time that the database chose under the name that a task has asked for it", async () => {
    const id = await due();
    // Half a microsecond decides nothing, half a millisecond must not either.
    await change("UPDATE psn.accounts SET paused_until = date_trunc('second', now()) + interval '600.0007 s'");
    await stage.wake(id);
    expect(await watch()).toMatchObject({ overdue: 0, ahead: 1 });
    expect(stage.waiting().map(({ key }) => key)).toHaveLength(1);
  });

  test("looks after a lease that ended with its worker", async () => {
    const id = await due(-1000, "keyed");
    stage.remote.fault("reset-after");
    await stage.wake(id);
    await stage.expire();
    await watch();
    await stage.api.runDue();
    expect(await stage.detail(id)).toMatchObject({ state: "published" });
    expect(sends()).toHaveLength(1);
  });

  test("leaves alone what needs the user's own machine, and accounts that need their user", async () => {
    await due(-1000, "blind");
    await due(-1000, "keyed");
    await change("UPDATE psn.accounts SET health = 'needs-reconnect' WHERE platform = 'keyed'");
    const { platforms } = stage.world;
    const remote = { ...stage.world, platforms: { ...platforms, ids: platforms.ids.filter((id) => id !== "blind") } };
    const found = await watchHub({ world: remote, version: "0.0.0", everyMs: EVERY_MS, onTrouble: () => undefined });
    expect(found).toMatchObject({ overdue: 0, ahead: 0 });
    expect(stage.asked()).toEqual([]);
  });

  test("is heard of among the workers, and costs one round trip when nothing is due", async () => {
    const before = stage.gateway.requests.length;
    await watch();
    expect(stage.gateway.requests.length - before).toBe(1);
    expect(await stage.world.stores.inspection.workers()).toMatchObject([{ name: WATCHDOG, version: "0.0.0" }]);
  });

  const heard = async () => (await stage.world.stores.inspection.workers()).some(({ name }) => name === WATCHDOG);

  test.each([
    ["overdue", -1000],
    ["due before its next look", EVERY_MS / 2],
  ])(
    "fails where it could wake nobody for what is %s, and is not heard of then: a second look helps",
    async (_what, inMs) => {
      const id = await due(inMs);
      await stage.api.down();
      await expect(watch()).rejects.toMatchObject({
        code: "VENDOR_UNREACHABLE",
        message: `Trigger.dev started no task for 1 due post: Trigger.dev does not answer at ${stage.api.origin}`,
      });
      expect(await heard()).toBe(false);
      await stage.api.up();
      expect(await watch()).toMatchObject({ missed: 0 });
      expect(await heard()).toBe(true);
      expect(stage.asked()).toMatchObject([{ payload: { deliveryId: id } }]);
    },
  );

  test("fails with what Trigger.dev says where it refuses each of them", async () => {
    await due();
    const { world } = stage;
    const queue = triggerQueue({
      url: stage.api.origin,
      secretKey: "tr_prod_wrong",
      platforms: [],
      fetch,
      now: world.now,
    });
    const look = watchHub({
      world: { ...world, queue },
      version: "0.0.0",
      everyMs: EVERY_MS,
      onTrouble: () => undefined,
    });
    await expect(look).rejects.toMatchObject({
      code: "VENDOR_AUTH",
      message: expect.stringContaining("TRIGGER_SECRET_KEY"),
    });
    expect(await heard()).toBe(false);
  });

  test("tells how many it could not ask for where it could ask for some", async () => {
    await due();
    await due(-1000, "keyed");
    await due(EVERY_MS / 2, "searched");
    stage.api.faults.push({ what: "500-before", on: /trigger$/ });
    expect(await watch()).toEqual({ overdue: 2, ahead: 1, missed: 1 });
    expect(stage.trouble).toEqual(["watchdog"]);
    expect(await heard()).toBe(true);
  });

  test("fails where all it could ask for lies ahead", async () => {
    await due();
    await due(EVERY_MS / 2, "keyed");
    const { queue } = stage;
    const wake: typeof queue.wake = (wakeUp, again) =>
      again === undefined
        ? queue.wake(wakeUp)
        : Promise.reject(new PsnError("VENDOR_QUOTA", "Trigger.dev's plan does not allow another run"));
    const world = { ...stage.world, queue: { ...queue, wake } };
    const look = watchHub({ world, version: "0.0.0", everyMs: EVERY_MS, onTrouble: () => undefined });
    await expect(look).rejects.toMatchObject({ code: "VENDOR_QUOTA" });
    expect(stage.asked()).toHaveLength(1);
  });

  test("does not wait for a queue that is down once for each of many", async () => {
    const account = await stage.connect("chosen");
    for (let count = 0; count < 25; count += 1) await stage.post(account, { inMs: -1000 });
    stage.api.faults.push(...Array.from({ length: 25 }, () => ({ what: "500-before", on: /trigger$/ }) as const));
    const before = stage.api.requests.length;
    await expect(watch()).rejects.toMatchObject({
      code: "VENDOR_UNREACHABLE",
      message: expect.stringContaining("25 due posts"),
    });
    expect(stage.api.requests.length - before).toBe(10);
    stage.api.faults.length = 0;
  });
});
