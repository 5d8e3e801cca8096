import { PsnError } from "@psn/core/errors.ts";
import { answered, failed, LEASE_MS, renewed, sending, unconfirmed } from "@psn/domain/delivery.ts";
import { notBegun, removed, removing } from "@psn/domain/removal.ts";
import { expect } from "vitest";
import {
  claim,
  claimOne,
  detail,
  done,
  EXPIRED,
  eventsOf,
  makeDue,
  newUser,
  published,
  ref,
  type Stage,
  schedule,
  settle,
  stateOf,
  type Test,
} from "../stage.ts";

/** Brings a fresh delivery into each state a command may find. */
async function inStates(stage: Stage): Promise<Readonly<Record<string, string>>> {
  const bring = async (change: ReturnType<typeof done> | undefined, prepare = false) => {
    const { id } = await schedule(stage, { units: [{ prepare }] });
    const claimed = await claimOne(stage, { only: [id] });
    if (change) await settle(stage, claimed, change);
    return id;
  };
  const states = {
    published: await bring(done("1")),
    failed: await bring(failed(0, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 })),
    unconfirmed: await bring(unconfirmed()),
    pending: await bring(
      answered(0, {
        outcome: { status: "pending", handle: 1, checkAfterMs: 3_600_000 },
        next: undefined,
        leaseMs: LEASE_MS,
      }),
    ),
    sending: await bring(undefined),
    claimed: await bring(undefined, true),
    cancelled: (await schedule(stage)).id,
    scheduled: "",
    held: await bring(undefined, true),
  };
  await stage.stores.posts.cancel(stage.userId, [states.cancelled]);
  states.scheduled = (await schedule(stage, { dueInMs: 3_600_000 })).id;
  const { owner } = stage.db;
  await owner.asOwner?.((client) =>
    client.query("UPDATE psn.deliveries SET state = 'held', lease_until = NULL WHERE id = $1", [states.held]),
  );
  for (const [state, id] of Object.entries(states)) expect(await stateOf(stage, id)).toBe(state);
  return states;
}

const namesOf = (states: Readonly<Record<string, string>>, ids: readonly string[]) =>
  ids.map((id) => Object.keys(states).find((name) => states[name] === id)).sort();

