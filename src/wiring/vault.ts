import { hostname } from "node:os";
import { join } from "node:path";
import { type Exported, type Head, landed, linesOf, readLines } from "@psn/app/move-hub.ts";
import { provisionHub } from "@psn/app/provision-hub.ts";
import type { Keyring, Rotation, TaskKeys } from "@psn/app/rotate-vault.ts";
import { type Database, openDatabase } from "@psn/core/db/connection.ts";
import { hubRows, isHubTable } from "@psn/core/db/hub-copy.ts";
import { hubUsers } from "@psn/core/db/hub-users.ts";
import { assertMigrated } from "@psn/core/db/migrate.ts";
import { PsnError } from "@psn/core/errors.ts";
import { checkPassphrase, readHubFile, writeHubFile } from "@psn/core/hub-file.ts";
import type { HubRow, HubRows } from "@psn/core/ports/hub.ts";
import type { TriggerDev } from "@psn/core/ports/vendors.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import {
  changeEnvFile,
  checkEnvText,
  type Environment,
  findHub,
  type HubSettingName,
  hubEnvPath,
  keysEnvPath,
  loadHubEnv,
  loadKeysEnv,
  parseEnvFile,
  setEnvValue,
  unsetEnvValue,
} from "@psn/core/utils/env.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { knownKeys, MOVING, type MovedSettings, movedSettings, movingSettings } from "@psn/core/utils/moved-settings.ts";
import { readTextFile } from "@psn/core/utils/private-file.ts";
import { readObjectMarks } from "@psn/core/utils/settings.ts";
import { createVault, keyId } from "@psn/core/vault.ts";
import { databaseOptions, provisioning } from "./hub.ts";
import { keysOf, objectMarkOf } from "./parts.ts";

/*
 * Wiring for what concerns all users of a hub: the rotation of its key, and moving it.
 */

/** Opens the database by the owner's login where hub.env has one, else by the program's. */
async function openOwned(folder: string, environment?: Environment): Promise<Database> {
  const env = loadHubEnv(folder, environment);
  const options = databaseOptions(env, "session");
  return openDatabase({ ...options, url: env.get("DATABASE_OWNER_URL") ?? options.url });
}

