import { expect } from "vitest";
import { claim, connect, done, type Stage, schedule, settle, type Test } from "../stage.ts";

const ACCOUNTS = 20;
const EACH = 10;
const WORKERS = 10;
const AT_ONCE = 3;

/** Claims and publishes until everything is out; notes who claimed what, and the most in flight for one account. */
async function drain(stage: Stage, total: number, accountOf: ReadonlyMap<string, string>) {
  const claimed: string[] = [];
  const inFlight = new Map<string, number>();
  let most = 0;
  const add = (deliveryId: string, by: number) => {
    const account = accountOf.get(deliveryId) ?? "";
    const now = (inFlight.get(account) ?? 0) + by;
    inFlight.set(account, now);
    most = Math.max(most, now);
  };
  const work = async (worker: string) => {
    for (let idle = 0; claimed.length < total && idle < 500; idle += 1) {
      const claims = await claim(stage, { worker, most: 8, atOnce: AT_ONCE });
      if (claims.length > 0) idle = 0;
      for (const { deliveryId } of claims) {
        claimed.push(deliveryId);
        add(deliveryId, 1);
      }
      for (const each of claims) {
        add(each.deliveryId, -1);
        expect(await settle(stage, each, done(each.deliveryId), worker)).toBe(true);
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, n) => work(`worker-${n}`)));
  return { claimed, most };
}

export function concurrencyTests(test: Test): void {
  test("ten workers, 200 due deliveries: each claimed exactly once, no account beyond its limit", async (stage) => {
    const { stores, userId } = stage;
    const accounts = [stage.accountId];
    while (accounts.length < ACCOUNTS) accounts.push(await connect(stage, `account-${accounts.length}`));
    const accountOf = new Map<string, string>();
    for (let n = 0; n < EACH; n += 1) {
      const { ids } = await schedule(stage, { accounts });
      for (const [index, id] of ids.entries()) accountOf.set(id, accounts[index] ?? "");
    }
    const { claimed, most } = await drain(stage, ACCOUNTS * EACH, accountOf);
    expect(claimed).toHaveLength(ACCOUNTS * EACH);
    expect(new Set(claimed)).toEqual(new Set(accountOf.keys()));
    expect(most).toBeLessThanOrEqual(AT_ONCE);
    const all = await stores.posts.list(userId, "all", 1000);
    expect(all).toHaveLength(ACCOUNTS * EACH);
    expect(new Set(all.map(({ state, attempt, unitsPublished }) => `${state} ${attempt} ${unitsPublished}`))).toEqual(
      new Set(["published 1 1"]),
    );
  });

  test("claimers at the same moment do not exceed an account's limit together", async (stage) => {
    for (let n = 0; n < 20; n += 1) await schedule(stage);
    const claims = (await Promise.all(Array.from({ length: WORKERS }, () => claim(stage, { atOnce: AT_ONCE })))).flat();
    expect(claims.length).toBeGreaterThan(0);
    expect(claims.length).toBeLessThanOrEqual(AT_ONCE);
    const more = await claim(stage, { atOnce: AT_ONCE });
    expect(claims.length + more.length).toBe(AT_ONCE);
  });

  test("who comes second to an account looks again later", async (stage) => {
    const { id } = await schedule(stage);
    const { owner } = stage.db;
    // The embedded database has one session: there nobody can come second.
    if (owner.driver !== "embedded") {
      await owner.asOwner?.(async (client) => {
        await client.query("BEGIN");
        await client.query("SELECT FROM psn.accounts WHERE id = $1 FOR NO KEY UPDATE", [stage.accountId]);
        expect(await claim(stage)).toEqual([]);
        await client.query("COMMIT");
      });
    }
    expect(await claim(stage)).toMatchObject([{ deliveryId: id }]);
  });

  test("a worker that sleeps is told of what becomes due, where the driver can", async (stage) => {
    let told = 0;
    const stop = await stage.stores.deliveries.listen(() => {
      told += 1;
    });
    if (stage.db.database.driver === "neon-http") {
      expect(stop).toBeUndefined();
      return;
    }
    const { id } = await schedule(stage, { dueInMs: 3_600_000 });
    for (let n = 0; n < 200 && told === 0; n += 1) await Bun.sleep(10);
    expect(told).toBeGreaterThan(0);
    await Bun.sleep(50);
    const before = told;
    await stage.stores.posts.cancel(stage.userId, [id]);
    await Bun.sleep(50);
    expect(told).toBe(before);
    await stop?.close();
    await schedule(stage);
    await Bun.sleep(50);
    expect(told).toBe(before);
  });
}
