import { resolve } from "node:path";
import type { Head } from "@psn/app/archive-lines.ts";
import type { TransferGround } from "@psn/app/transfer-hub.ts";
import type { ImportScope } from "@psn/app/verbs/import.ts";
import { checkPassphrase, readArchive, writeArchive } from "@psn/core/archive-file.ts";
import { openDatabase } from "@psn/core/db/connection.ts";
import { hubRows, isHubTable } from "@psn/core/db/hub-copy.ts";
import { assertMigrated } from "@psn/core/db/migrate.ts";
import { SCHEMA_VERSION } from "@psn/core/db/version.ts";
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
} from "@psn/core/utils/env.ts";
import { readTextFile } from "@psn/core/utils/private-file.ts";
import {
  knownKeys,
  settingsToTransfer,
  TRANSFERRED,
  transferredSettings,
} from "@psn/core/utils/transferred-settings.ts";
import { createVault } from "@psn/core/vault.ts";
import { databaseOptions } from "./database.ts";
import { keysOf, outside } from "./parts.ts";
import { provisioning } from "./provisioning.ts";
import { usersOfHub } from "./users.ts";

/** What `psn export` and `psn import` need of a folder. Opens nothing yet. */
export function transferGround(folder: string, environment?: Environment): TransferGround {
  const load = () => loadHubEnv(folder, environment);
  return {
    settings: () => settingsGoing(folder, environment),
    users: () => usersOfHub(folder, environment),
    vault: () => createVault({ keys: keysOf(load()), reload: () => keysOf(load()) }),
    withRows: async (work) => {
      const database = await openDatabase(databaseOptions(load(), "session"));
      try {
        await assertMigrated(database);
        return await work(hubRows(database));
      } finally {
        await database.close();
      }
    },
    path: (file) => resolve(folder, file),
    archive: { checkPassphrase, write: writeArchive, read: readArchive },
    exists: () => findHub(folder, {}) === folder,
    provisioning: () => provisioning(folder, environment),
    schema: SCHEMA_VERSION,
    isTable: isHubTable,
    compare: (brought) => transferredSettings(brought, namesIn(folder)),
    writeSettings: (head, took, undo) => writeSettings(folder, { head, took, undo }),
  };
}

/** The folder to which a hub is to come, or in which it is. Opens nothing yet. */
export function importScope(folder: string, environment?: Environment): ImportScope {
  const place = resolve(folder);
  return { folder: place, world: outside, transfer: async () => transferGround(place, environment) };
}

/** What of hub.env and keys.env is the hub's, and not of one machine: no value that the environment sets. */
function settingsGoing(folder: string, environment: Environment | undefined): Pick<Head, "settings" | "keys"> {
  const env = loadHubEnv(folder, environment);
  const inFile = (name: HubSettingName) => (typeof env.settings[name]?.origin === "object" ? env.get(name) : undefined);
  return {
    settings: Object.fromEntries(
      TRANSFERRED.flatMap((name) => (inFile(name) === undefined ? [] : [[name, inFile(name) ?? ""]])),
    ),
    keys: Object.fromEntries([...loadKeysEnv(folder, {}).keys].map(([name, { value }]) => [name, value])),
  };
}

/**
 * hub.env and keys.env with what came, where they do not say otherwise already; the user is the one who came. `undo`
 * gets the ways back.
 */
function writeSettings(
  folder: string,
  {
    head: { settings = {}, keys = {}, user },
    took,
    undo,
  }: { readonly head: Head; readonly took: boolean; readonly undo: (() => void)[] },
): void {
  const change = (path: string, values: Readonly<Record<string, string>>, over: string) => {
    changeEnvFile(path, (before) => {
      // A new hub says that it allows no private address, which is no choice of its owner's.
      const says = ({ name, value }: { name: string; value: string }) =>
        value !== "" && !(name === "PSN_PRIVATE_ORIGINS" && value === "none");
      const has = new Set(parseEnvFile(before, path).flatMap((entry) => (says(entry) ? [entry.name] : [])));
      const taken = Object.entries(values).filter(([name]) => name === over || !has.has(name));
      const after = taken.reduce((text, [name, value]) => setEnvValue(text, { name, value }), before);
      checkEnvText(after, path);
      undo.push(() => void changeEnvFile(path, () => before));
      return after;
    });
  };
  if (took) change(keysEnvPath(folder), knownKeys(keys), "");
  // A file that somebody else has made does not say where this hub's database is. A hub from before there was a list of
  // private addresses has no accounts to take some over from, and those of the file are not its owner's.
  const none = { PSN_PRIVATE_ORIGINS: "none" };
  const taken = took ? settingsToTransfer(settings) : {};
  change(hubEnvPath(folder), { ...none, ...taken, PSN_USER: user }, "PSN_USER");
}

/** What hub.env and keys.env of a folder set already; nothing where there is no hub. */
function namesIn(folder: string): ReadonlySet<string> {
  const names = [hubEnvPath(folder), keysEnvPath(folder)].flatMap((path) =>
    parseEnvFile(readTextFile(path) ?? "", path).flatMap(({ name, value }) => (value === "" ? [] : [name])),
  );
  return new Set(names);
}
