import { statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { type EnvEntry, parseEnvFile } from "./envfile.ts";
import { exposedFolder, foreign, foreignEntry, quoted } from "./ownership.ts";
import { isExposed, readTextFile } from "./private-file.ts";
import {
  APP_KEYS,
  appKeySetting,
  HUB_SETTINGS,
  type HubSettingName,
  hubSetting,
  isTimeZone,
  mayBeSet,
  nearestName,
  type Setting,
} from "./settings.ts";

export { type EnvEntry, parseEnvFile, setEnvValue, unsetEnvValue } from "./envfile.ts";
export { changeEnvFile, isExposed, writeEnvFile } from "./private-file.ts";
export {
  APP_KEYS,
  appKeySetting,
  type HubSettingName,
  hubSetting,
  knownSetting,
  type Setting,
  unknownSetting,
} from "./settings.ts";

/*
 * The only reader of the environment and of config/*.env. The environment stands above the files, so that a task on
 * another machine needs no files at all. An empty value counts as none, in both.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a value was found. */
export type Origin = "environment" | "default" | { readonly file: string; readonly line: number };

export interface EnvValue {
  readonly value: string;
  readonly origin: Origin;
}

/** A name in hub.env that psn does not know: kept and listed, never used. */
export interface UnknownName extends EnvValue {
  readonly name: string;
  /** The setting that was probably meant. */
  readonly suggestion: string | undefined;
}

export interface HubEnv {
  /** Undefined where there is no hub folder, as in a task: then everything comes from the environment. */
  readonly hubDir: string | undefined;
  /** What is set, and the defaults of what is not. */
  readonly settings: Readonly<Partial<Record<HubSettingName, EnvValue>>>;
  readonly unknown: readonly UnknownName[];
  /** Names of which hub.env has one value and the environment, which counts, another. */
  readonly overridden: readonly string[];
  readonly get: (name: HubSettingName) => string | undefined;
}

export interface KeysEnv {
  /** By name: what keys.env holds, and what the environment holds of the names psn knows. */
  readonly keys: ReadonlyMap<string, EnvValue>;
  /** Names of which keys.env has one value and the environment, which counts, another. */
  readonly overridden: readonly string[];
  readonly get: (name: string) => string | undefined;
}

/** config/hub.env of a hub folder. */
export function hubEnvPath(hubDir: string): string {
  return join(hubDir, "config", "hub.env");
}

/** config/keys.env of a hub folder. */
export function keysEnvPath(hubDir: string): string {
  return join(hubDir, "config", "keys.env");
}

/**
 * The hub folder: `PSN_HUB` if it is set, else the nearest folder from `start` upward that has a config/hub.env. One
 * that another user has put there is passed by, and `onForeign` is told why: a user who may write to a folder above
 * must not choose where posts go.
 */
export function findHub(
  start: string,
  environment: Environment = process.env,
  onForeign: (why: PsnError) => void = () => undefined,
): string | undefined {
  const named = said(environment, "PSN_HUB");
  if (named !== undefined) return resolve(start, named);
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const path = hubEnvPath(folder);
    // A config/ that may not be entered is somebody's too.
    const found = look(path);
    const stranger = foreign(path) ?? (found === "hidden" ? foreign(dirname(path)) : undefined);
    if (stranger !== undefined) onForeign(stranger);
    else if (found === "there") return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function look(path: string): "there" | "hidden" | "none" {
  try {
    statSync(path);
    return "there";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EACCES" ? "hidden" : "none";
  }
}

/**
 * The hub's settings.
 *
 * @param hubDir the hub folder, or undefined to go by the environment alone.
 * @throws PsnError HUB_MISSING without a hub.env there; CONFIG_EXPOSED or CONFIG_INVALID when it cannot be used;
 * VAULT_LOCKED for a key that is none. The message names the setting and its origin, never the value.
 */
export function loadHubEnv(hubDir: string | undefined, environment: Environment = process.env): HubEnv {
  const { env, problems } = readHubEnv(hubDir, environment);
  const [first] = problems;
  if (first !== undefined) throw first;
  return env;
}

/**
 * As `loadHubEnv`, but tells every problem and what could be read in spite of it: for `psn config list` and `psn
 * doctor`.
 */
export function readHubEnv(
  hubDir: string | undefined,
  environment: Environment = process.env,
): { readonly env: HubEnv; readonly problems: readonly PsnError[] } {
  const { values, problems } =
    hubDir === undefined ? { values: NOTHING, problems: [] } : readValues(hubEnvPath(hubDir));
  if (hubDir !== undefined) problems.unshift(...notOurs(hubDir));
  if (hubDir !== undefined && values === undefined) problems.push(missing(hubEnvPath(hubDir)));
  const settings: Partial<Record<HubSettingName, EnvValue>> = {};
  for (const setting of HUB_SETTINGS) {
    const found = fromEnvironment(environment, setting.name) ?? values?.get(setting.name);
    if (found !== undefined) {
      settings[setting.name] = found;
      if (!setting.isValid(found.value)) problems.push(invalid(setting, found.origin));
    } else if ("default" in setting) settings[setting.name] = { value: setting.default, origin: "default" };
  }
  const unknown = [...(values ?? [])]
    .filter(([name]) => hubSetting(name) === undefined)
    .map(([name, value]) => ({ name, ...value, suggestion: nearestName(name, HUB_SETTINGS) }));
  const overridden = differing(environment, values);
  return { env: { hubDir, settings, unknown, overridden, get: (name) => settings[name]?.value }, problems };
}

/**
 * The user's app keys. No keys.env is no error.
 *
 * @throws PsnError CONFIG_EXPOSED or CONFIG_INVALID when it cannot be used.
 */
export function loadKeysEnv(hubDir: string | undefined, environment: Environment = process.env): KeysEnv {
  const { env, problems } = readKeysEnv(hubDir, environment);
  const [first] = problems;
  if (first !== undefined) throw first;
  return env;
}

/** As `loadKeysEnv`, but tells every problem and what could be read in spite of it. */
export function readKeysEnv(
  hubDir: string | undefined,
  environment: Environment = process.env,
): { readonly env: KeysEnv; readonly problems: readonly PsnError[] } {
  const { values, problems } =
    hubDir === undefined ? { values: NOTHING, problems: [] } : readValues(keysEnvPath(hubDir));
  const keys = new Map(values);
  for (const name of [...APP_KEYS.map((setting) => setting.name), ...keys.keys()]) {
    const above = fromEnvironment(environment, name);
    if (above !== undefined) keys.set(name, above);
  }
  return { env: { keys, overridden: differing(environment, values), get: (name) => keys.get(name)?.value }, problems };
}

/**
 * Whether a text may become a hub.env or a keys.env.
 *
 * @param before what a person has just edited, by name: what differs from it is set again.
 * @throws PsnError CONFIG_INVALID or VAULT_LOCKED for the first thing that is wrong with it.
 */
export function checkEnvText(text: string, path: string, before?: ReadonlyMap<string, string>): void {
  for (const [name, { value, origin }] of valuesOf(parseEnvFile(text, path))) {
    const setting = hubSetting(name);
    const isNew = before !== undefined && before.get(name) !== value;
    if (setting !== undefined && !(isNew ? mayBeSet(setting, value) : setting.isValid(value)))
      throw invalid(setting, origin);
  }
}

/** The data folder of a hub. */
export function dataDir(env: HubEnv): string {
  return resolve(env.hubDir ?? ".", env.get("PSN_DATA") ?? "data/");
}

/** What the environment says about the terminal. */
export interface TerminalEnv {
  /** NO_COLOR is set and not empty (no-color.org). */
  readonly noColor: boolean;
  /** FORCE_COLOR, where it is set: false for `0` and `false`. */
  readonly forceColor: boolean | undefined;
  /** CI is set, and not to `0` or `false`. */
  readonly ci: boolean;
  readonly term: string | undefined;
  /** VISUAL, else EDITOR. */
  readonly editor: string | undefined;
  /** PSN_HUB, a folder. */
  readonly hub: string | undefined;
  /** COLUMNS, in characters, where it is a whole number above 0. */
  readonly columns: number | undefined;
}

export function terminalEnv(environment: Environment = process.env): TerminalEnv {
  const { FORCE_COLOR: forced, CI: ci = "" } = environment;
  const columns = Number(said(environment, "COLUMNS"));
  return {
    noColor: said(environment, "NO_COLOR") !== undefined,
    forceColor: forced === undefined ? undefined : !isOff(forced),
    ci: ci !== "" && !isOff(ci),
    term: said(environment, "TERM"),
    editor: said(environment, "VISUAL") ?? said(environment, "EDITOR"),
    hub: said(environment, "PSN_HUB"),
    columns: Number.isInteger(columns) && columns > 0 ? columns : undefined,
  };
}

/**
 * Where psn remembers across hubs what a restore of one must not turn back
 * (https://specifications.freedesktop.org/basedir-spec/, XDG_STATE_HOME); undefined where this user has no home.
 */
export function stateFolder(environment: Environment = process.env): string | undefined {
  const base = said(environment, "XDG_STATE_HOME") ?? said(environment, "LOCALAPPDATA");
  if (base !== undefined && isAbsolute(base)) return join(base, "psn");
  const home = said(environment, "HOME") ?? said(environment, "USERPROFILE");
  return home !== undefined && isAbsolute(home) ? join(home, ".local", "state", "psn") : undefined;
}

/** Neon's API key, where the environment has it. It is never kept in a file of the hub's. */
export function neonApiKey(environment: Environment = process.env): string | undefined {
  return said(environment, "NEON_API_KEY");
}

/** Whether requests of this process go by a proxy, which resolves names itself. */
export function hasProxy(environment: Environment = process.env): boolean {
  return ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].some(
    (name) => said(environment, name) !== undefined,
  );
}

/** What the environment says about newer versions of psn. */
export interface UpdateEnv {
  /** PSN_NO_UPDATE_CHECK is set: nobody is told, and nobody is asked. */
  readonly isOff: boolean;
  /** As cacheFolder has it. */
  readonly cache: string | undefined;
}

export function updateEnv(environment: Environment = process.env): UpdateEnv {
  return { isOff: said(environment, "PSN_NO_UPDATE_CHECK") !== undefined, cache: cacheFolder(environment) };
}

/**
 * Where psn keeps what it can ask for or make again (https://specifications.freedesktop.org/basedir-spec/,
 * XDG_CACHE_HOME); undefined where this user has no home.
 */
export function cacheFolder(environment: Environment = process.env): string | undefined {
  const base = said(environment, "XDG_CACHE_HOME") ?? said(environment, "LOCALAPPDATA");
  const home = said(environment, "HOME") ?? said(environment, "USERPROFILE");
  const folder = base ?? (home === undefined ? undefined : join(home, ".cache"));
  return folder !== undefined && isAbsolute(folder) ? join(folder, "psn") : undefined;
}

/** JOURNAL_STREAM: which stream systemd's journal reads, as `device:inode` (systemd.exec(5)). */
export function journalStream(environment: Environment = process.env): string | undefined {
  return said(environment, "JOURNAL_STREAM");
}

/** Where a user's services are described, and what a service needs of the environment. */
export interface ServiceEnv {
  readonly home: string;
  /** XDG_CONFIG_HOME, else `.config` of the home. */
  readonly configHome: string;
  /** No secret, and a worker would not work without: certificate authorities, and where psn remembers. */
  readonly passed: Readonly<Record<string, string>>;
}

export function serviceEnv(environment: Environment = process.env): ServiceEnv {
  const home = said(environment, "HOME") ?? homedir();
  const configHome = said(environment, "XDG_CONFIG_HOME") ?? join(home, ".config");
  const names = ["NODE_EXTRA_CA_CERTS", "XDG_STATE_HOME"];
  const passed = names.flatMap((name) => {
    const value = said(environment, name);
    return value === undefined ? [] : [[name, resolve(value)] as const];
  });
  return { home, configHome, passed: Object.fromEntries(passed) };
}

/** What the environment says about the user's shell, and about the folders where shells look for completions. */
export interface ShellEnv {
  /** SHELL, the path of the login shell. */
  readonly shell: string | undefined;
  readonly home: string;
  /** XDG_CONFIG_HOME, else `.config` of the home. */
  readonly configHome: string;
  /** XDG_DATA_HOME, else `.local/share` of the home. */
  readonly dataHome: string;
  /** BASH_COMPLETION_USER_DIR. */
  readonly bashCompletion: string | undefined;
  /** ZDOTDIR, where zsh looks for .zshrc. */
  readonly zdotdir: string | undefined;
}

export function shellEnv(environment: Environment = process.env): ShellEnv {
  const home = said(environment, "HOME") ?? homedir();
  return {
    shell: said(environment, "SHELL"),
    home,
    configHome: said(environment, "XDG_CONFIG_HOME") ?? join(home, ".config"),
    dataHome: said(environment, "XDG_DATA_HOME") ?? join(home, ".local", "share"),
    bashCompletion: said(environment, "BASH_COMPLETION_USER_DIR"),
    zdotdir: said(environment, "ZDOTDIR"),
  };
}

/** The IANA zone of this machine, UTC where it has none. */
export function systemTimeZone(): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone !== undefined && isTimeZone(zone) ? zone : "UTC";
}

