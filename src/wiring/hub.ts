import { resolve } from "node:path";
import { appsOf } from "@psn/app/api-keys.ts";
import { checkIncarnation, claimingWhere } from "@psn/app/keep-incarnation.ts";
import type { Reaching } from "@psn/app/prepare-connection.ts";
import type { TransferScope } from "@psn/app/transfer-hub.ts";
import { type DatabaseOptions, type Driver, openDatabase } from "@psn/core/db/connection.ts";
import { readOpening } from "@psn/core/db/opening.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import type { Hearing } from "@psn/core/ports/deliveries.ts";
import type { NoteFiles } from "@psn/core/ports/incarnation.ts";
import type { Inspection } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import { LATE_POLICIES, type LatePolicy, type Parting } from "@psn/core/types/index.ts";
import { appKeySetting, dataDir, type Environment, findHub, type KeysEnv, loadHubEnv } from "@psn/core/utils/env.ts";
import { incarnationFiles } from "@psn/core/utils/incarnation-files.ts";
import { createVault, keyId } from "@psn/core/vault.ts";
import { platformIds } from "@psn/platforms/index.ts";
import { databaseOptions } from "./database.ts";
import { liveSettings } from "./live-settings.ts";
import { bucketOf, HTTP_ROW_HOLDS, keysOf, loaderOf, objectMarksOf, outside, queueOf } from "./parts.ts";
import { reaching, takeOverOrigins } from "./private-origins.ts";

/*
 * From hub.env to a world in which the use cases act.
 */

/** An open hub. */
export interface Hub extends TransferScope {
  readonly folder: string;
  readonly user: User;
  readonly world: World;
  readonly driver: Driver;
  readonly inspection: Inspection;
  /**
   * Why nothing is published from here: the database was copied or restored. Undefined where it is the one that was
   * known.
   */
  readonly parted: Parting | undefined;
  /** For `psn connect`: the world in which the addresses that were entered may be private. */
  readonly reach: (entered: readonly string[]) => Reaching;
  readonly notes: NoteFiles;
  /** Ids of every user of the hub; of this one alone, where hub.env has no login that may know them. Throws DB_…. */
  readonly users: () => Promise<readonly string[]>;
  /** What becomes of a post that is very late, where the post does not say. */
  readonly late: LatePolicy;
  /** How often the watchdog on Trigger.dev looks, in minutes. */
  readonly watchdogMinutes: number;
  /** Whether notifications of the database arrive at a worker; undefined where no worker listens to it. Throws DB_…. */
  hears(): Promise<Hearing | undefined>;
  /** The keys of the user's own apps, from keys.env and the environment, with where each is from. Throws CONFIG_…. */
  readonly appKeys: () => KeysEnv["keys"];
  /** Whether keys.env may have a key of this name. */
  readonly isKeyName: (name: string) => boolean;
  /** Ids of the keys hub.env holds, the current one first. */
  readonly keyIds: readonly string[];
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly folder: string;
  readonly use: DatabaseOptions["use"];
  readonly environment?: Environment;
}

/** The hub folder for a command run in `start`. Throws HUB_MISSING. */
export function hubFolder(start: string, named: string | undefined, environment?: Environment): string {
  const passed: PsnError[] = [];
  const folder = named === undefined ? findHub(start, environment, (why) => passed.push(why)) : resolve(start, named);
  if (folder !== undefined) return folder;
  const [why] = passed;
  throw new PsnError(
    "HUB_MISSING",
    `there is no hub in ${start} or above it${why === undefined ? "" : `; ${why.message}`}`,
  );
}

/** Opens the hub of a folder. Throws HUB_MISSING, CONFIG_…, DB_…, SCHEMA_…, VAULT_LOCKED. */
export async function openHub({ folder, use, environment }: OpenOptions): Promise<Hub> {
  const env = loadHubEnv(folder, environment);
  const userId = env.get("PSN_USER");
  if (userId === undefined)
    throw new PsnError("HUB_UNFINISHED", "PSN_USER is missing in hub.env: psn init did not finish", {
      hint: "psn init",
    });
  const keys = keysOf(env);
  const database = await openDatabase(databaseOptions(env, use));
  try {
    const stores = createStores(database);
    const notes = incarnationFiles({
      hub: folder,
      data: database.driver === "embedded" ? dataDir(env) : undefined,
      environment,
    });
    const kept = { incarnation: stores.incarnation, notes, newId: outside.newId };
    const [before, lookedAt] = [notes.read(), performance.now()];
    const { user: known, sight } = await readOpening(database, userId);
    const parted = await checkIncarnation(kept, { before, sight });
    if (known) await takeOverOrigins(folder, { env, user: known, stores }).catch(() => undefined);
    const claiming = claimingWhere(kept, stores.deliveries, parted ? undefined : lookedAt);
    if (!known)
      throw new PsnError("HUB_UNFINISHED", "the database has no user with the id in PSN_USER of hub.env", {
        hint: "psn init",
      });
    // The file or the environment may say otherwise for this machine.
    const user: User = { ...known, timeZone: env.get("PSN_TIME_ZONE") ?? known.timeZone };
    const vault = createVault({ keys, reload: () => keysOf(loadHubEnv(folder, environment)) });
    const { keys: appKeys, parts, told } = liveSettings(folder, env, environment);
    // Half a bucket is told at once, and not when a file is needed.
    bucketOf(env);
    const world: World = {
      ...outside,
      get bucket() {
        return parts.bucket;
      },
      get notify() {
        return parts.notify;
      },
      fetch: parts.fetch,
      settings: told,
      hubUserId: user.id,
      ...objectMarksOf(env, keys),
      ...queueOf(env),
      ...defined({ rowHolds: database.driver.startsWith("neon") ? HTTP_ROW_HOLDS : undefined }),
      platforms: loaderOf(platformIds),
      hub: { folder, before: notes.before() },
      stores: { ...stores, deliveries: claiming.deliveries },
      vault,
      apps: appsOf((name) => appKeys().get(name), stores, vault),
    };
    return {
      folder,
      user,
      world,
      driver: database.driver,
      inspection: stores.inspection,
      parted,
      reach: (entered) => reaching(world, { folder, entered, environment }),
      notes,
      users: async () => (await import("./users.ts")).usersOf(folder, user.id, environment),
      late: LATE_POLICIES.find((policy) => policy === env.get("PSN_LATE")) ?? "ask",
      watchdogMinutes: Number(env.get("PSN_WATCHDOG_MINUTES")),
      hears: async () =>
        database.driver === "embedded" || world.queue ? undefined : hearingOf(databaseOptions(env, "session")),
      appKeys: () => appKeys().keys,
      isKeyName: (name) => appKeySetting(name) !== undefined,
      keyIds: keys.map(keyId),
      transfer: async () => (await import("./transfer.ts")).transferGround(folder, environment),
      close: async () => {
        await claiming.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function hearingOf(options: DatabaseOptions): Promise<Hearing | undefined> {
  const database = await openDatabase(options);
  try {
    const subscription = await database.listen?.(() => undefined);
    const found = await subscription?.prove();
    await subscription?.close();
    return found;
  } finally {
    await database.close();
  }
}
