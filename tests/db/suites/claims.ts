import { PsnError } from "@psn/core/errors.ts";
import { answered, failed, LEASE_MS, renewed, sending } from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import {
  claim,
  claimOne,
  connect,
  detail,
  done,
  EXPIRED,
  eventsOf,
  expire,
  makeDue,
  newId,
  published,
  schedule,
  settle,
  stateOf,
  type Test,
} from "../stage.ts";

export function claimTests(test: Test): void {
  test("claim: what is not due is left alone; what is due is claimed once", async (stage) => {
    const { id } = await schedule(stage, { dueInMs: 3_600_000 });
    expect(await claim(stage)).toEqual([]);
    await makeDue(stage, id);
    expect(await claimOne(stage)).toEqual({ deliveryId: id, userId: stage.userId, fence: 1, purpose: "publish" });
    expect(await claim(stage)).toEqual([]);
  });

  test("claim: a text goes to sending at once, with the instant it was first sent", async (stage) => {
    const { id } = await schedule(stage, { units: [{ text: "one" }, { text: "two" }] });
    await claimOne(stage, { worker: "worker-7" });
    const found = await detail(stage, id);
    expect(found).toMatchObject({ state: "sending", attempt: 1 });
    expect(found.unitList.map(({ state }) => state)).toEqual(["sending", "waiting"]);
    expect(Math.abs((found.unitList[0]?.sentAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(found.unitList[1]?.sentAt).toBeNull();
    expect(found.events.at(-1)).toMatchObject({ event: "sending", attempt: 1, actor: "worker-7" });
  });

  test("claim: what must be prepared waits in claimed until it is", async (stage) => {
    const { id } = await schedule(stage, { units: [{ prepare: true }] });
    const first = await claimOne(stage, { leaseMs: EXPIRED });
    expect(await detail(stage, id)).toMatchObject({ state: "claimed", unitList: [{ state: "waiting", sentAt: null }] });
    // Nothing was sent, so the next worker simply publishes.
    const second = await claimOne(stage);
    expect(second).toEqual({ ...first, fence: first.fence + 1 });
    expect(await settle(stage, second, sending(0, { upload: ["a", 1] }, LEASE_MS))).toBe(true);
    const found = await detail(stage, id);
    expect(found).toMatchObject({
      state: "sending",
      attempt: 2,
      unitList: [{ state: "sending", prepared: { upload: ["a", 1] } }],
    });
    expect(found.unitList[0]?.sentAt).toBeInstanceOf(Date);
    expect(await eventsOf(stage, id)).toEqual(["scheduled", "claimed", "claimed", "sending"]);
  });

  test("claim: what is prepared already goes to sending at once", async (stage) => {
    const { id } = await schedule(stage, { units: [{ prepare: true }] });
    const claimed = await claimOne(stage);
    await settle(stage, claimed, sending(0, { upload: 1 }, LEASE_MS));
    await settle(
      stage,
      claimed,
      failed(0, { error: new PsnError("PLATFORM_DOWN", "try later"), attempt: 1, random: 0 }),
    );
    await makeDue(stage, id);
    await claimOne(stage);
    expect(await detail(stage, id)).toMatchObject({ state: "sending", unitList: [{ prepared: { upload: 1 } }] });
  });

  test("claim: an expired lease in sending is settled, never published; when it was sent stays", async (stage) => {
    const { id } = await schedule(stage);
    const first = await claimOne(stage);
    const sentAt = (await detail(stage, id)).unitList[0]?.sentAt;
    expect(await claim(stage)).toEqual([]);
    await expire(stage, id);
    const second = await claimOne(stage);
    expect(second).toMatchObject({ deliveryId: id, purpose: "settle", fence: first.fence + 1 });
    expect(await detail(stage, id)).toMatchObject({
      state: "sending",
      attempt: 1,
      unitList: [{ state: "sending", sentAt }],
    });
    await expire(stage, id);
    expect((await claimOne(stage)).purpose).toBe("settle");
    expect((await detail(stage, id)).unitList[0]?.sentAt).toEqual(sentAt);
    expect(await eventsOf(stage, id)).toEqual(["scheduled", "sending", "settling", "settling"]);
  });

  test("claim: an older claim changes nothing any more", async (stage) => {
    const { id } = await schedule(stage);
    const old = await claimOne(stage, { leaseMs: EXPIRED });
    const current = await claimOne(stage);
    const before = await detail(stage, id);
    for (const change of [
      done("x"),
      renewed("sending", LEASE_MS),
      failed(0, { error: new PsnError("RATE_LIMITED", "slow"), attempt: 1, random: 0 }),
    ])
      expect(await settle(stage, old, change)).toBe(false);
    expect(await settle(stage, { ...current, fence: current.fence + 1 }, done("x"))).toBe(false);
    expect(await settle(stage, { ...current, deliveryId: newId() }, done("x"))).toBe(false);
    expect(await detail(stage, id)).toEqual(before);
    expect(await stage.stores.accounts.list(stage.userId)).toMatchObject([{ pausedUntil: null }]);
    expect(await settle(stage, current, done("1"))).toBe(true);
    // A settled delivery is nobody's any more.
    expect(await settle(stage, current, done("2"))).toBe(false);
    expect(await detail(stage, id)).toMatchObject({ state: "published", url: "https://example.org/p/1" });
  });

  test("claim: renewing keeps the lease", async (stage) => {
    await schedule(stage, { units: [{ prepare: true }] });
    const claimed = await claimOne(stage, { leaseMs: EXPIRED });
    expect(await settle(stage, claimed, renewed("claimed", LEASE_MS))).toBe(true);
    expect(await claim(stage)).toEqual([]);
  });

  test("claim: a processing platform is asked again when its time has come, and not before", async (stage) => {
    const { id } = await schedule(stage);
    const first = await claimOne(stage);
    const handle = { job: "42", tries: [1] };
    expect(
      await settle(
        stage,
        first,
        answered(0, {
          outcome: { status: "pending", handle, checkAfterMs: 3_600_000 },
          next: undefined,
          leaseMs: LEASE_MS,
        }),
      ),
    ).toBe(true);
    expect(await detail(stage, id)).toMatchObject({ state: "pending", unitList: [{ state: "pending", handle }] });
    expect(await claim(stage)).toEqual([]);
    await makeDue(stage, id);
    const poll = await claimOne(stage);
    expect(poll).toMatchObject({ deliveryId: id, purpose: "poll", fence: 2 });
    expect(await claim(stage)).toEqual([]);
    expect(await settle(stage, first, done("0"))).toBe(false);
    expect(await detail(stage, id)).toMatchObject({
      state: "pending",
      attempt: 1,
      unitList: [{ state: "pending", handle }],
    });
    expect(await settle(stage, poll, done("1"))).toBe(true);
    expect(await detail(stage, id)).toMatchObject({
      state: "published",
      unitList: [{ state: "published", handle: null, ref: { id: "1" } }],
    });
    expect(await eventsOf(stage, id)).toEqual(["scheduled", "sending", "pending", "polling", "published"]);
  });

  test("claim: a paused account waits while another goes on", async (stage) => {
    const { stores, userId } = stage;
    const other = await connect(stage, "second");
    await schedule(stage);
    const limited = await claimOne(stage);
    await settle(
      stage,
      limited,
      failed(0, {
        error: new PsnError("RATE_LIMITED", "slow down", { retryAfterMs: 3_600_000 }),
        attempt: 1,
        random: 0,
      }),
    );
    const [first] = await stores.accounts.list(userId);
    expect((first?.pausedUntil?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
    const waiting = await schedule(stage);
    const goes = await schedule(stage, { accounts: [other] });
    expect(await claimOne(stage)).toMatchObject({ deliveryId: goes.id });
    expect(await claim(stage, { only: [waiting.id] })).toEqual([]);
    // A shorter pause does not end a longer one.
    await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() - interval '1 second' WHERE user_id = $1", [
      userId,
    ]);
    expect(await claimOne(stage)).toMatchObject({ deliveryId: waiting.id });
  });

  test("claim: an account that needs its user is left alone, whatever it has in flight", async (stage) => {
    await schedule(stage);
    const first = await claimOne(stage, { leaseMs: EXPIRED });
    const second = await schedule(stage);
    await settle(stage, first, failed(0, { error: new PsnError("AUTH_REVOKED", "gone"), attempt: 1, random: 0 }));
    expect(await claim(stage)).toEqual([]);
    expect(await claim(stage, { only: [first.deliveryId, second.id] })).toEqual([]);
    expect(await stateOf(stage, second.id)).toBe("scheduled");
  });

  test("claim: a worker takes only platforms it knows, only so many, and the longest due first", async (stage) => {
    const deliveries = [];
    for (const dueInMs of [-1_000, -3_000, -2_000]) deliveries.push(await schedule(stage, { dueInMs }));
    const request = { worker: "w", most: 10, leaseMs: LEASE_MS };
    expect(await stage.stores.deliveries.claim({ ...request, concurrency: {} })).toEqual([]);
    expect(await stage.stores.deliveries.claim({ ...request, concurrency: { "another-platform": 5 } })).toEqual([]);
    expect((await claimOne(stage, { most: 1 })).deliveryId).toBe(deliveries[1]?.id);
    expect((await claimOne(stage, { atOnce: 2 })).deliveryId).toBe(deliveries[2]?.id);
    expect(await claim(stage, { atOnce: 2 })).toEqual([]);
    expect(await claim(stage, { atOnce: 0 })).toEqual([]);
    expect((await claimOne(stage, { atOnce: 3 })).deliveryId).toBe(deliveries[0]?.id);
  });

  test("claim: the backlog of one account does not hide what another has due", async (stage) => {
    for (let n = 0; n < 5; n += 1) await schedule(stage, { dueInMs: -600_000 });
    const other = await schedule(stage, { accounts: [await connect(stage, "second")], dueInMs: -1_000 });
    const claims = await claim(stage, { atOnce: 2 });
    expect(claims).toHaveLength(3);
    expect(claims.map(({ deliveryId }) => deliveryId)).toContain(other.id);
  });

  test("claim: `only` limits to the named ones, and they too must be due", async (stage) => {
    const [one, two, later] = [
      await schedule(stage),
      await schedule(stage),
      await schedule(stage, { dueInMs: 3_600_000 }),
    ];
    expect(await claimOne(stage, { only: [two.id, later.id, newId()] })).toMatchObject({ deliveryId: two.id });
    expect(await claim(stage, { only: [two.id] })).toEqual([]);
    expect(await claim(stage, { only: [] })).toEqual([]);
    expect(await claimOne(stage)).toMatchObject({ deliveryId: one.id });
    const three = [
      await schedule(stage, { dueInMs: -1_000 }),
      await schedule(stage, { dueInMs: -9_000 }),
      await schedule(stage),
    ];
    const only = three.map(({ id }) => id);
    expect(await claimOne(stage, { only, most: 1 })).toMatchObject({ deliveryId: three[2]?.id });
    expect(await claim(stage, { only })).toHaveLength(2);
  });

  test("nextWake: a pause that is over wakes nobody where nothing waits for it", async (stage) => {
    const { stores, platform, userId } = stage;
    await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      answered(0, { outcome: published("1"), next: undefined, leaseMs: LEASE_MS }),
    );
    await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() - interval '1 hour' WHERE user_id = $1", [
      userId,
    ]);
    expect(await stores.deliveries.nextWake({ [platform]: 1 })).toBeNull();
    await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() + interval '1 hour' WHERE user_id = $1", [
      userId,
    ]);
    expect(await stores.deliveries.nextWake({ [platform]: 1 })).toBeNull();
  });

  test("nextWake: how long until somebody must look, in milliseconds", async (stage) => {
    const { stores, platform, userId } = stage;
    const wake = () => stores.deliveries.nextWake({ [platform]: 1 });
    expect(await wake()).toBeNull();
    const later = await schedule(stage, { dueInMs: 3_600_000 });
    expect(await wake()).toBeGreaterThan(3_500_000);
    expect(await wake()).toBeLessThanOrEqual(3_600_000);
    expect(await stores.deliveries.nextWake({ other: 1 })).toBeNull();
    const { id } = await schedule(stage);
    const overdue = await wake();
    expect(typeof overdue).toBe("number");
    expect(overdue).toBeLessThanOrEqual(0);
    expect(await stores.deliveries.nextWake({ [platform]: 1 }, [later.id])).toBeGreaterThan(3_500_000);
    expect(await stores.deliveries.nextWake({ [platform]: 1 }, [id])).toBeLessThanOrEqual(0);
    expect(await stores.deliveries.nextWake({ other: 1 }, [id])).toBeNull();
    const claimed = await claimOne(stage, { leaseMs: 30_000 });
    expect(await stores.deliveries.nextWake({ [platform]: 1 }, [id])).toBeGreaterThan(25_000);
    expect(await wake()).toBeGreaterThan(25_000);
    expect(await wake()).toBeLessThanOrEqual(30_000);
    await settle(
      stage,
      claimed,
      answered(0, {
        outcome: { status: "pending", handle: 1, checkAfterMs: 90_000 },
        next: undefined,
        leaseMs: LEASE_MS,
      }),
    );
    expect(await wake()).toBeGreaterThan(80_000);
    await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() + interval '2 hours' WHERE user_id = $1", [
      userId,
    ]);
    expect(await wake()).toBeGreaterThan(7_100_000);
    await asOwner(
      stage.db,
      "UPDATE psn.accounts SET paused_until = null, health = 'needs-reconnect' WHERE user_id = $1",
      [userId],
    );
    expect(await wake()).toBeNull();
    expect([later.id, id]).toHaveLength(2);
  });
}
