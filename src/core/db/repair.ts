import { PsnError } from "@psn/core/errors.ts";
import type { Difference } from "@psn/core/ports/upkeep.ts";
import type { Database, OwnerClient } from "./connection.ts";
import { sqlStateOf } from "./drivers/failure.ts";
import { type Fact, factsQuery, PLAIN_NAMES } from "./facts.ts";
import { differences } from "./manifest.ts";
import { TABLE_MS } from "./migrate.ts";

export interface Repaired {
  /** What was not as the migrations made it, and is now. */
  readonly mended: readonly string[];
  /** What only a person can judge, or what this login may not change. */
  readonly left: readonly Difference[];
}

/**
 * Puts policies, grants, row security, functions, triggers and constraints back as the migrations made them, in one
 * transaction. Changes no row and drops no table, view or function. The database must have all migrations. Throws
 * DB_LOCKED while a session uses a table that must be changed, and then nothing is; DB_….
 */
export async function repair(database: Database): Promise<Repaired> {
  if (!database.asOwner) throw new PsnError("BUG", "a repair needs a session; it cannot run over HTTP");
  return database.asOwner(async (client) => {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${TABLE_MS}`);
    const before = await different(client);
    for (const { repairable, sql } of before) if (repairable) await tryAll(client, sql);
    const left = await different(client);
    await client.query("COMMIT");
    const still = new Set(left.map(({ said }) => said));
    return { mended: before.map(({ said }) => said).filter((said) => !still.has(said)), left };
  });
}

/** What only the hub's own login can tell from what belongs there. */
const OF_THE_LOGIN = ["login", "setting", "member", "neighbour"];

async function different(client: OwnerClient): Promise<readonly Difference[]> {
  await client.query("SAVEPOINT facts");
  await client.query(`SELECT ${PLAIN_NAMES}`);
  const { rows } = await client.query(factsQuery(false));
  await client.query("ROLLBACK TO SAVEPOINT facts");
  return differences(rows.map(factOf)).filter(({ kind }) => !OF_THE_LOGIN.includes(kind));
}

const factOf = ({ kind, name, says, undo }: Readonly<Record<string, unknown>>): Fact => ({
  kind: String(kind),
  name: String(name),
  says: String(says),
  undo: typeof undo === "string" ? undo : null,
});

/** All of these statements or none of them; what fails stays different, and is told as such. */
async function tryAll(client: OwnerClient, statements: readonly string[]): Promise<void> {
  await client.query("SAVEPOINT repair");
  try {
    for (const statement of statements) await client.query(statement);
  } catch (error) {
    // 55P03: a table is in use, and so are the others, perhaps.
    if (sqlStateOf(error) === "55P03") throw error;
    await client.query("ROLLBACK TO SAVEPOINT repair");
  }
}
