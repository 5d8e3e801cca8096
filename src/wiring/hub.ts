import { createHash, randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { appsOf } from "@psn/app/api-keys.ts";
import { type Check, examineGuards, fail, ok, warn } from "@psn/app/doctor.ts";
import { checkIncarnation, claimingWhere } from "@psn/app/keep-incarnation.ts";
import { type HubFile, MADE_DATA, type Provisioning } from "@psn/app/provision-hub.ts";
import { type Database, type DatabaseOptions, type Driver, openDatabase } from "@psn/core/db/connection.ts";
import { strangersIn } from "@psn/core/db/drivers/data-folder.ts";
import { dropOtherLogins, makeServiceLogin, privilegesOf } from "@psn/core/db/logins.ts";
import { assertMigrated, type MigrationStatus, migrate, migrationStatus } from "@psn/core/db/migrate.ts";
import { type Repaired, repair } from "@psn/core/db/repair.ts";
import type { Resealing } from "@psn/core/db/reseal.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import type { Hearing } from "@psn/core/ports/deliveries.ts";
import type { NoteFiles } from "@psn/core/ports/incarnation.ts";
import type { Inspection } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { LATE_POLICIES, type LatePolicy, type Parting } from "@psn/core/types/index.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import {
  APP_KEYS,
  changeEnvFile,
  checkEnvText,
  dataDir,
  type Environment,
  findHub,
  type HubEnv,
  hubEnvPath,
  type KeysEnv,
  keysEnvPath,
  loadHubEnv,
  readHubEnv,
  readKeysEnv,
  setEnvValue,
  unknownSetting,
  unsetEnvValue,
} from "@psn/core/utils/env.ts";
import { incarnationFiles } from "@psn/core/utils/incarnation-files.ts";
import { exposedFolder, quoted } from "@psn/core/utils/ownership.ts";
import { makePrivateFolder, readTextFile, unwritable } from "@psn/core/utils/private-file.ts";
import { createFormerVault, createVault, keyId } from "@psn/core/vault.ts";
import { platformIds } from "@psn/platforms/index.ts";
import { liveSettings } from "./live-settings.ts";
import { bucketOf, HTTP_ROW_HOLDS, keysOf, loaderOf, objectMarksOf, outside, queueOf } from "./parts.ts";
import { type Reaching, reaching, takeOverOrigins } from "./private-origins.ts";

/*
 * The one place that knows both sides: from hub.env to a world the use cases can act in.
 */

/** An open hub. */
export interface Hub {
  readonly folder: string;
  readonly user: User;
  readonly world: World;
  readonly driver: Driver;
  readonly inspection: Inspection;
  /** Why nothing is published from here: the database was copied or restored. Undefined where it is the one that was known. */
  readonly parted: Parting | undefined;
  /** For `psn connect`: the world in which the addresses that were entered may be private. */
  readonly reach: (entered: readonly string[]) => Reaching;
  readonly notes: NoteFiles;
  /** What becomes of a post that is very late, where the post does not say. */
  readonly late: LatePolicy;
  /** How often the watchdog on Trigger.dev looks, in minutes. */
  readonly watchdogMinutes: number;
  /** Whether notifications of the database arrive at a worker; undefined where no worker listens to it. Throws DB_…. */
  hears(): Promise<Hearing | undefined>;
  /** The keys of the user's own apps, from keys.env and the environment, with where each is from. Throws CONFIG_…. */
  appKeys(): KeysEnv["keys"];
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
  throw new PsnError("HUB_MISSING", `there is no hub in ${start} or above it${why === undefined ? "" : `; ${why.message}`}`);
}