export function commandTests(test: Test): void {
  test("commands: each takes only what is in its states, and writes history for these alone", async (stage) => {
    const { stores, userId } = stage;
    const dueAt = new Date("2032-01-01T08:00:00Z");
    const commands = {
      cancel: (ids: string[]) => stores.posts.cancel(userId, ids),
      move: (ids: string[]) =>
        stores.posts.move(userId, { ids, dueAt, wallTime: "2032-01-01T09:00", timeZone: "Europe/Zurich" }),
      retry: (ids: string[]) => stores.posts.retry(userId, ids),
    };
    const takes = {
      cancel: ["claimed", "held", "scheduled"],
      move: ["claimed", "held", "scheduled"],
      retry: ["cancelled", "failed", "held"],
    };
    const event = { cancel: "cancelled", move: "moved", retry: "retried" };
    for (const name of ["cancel", "move", "retry"] as const) {
      const states = await inStates(stage);
      const before = new Map<string, readonly string[]>();
      for (const id of Object.values(states)) before.set(id, await eventsOf(stage, id));
      const changed = await commands[name](Object.values(states));
      expect(namesOf(states, changed)).toEqual(takes[name]);
      for (const id of Object.values(states)) {
        const expected = [...(before.get(id) ?? []), ...(changed.includes(id) ? [event[name]] : [])];
        expect(await eventsOf(stage, id)).toEqual(expected);
      }
      expect(await commands[name]([])).toEqual([]);
      // What this loop leaves due must not meet the next one.
      await stores.posts.cancel(userId, Object.values(states));
    }
  });

  test("commands: nobody else's deliveries", async (stage) => {
    const { stores } = stage;
    const { id } = await schedule(stage);
    const other = await newUser(stores);
    expect(await stores.posts.cancel(other, [id])).toEqual([]);
    expect(await stores.posts.move(other, { ids: [id], dueAt: new Date(), wallTime: "", timeZone: "UTC" })).toEqual([]);
    expect(await stores.posts.retry(other, [id])).toEqual([]);
    expect(await stores.posts.resolve(other, id, "not-live")).toBe(false);
    expect(await eventsOf(stage, id)).toEqual(["scheduled"]);
  });

  test("commands: history says nothing that did not happen, however close upon another change", async (stage) => {
    const { stores, userId } = stage;
    for (let round = 0; round < 15; round += 1) {
      const { id } = await schedule(stage);
      const claimed = await claimOne(stage);
      await settle(stage, claimed, done("1"));
      await Promise.all([
        stores.posts.cancel(userId, [id]),
        stores.posts.retry(userId, [id]),
        stores.posts.resolve(userId, id, "not-live"),
      ]);
      expect(await detail(stage, id)).toMatchObject({
        state: "published",
        unitList: [{ state: "published", ref: { id: "1" } }],
      });
      expect(await eventsOf(stage, id)).toEqual(["scheduled", "sending", "published"]);
    }
    // Transactions that begin in the same millisecond: the embedded database's clock has no finer grain.
    for (let round = 0; round < 40; round += 1) {
      const { id } = await schedule(stage);
      const changed = await Promise.all([1, 2, 3, 4].map(() => stores.posts.cancel(userId, [id])));
      expect(changed.flat()).toEqual([id]);
      expect(await eventsOf(stage, id)).toEqual(["scheduled", "cancelled"]);
    }
  });

  test("move: to another time, and back from a hold", async (stage) => {
    const { stores, userId } = stage;
    const { id } = await schedule(stage, { units: [{ prepare: true }] });
    const claimed = await claimOne(stage);
    const dueAt = new Date("2032-01-01T08:00:00.5Z");
    expect(
      await stores.posts.move(userId, { ids: [id], dueAt, wallTime: "2032-01-01T09:00", timeZone: "Europe/Zurich" }),
    ).toEqual([id]);
    expect(await detail(stage, id)).toMatchObject({ state: "scheduled", dueAt, wakeAt: dueAt });
    expect((await detail(stage, id)).events.at(-1)).toMatchObject({
      event: "moved",
      note: "2032-01-01T09:00 Europe/Zurich",
      actor: "user",
    });
    // Its worker has lost it before anything was sent.
    expect(await settle(stage, claimed, sending(0, null, LEASE_MS))).toBe(false);
    expect(await claim(stage)).toEqual([]);
  });

  test("retry: a new beginning for what is not out yet", async (stage) => {
    const { stores, userId } = stage;
    const { id } = await schedule(stage, { units: [{ text: "a" }, { text: "b", prepare: true }] });
    let claimed = await claimOne(stage);
    await settle(
      stage,
      claimed,
      answered(0, { outcome: published("0"), next: { position: 1, ready: false }, leaseMs: LEASE_MS }),
    );
    await settle(stage, claimed, sending(1, { upload: 1 }, LEASE_MS));
    await settle(stage, claimed, failed(1, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 }));
    expect(await stores.posts.retry(userId, [id])).toEqual([id]);
    const found = await detail(stage, id);
    expect(found).toMatchObject({ state: "scheduled", attempt: 0, code: null, message: null, unitsPublished: 1 });
    expect(found.unitList[0]).toMatchObject({ state: "published", ref: { id: "0" } });
    expect(found.unitList[1]).toMatchObject({ state: "waiting", prepared: null, sentAt: null });
    claimed = await claimOne(stage);
    expect(await detail(stage, id)).toMatchObject({ state: "claimed", attempt: 1 });
  });

  test("remove: what is out is removed from its last unit on, and every unit is written once", async (stage) => {
    const { stores, userId } = stage;
    const { id } = await schedule(stage, { units: [{ text: "a" }, { text: "b" }] });
    let claimed = await claimOne(stage);
    await settle(
      stage,
      claimed,
      answered(0, { outcome: published("0"), next: { position: 1, ready: true }, leaseMs: LEASE_MS }),
    );
    expect(await stores.posts.remove(userId, [id])).toEqual([]);
    await settle(stage, claimed, answered(1, { outcome: published("1"), next: undefined, leaseMs: LEASE_MS }));
    const { publishedAt } = await detail(stage, id);
    expect(await stores.posts.remove(userId, [id])).toEqual([id]);
    expect(await detail(stage, id)).toMatchObject({ state: "scheduled", operation: "remove", attempt: 0 });
    expect(await stores.posts.remove(userId, [id])).toEqual([]);
    expect(await stores.posts.retry(userId, [id])).toEqual([]);
    expect(
      await stores.posts.move(userId, {
        ids: [id],
        dueAt: new Date("2032-01-01T08:00:00Z"),
        wallTime: "2032",
        timeZone: "UTC",
      }),
    ).toEqual([]);

    claimed = await claimOne(stage);
    const units = async () =>
      (await detail(stage, id)).unitList.map(({ state, askedAt, removedAt }) => [
        state,
        askedAt !== null,
        removedAt !== null,
      ]);
    expect(await units()).toEqual([
      ["published", false, false],
      ["sending", true, false],
    ]);
    expect(await stores.posts.cancel(userId, [id])).toEqual([]);
    expect(await settle(stage, claimed, removed(1, 0, LEASE_MS))).toBe(true);
    // An earlier write that arrives late speaks of what is over.
    expect(await settle(stage, claimed, removing(1, LEASE_MS))).toBe(false);
    expect(await settle(stage, claimed, renewed("claimed", LEASE_MS))).toBe(false);
    expect(await units()).toEqual([
      ["sending", true, false],
      ["removed", true, true],
    ]);
    expect(await settle(stage, claimed, removed(0, undefined, LEASE_MS))).toBe(true);
    expect(await settle(stage, claimed, removed(1, 0, LEASE_MS))).toBe(false);
    expect(await detail(stage, id)).toMatchObject({ state: "removed", operation: "remove", publishedAt });
    for (const again of [stores.posts.remove, stores.posts.retry, stores.posts.cancel])
      expect(await again(userId, [id])).toEqual([]);
  });

  test("remove: a no leaves the post out, an unknown one can be asked again or resolved", async (stage) => {
    const { stores, userId } = stage;
    const out = async () => {
      const { id } = await schedule(stage);
      await settle(stage, await claimOne(stage), done("1"));
      await stores.posts.remove(userId, [id]);
      return { id, claimed: await claimOne(stage) };
    };
    const kept = await out();
    const error = new PsnError("PLATFORM_REJECTED", "no");
    await settle(stage, kept.claimed, notBegun({ position: 0, error, attempt: 1, random: 0, earlier: null }));
    expect(await detail(stage, kept.id)).toMatchObject({
      state: "published",
      operation: "publish",
      code: "PLATFORM_REJECTED",
      unitList: [{ state: "published", askedAt: null, ref: { id: "1" } }],
    });
    const asked = await out();
    await settle(stage, asked.claimed, unconfirmed());
    expect(await stores.posts.remove(userId, [asked.id])).toEqual([asked.id]);
    expect(await detail(stage, asked.id)).toMatchObject({ state: "sending", unitList: [{ state: "sending" }] });
    const again = await claimOne(stage);
    expect(again.purpose).toBe("settle");
    await settle(stage, again, unconfirmed());
    expect(await stores.posts.resolve(userId, asked.id, "not-live")).toBe(true);
    expect(await detail(stage, asked.id)).toMatchObject({ state: "removed", unitList: [{ state: "removed" }] });
    const there = await out();
    await settle(stage, there.claimed, unconfirmed());
    expect(await stores.posts.resolve(userId, there.id, { live: ref("9") })).toBe(true);
    expect(await detail(stage, there.id)).toMatchObject({
      state: "published",
      operation: "publish",
      unitList: [{ state: "published", ref: { id: "1" } }],
    });
  });

  test("resolve: live ends it, not live sends it again, and a thread goes on", async (stage) => {
    const { stores, userId } = stage;
    const doubtful = async (units = 1) => {
      const scheduled = await schedule(stage, { units: Array.from({ length: units }, (_, n) => ({ text: `${n}` })) });
      await settle(stage, await claimOne(stage), unconfirmed());
      return scheduled.id;
    };
    const live = await doubtful();
    expect(await stores.posts.resolve(userId, live, { live: ref("9") })).toBe(true);
    expect(await detail(stage, live)).toMatchObject({
      state: "published",
      code: null,
      url: ref("9").url,
      unitList: [{ state: "published", ref: ref("9") }],
    });
    expect((await detail(stage, live)).publishedAt).toBeInstanceOf(Date);
    expect((await detail(stage, live)).events.at(-1)).toMatchObject({
      event: "resolved: live",
      note: ref("9").url,
      actor: "user",
    });
    expect(await stores.posts.resolve(userId, live, "not-live")).toBe(false);

    const not = await doubtful();
    expect(await stores.posts.resolve(userId, not, "not-live")).toBe(true);
    expect(await detail(stage, not)).toMatchObject({
      state: "scheduled",
      publishedAt: null,
      unitList: [{ state: "waiting", sentAt: null, ref: null }],
    });
    expect(await claimOne(stage)).toMatchObject({ deliveryId: not, purpose: "publish" });

    const thread = await doubtful(3);
    expect(await stores.posts.resolve(userId, thread, { live: ref("t0") })).toBe(true);
    expect(await detail(stage, thread)).toMatchObject({ state: "scheduled", publishedAt: null, unitsPublished: 1 });
    await claimOne(stage);
    expect((await detail(stage, thread)).unitList.map(({ state }) => state)).toEqual([
      "published",
      "sending",
      "waiting",
    ]);
  });

  test("commands against a claim: exactly one wins", async (stage) => {
    const { stores, userId } = stage;
    for (let round = 0; round < 12; round += 1) {
      const { id } = await schedule(stage);
      const [claims, cancelled] = await Promise.all([claim(stage, { only: [id] }), stores.posts.cancel(userId, [id])]);
      expect(claims.length + cancelled.length).toBe(1);
      expect(await stateOf(stage, id)).toBe(claims.length === 1 ? "sending" : "cancelled");
    }
    for (let round = 0; round < 12; round += 1) {
      const { id } = await schedule(stage);
      const dueAt = new Date(Date.now() + 3_600_000);
      const [claims, moved] = await Promise.all([
        claim(stage, { only: [id] }),
        stores.posts.move(userId, { ids: [id], dueAt, wallTime: "", timeZone: "UTC" }),
      ]);
      expect(claims.length + moved.length).toBe(1);
      expect(await detail(stage, id)).toMatchObject(
        claims.length === 1 ? { state: "sending" } : { state: "scheduled", dueAt },
      );
    }
  });

  test("commands against a worker that is about to send: exactly one wins", async (stage) => {
    const { stores, userId } = stage;
    for (let round = 0; round < 12; round += 1) {
      const { id } = await schedule(stage, { units: [{ prepare: true }] });
      const claimed = await claimOne(stage, { only: [id] });
      const [may, taken] = await Promise.all([
        settle(stage, claimed, sending(0, null, LEASE_MS)),
        round % 2 === 0
          ? stores.posts.cancel(userId, [id])
          : stores.posts.move(userId, {
              ids: [id],
              dueAt: new Date(Date.now() + 3_600_000),
              wallTime: "",
              timeZone: "UTC",
            }),
      ]);
      expect(Number(may) + taken.length).toBe(1);
      const lost = round % 2 === 0 ? "cancelled" : "scheduled";
      expect(await stateOf(stage, id)).toBe(may ? "sending" : lost);
    }
  });

  test("two people's commands, and two workers after an expired lease: exactly one wins", async (stage) => {
    const { stores, userId } = stage;
    for (let round = 0; round < 8; round += 1) {
      const { id } = await schedule(stage);
      await settle(stage, await claimOne(stage, { only: [id] }), unconfirmed());
      const verdicts = await Promise.all([
        stores.posts.resolve(userId, id, { live: ref("1") }),
        stores.posts.resolve(userId, id, "not-live"),
        stores.posts.resolve(userId, id, { live: ref("2") }),
      ]);
      expect(verdicts.filter(Boolean)).toHaveLength(1);
      const found = await detail(stage, id);
      expect([found.state, found.unitList[0]?.ref?.id]).toEqual(
        verdicts[1] ? ["scheduled", undefined] : ["published", verdicts[0] ? "1" : "2"],
      );
      await stores.posts.cancel(userId, [id]);

      const retried = await schedule(stage);
      await settle(
        stage,
        await claimOne(stage, { only: [retried.id] }),
        failed(0, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 }),
      );
      await stores.posts.retry(userId, [retried.id]);
      // A second retry finds nothing that failed, and takes nothing back from whoever has claimed it.
      const [claims, again] = await Promise.all([
        claim(stage, { only: [retried.id] }),
        stores.posts.retry(userId, [retried.id]),
      ]);
      expect(again).toEqual([]);
      expect(await stateOf(stage, retried.id)).toBe(claims.length === 1 ? "sending" : "scheduled");
      await stores.posts.cancel(userId, [retried.id]);

      const orphan = await schedule(stage);
      await claimOne(stage, { only: [orphan.id], leaseMs: EXPIRED });
      const takers = await Promise.all([1, 2, 3].map(() => claim(stage, { only: [orphan.id] })));
      expect(takers.flat()).toHaveLength(1);
    }
  });

  test("connect against disconnect and a claim: the end is one of them, whole", async (stage) => {
    const { stores, userId, accountId } = stage;
    const { id } = await schedule(stage, { units: [{ prepare: true }] });
    const claimed = await claimOne(stage);
    const [may, { cancelled }] = await Promise.all([
      settle(stage, claimed, sending(0, null, LEASE_MS)),
      stores.accounts.disconnect(userId, accountId),
    ]);
    expect(Number(may) + cancelled).toBe(1);
    expect(await stateOf(stage, id)).toBe(may ? "unconfirmed" : "cancelled");
    await makeDue(stage, id);
    expect(await claim(stage)).toEqual([]);
  });
}
