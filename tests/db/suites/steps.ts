import { PsnError } from "@psn/core/errors.ts";
import { failed } from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import { claim, claimOne, detail, type Stage, schedule, settle, stateOf, type Test } from "../stage.ts";

/*
 * The database's clock stepped back a day: what was written before lies in the future, and must not last a day longer.
 */

const DAY = "interval '1 day'";

/** As if the delivery and its account had been written before the step. */
async function stepBack({ db, accountId }: Stage, deliveryId: string): Promise<void> {
  await asOwner(
    db,
    `UPDATE psn.deliveries SET wake_at = CASE WHEN wake_at = due_at THEN wake_at ELSE wake_at + ${DAY} END,
      lease_until = lease_until + ${DAY}, updated_at = updated_at + ${DAY} WHERE id = $1`,
    [deliveryId],
  );
  await asOwner(
    db,
    `UPDATE psn.accounts SET paused_until = paused_until + ${DAY}, updated_at = updated_at + ${DAY} WHERE id = $1`,
    [accountId],
  );
}

async function aheadMs({ db }: Stage, table: "deliveries" | "accounts", column: string, id: string): Promise<number> {
  const [row] = await asOwner(
    db,
    `SELECT (extract(epoch FROM ${column} - now()) * 1000)::float8 AS ms FROM psn.${table} WHERE id = $1`,
    [id],
  );
  return Number(row?.["ms"]);
}

export function stepTests(test: Test): void {
  const beat = ({ stores, platform }: Stage) => stores.deliveries.beat(platform, "0.1.0");

  test("clock steps: the lease of a worker that died ends when it would have ended", async (stage) => {
    const { id } = await schedule(stage);
    await claimOne(stage, { leaseMs: 60_000 });
    await stepBack(stage, id);
    await beat(stage);
    const ahead = await aheadMs(stage, "deliveries", "lease_until", id);
    expect(ahead).toBeGreaterThan(50_000);
    expect(ahead).toBeLessThanOrEqual(60_000);
    expect(await claim(stage)).toEqual([]);
    await asOwner(stage.db, "UPDATE psn.deliveries SET lease_until = now() WHERE id = $1", [id]);
    expect((await claimOne(stage)).purpose).toBe("settle");
  });

  test("clock steps: whoever holds a claim writes on under it", async (stage) => {
    const { id } = await schedule(stage);
    const mine = await claimOne(stage);
    await stepBack(stage, id);
    await beat(stage);
    expect(
      await settle(stage, mine, failed(0, { error: new PsnError("PLATFORM_REJECTED", "no"), attempt: 1, random: 0 })),
    ).toBe(true);
    expect(await stateOf(stage, id)).toBe("failed");
  });

  test("clock steps: a passing failure is tried again after its pause, and no account pauses longer", async (stage) => {
    const { id } = await schedule(stage);
    const limited = new PsnError("RATE_LIMITED", "slow down", { retryAfterMs: 90_000 });
    await settle(stage, await claimOne(stage), failed(0, { error: limited, attempt: 1, random: 0 }));
    await stepBack(stage, id);
    await beat(stage);
    for (const ahead of [
      await aheadMs(stage, "deliveries", "wake_at", id),
      await aheadMs(stage, "accounts", "paused_until", stage.accountId),
    ]) {
      expect(ahead).toBeGreaterThan(80_000);
      expect(ahead).toBeLessThanOrEqual(90_000);
    }
  });

  test("clock steps: the instant that a user chose stays", async (stage) => {
    const { id } = await schedule(stage, { dueInMs: 3_600_000 });
    const { dueAt } = await detail(stage, id);
    await stepBack(stage, id);
    await beat(stage);
    const { dueAt: due, wakeAt } = await detail(stage, id);
    expect([due, wakeAt]).toEqual([dueAt, dueAt]);
    expect(await aheadMs(stage, "deliveries", "coalesce(lease_until, now())", id)).toBe(0);
  });

  test("clock steps: what lies in the past stays", async (stage) => {
    const { id } = await schedule(stage);
    await claimOne(stage, { leaseMs: 60_000 });
    await asOwner(
      stage.db,
      "UPDATE psn.deliveries SET lease_until = now() + interval '7 seconds', updated_at = now() WHERE id = $1",
      [id],
    );
    await beat(stage);
    expect(await aheadMs(stage, "deliveries", "lease_until", id)).toBeLessThanOrEqual(7_000);
  });

  test("clock steps: a watchdog's look does the same", async (stage) => {
    const { id } = await schedule(stage);
    await settle(
      stage,
      await claimOne(stage),
      failed(0, { error: new PsnError("PLATFORM_DOWN", "away"), attempt: 1, random: 0 }),
    );
    await stepBack(stage, id);
    const look = { worker: stage.platform, version: "0.1.0", platforms: [stage.platform], aheadMs: 60_000, most: 10 };
    expect((await stage.stores.deliveries.wakeUps(look)).map(({ deliveryId }) => deliveryId)).toEqual([id]);
  });

  test("clock steps: a token that was exchanged before the step is exchanged again", async (stage) => {
    const { stores, userId, accountId } = stage;
    const before = await stores.accounts.credentials(userId, accountId);
    if (!before) throw new Error("no credentials");
    await stores.accounts.refreshed(userId, {
      accountId,
      previous: before,
      credentials: { ...before, access: "v1.key1.fresh", version: 2 },
      restMs: 600_000,
    });
    expect(await stores.accounts.leaseRefresh(userId, accountId, 60_000)).toBe("resting");
    await asOwner(
      stage.db,
      `UPDATE psn.oauth_tokens SET refreshed_at = refreshed_at + ${DAY}, refresh_rest_until = ` +
        `refresh_rest_until + ${DAY} WHERE account_id = $1`,
      [accountId],
    );
    expect(await stores.accounts.leaseRefresh(userId, accountId, 60_000)).toBe("mine");
  });

  test("clock steps: a lease of before the step keeps no row from being sealed anew", async (stage) => {
    const { stores, userId, accountId } = stage;
    const lease = (ahead: string) =>
      asOwner(
        stage.db,
        `UPDATE psn.oauth_tokens SET refresh_lease_until = now() + interval '${ahead}' WHERE account_id = $1`,
        [accountId],
      );
    await lease("1 minute");
    const [held] = await stores.sealed.ofKey(userId, { keyId: "key1", most: 10 });
    if (!held) throw new Error("no sealed row");
    expect([held.leased, await stores.sealed.reseal(userId, held, held.values)]).toEqual([true, false]);
    await lease("1 day");
    const [row] = await stores.sealed.ofKey(userId, { keyId: "key1", most: 10 });
    expect([row?.leased, await stores.sealed.reseal(userId, held, held.values)]).toEqual([false, true]);
  });

  test("clock steps: a heartbeat of before the step proves nothing", async (stage) => {
    const { stores, platform, db } = stage;
    await beat(stage);
    await asOwner(db, `UPDATE psn.workers SET beat_at = now() + ${DAY} WHERE name = $1`, [platform]);
    const mine = async () => (await stores.inspection.workers()).find(({ name }) => name === platform);
    expect((await mine())?.beatMsAgo).toBeGreaterThan(3_600_000);
    await stores.upkeep.dropWorkers(3_600_000);
    expect(await mine()).toBeUndefined();
  });
}