/** Lists the users of a hub again and again, by one connection. */
export interface HubUsers {
  /** Ids. Throws CONFIG_INVALID where hub.env has no login that may know them, DB_…. */
  list(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openUsers(folder: string, environment?: Environment): Promise<HubUsers> {
  const database = await openOwned(folder, environment);
  return { list: () => hubUsers(database), close: () => database.close() };
}

/** Ids of all users of the hub. Throws as `HubUsers.list`. */
export async function usersOfHub(folder: string, environment?: Environment): Promise<readonly string[]> {
  const users = await openUsers(folder, environment);
  try {
    return await users.list();
  } finally {
    await users.close();
  }
}

/** The same, and where hub.env has no login that may know them, this user alone. */
export async function usersOf(folder: string, userId: string, environment?: Environment): Promise<readonly string[]> {
  return usersOfHub(folder, environment).catch((error: unknown) => {
    if (error instanceof PsnError && error.code === "CONFIG_INVALID") return [userId];
    throw error;
  });
}

/** The keys in hub.env. Throws CONFIG_INVALID where they come from the environment, which psn cannot change. */
export function keyringOf(folder: string, environment?: Environment): Keyring {
  const path = hubEnvPath(folder);
  const NEW = "HUB_ENCRYPTION_KEY";
  const OLD = "HUB_ENCRYPTION_KEY_OLD";
  const MARKS = "PSN_OBJECT_MARKS";
  const valueIn = (text: string, name: string) =>
    parseEnvFile(text, path).find((entry) => entry.name === name && entry.value !== "")?.value;
  const idOf = (hex: string) => keyId(keyFromHex(hex));
  const checked = (text: string) => {
    checkEnvText(text, path);
    return text;
  };
  return {
    underWay: () => loadHubEnv(folder, environment).get(OLD) !== undefined,
    begin: () => {
      const { settings } = loadHubEnv(folder, environment);
      const outside = ([NEW, OLD] as const).find((name) => settings[name]?.origin === "environment");
      if (outside !== undefined)
        throw new PsnError("CONFIG_INVALID", `${outside} comes from the environment, where psn cannot change it`, {
          hint: "put the key into config/hub.env and take it out of the environment, then: psn vault rotate",
        });
      let ids: ReturnType<Keyring["begin"]> | undefined;
      changeEnvFile(path, (text) => {
        const current = valueIn(text, NEW);
        if (current === undefined)
          throw new PsnError("VAULT_LOCKED", `hub.env has no ${NEW}`, { hint: "put the key back: psn config set HUB_ENCRYPTION_KEY" });
        // The current key as the old one too: somebody put it back, and there is nothing to go on with.
        const kept = valueIn(text, OLD);
        const old = kept !== undefined && idOf(kept) === idOf(current) ? undefined : kept;
        const next = old === undefined ? generateKey() : current;
        ids = { keyId: idOf(next), oldKeyId: idOf(old ?? current) };
        if (old !== undefined) return text;
        // By its mark the hub knows what it has put into the bucket under the key that goes.
        const marks = new Set([...(readObjectMarks(valueIn(text, MARKS) ?? "") ?? []), objectMarkOf(idOf(current))]);
        return checked(setEnvValue(setEnvValue(setEnvValue(text, NEW, next), OLD, current), MARKS, [...marks].join(",")));
      });
      if (!ids) throw new PsnError("BUG", "hub.env was not changed");
      return ids;
    },
    finish: (oldKeyId) => {
      changeEnvFile(path, (text) => {
        const old = valueIn(text, OLD);
        return old !== undefined && idOf(old) === oldKeyId ? checked(unsetEnvValue(text, OLD)) : text;
      });
    },
  };
}

/** Beside the keys at Trigger.dev: which key the tasks were given, and when. Neither is secret. */
const SHIPPED = "PSN_KEYS_SHIPPED";

/** The keys among the variables of the tasks. `secrets` gives them as hub.env has them now, and `plain` the marks of earlier ones. */
export function taskKeysOf(
  trigger: TriggerDev,
  projectRef: string,
  secrets: () => Readonly<Record<string, string>>,
  now: () => Date,
  plain: () => Readonly<Record<string, string>> = () => ({}),
): TaskKeys {
  return {
    ship: async (id) => {
      const [shipped, at = ""] = ((await trigger.variables(projectRef)).get(SHIPPED) ?? "").split(" ");
      if (shipped === id && !Number.isNaN(Date.parse(at))) return new Date(at);
      await trigger.setVariables(projectRef, secrets(), true);
      const since = now();
      await trigger.setVariables(projectRef, { ...plain(), [SHIPPED]: `${id} ${since.toISOString()}` }, false);
      return since;
    },
    drop: () => trigger.removeVariables(projectRef, ["HUB_ENCRYPTION_KEY_OLD", SHIPPED]),
  };
}

/** Whether a worker of this name runs on this machine. */
export const isHere: Rotation["isHere"] = (worker) => worker.replace(/-\d+$/, "") === hostname();

/** Keeps any other rotation of this hub away until it is called; a killed one keeps nobody away. Throws STATE_CONFLICT, CONFIG_INVALID. */
export function lockRotation(folder: string): () => void {
  const path = join(folder, "config", ".rotate.lock");
  let unlock: (() => void) | undefined;
  try {
    unlock = takeLock(path);
  } catch (cause) {
    throw new PsnError("CONFIG_INVALID", `${path} cannot be written, and so hub.env cannot be changed`, {
      cause,
      hint: `see whose it is: ls -ld '${join(folder, "config")}'`,
    });
  }
  if (unlock) return unlock;
  throw new PsnError("STATE_CONFLICT", "another psn vault rotate is at work on this hub", { hint: "psn vault status" });
}

/** Opens a hub's database for moving it, over a session. */
async function withRows<T>(
  folder: string,
  environment: Environment | undefined,
  work: (rows: HubRows, database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(databaseOptions(loadHubEnv(folder, environment), "session"));
  try {
    await assertMigrated(database);
    return await work(hubRows(database), database);
  } finally {
    await database.close();
  }
}

/** How a move is stopped: rows are handed on until the signal is aborted, and `noReturn` is called right before anything stays, and may throw. */
interface Stoppable {
  readonly signal?: AbortSignal;
  readonly noReturn?: () => void;
}

/** Ends with the signal's reason in place of the next row. */
async function* until<T>(signal: AbortSignal | undefined, rows: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const row of rows) {
    signal?.throwIfAborted();
    yield row;
  }
}

export interface ExportWish extends Stoppable {
  readonly folder: string;
  readonly file: string;
  readonly passphrase: string;
  /** This hub publishes none of it any more. */
  readonly moving: boolean;
  readonly user: { readonly id: string; readonly handle: string; readonly timeZone: string };
  readonly now: () => Date;
  readonly environment?: Environment;
}

/** Writes everything a hub is into one sealed file. Throws INPUT_INVALID, STATE_CONFLICT, FILE_UNREADABLE, CONFIG_…, DB_…. */
export async function exportHub(wish: ExportWish): Promise<Exported> {
  const { folder, file, passphrase, moving, user, now, environment, signal, noReturn } = wish;
  checkPassphrase(passphrase);
  const env = loadHubEnv(folder, environment);
  const inFile = (name: HubSettingName) => (typeof env.settings[name]?.origin === "object" ? env.get(name) : undefined);
  const settings = Object.fromEntries(MOVING.flatMap((name) => (inFile(name) === undefined ? [] : [[name, inFile(name) ?? ""]])));
  // The environment's own keys are of this machine.
  const keys = Object.fromEntries([...loadKeysEnv(folder, {}).keys].map(([name, { value }]) => [name, value]));
  const users = await usersOfHub(folder, environment);
  const vault = createVault({ keys: keysOf(env), reload: () => keysOf(loadHubEnv(folder, environment)) });
  const told = { rows: 0, lost: [] as string[] };
  return withRows(folder, environment, async (rows) => {
    const { id, handle, timeZone } = user;
    const head = { schema: rows.schema, at: now().toISOString(), moved: moving, user: id, handle, timeZone, settings, keys };
    // The file gets its name after the old hub has stopped: before that it must not be of use to anybody.
    await writeHubFile(file, passphrase, (write) =>
      rows.read(users, moving, async (all) => {
        await write(linesOf(head, until(signal, all), vault, told));
        noReturn?.();
      }),
    );
    return told;
  });
}

export interface ImportWish extends Stoppable {
  /** Of a hub, or where one is to be. */
  readonly folder: string;
  readonly file: string;
  readonly passphrase: string;
  readonly start: boolean;
  /** Asked where the file is a copy of a hub that may still publish. Throws to leave everything as it is. */
  readonly confirmCopy: () => Promise<void>;
  /** Asked for what the file would set, where it would set anything. False leaves it out; throws to leave everything as it is. */
  readonly takeSettings: (settings: MovedSettings) => Promise<boolean>;
  readonly now: () => Date;
  readonly environment?: Environment;
}

export interface Imported {
  readonly rows: number;
  /** Deliveries that go out from here now. */
  readonly started: number;
  readonly head: Head;
  /** There was no hub before. */
  readonly made: boolean;
  readonly settings: MovedSettings;
  /** Whether `settings.take` was taken. */
  readonly took: boolean;
}

/** Brings a hub from its file into an empty one, which is made where there is none. All or nothing. Throws as `exportHub`. */
export async function importHub(wish: ImportWish): Promise<Imported> {
  const { folder, file, passphrase, start, environment, now, signal, noReturn } = wish;
  const open = async (schema: number) => readLines(readHubFile(file, passphrase), isHubTable, schema);
  // Once through, so that a file that is damaged at its end changes nothing.
  const { SCHEMA_VERSION } = await import("@psn/core/db/version.ts");
  const { head, rows: all } = await open(SCHEMA_VERSION);
  const sealed: string[] = [];
  for await (const { table, json } of until(signal, all)) if (table === "api_keys") sealed.push(keyNameOf(json));
  const { settings: moved = {}, keys = {} } = head;
  const settings = movedSettings({ settings: moved, keys, sealed }, namesIn(folder));
  const took = settings.take.length > 0 && (await wish.takeSettings(settings));
  if (start && !head.moved) await wish.confirmCopy();

  const made = findHub(folder, {}) !== folder;
  if (made)
    await provisionHub({ ...provisioning(folder, environment), newId: () => head.user }, { handle: head.handle, timeZone: head.timeZone });
  const env = loadHubEnv(folder, environment);
  const users = await usersOfHub(folder, environment);
  const vault = createVault({ keys: keysOf(env), reload: () => keysOf(loadHubEnv(folder, environment)) });
  return withRows(folder, environment, async (rows) => {
    if (!(await rows.isEmpty(users)))
      throw new PsnError("STATE_CONFLICT", "this hub has accounts or posts already; a hub is imported into a new one", {
        hint: "psn import FILE --hub NEW-FOLDER",
      });
    const undo: (() => void)[] = [];
    const again = await open(rows.schema);
    const landing = settings.take.length > 0 && !took ? withoutKeys(again.rows) : again.rows;
    const count = await rows
      .write(landed(until(signal, landing), { vault, now: now() }), async () => {
        noReturn?.();
        writeSettings(folder, head, took, undo);
      })
      .catch((error: unknown) => {
        for (const back of undo) back();
        throw error;
      });
    const started = start ? await rows.start(await usersOfHub(folder, environment)) : 0;
    return { rows: count, started, head, made, settings, took };
  });
}

/** hub.env and keys.env with what came, where they do not say otherwise already; the user is the one who came. `undo` gets the ways back. */
function writeSettings(folder: string, { settings = {}, keys = {}, user }: Head, took: boolean, undo: (() => void)[]): void {
  const change = (path: string, values: Readonly<Record<string, string>>, over: string) => {
    changeEnvFile(path, (before) => {
      // A new hub says that it allows no private address, which is no choice of its owner's.
      const says = ({ name, value }: { name: string; value: string }) =>
        value !== "" && !(name === "PSN_PRIVATE_ORIGINS" && value === "none");
      const has = new Set(parseEnvFile(before, path).flatMap((entry) => (says(entry) ? [entry.name] : [])));
      const taken = Object.entries(values).filter(([name]) => name === over || !has.has(name));
      const after = taken.reduce((text, [name, value]) => setEnvValue(text, name, value), before);
      checkEnvText(after, path);
      undo.push(() => void changeEnvFile(path, () => before));
      return after;
    });
  };
  if (took) change(keysEnvPath(folder), knownKeys(keys), "");
  // A file that somebody else has made does not say where this hub's database is. A hub from before there was a list of private
  // addresses has no accounts to take some over from, and those of the file are not its owner's.
  const none = { PSN_PRIVATE_ORIGINS: "none" };
  change(hubEnvPath(folder), { ...none, ...(took ? movingSettings(settings) : {}), PSN_USER: user }, "PSN_USER");
}

/** The rows without the keys of apps. */
async function* withoutKeys(rows: AsyncIterable<HubRow>): AsyncGenerator<HubRow> {
  for await (const row of rows) if (row.table !== "api_keys") yield row;
}

function keyNameOf(json: string): string {
  const row: unknown = JSON.parse(json);
  return String(typeof row === "object" && row !== null ? Reflect.get(row, "name") : "");
}

/** What hub.env and keys.env of a folder set already; nothing where there is no hub. */
function namesIn(folder: string): ReadonlySet<string> {
  const names = [hubEnvPath(folder), keysEnvPath(folder)].flatMap((path) =>
    parseEnvFile(readTextFile(path) ?? "", path).flatMap(({ name, value }) => (value === "" ? [] : [name])),
  );
  return new Set(names);
}

/** Lets what an import or a move left held go out from this hub; answers how many deliveries that were. */
export async function startHeld(folder: string, noReturn: () => void, environment?: Environment): Promise<number> {
  const users = await usersOfHub(folder, environment);
  return withRows(folder, environment, (rows) => {
    noReturn();
    return rows.start(users);
  });
}
