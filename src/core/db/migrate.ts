import { PsnError } from "@psn/core/errors.ts";
import { sql } from "drizzle-orm";
import type { Database, OwnerClient } from "./connection.ts";
import type { Builder } from "./database.ts";
import { sqlStateOf } from "./drivers/failure.ts";
import { knownMigrations, type Migration } from "./migrations.ts";
import { type Resealing, reseal } from "./reseal.ts";

/** How long to wait for another psn that migrates, in milliseconds. */
const TURN_MS = 60_000;
/** How long to wait for a table that somebody uses, in milliseconds: everybody else waits behind this meanwhile. */
export const TABLE_MS = 4_000;
/**
 * Two first migrations at once: the one that comes second finds what the first has made. SQLSTATEs of PostgreSQL 18,
 * Appendix A.
 */
const MADE_MEANWHILE = /^(23505|42P06|42P07)$/;

/** RFC 9562 §5.9, the Nil UUID. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

/** The line by which a migration asks for what only the hub's key can do (`reseal`), after its statements. */
const RESEALS = /^-- reseal:/m;

export interface MigrationStatus {
  readonly applied: number;
  readonly pending: number;
  /** Applied by a newer psn, or changed after their release. */
  readonly unknown: number;
}

const LEDGER = `
  CREATE SCHEMA IF NOT EXISTS psn;
  CREATE TABLE IF NOT EXISTS psn.migrations (
    number integer PRIMARY KEY,
    hash text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;

/**
 * Applies what is missing, each migration in a transaction of its own under one lock; returns how many it applied.
 * Twice is a no-op; a failure leaves the migrations before it. `resealing` is the hub's key, for a migration that seals
 * again what is sealed. Throws SCHEMA_NEWER when the database is ahead, and what `reseal` throws.
 */
export async function migrate(
  database: Database,
  migrations = knownMigrations(),
  resealing?: Resealing,
): Promise<number> {
  if (!database.asOwner) throw new PsnError("BUG", "migrations need a session; they cannot run over HTTP");
  return database.asOwner(async (client) => {
    let applied = 0;
    await makeLedger(client);
    while (await applyNext(client, migrations, resealing)) applied += 1;
    return applied;
  });
}

async function makeLedger(client: OwnerClient): Promise<void> {
  for (;;) {
    try {
      await client.query("BEGIN; SET LOCAL client_min_messages = warning");
      await assertOurs(client);
      await client.query(LEDGER);
      await client.query("COMMIT");
      return;
    } catch (error) {
      await client.query("ROLLBACK");
      if (!MADE_MEANWHILE.test(sqlStateOf(error))) throw error;
    }
  }
}

/**
 * One transaction: take the lock, look what is next, apply it. The lock is one that only the ledger's owner can take,
 * and that lets everybody read it; it ends with the transaction, also on a pooled connection.
 */
async function applyNext(
  client: OwnerClient,
  migrations: readonly Migration[],
  resealing: Resealing | undefined,
): Promise<boolean> {
  await client.query("BEGIN");
  try {
    await client.query(`SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = ${TURN_MS}`);
    await client.query("LOCK TABLE psn.migrations IN SHARE ROW EXCLUSIVE MODE");
    await client.query(`SET LOCAL lock_timeout = ${TABLE_MS}`);
    const { rows } = await client.query("SELECT hash FROM psn.migrations ORDER BY number");
    const status = compare(
      rows.map((row) => String(row["hash"])),
      migrations,
    );
    if (status.unknown > 0) throw newer();
    const next = migrations[status.applied];
    if (next) {
      for (const statement of next.statements) await client.query(statement);
      if (next.statements.some((statement) => RESEALS.test(statement))) await reseal(client, resealing);
      await client.query("INSERT INTO psn.migrations (number, hash) VALUES ($1, $2)", [status.applied, next.hash]);
    }
    await client.query("COMMIT");
    return next !== undefined;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

/** A database may hold anything beside psn's schema; a schema of that name must be psn's. Throws FOREIGN_CONTENT. */
async function assertOurs(client: OwnerClient): Promise<void> {
  const { rows } = await client.query(
    `SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'psn' AND c.relkind IN ('r', 'p', 'v', 'm')
       AND pg_catalog.to_regclass('psn.migrations') IS NULL LIMIT 1`,
  );
  if (rows.length > 0)
    throw new PsnError("FOREIGN_CONTENT", "the database has a schema named psn that psn did not create", {
      hint: "use another database",
    });
}

/** Where the database stands, as any login may ask. A database without the schema has everything pending. */
export async function migrationStatus(database: Database, migrations = knownMigrations()): Promise<MigrationStatus> {
  try {
    return compare(await appliedHashes(database), migrations);
  } catch (error) {
    // 22023: the role psn_runtime does not exist yet.
    const code = error instanceof PsnError ? error.details["code"] : undefined;
    if (code === "22023" || (error instanceof PsnError && error.code === "SCHEMA_OUTDATED"))
      return compare([], migrations);
    throw error;
  }
}

/**
 * By the login itself where there is a session: an owner that is no superuser cannot take the program's roles. Over
 * HTTP as a user who does not exist, since every login with which psn runs may act for one.
 */
async function appliedHashes(database: Database): Promise<readonly string[]> {
  if (database.asOwner) {
    const { rows } = await database.asOwner((client) =>
      client.query("SELECT hash FROM psn.migrations ORDER BY number"),
    );
    return rows.map((row) => String(row["hash"]));
  }
  const [rows] = await database.run({ userId: NOBODY }, (db) => [applied(db)], { repeatable: true });
  return rows.map(({ hash }) => hash);
}

/** The migrations a database has, as one statement; `assertAll` judges its answer. */
export const applied = (db: Builder) =>
  db.select({ hash: sql<string>`hash` }).from(sql`psn.migrations`).orderBy(sql`number`);

/** Throws SCHEMA_OUTDATED or SCHEMA_NEWER unless database and program agree. */
export async function assertMigrated(database: Database): Promise<void> {
  assertUpToDate(await migrationStatus(database));
}

/** The same for what `applied` answered. */
export const assertAll = (rows: Awaited<ReturnType<typeof applied>>): void =>
  assertUpToDate(
    compare(
      rows.map(({ hash }) => hash),
      knownMigrations(),
    ),
  );

function assertUpToDate(status: MigrationStatus): void {
  if (status.unknown > 0) throw newer();
  if (status.pending > 0) {
    throw new PsnError(
      "SCHEMA_OUTDATED",
      `the database lacks ${status.pending} of ${status.applied + status.pending} migrations`,
      {
        details: { ...status },
      },
    );
  }
}

function compare(hashes: readonly string[], migrations: readonly Migration[]): MigrationStatus {
  let applied = 0;
  while (applied < hashes.length && hashes[applied] === migrations[applied]?.hash) applied += 1;
  return { applied, pending: migrations.length - applied, unknown: hashes.length - applied };
}

function newer(): PsnError {
  return new PsnError("SCHEMA_NEWER", "the database has migrations that this version of psn does not know");
}
