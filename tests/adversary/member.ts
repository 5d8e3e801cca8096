import type { Database } from "@psn/core/db/connection.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { sql } from "drizzle-orm";
import { newId, newUser, profile, type Stage, schedule, sealed, setUp } from "../db/stage.ts";
import { asOwner, type TestDatabase, type TestDriver } from "../support/databases.ts";

/*
 * Two users of one hub, on one platform: Mallory, who means ill and has a member's login of their own, and Vera, who
 * has posts that are due.
 */

export interface Pair {
  readonly db: TestDatabase;
  readonly vera: Stage;
  readonly mallory: Stage;
  /** Mallory's own login. */
  readonly login: Database;
  /** The stores as Mallory's own psn has them. */
  readonly own: Stores;
}

export async function openPair(driver: TestDriver): Promise<Pair> {
  const db = await driver.open();
  const vera = await setUp(db);
  const userId = await newUser(vera.stores);
  const mallory = { ...vera, userId, accountId: newId() };
  await vera.stores.accounts.connect(
    userId,
    { id: mallory.accountId, platform: vera.platform, profile: profile("mallory") },
    sealed(newId()),
  );
  const login = await db.asMember(userId);
  return { db, vera, mallory, login, own: createStores(login) };
}

/** What became of a statement of Mallory's: `done`, or its SQLSTATE. */
export async function tries({ login, mallory }: Pair, statement: string): Promise<string> {
  try {
    await login.run({ userId: mallory.userId }, (db) => [db.execute(sql.raw(statement))]);
    return "done";
  } catch (error) {
    return error instanceof PsnError ? String(error.details["code"] ?? error.code) : "no answer";
  }
}

/** A worker's claim over both. */
export const claimAll = ({ vera }: Pair, most = 64, busy: readonly string[] = []): Promise<readonly Claim[]> =>
  vera.stores.deliveries.claim({ worker: "w", most, leaseMs: LEASE_MS, concurrency: { [vera.platform]: 100 }, busy });

export const userIdsOf = (claims: readonly Claim[]): readonly string[] => claims.map(({ userId }) => userId);

/** Fails unless a post of Vera's that is due now is claimed, and settles nothing. */
export async function veraIsServed(pair: Pair): Promise<boolean> {
  const { id } = await schedule(pair.vera);
  return (await claimAll(pair)).some(({ deliveryId }) => deliveryId === id);
}

/**
 * Runs `work` while a session of Mallory's stands idle in a transaction that has run these statements. The embedded
 * database has one session, so that nobody can stand there.
 */
export async function whileHolding<T>(
  { db, mallory }: Pair,
  statements: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const [{ login = "" } = {}] = await asOwner<{ login: string }>(db, "SELECT login FROM psn.users WHERE id = $1", [
    mallory.userId,
  ]);
  if (!db.owner.asOwner) throw new Error("the owner has no session");
  return db.owner.asOwner(async (session) => {
    try {
      await session.query(`SET SESSION AUTHORIZATION ${login}; BEGIN`);
      for (const statement of statements) await session.query(statement);
      return await work();
    } finally {
      await session.query("ROLLBACK; RESET SESSION AUTHORIZATION; SELECT pg_advisory_unlock_all()");
    }
  });
}
