import { PsnError } from "@psn/core/errors.ts";
import {
  answered,
  failed,
  LEASE_MS,
  pollAgain,
  renewed,
  sending,
  stillUnknown,
  unconfirmed,
} from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import {
  claim,
  claimOne,
  detail,
  done,
  EXPIRED,
  eventsOf,
  expire,
  makeDue,
  published,
  ref,
  schedule,
  settle,
  stateOf,
  type Test,
} from "../stage.ts";

export function settleTests(test: Test): void {
  test("settle: published, with its ref, its instant and its history", async (stage) => {
    const { id } = await schedule(stage);
    const claimed = await claimOne(stage);
    const change = answered(0, {
      outcome: { status: "published", ref: { ...ref("1"), revision: "bafy" } },
      next: undefined,
      leaseMs: LEASE_MS,
    });
    expect(await settle(stage, claimed, change, "worker-3")).toBe(true);
    const found = await detail(stage, id);
    expect(found).toMatchObject({
      state: "published",
      url: ref("1").url,
      unitList: [{ state: "published", ref: { ...ref("1"), revision: "bafy" } }],
    });
    expect(found.publishedAt).toBeInstanceOf(Date);
    expect(found.events.at(-1)).toMatchObject({
      event: "published",
      attempt: 1,
      unit: 0,
      note: ref("1").url,
      actor: "worker-3",
    });
    expect(await claim(stage)).toEqual([]);
  });

  test("settle: what may have been sent never counts as unsent again", async (stage) => {
    const { id } = await schedule(stage);
    const claimed = await claimOne(stage);
    expect(await stateOf(stage, id)).toBe("sending");
    expect(await settle(stage, claimed, renewed("claimed", LEASE_MS))).toBe(false);
    expect(await stateOf(stage, id)).toBe("sending");
    expect(await settle(stage, claimed, renewed("sending", LEASE_MS))).toBe(true);
  });

  test("settle: a write that arrives late under the same claim undoes nothing", async (stage) => {
    const { id } = await schedule(stage, {
      units: [{ text: "a" }, { text: "b" }, { text: "c", prepare: true }, { text: "d" }],
    });
    const claimed = await claimOne(stage);
    const first = answered(0, { outcome: published("0"), next: { position: 1, ready: true }, leaseMs: LEASE_MS });
    const second = answered(1, { outcome: published("1"), next: { position: 2, ready: false }, leaseMs: LEASE_MS });
    const stateNow = async () => {
      const { state, unitList } = await detail(stage, id);
      return [state, ...unitList.map((unit) => unit.state)];
    };
    await settle(stage, claimed, first);
    // Made again, since its answer was lost: the same.
    expect(await settle(stage, claimed, first)).toBe(true);
    await settle(stage, claimed, second);
    expect(await settle(stage, claimed, second)).toBe(true);
    const preparing = ["claimed", "published", "published", "waiting", "waiting"];
    expect(await stateNow()).toEqual(preparing);
    expect(await settle(stage, claimed, first)).toBe(false);
    expect(await settle(stage, claimed, sending(1, null, LEASE_MS))).toBe(false);
    expect(await stateNow()).toEqual(preparing);
    await settle(stage, claimed, sending(2, { n: 1 }, LEASE_MS));
    // Else what is being sent would count as unsent.
    expect(await settle(stage, claimed, second)).toBe(false);
    expect(await stateNow()).toEqual(["sending", "published", "published", "sending", "waiting"]);
  });

  test("settle: a thread goes out in order and resumes where it stopped", async (stage) => {
    const { id } = await schedule(stage, {
      units: [{ text: "a" }, { text: "b" }, { text: "c", prepare: true }, { text: "d" }],
    });
    let claimed = await claimOne(stage);
    // The same write settles one unit and opens the next.
    await settle(
      stage,
      claimed,
      answered(0, { outcome: published("0"), next: { position: 1, ready: true }, leaseMs: LEASE_MS }),
    );
    let units = (await detail(stage, id)).unitList;
    expect(units.map(({ state }) => state)).toEqual(["published", "sending", "waiting", "waiting"]);
    expect(units[1]?.sentAt).toBeInstanceOf(Date);
    expect(await stateOf(stage, id)).toBe("sending");
    // The third must be prepared first: nothing of it is sent yet.
    await settle(
      stage,
      claimed,
      answered(1, { outcome: published("1"), next: { position: 2, ready: false }, leaseMs: LEASE_MS }),
    );
    expect(await stateOf(stage, id)).toBe("claimed");
    await expire(stage, id);
    claimed = await claimOne(stage);
    expect(claimed.purpose).toBe("publish");
    expect(await stateOf(stage, id)).toBe("claimed");
    await settle(stage, claimed, sending(2, { n: 1 }, EXPIRED));
    claimed = await claimOne(stage);
    expect(claimed.purpose).toBe("settle");
    await settle(
      stage,
      claimed,
      failed(2, { error: new PsnError("PLATFORM_UNREACHABLE", "no route"), attempt: 2, random: 0 }),
    );
    await makeDue(stage, id);
    claimed = await claimOne(stage);
    units = (await detail(stage, id)).unitList;
    expect(units.map(({ state }) => state)).toEqual(["published", "published", "sending", "waiting"]);
    expect(units.map((unit) => unit.ref?.id)).toEqual(["0", "1", undefined, undefined]);
    await settle(
      stage,
      claimed,
      answered(2, { outcome: published("2"), next: { position: 3, ready: true }, leaseMs: LEASE_MS }),
    );
    await settle(stage, claimed, done("3", 3));
    expect(await detail(stage, id)).toMatchObject({
      state: "published",
      units: 4,
      unitsPublished: 4,
      url: ref("0").url,
    });
    const { events } = await detail(stage, id);
    expect(events.map(({ event, unit }) => (unit === null ? event : `${event} ${unit}`))).toEqual([
      "scheduled",
      "sending",
      "unit published 0",
      "unit published 1",
      "claimed",
      "sending 2",
      "settling",
      "retrying 2",
      "sending",
      "unit published 2",
      "published 3",
    ]);
    expect(events.map(({ at }) => at.getTime())).toEqual(events.map(({ at }) => at.getTime()).sort((a, b) => a - b));
  });

  test("settle: proof that nothing was sent forgets when it was; a lost answer does not", async (stage) => {
    const { id } = await schedule(stage);
    let claimed = await claimOne(stage);
    const first = (await detail(stage, id)).unitList[0]?.sentAt;
    await settle(stage, claimed, failed(0, { error: new PsnError("OUTCOME_UNKNOWN", "reset"), attempt: 1, random: 0 }));
    expect(await detail(stage, id)).toMatchObject({
      state: "sending",
      code: "OUTCOME_UNKNOWN",
      unitList: [{ state: "sending", sentAt: first }],
    });
    await expire(stage, id);
    claimed = await claimOne(stage);
    await settle(stage, claimed, stillUnknown(1_000, undefined));
    expect((await detail(stage, id)).unitList[0]?.sentAt).toEqual(first);
    // A second try under the same key keeps the first instant, which the platform may have been given.
    await settle(stage, claimed, sending(0, null, LEASE_MS));
    expect((await detail(stage, id)).unitList[0]?.sentAt).toEqual(first);
    await settle(
      stage,
      claimed,
      failed(0, { error: new PsnError("PLATFORM_UNREACHABLE", "no route"), attempt: 1, random: 0 }),
    );
    const back = await detail(stage, id);
    expect(back).toMatchObject({
      state: "scheduled",
      code: "PLATFORM_UNREACHABLE",
      unitList: [{ state: "waiting", sentAt: null }],
    });
    expect(back.wakeAt.getTime()).toBeGreaterThan(Date.now());
    expect(await claim(stage)).toEqual([]);
    await makeDue(stage, id);
    await claimOne(stage);
    expect((await detail(stage, id)).unitList[0]?.sentAt?.getTime()).toBeGreaterThanOrEqual(first?.getTime() ?? 0);
    expect((await detail(stage, id)).attempt).toBe(2);
  });

  test("settle: a refusal fails; a doubt that stays is for a person; neither is claimed again", async (stage) => {
    const refused = await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      failed(0, { error: new PsnError("PLATFORM_REJECTED", "too rude"), attempt: 1, random: 0 }),
    );
    const doubtful = await schedule(stage);
    await settle(stage, await claimOne(stage), unconfirmed());
    expect(await detail(stage, refused.id)).toMatchObject({
      state: "failed",
      code: "PLATFORM_REJECTED",
      message: "too rude",
    });
    expect((await detail(stage, refused.id)).events.at(-1)).toMatchObject({
      event: "failed",
      code: "PLATFORM_REJECTED",
      note: "too rude",
    });
    expect(await detail(stage, doubtful.id)).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED" });
    for (const { id } of [refused, doubtful]) {
      await expire(stage, id);
      await makeDue(stage, id);
    }
    expect(await claim(stage)).toEqual([]);
    expect(await stage.stores.deliveries.nextWake({ [stage.platform]: 1 })).toBeNull();
  });

  test("settle: a revoked token holds the delivery and marks the account; the attempt stays", async (stage) => {
    const { stores, userId } = stage;
    const { id } = await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      failed(0, { error: new PsnError("AUTH_REVOKED", "revoked by its user"), attempt: 1, random: 0 }),
    );
    expect(await detail(stage, id)).toMatchObject({
      state: "held",
      health: "needs-reconnect",
      unitList: [{ state: "waiting", sentAt: null }],
    });
    expect(await stores.accounts.list(userId)).toMatchObject([
      { health: "needs-reconnect", healthReason: "revoked by its user" },
    ]);
    expect(await eventsOf(stage, id)).toEqual(["scheduled", "sending", "held"]);
  });

  test("settle: pauses only grow", async (stage) => {
    const { stores, userId } = stage;
    await schedule(stage);
    await schedule(stage);
    const [one, two] = await claim(stage);
    if (!one || !two) throw new Error("two were due");
    await settle(
      stage,
      one,
      failed(0, { error: new PsnError("RATE_LIMITED", "slow", { retryAfterMs: 600_000 }), attempt: 1, random: 0 }),
    );
    await settle(
      stage,
      two,
      failed(0, { error: new PsnError("RATE_LIMITED", "slow", { retryAfterMs: 1_000 }), attempt: 1, random: 0 }),
    );
    const [account] = await stores.accounts.list(userId);
    expect((account?.pausedUntil?.getTime() ?? 0) - Date.now()).toBeGreaterThan(590_000);
  });

  test("settle: a poll that went unanswered is asked later", async (stage) => {
    const { id } = await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      answered(0, { outcome: { status: "pending", handle: "h", checkAfterMs: 0 }, next: undefined, leaseMs: LEASE_MS }),
    );
    const poll = await claimOne(stage);
    await settle(stage, poll, pollAgain(new PsnError("PLATFORM_DOWN", "502"), { attempt: 1, random: 0.5 }));
    expect(await detail(stage, id)).toMatchObject({
      state: "pending",
      code: "PLATFORM_DOWN",
      unitList: [{ state: "pending", handle: "h" }],
    });
    expect(await claim(stage)).toEqual([]);
    await makeDue(stage, id);
    expect((await claimOne(stage)).purpose).toBe("poll");
  });

  test("settle: a poll whose worker died is asked again when its lease has ended", async (stage) => {
    const { id } = await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      answered(0, { outcome: { status: "pending", handle: "h", checkAfterMs: 0 }, next: undefined, leaseMs: LEASE_MS }),
    );
    const first = await claimOne(stage, { leaseMs: EXPIRED });
    const second = await claimOne(stage);
    expect(second).toMatchObject({ deliveryId: id, purpose: "poll", fence: first.fence + 1 });
    expect(await settle(stage, first, done("1"))).toBe(false);
  });

  test("settle: other deliveries' refs are known, one's own and another account's are not", async (stage) => {
    const { stores, userId, accountId } = stage;
    const first = await schedule(stage);
    await settle(stage, await claimOne(stage), done("first"));
    const second = await schedule(stage);
    await settle(stage, await claimOne(stage), done("second"));
    expect(await stores.deliveries.knownRefs(userId, second.id, accountId)).toEqual(new Set(["first"]));
    expect(await stores.deliveries.knownRefs(userId, first.id, accountId)).toEqual(new Set(["second"]));
    expect(await stores.deliveries.knownRefs(userId, first.id, first.id)).toEqual(new Set());
  });
}
