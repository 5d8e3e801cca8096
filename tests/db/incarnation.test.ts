import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asOwner, type TestDatabase, testDatabases } from "../support/databases.ts";
import { claim, newId, type Stage, schedule, setUp, stateOf } from "./stage.ts";

/* The incarnation's row, by every way to the database: nothing is claimed while the database is not the one it was. */

describe.each(testDatabases)("the incarnation on $driver", ({ open }) => {
  let db: TestDatabase;
  let stage: Stage;
  beforeAll(async () => {
    db = await open();
    stage = await setUp(db);
  });
  afterAll(() => db.close());

  const nothingToDo = async (id: string) => {
    const { deliveries } = stage.stores;
    const platforms = [stage.platform];
    const one = { worker: newId(), leaseMs: 60_000, platforms, userId: stage.userId, deliveryId: id };
    expect(await claim(stage)).toEqual([]);
    expect(await claim(stage, { only: [id] })).toEqual([]);
    expect((await deliveries.claimOne(one)).claim).toBeUndefined();
    expect(await deliveries.nextWake({ [stage.platform]: 1 })).toBeNull();
    expect(await deliveries.wakeUps({ worker: "w", version: "0", platforms, aheadMs: 3_600_000, most: 10 })).toEqual(
      [],
    );
  };

  it("is made once, is seen more with every look, and follows another", async () => {
    const { incarnation } = stage.stores;
    expect(await incarnation.look()).toMatchObject({
      id: undefined,
      seen: 0,
      counted: false,
      parted: undefined,
      elsewhere: false,
      used: false,
    });
    const [first, second] = [newId(), newId()];
    expect(await incarnation.become(first)).toBe(first);
    expect(await incarnation.become(second)).toBe(first);
    const before = await incarnation.look();
    expect(before).toMatchObject({ id: first, past: [], counted: true, elsewhere: false });
    expect((await incarnation.look()).seen).toBeGreaterThan(before.seen);
    expect(await incarnation.become(second, first)).toBe(second);
    // Again, as after a lost answer.
    expect(await incarnation.become(second, first)).toBe(second);
    const after = await incarnation.look();
    expect(after).toMatchObject({ id: second, past: [first] });
    expect(after.seen).toBeGreaterThan(before.seen);
  });

  it("while it has parted nothing is taken, and everything to come is held", async () => {
    const { incarnation } = stage.stores;
    const { id } = await schedule(stage);
    expect(await incarnation.part("turned back", newId())).toBe(1);
    expect(await incarnation.part("copied", newId())).toBe(0);
    expect(await incarnation.look()).toMatchObject({ parted: { why: "turned back" }, used: true });
    expect(await stateOf(stage, id)).toBe("held");
    // Somebody retries it all the same.
    await stage.stores.posts.retry(stage.userId, [id]);
    await nothingToDo(id);
    const { id: now } = await incarnation.look();
    await incarnation.become(newId(), now);
    expect(await claim(stage)).toHaveLength(1);
  });

  it("in another place than it began nothing is taken, though nobody has noticed yet", async () => {
    const { id } = await schedule(stage);
    await asOwner(db, `UPDATE psn.incarnation SET identity = identity || '{"database": "1"}'`);
    expect(await stage.stores.incarnation.look()).toMatchObject({ elsewhere: true, parted: undefined });
    await nothingToDo(id);
    // What one side does not know says nothing.
    await asOwner(
      db,
      `UPDATE psn.incarnation SET identity = psn.database_identity() - 'system' || '{"branch": "br-1"}'`,
    );
    expect(await stage.stores.incarnation.look()).toMatchObject({ elsewhere: false });
    expect(await claim(stage)).toHaveLength(1);
  });
});
