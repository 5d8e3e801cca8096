import { dropHub } from "@psn/core/db/logins.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { repair } from "@psn/core/db/repair.ts";
import { renewed } from "@psn/domain/delivery.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { done, newId, schedule, stateOf } from "../db/stage.ts";
import { asOwner, serverDatabases } from "../support/databases.ts";
import { atMost } from "../support/until.ts";
import { claimAll, openPair, type Pair, tries, veraIsServed, whileHolding } from "./member.ts";

const TABLE_LOCKS = [
  "ROW SHARE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
];
/** Longer than anything here may wait, and shorter than Mallory would hold a lock. In milliseconds. */
const WAIT_MS = 4_000;

describe.each(serverDatabases)("a member's lock is nobody's brake, on $driver", (driver) => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await openPair(driver);
  });
  afterAll(() => pair.db.close());

  it("no table can be locked as a whole", async () => {
    const tables = await asOwner<{ name: string }>(
      pair.db,
      "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'psn'::regnamespace AND relkind = 'r'",
    );
    expect(tables.length).toBeGreaterThan(10);
    for (const { name } of tables)
      for (const mode of TABLE_LOCKS.slice(1))
        expect(await tries(pair, `LOCK TABLE psn.${name} IN ${mode} MODE`), `${name} ${mode}`).toBe("42501");
    for (const name of [
      "deliveries",
      "delivery_units",
      "delivery_events",
      "incarnation",
      "migrations",
      "workers",
      "posts",
    ])
      for (const strength of ["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"])
        expect(await tries(pair, `SELECT FROM psn.${name} FOR ${strength}`), `${name} ${strength}`).toBe("42501");
    for (const name of ["deliveries", "posts", "accounts", "oauth_tokens", "api_keys"])
      expect(await tries(pair, `DELETE FROM psn.${name}`), name).toBe("42501");
  });

  if (driver.driver === "embedded") return;

  const own = (text: string) =>
    text.replaceAll("$account", pair.mallory.accountId).replaceAll("$user", pair.mallory.userId);
  /** Each leaves something of Mallory's locked that a claim has to do with. */
  const HOLDS: Readonly<Record<string, (id: string) => readonly string[]>> = {
    "an own delivery, by a verb": (id) => [`SELECT psn.cancel('{${id}}')`],
    "an own delivery and its units": (id) => [`SELECT psn.move('{${id}}', now(), NULL, NULL, 'x')`],
    "the own account": () => ["SELECT FROM psn.accounts FOR UPDATE"],
    "the own token": () => ["SELECT FROM psn.oauth_tokens FOR UPDATE"],
    "the own user": () => ["SELECT FROM psn.users FOR UPDATE"],
    "the whole account, disconnected": () => [own("SELECT psn.disconnect('$account', 'x')")],
    "advisory locks that psn once took": () => [
      "SELECT pg_advisory_lock(7303166)",
      own("SELECT pg_advisory_lock(1886612992, hashtext('$account'))"),
      `SELECT pg_advisory_lock(1886612992, hashtext('${pair.vera.accountId}'))`,
    ],
    "a thousand advisory locks": () => ["SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 1000) n"],
  };

  it.each(Object.keys(HOLDS))("a claim does not wait for %s", async (name) => {
    const { id } = await schedule(pair.mallory);
    await whileHolding(pair, HOLDS[name]?.(id) ?? [], async () => {
      const before = performance.now();
      expect(await veraIsServed(pair)).toBe(true);
      expect(Number.isFinite(await pair.vera.stores.deliveries.nextWake({ [pair.vera.platform]: 1 }))).toBe(true);
      expect(performance.now() - before).toBeLessThan(atMost(WAIT_MS));
    });
    // Let go, it is as any other, if it was not claimed meanwhile.
    await claimAll(pair);
    expect(await stateOf(pair.mallory, id)).toBe("sending");
  });

  it("what is written of a locked delivery gives way, and the others' is written meanwhile", async () => {
    const [mine, hers] = [await schedule(pair.mallory), await schedule(pair.vera)];
    const claims = await claimAll(pair);
    const claimOf = (id: string) => {
      const found = claims.find(({ deliveryId }) => deliveryId === id);
      if (!found) throw new Error("it was not claimed");
      return found;
    };
    const { deliveries } = pair.vera.stores;
    await whileHolding(pair, [own("SELECT psn.disconnect('$account', 'x')")], async () => {
      const locked = expect(deliveries.record(claimOf(mine.id), "w", renewed("sending", 60_000))).rejects.toMatchObject(
        {
          code: "DB_LOCKED",
        },
      );
      expect(await deliveries.record(claimOf(hers.id), "w", done("1"))).toBe(true);
      await locked;
    });
    expect(await stateOf(pair.vera, hers.id)).toBe("published");
    expect(await deliveries.record(claimOf(mine.id), "w", done("2"))).toBe(true);
  });

  it("upkeep over all users goes around what is locked, and what is one user's gives way", async () => {
    const { vera, mallory, db } = pair;
    await asOwner(
      db,
      "UPDATE psn.oauth_tokens SET expires_at = now() + interval '1 day', refresh_token = NULL, secret = NULL",
    );
    const { upkeep, accounts } = vera.stores;
    await whileHolding(
      pair,
      ["SELECT FROM psn.accounts FOR UPDATE", "SELECT FROM psn.oauth_tokens FOR UPDATE"],
      async () => {
        const ending = await upkeep.noteEndingTokens([vera.platform], 7 * 86_400_000);
        expect(ending.map(({ accountId }) => accountId)).toEqual([vera.accountId]);
        expect(await accounts.leaseRefresh(vera.userId, vera.accountId, 1_000)).toBe("mine");
        await expect(accounts.leaseRefresh(mallory.userId, mallory.accountId, 1_000)).rejects.toMatchObject({
          code: "DB_LOCKED",
        });
      },
    );
    expect(await upkeep.noteEndingTokens([vera.platform], 7 * 86_400_000)).toHaveLength(1);
  });

  it("a copy is held, whatever is locked", async () => {
    const { vera, mallory, db } = pair;
    const [mine, hers] = [await schedule(mallory), await schedule(vera)];
    await whileHolding(pair, [`SELECT psn.cancel('{${mine.id}}')`], async () => {
      await vera.stores.incarnation.part("copied", newId());
      expect(await claimAll(pair)).toEqual([]);
      expect(await stateOf(vera, hers.id)).toBe("held");
    });
    expect(await claimAll(pair)).toEqual([]);
    await asOwner(db, "UPDATE psn.incarnation SET parted_at = NULL, reason = NULL");
  });

  it("a migration goes on beside it, and says so where a table is in use", async () => {
    const KNOWN = knownMigrations();
    const next = { hash: `of ${driver.driver}`, statements: ["ALTER TABLE psn.posts ADD COLUMN added integer"] };
    await whileHolding(pair, ["SELECT pg_advisory_lock(7303166)", "SELECT count(*) FROM psn.posts"], async () => {
      expect(await migrate(pair.db.owner, KNOWN)).toBe(0);
      await expect(migrate(pair.db.owner, [...KNOWN, next])).rejects.toMatchObject({ code: "DB_LOCKED" });
      expect(await veraIsServed(pair)).toBe(true);
    });
    expect(await migrate(pair.db.owner, [...KNOWN, next])).toBe(1);
    await asOwner(pair.db, "ALTER TABLE psn.posts DROP COLUMN added");
    await asOwner(pair.db, "DELETE FROM psn.migrations WHERE hash = $1", [next.hash]);
  });

  it("a repair and the end of a hub give way where a table is in use, and change nothing", async () => {
    const { owner } = pair.db;
    await asOwner(pair.db, "DROP POLICY posts_own ON psn.posts");
    const missing = expect.stringContaining("policy posts_own on psn.posts is missing");
    await whileHolding(pair, ["SELECT FROM psn.posts"], async () => {
      for (const work of [() => repair(owner), () => dropHub(owner, "psn_nobody")]) {
        const before = performance.now();
        await expect(work()).rejects.toMatchObject({ code: "DB_LOCKED" });
        expect(performance.now() - before).toBeLessThan(atMost(4 * WAIT_MS));
      }
    });
    expect(await repair(owner)).toMatchObject({ mended: [missing] });
  });

  it("a statement of psn's gives way by itself, whoever's session it is", async () => {
    const { mallory } = pair;
    const [rows] = await pair.db.database.run({ userId: mallory.userId }, (db) => [
      db.select({ wait: sql<string>`wait` }).from(sql`current_setting('lock_timeout') as limits(wait)`),
    ]);
    expect(rows[0]?.wait).toBe("2s");
  });
});
