import { type Check, examineGuards } from "@psn/app/doctor.ts";
import { type Database, type DatabaseOptions, openDatabase } from "@psn/core/db/connection.ts";
import { assertMigrated, type MigrationStatus, migrate, migrationStatus } from "@psn/core/db/migrate.ts";
import { type Repaired, repair } from "@psn/core/db/repair.ts";
import type { Resealing } from "@psn/core/db/reseal.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { dataDir, type Environment, type HubEnv, loadHubEnv } from "@psn/core/utils/env.ts";
import { createFormerVault, createVault } from "@psn/core/vault.ts";
import { keysOf } from "./parts.ts";

/*
 * How the database of a hub is reached, and what is done to one that need not open as a hub.
 */

/** How this hub's database is reached. */
export function databaseOptions(env: HubEnv, use: DatabaseOptions["use"]): DatabaseOptions {
  const driver = env.get("DATABASE_DRIVER");
  const known = driver === "pg" || driver === "neon-http" || driver === "neon-ws" ? driver : undefined;
  return {
    url: env.get("DATABASE_URL"),
    listenUrl: env.get("DATABASE_LISTEN_URL"),
    driver: known,
    neonProxy: env.get("NEON_PROXY"),
    dataFolder: dataDir(env),
    use,
  };
}

/** What `psn db` needs, on a hub whose schema may be anything. */
export async function migrateHub(
  folder: string,
  environment?: Environment,
): Promise<{ readonly applied: number; readonly status: MigrationStatus }> {
  return withOwnDatabase(folder, environment, async (database) => ({
    applied: await migrate(
      database,
      undefined,
      resealingOf(() => loadHubEnv(folder, environment)),
    ),
    status: await migrationStatus(database),
  }));
}

/** Puts back what the migrations made; for a database that has all of them. Throws SCHEMA_…, DB_…. */
export function repairHub(folder: string, environment?: Environment): Promise<Repaired> {
  return withOwnDatabase(folder, environment, async (database) => {
    await assertMigrated(database);
    return repair(database);
  });
}

export async function hubMigrationStatus(folder: string, environment?: Environment): Promise<MigrationStatus> {
  return withOwnDatabase(folder, environment, (database) => migrationStatus(database));
}

/** What is wrong with the guards of a hub that does not open; nothing where that cannot be asked. */
export async function examineDatabase(folder: string, environment?: Environment): Promise<readonly Check[]> {
  try {
    const database = await openDatabase(databaseOptions(loadHubEnv(folder, environment), "once"));
    try {
      const { pending, unknown } = await migrationStatus(database);
      const checks = pending + unknown > 0 ? [] : await examineGuards(createStores(database).inspection);
      return checks.filter(({ status }) => status !== "ok");
    } finally {
      await database.close();
    }
  } catch {
    return [];
  }
}

/** For a migration that seals again: the keys of hub.env as it is then. */
export function resealingOf(load: () => HubEnv): Resealing {
  return () => {
    const keys = keysOf(load());
    return { open: createFormerVault(keys).open, seal: createVault({ keys }).seal };
  };
}

/** Opens the database by the owner's login where hub.env has one, else by the program's. */
export async function openOwned(folder: string, environment?: Environment): Promise<Database> {
  const env = loadHubEnv(folder, environment);
  const options = databaseOptions(env, "session");
  return openDatabase({ ...options, url: env.get("DATABASE_OWNER_URL") ?? options.url });
}

async function withOwnDatabase<T>(
  folder: string,
  environment: Environment | undefined,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openOwned(folder, environment);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
