import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import { claimOne, connect, done, newId, newUser, profile, schedule, sealed, settle, type Test } from "../stage.ts";

export function inspectionTests(test: Test): void {
  test("inspection: who works, and when it was last heard of", async ({ db, stores, platform }) => {
    const mine = async () => (await stores.inspection.workers()).filter(({ name }) => name === platform);
    expect(await mine()).toEqual([]);
    await stores.deliveries.beat(platform, "0.1.0");
    await asOwner(db, "UPDATE psn.workers SET beat_at = now() - interval '1 minute' WHERE name = $1", [platform]);
    const [old] = await mine();
    expect(old).toMatchObject({ name: platform, version: "0.1.0" });
    expect(old?.beatMsAgo).toBeGreaterThanOrEqual(60_000);
    await stores.deliveries.beat(platform, "0.2.0");
    const [fresh] = await mine();
    expect(fresh?.version).toBe("0.2.0");
    expect(fresh?.beatMsAgo).toBeLessThan(30_000);
    await stores.deliveries.gone(platform);
    expect(await mine()).toEqual([]);
  });

  test("inspection: what is late, the clocks, the guards", async (stage) => {
    const { stores, userId } = stage;
    expect(await stores.inspection.late(userId)).toBeUndefined();
    await schedule(stage, { dueInMs: 3_600_000 });
    expect(await stores.inspection.late(userId)).toBeUndefined();
    await schedule(stage, { dueInMs: -1_000 });
    const late = await schedule(stage, { dueInMs: -60_000 });
    const found = await stores.inspection.late(userId);
    expect(found?.id).toBe(late.id);
    expect(found?.lateMs).toBeGreaterThanOrEqual(60_000);
    expect(found?.lateMs).toBeLessThan(120_000);
    await settle(stage, await claimOne(stage, { only: [late.id] }), done("1"));
    expect((await stores.inspection.late(userId))?.id).not.toBe(late.id);
    expect(Math.abs(await stores.inspection.clockSkewMs())).toBeLessThan(5_000);
    expect((await stores.inspection.differences()).filter(({ severe }) => severe)).toEqual([]);
    expect(await stores.inspection.strangerSees()).toBe(0);
  });

  test("inspection: whether the server keeps what it commits", async ({ db, stores }) => {
    // The servers of these tests run without fsync; what comes by Neon's doors is Neon's to keep.
    const keeps = db.database.driver !== "pg";
    expect(await stores.inspection.durability()).toEqual({
      fsync: keeps,
      fullPageWrites: keeps,
      asynchronousStandbys: 0,
    });
  });

  test("inspection: how many sealed values each key holds, for this user alone", async (stage) => {
    const { db, stores, userId, platform } = stage;
    await connect(stage, "second");
    await stores.accounts.connect(
      userId,
      { id: newId(), platform, profile: profile("third") },
      sealed(newId(), { access: "v1.key2.x" }),
    );
    await asOwner(db, "INSERT INTO psn.api_keys (id, user_id, name, value) VALUES ($1, $2, 'n', 'v1.key2.y')", [
      newId(),
      userId,
    ]);
    expect(await stores.inspection.sealedByKey(userId)).toEqual({ key1: 2, key2: 2 });
    expect(await stores.inspection.sealedByKey(await newUser(stores))).toEqual({});
  });
}