/** Opens the hub of a folder. Throws HUB_MISSING, CONFIG_…, DB_…, SCHEMA_…, VAULT_LOCKED. */
export async function openHub({ folder, use, environment }: OpenOptions): Promise<Hub> {
  const env = loadHubEnv(folder, environment);
  const userId = env.get("PSN_USER");
  if (userId === undefined)
    throw new PsnError("CONFIG_INVALID", "hub.env has no PSN_USER; making this hub was not finished", { hint: "psn init" });
  const keys = keysOf(env);
  const database = await openDatabase(databaseOptions(env, use));
  try {
    await assertMigrated(database);
    const stores = createStores(database);
    const notes = incarnationFiles({ hub: folder, data: database.driver === "embedded" ? dataDir(env) : undefined, environment });
    const kept = { incarnation: stores.incarnation, notes, newId: outside.newId };
    const [parted, known] = await Promise.all([checkIncarnation(kept), stores.users.get(userId)]);
    if (known) await takeOverOrigins(folder, env, known, stores).catch(() => undefined);
    const claiming = claimingWhere(kept, stores.deliveries);
    if (!known) throw new PsnError("CONFIG_INVALID", "the database knows no user with the id PSN_USER of hub.env", { hint: "psn init" });
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
      ...(database.driver.startsWith("neon") ? { rowHolds: HTTP_ROW_HOLDS } : {}),
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
      reach: (entered) => reaching(world, folder, entered, environment),
      notes,
      late: LATE_POLICIES.find((policy) => policy === env.get("PSN_LATE")) ?? "ask",
      watchdogMinutes: Number(env.get("PSN_WATCHDOG_MINUTES")),
      hears: async () => (database.driver === "embedded" || world.queue ? undefined : hearingOf(databaseOptions(env, "session"))),
      appKeys: () => appKeys().keys,
      keyIds: keys.map(keyId),
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

/** What `psn doctor` can see without opening the hub: the runtime, the files and what they say. */
export function examineGround(folder: string, environment?: Environment): readonly Check[] {
  const [major = 0, minor = 0] = Bun.version.split(".").map(Number);
  const recent = major > 1 || (major === 1 && minor >= 4);
  const checks = [
    recent ? ok("runtime", `Bun ${Bun.version}`) : fail("runtime", `Bun ${Bun.version} is too old`, "install Bun 1.4 or newer"),
  ];
  const { env, problems } = readHubEnv(folder, environment);
  for (const { message, hint = null } of [...problems, ...readKeysEnv(folder, environment).problems])
    checks.push(fail("settings", message, hint));
  for (const { name, suggestion } of env.unknown)
    checks.push(
      warn("settings", `hub.env has ${name}, which psn does not know`, suggestion === undefined ? null : `did you mean ${suggestion}?`),
    );
  for (const { name, hint } of unknownKeys(folder, environment))
    checks.push(warn("settings", `keys.env has ${name}, which psn does not know`, hint));
  const { env: keysEnv } = readKeysEnv(folder, environment);
  for (const [names, file] of [
    [env.overridden, "hub.env"],
    [keysEnv.overridden, "keys.env"],
  ] as const) {
    for (const name of names)
      checks.push(warn("settings", `this shell sets ${name} to something else than ${file} does, and the shell counts`, `unset ${name}`));
  }
  if (checks.length === 1) checks.push(ok("settings", "hub.env and keys.env are readable by you alone, and sound"));
  return checks;
}

/** Names of keys.env that no platform asks for. */
function unknownKeys(folder: string, environment?: Environment) {
  return [...readKeysEnv(folder, environment).env.keys.keys()]
    .filter((name) => !APP_KEYS.some((setting) => setting.name === name))
    .map((name) => ({ name, hint: unknownSetting(name, APP_KEYS).hint ?? null }));
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

export async function hubMigrationStatus(folder: string, environment?: Environment): Promise<MigrationStatus> {
  return withOwnDatabase(folder, environment, (database) => migrationStatus(database));
}

/** For a migration that seals anew: the keys of hub.env as it is then. */
function resealingOf(load: () => HubEnv): Resealing {
  return () => {
    const keys = keysOf(load());
    return { open: createFormerVault(keys).open, seal: createVault({ keys }).seal };
  };
}

/** By the owner's login where hub.env has one. */
async function withOwnDatabase<T>(
  folder: string,
  environment: Environment | undefined,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const env = loadHubEnv(folder, environment);
  const options = databaseOptions(env, "session");
  const database = await openDatabase({ ...options, url: env.get("DATABASE_OWNER_URL") ?? options.url });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** hub.env of a folder, made with its first setting. */
export function hubFile(folder: string, environment?: Environment): HubFile {
  const path = hubEnvPath(folder);
  return {
    get: (name) => (findHub(folder, {}) === folder ? loadHubEnv(folder, environment).get(name) : undefined),
    set: (values) => {
      keepFromGit(dirname(path));
      changeEnvFile(keysEnvPath(folder), (text) => (text === "" ? KEYS_HEAD : text));
      changeEnvFile(path, (text) => {
        const after = Object.entries(values).reduce(
          (file, [name, value]) => (value === null ? unsetEnvValue(file, name) : setEnvValue(file, name, value)),
          text === "" ? HUB_HEAD : text,
        );
        checkEnvText(after, path);
        return after;
      });
    },
  };
}

/** How the names of all logins begin that psn makes for this hub. */
export function loginsOf(env: HubEnv): string {
  const key = keyId(keyFromHex(env.get("HUB_ENCRYPTION_KEY") ?? ""));
  return `psn_${createHash("sha256").update(key).digest("hex").slice(0, 12)}`;
}

/** What `psn init` needs to make a hub in this folder. */
export function provisioning(folder: string, environment?: Environment): Provisioning {
  const load = () => loadHubEnv(folder, environment);
  const exists = () => findHub(folder, {}) === folder;
  const open = (url: string | undefined) =>
    openDatabase({ ...(exists() ? databaseOptions(load(), "session") : { dataFolder: folder, use: "session" as const }), url });
  return {
    file: hubFile(folder, environment),
    checkPlace: (embedded) => checkPlace(folder, embedded, environment),
    openOwned: async (url) => {
      const database = await open(url);
      return {
        migrate: () => migrate(database, undefined, resealingOf(load)),
        makeLogin: async () => {
          const hub = loginsOf(load());
          // A name of its own for each login: a Neon proxy knows for some minutes the password that a name had, or that there was none.
          const name = `${hub}_${randomBytes(3).toString("hex")}`;
          const password = randomBytes(24).toString("hex");
          await makeServiceLogin(database, name, password);
          const runtime = new URL(url ?? "");
          runtime.username = name;
          runtime.password = password;
          return { url: runtime.href, left: await dropOtherLogins(database, hub, name) };
        },
        close: () => database.close(),
      };
    },
    openRuntime: async (url) => {
      const database = await open(url);
      const stores = createStores(database);
      return {
        addUser: (user) => stores.users.add(user),
        changeUser: async (id, change) => {
          const user = await (Object.keys(change).length > 0 ? stores.users.change(id, change) : stores.users.get(id));
          if (!user)
            throw new PsnError("CONFIG_INVALID", "the database knows no user with the id PSN_USER of hub.env", { hint: "psn init" });
          return user;
        },
        isGuarded: async () => {
          const different = (await stores.inspection.differences()).some(({ severe }) => severe);
          const privileges = database.driver === "embedded" ? [] : await privilegesOf(database);
          return !different && (await stores.inspection.strangerSees()) === 0 && privileges.length === 0;
        },
        close: () => database.close(),
      };
    },
    newKey: generateKey,
    newId: outside.newId,
  };
}

const IGNORED = ["*.env", "*.tmp", "*.lock", ".*.lock", ".lock", "incarnation.*"];

/** A hub may lie in a repository; its secrets must not get into it, whatever a .gitignore that was there says. */
function keepFromGit(folder: string): void {
  const path = join(folder, ".gitignore");
  try {
    makePrivateFolder(folder);
    const before = readTextFile(path) ?? "";
    const lines = before.split("\n");
    // The last line that fits counts, so that what a later one takes back is said once more.
    const lacking = IGNORED.filter((line) => !lines.slice(lines.findLastIndex((one) => one.startsWith("!")) + 1).includes(line));
    if (lacking.length > 0)
      writeFileSync(path, `${before === "" || before.endsWith("\n") ? before : `${before}\n`}${lacking.join("\n")}\n`, { flush: true });
  } catch (error) {
    throw unwritable("FILE_UNREADABLE", folder, error);
  }
}

/**
 * Whether a hub can be made, or gone on with, in this folder. `embedded`: with a database of its own in data/.
 *
 * @throws PsnError FILE_UNREADABLE where the folder cannot be written to; CONFIG_EXPOSED where it is another user's or others may write
 * to it; STATE_CONFLICT where data/ holds what is not psn's.
 */
function checkPlace(folder: string, embedded: boolean, environment?: Environment): void {
  const problem = exposedFolder(folder);
  if (problem !== undefined) throw problem;
  let there = folder;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable("FILE_UNREADABLE", there, error, "make the hub where you may write: psn init ~/hub");
  }
  const env = loadHubEnv(findHub(folder, {}) === folder ? folder : undefined, environment);
  if (!embedded || env.get("PSN_USER") !== undefined || env.get("PSN_MADE")?.split(" ").includes(MADE_DATA)) return;
  const data = dataDir({ ...env, hubDir: folder });
  const [stranger] = strangersIn(data);
  if (stranger === undefined) return;
  throw new PsnError("STATE_CONFLICT", `${data} holds ${stranger}, which is not psn's, and the hub's database would lie in it`, {
    hint: `make the hub in a folder of its own: psn init ${quoted(join(folder, "psn"))}`,
  });
}

const HUB_HEAD =
  "# Where this hub is. Every line is explained in config/hub.env.example of psn; `psn config list` shows what counts.\n# Keep a copy of the key elsewhere: without it nothing that is sealed opens again.\n\n";
const KEYS_HEAD = "# Keys of your own apps on the platforms, one NAME=value a line.\n";