/** The environment for another program, an editor or a browser: everything but the hub's secrets. */
export function childEnvironment(environment: Environment = process.env): Record<string, string> {
  const own = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      entry[0] !== "NEON_API_KEY" &&
      !(hubSetting(entry[0]) ?? appKeySetting(entry[0]))?.secret,
  );
  return Object.fromEntries(own);
}

const NOTHING: ReadonlyMap<string, EnvValue> = new Map();

function readValues(path: string): {
  readonly values: ReadonlyMap<string, EnvValue> | undefined;
  readonly problems: PsnError[];
} {
  try {
    const text = readTextFile(path);
    if (text === undefined) return { values: undefined, problems: [] };
    return { values: valuesOf(parseEnvFile(text, path)), problems: isExposed(path) ? [exposed(path)] : [] };
  } catch (error) {
    if (error instanceof PsnError) return { values: NOTHING, problems: [error] };
    throw error;
  }
}

/** Why the current user must not use this hub. */
function notOurs(hubDir: string): readonly PsnError[] {
  const config = dirname(hubEnvPath(hubDir));
  const problem = exposedFolder(hubDir) ?? exposedFolder(config) ?? foreignEntry(config);
  return problem === undefined ? [] : [problem];
}

/**
 * One value for each name. @throws PsnError CONFIG_INVALID for a name that comes twice: nobody could tell which one is
 * meant.
 */
