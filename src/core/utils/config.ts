import { PsnError } from "@psn/core/errors.ts";
import {
  changeEnvFile,
  checkEnvText,
  type Environment,
  hubEnvPath,
  keysEnvPath,
  type Origin,
  readHubEnv,
  readKeysEnv,
} from "./env.ts";
import { parseEnvFile, setEnvValue, unsetEnvValue } from "./envfile.ts";
import { readTextFile } from "./private-file.ts";
import {
  APP_KEYS,
  appKeySetting,
  HUB_SETTINGS,
  hubSetting,
  knownSetting,
  mayBeSet,
  nearestName,
  unknownSetting,
} from "./settings.ts";

/*
 * What `psn config list|get|set|edit|path` do to hub.env and keys.env.
 */

export type ConfigFile = "hub" | "keys";

export interface ConfigRow {
  readonly name: string;
  readonly file: ConfigFile;
  readonly secret: boolean;
  /** The value, masked where it is secret; undefined when nothing is set. */
  readonly shown: string | undefined;
  readonly origin: Origin | undefined;
  /** Undefined for a name psn does not know. */
  readonly meaning: string | undefined;
  /** For an unknown name in hub.env: the setting that was probably meant. */
  readonly suggestion: string | undefined;
}

const MASK = "••••••••";

/** Every setting and key there is, set or not, and what is wrong with the files. */
export function listConfig(
  hubDir: string | undefined,
  environment?: Environment,
): { readonly rows: readonly ConfigRow[]; readonly problems: readonly PsnError[] } {
  const hub = readHubEnv(hubDir, environment);
  const keys = readKeysEnv(hubDir, environment);
  const known = [
    ...HUB_SETTINGS.map((setting) => ({ setting, file: "hub" as const, found: hub.env.settings[setting.name] })),
    ...APP_KEYS.map((setting) => ({ setting, file: "keys" as const, found: keys.env.keys.get(setting.name) })),
  ].map(({ setting: { name, secret, meaning }, file, found }) => ({
    name,
    file,
    secret,
    shown: found && (secret ? maskValue(found.value) : found.value),
    origin: found?.origin,
    meaning,
    suggestion: undefined,
  }));
  const others = [
    ...hub.env.unknown.map((found) => ({ ...found, file: "hub" as const })),
    ...[...keys.env.keys]
      .filter(([name]) => appKeySetting(name) === undefined)
      .map(([name, found]) => ({ ...found, name, file: "keys" as const, suggestion: nearestName(name, APP_KEYS) })),
  ].map(({ name, file, value, origin, suggestion }) => ({
    name,
    file,
    secret: true,
    shown: maskValue(value),
    origin,
    meaning: undefined,
    suggestion,
  }));
  return { rows: [...known, ...others], problems: [...hub.problems, ...keys.problems] };
}

/**
 * One row.
 *
 * @throws PsnError SETTING_UNKNOWN when psn knows no such name and no file holds it.
 */
export function getConfig(hubDir: string | undefined, name: string, environment?: Environment): ConfigRow {
  const row = listConfig(hubDir, environment).rows.find((candidate) => candidate.name === name);
  if (row === undefined) throw unknownSetting(name);
  return row;
}

/**
 * Writes one value into the file it belongs to: hub.env for a setting of the hub, keys.env for an app key.
 *
 * @throws PsnError INPUT_INVALID when the value is not of its form, SETTING_UNKNOWN for a name that is neither's.
 */
export function setConfig(hubDir: string, name: string, value: string): ConfigFile {
  const setting = knownSetting(name);
  if (!mayBeSet(setting, value)) throw new PsnError("INPUT_INVALID", `${name} must be ${setting.form}.`);
  const file = hubSetting(name) === undefined ? "keys" : "hub";
  const path = configPath(hubDir, file);
  changeEnvFile(path, (text) => {
    const after = setEnvValue(text, { name, value, file: path });
    checkEnvText(after, path);
    return after;
  });
  return file;
}

/**
 * Removes one value from the file that holds it.
 *
 * @throws PsnError NOT_FOUND when neither file does; SETTING_UNKNOWN when psn does not know the name either.
 */
export function unsetConfig(hubDir: string, name: string): ConfigFile {
  const file = fileOf(hubDir, name);
  if (file === undefined && !(hubSetting(name) ?? appKeySetting(name))) throw unknownSetting(name);
  if (file === undefined)
    throw new PsnError("NOT_FOUND", `${name} is set neither in hub.env nor in keys.env.`, { hint: "psn config list" });
  const path = configPath(hubDir, file);
  changeEnvFile(path, (text) => unsetEnvValue(text, name, path));
  return file;
}

/** The text of a file for an editor, whatever state it is in; empty when there is none. */
export function configText(hubDir: string, file: ConfigFile): string {
  return readTextFile(configPath(hubDir, file)) ?? "";
}

/**
 * Puts what came back from the editor in place of what went in.
 *
 * @throws PsnError CONFIG_INVALID when it cannot be used; CONFIG_CHANGED when the file has been changed meanwhile;
 * SETTING_UNKNOWN for a name that psn does not know and that was not there before. The file stays as it is.
 */
export function replaceConfig(
  hubDir: string,
  { file, before, after }: { readonly file: ConfigFile; readonly before: string; readonly after: string },
): void {
  const path = configPath(hubDir, file);
  changeEnvFile(path, (text) => {
    if (text !== before)
      throw new PsnError("CONFIG_CHANGED", `${path} was changed by another program while you were editing it.`);
    const old = parsedValues(before, path);
    const settings = file === "hub" ? HUB_SETTINGS : APP_KEYS;
    checkEnvText(after, path, old);
    for (const name of parsedValues(after, path).keys()) if (!old.has(name)) knownSetting(name, settings);
    return after;
  });
}

/** Names and values in a text; none where it cannot be read, as before it is fixed. */
function parsedValues(text: string, path: string): ReadonlyMap<string, string> {
  try {
    return new Map(parseEnvFile(text, path).map(({ name, value }) => [name, value]));
  } catch (error) {
    if (error instanceof PsnError) return new Map();
    throw error;
  }
}

/** Where a file is, or will be. */
export function configPath(hubDir: string, file: ConfigFile): string {
  return file === "hub" ? hubEnvPath(hubDir) : keysEnvPath(hubDir);
}

/** A secret as it may be shown: nothing of it but, for a database, where that is and who logs in. */
export function maskValue(value: string): string {
  const url = URL.parse(value);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol)) return MASK;
  const login = url.username === "" ? "" : `${url.username}${url.password === "" ? "" : `:${MASK}`}@`;
  return `${url.protocol}//${login}${url.host}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

function fileOf(hubDir: string, name: string): ConfigFile | undefined {
  return (["hub", "keys"] as const).find((file) => {
    const path = configPath(hubDir, file);
    return parseEnvFile(configText(hubDir, file), path).some((entry) => entry.name === name);
  });
}
