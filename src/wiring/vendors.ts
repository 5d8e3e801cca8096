import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Ground } from "@psn/app/destroy-hub.ts";
import type { VendorGround } from "@psn/app/doctor-vendors.ts";
import { checkIncarnation } from "@psn/app/keep-incarnation.ts";
import { objectPrefix } from "@psn/app/keep-media.ts";
import { chooseDriver, openDatabase } from "@psn/core/db/connection.ts";
import { holdsDatabase, removeDataFolder } from "@psn/core/db/drivers/data-folder.ts";
import { MOVED } from "@psn/core/db/hub-copy.ts";
import { waitingPosts } from "@psn/core/db/hub-users.ts";
import { dropHub, dropOtherLogins, privilegesOf } from "@psn/core/db/logins.ts";
import { migrationStatus } from "@psn/core/db/migrate.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Neon, PlannedCall, TriggerDev } from "@psn/core/ports/vendors.ts";
import {
  APP_KEYS,
  childEnvironment,
  dataDir,
  type Environment,
  findHub,
  type HubEnv,
  type HubSettingName,
  loadHubEnv,
  loadKeysEnv,
} from "@psn/core/utils/env.ts";
import { incarnationFiles, removeNotes } from "@psn/core/utils/incarnation-files.ts";
import { assertBuildTools } from "@psn/provision/build-tools.ts";
import { neonApi, plannedNeonCalls } from "@psn/provision/neon.ts";
import { dashboardOf, plannedTriggerCalls, triggerApi } from "@psn/provision/trigger.ts";
import { deployByCli } from "@psn/provision/trigger-cli.ts";
import { logIn } from "@psn/provision/trigger-login.ts";
import { databaseOptions, hubFile, loginsOf } from "./hub.ts";
import { bucketOf, keysOf, objectMarksOf, outside } from "./parts.ts";

/*
 * Wiring of the vendors' management APIs: for `psn init --neon --trigger`, `psn deploy`, `psn destroy` and `psn doctor`.
 */

/** psn's own folder, from which the tasks are built. */
const ROOT = dirname(fileURLToPath(new URL("..", import.meta.url)));

/** The settings of a folder, also before there is a hub in it. */
export function settingsOf(folder: string, environment?: Environment): HubEnv {
  return loadHubEnv(findHub(folder, {}) === folder ? folder : undefined, environment);
}

/** These settings as they will be once these values are written. */
export function withSettings(env: HubEnv, values: Readonly<Record<string, string>>): HubEnv {
  return { ...env, get: (name) => values[name] ?? env.get(name) };
}

export function openNeon(env: HubEnv, apiKey: string): Neon {
  const { fetch, sleep } = outside;
  return neonApi({ host: env.get("NEON_API_HOST") ?? "", apiKey, fetch, sleep });
}

export function openTrigger(env: HubEnv, token: string): TriggerDev {
  const { fetch, sleep } = outside;
  return triggerApi({ url: env.get("TRIGGER_API_URL") ?? "", token, fetch, sleep });
}