function valuesOf(entries: readonly EnvEntry[]): ReadonlyMap<string, EnvValue> {
  const values = new Map<string, EnvValue>();
  const lines = new Map<string, number>();
  for (const { name, value, file, line } of entries) {
    const before = lines.get(name);
    if (before !== undefined) {
      throw new PsnError("CONFIG_INVALID", `${file}:${line}: ${name} is already set on line ${before}.`, {
        hint: "remove one of the two lines",
      });
    }
    lines.set(name, line);
    if (value !== "") values.set(name, { value, origin: { file, line } });
  }
  return values;
}

function differing(environment: Environment, values: ReadonlyMap<string, EnvValue> = NOTHING): readonly string[] {
  return [...values].flatMap(([name, { value }]) =>
    [undefined, value].includes(said(environment, name)) ? [] : [name],
  );
}

function fromEnvironment(environment: Environment, name: string): EnvValue | undefined {
  const value = said(environment, name);
  return value === undefined ? undefined : { value, origin: "environment" };
}

function said(environment: Environment, name: string): string | undefined {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  return value === "" ? undefined : value;
}

function isOff(value: string): boolean {
  return value === "0" || value.toLowerCase() === "false";
}

/** Of a folder that was named. */
function missing(path: string): PsnError {
  return new PsnError("HUB_MISSING", `There is no hub here: ${path} does not exist.`, {
    hint: `psn init ${quoted(dirname(dirname(path)))}`,
  });
}

function exposed(path: string): PsnError {
  return new PsnError(
    "CONFIG_EXPOSED",
    `${path} holds secrets, and other people on this machine can read or change it.`,
    {
      hint: `chmod 600 ${quoted(path)}`,
    },
  );
}

/** Names the setting and where it stands; the value may be a secret. */
function invalid(setting: Setting, origin: Origin): PsnError {
  const where = typeof origin === "string" ? `in the ${origin}` : `${origin.file}:${origin.line}`;
  const isHubKey = setting.name.startsWith("HUB_ENCRYPTION_KEY");
  return new PsnError(
    isHubKey ? "VAULT_LOCKED" : "CONFIG_INVALID",
    `${setting.name} (${where}) must be ${setting.form}.`,
    {
      hint: isHubKey
        ? "restore the hub's own key, from your backup or a machine that has it"
        : origin === "environment"
          ? `unset ${setting.name}`
          : `psn config set ${setting.name}`,
    },
  );
}