/** A token by the browser. Throws VENDOR_…, INTERRUPTED. */
export function logInToTrigger(
  env: HubEnv,
  options: {
    readonly openBrowser: (url: string) => void;
    readonly paste: (question: string) => Promise<string>;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { fetch, sleep } = outside;
  return logIn({ url: env.get("TRIGGER_API_URL") ?? "", fetch, sleep, ...options });
}

export { type PlannedCall, plannedNeonCalls, plannedTriggerCalls };

/** Throws STATE_CONFLICT for a database, the hub's if none is named, that the tasks cannot reach. */
export function assertReachable(env: HubEnv, url = env.get("DATABASE_URL")): void {
  const known = env.get("DATABASE_DRIVER");
  const driver = known === "pg" || known === "neon-http" || known === "neon-ws" ? known : undefined;
  if (url !== undefined && chooseDriver({ url, driver, neonProxy: env.get("NEON_PROXY"), use: "once" }) === "neon-http") return;
  throw new PsnError("STATE_CONFLICT", "Trigger.dev's tasks reach the database over Neon's HTTP, and this hub's database is not on Neon", {
    hint: "psn init --neon --trigger in another folder, or psn config set NEON_PROXY",
  });
}

const SECRET = [
  "DATABASE_URL",
  "HUB_ENCRYPTION_KEY",
  "HUB_ENCRYPTION_KEY_OLD",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
  "PSN_NOTIFY_URL",
] as const;
const PLAIN = [
  "NEON_PROXY",
  "S3_ENDPOINT",
  "S3_REGION",
  "S3_BUCKET",
  "PSN_WATCHDOG_MINUTES",
  "PSN_PRIVATE_ORIGINS",
  "PSN_OBJECT_MARKS",
] as const;

export interface Variables {
  readonly secrets: Readonly<Record<string, string>>;
  readonly plain: Readonly<Record<string, string>>;
}

/** What the tasks need to know, from hub.env and keys.env. Throws CONFIG_…. */
export function variablesOf(folder: string, environment?: Environment): Variables {
  const env = loadHubEnv(folder, environment);
  const keys = loadKeysEnv(folder, environment);
  const some = (names: readonly HubSettingName[]) => names.map((name) => [name, env.get(name)] as const);
  const set = (pairs: readonly (readonly [string, string | undefined])[]) =>
    Object.fromEntries(pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
  return { secrets: set([...some(SECRET), ...APP_KEYS.map(({ name }) => [name, keys.get(name)] as const)]), plain: set(some(PLAIN)) };
}

/** Names of all variables psn may have set. */
export const VARIABLES: readonly string[] = [...SECRET, ...PLAIN, ...APP_KEYS.map(({ name }) => name), "PSN_DEPLOYED"];

export interface Shipping {
  readonly env: HubEnv;
  readonly token: string;
  readonly projectRef: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Throws DEPLOY_FAILED where a program is missing that building the tasks for this server needs. */
export function assertTools(env: HubEnv, dryRun: boolean): Promise<void> {
  return assertBuildTools({ url: env.get("TRIGGER_API_URL") ?? "", environment: childEnvironment(), dryRun });
}

/** Builds and deploys the tasks by Trigger.dev's CLI. Throws DEPLOY_FAILED. */
export function ship({ env, ...rest }: Shipping): Promise<void> {
  return deployByCli({
    ...rest,
    root: ROOT,
    url: env.get("TRIGGER_API_URL") ?? "",
    watchdogMinutes: env.get("PSN_WATCHDOG_MINUTES") ?? "",
    environment: childEnvironment(),
    bun: process.execPath,
  });
}

/** What `psn destroy` needs. Opens nothing. */
export function groundOf(folder: string, neonKey: string | undefined, environment?: Environment): Ground {
  const env = loadHubEnv(folder, environment);
  const token = env.get("TRIGGER_ACCESS_TOKEN");
  const url = env.get("DATABASE_URL");
  return {
    file: hubFile(folder, environment),
    trigger: token === undefined ? undefined : openTrigger(env, token),
    // As the dashboard lists it, which shows the ends of a token.
    token:
      token === undefined
        ? undefined
        : { name: `tr_pat_…${token.slice(-4)}`, page: `${dashboardOf(env.get("TRIGGER_API_URL") ?? "")}/account/tokens` },
    neon: neonKey === undefined ? undefined : openNeon(env, neonKey),
    variables: VARIABLES,
    emptyBucket: () => emptyBucket(folder, env, environment).catch((error: unknown) => ({ left: toPsnError(error).message })),
    dropSchema: async () => {
      const owner = env.get("DATABASE_OWNER_URL");
      if (owner === undefined)
        throw new PsnError("CONFIG_INVALID", "hub.env has no DATABASE_OWNER_URL, and only the owner can drop the schema", {
          hint: "psn config set DATABASE_OWNER_URL",
        });
      const database = await openDatabase({ ...databaseOptions(env, "session"), url: owner });
      try {
        // A run that was stopped may have made one whose address was not saved.
        const login = url === undefined ? undefined : new URL(url).username;
        if (env.get("HUB_ENCRYPTION_KEY") !== undefined) await dropOtherLogins(database, loginsOf(env), login);
        await dropHub(database, login);
      } finally {
        await database.close();
      }
    },
    dataFolder: dataDir(env),
    hasData: holdsDatabase(dataDir(env)),
    removeNotes: () => removeNotes(folder, environment),
    removeData: async () => removeDataFolder(dataDir(env)),
  };
}

/** The bucket's objects of a hub's users, several at a time. A copy of a hub leaves them: its original has the same. Throws VENDOR_…, DB_…. */
async function emptyBucket(folder: string, env: HubEnv, environment: Environment | undefined): ReturnType<Ground["emptyBucket"]> {
  const { bucket } = bucketOf(env);
  if (!bucket) return { removed: 0, others: 0 };
  const database = await openDatabase(databaseOptions(env, "session"));
  try {
    const { accounts, incarnation, upkeep } = createStores(database);
    const notes = incarnationFiles({ hub: folder, data: database.driver === "embedded" ? dataDir(env) : undefined, environment });
    if (await checkIncarnation({ incarnation, notes, newId: outside.newId }))
      return { left: "this hub is a copy, and its original may have the same files" };
    const { objectMark = "", formerMarks = [] } = objectMarksOf(env, keysOf(env));
    const marks = [objectMark, ...formerMarks];
    let removed = 0;
    let others = 0;
    for (const userId of await upkeep.users()) {
      if ((await accounts.list(userId)).some(({ healthReason }) => healthReason === MOVED))
        return { left: "this hub was moved, and where it is now it has the same files" };
      const folder = objectPrefix(userId);
      // What has another mark is of a hub that this one was imported from, or that was imported from this one; an older psn had no marks.
      const isOwn = (name: string) => marks.some((mark) => name.startsWith(mark)) || !/^[0-9a-f]{10}-/.test(name);
      const all = (await bucket.list(folder)).map(({ key }) => key);
      const keys = all.filter((key) => isOwn(key.slice(folder.length)));
      others += all.length - keys.length;
      for (; keys.length > 0; ) {
        const some = keys.splice(0, REMOVED_TOGETHER);
        await Promise.all(some.map((key) => bucket.remove(key)));
        removed += some.length;
      }
    }
    return { removed, others };
  } finally {
    await database.close();
  }
}
const REMOVED_TOGETHER = 8;

/**
 * How many posts, of all users, still wait in the database of this hub; 0 where there is none. A database that cannot be asked must not
 * keep anybody from removing the hub: then it is an error in place of a number.
 */
export async function countWaiting(folder: string, environment?: Environment): Promise<number | PsnError> {
  const env = loadHubEnv(folder, environment);
  const url = env.get("DATABASE_OWNER_URL") ?? env.get("DATABASE_URL");
  const data = dataDir(env);
  if (env.get("PSN_USER") === undefined || (url === undefined && !holdsDatabase(data))) return 0;
  try {
    const database = await openDatabase({ ...databaseOptions(env, "session"), url });
    try {
      return await waitingPosts(database);
    } finally {
      await database.close();
    }
  } catch (error) {
    return toPsnError(error);
  }
}

/** What `psn doctor` asks the vendors of this hub. Opens nothing yet. */
export function vendorGround(folder: string, version: string, environment?: Environment): VendorGround {
  const env = loadHubEnv(folder, environment);
  const url = env.get("DATABASE_URL");
  const { driver, neonProxy } = databaseOptions(env, "once");
  const token = env.get("TRIGGER_ACCESS_TOKEN");
  const projectRef = env.get("TRIGGER_PROJECT_REF");
  const way = (name: string, use: "once" | "session") => ({
    name,
    privileges: async () => {
      const database = await openDatabase(databaseOptions(env, use));
      try {
        await migrationStatus(database);
        return await privilegesOf(database);
      } finally {
        await database.close();
      }
    },
  });
  const known = url === undefined ? undefined : chooseDriver({ url, driver, neonProxy, use: "once" });
  const overWebSocket = known?.startsWith("neon-") ? [way("neon over WebSocket", "session")] : [];
  const deployed = token !== undefined && projectRef !== undefined;
  const { bucket } = bucketOf(env);
  return {
    // A plain tunnel, for which the driver is chosen by hand, takes no statements over HTTP.
    ways: known === "neon-http" ? [way("neon over HTTP", "once"), ...overWebSocket] : overWebSocket,
    bucket: bucket && { bucket, folder: `${objectPrefix(env.get("PSN_USER") ?? "")}${objectMarksOf(env, keysOf(env)).objectMark ?? ""}` },
    trigger: deployed
      ? {
          api: openTrigger(env, token),
          dashboard: dashboardOf(env.get("TRIGGER_API_URL") ?? ""),
          projectRef,
          secretKey: env.get("TRIGGER_SECRET_KEY"),
          ...variablesOf(folder, environment),
          ours: VARIABLES,
          version,
        }
      : undefined,
  };
}
