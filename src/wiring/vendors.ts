import { chooseDriver } from "@psn/core/db/connection.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Neon, PlannedCall, TriggerDev } from "@psn/core/ports/vendors.ts";
import {
  APP_KEYS,
  type Environment,
  findHub,
  type HubEnv,
  type HubSettingName,
  loadHubEnv,
  loadKeysEnv,
} from "@psn/core/utils/env.ts";
import { neonApi, plannedNeonCalls } from "@psn/provision/neon.ts";
import { plannedTriggerCalls, triggerApi } from "@psn/provision/trigger.ts";
import { logIn } from "@psn/provision/trigger-login.ts";
import { outside } from "./parts.ts";

/*
 * The vendors' management APIs: for `psn init --neon --trigger`, `psn deploy`, `psn destroy` and `psn doctor`.
 */

export { type PlannedCall, plannedNeonCalls, plannedTriggerCalls };

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

/** Throws DB_UNSUITABLE for a database, the hub's if none is named, that the tasks cannot reach. */
export function assertReachable(env: HubEnv, url = env.get("DATABASE_URL")): void {
  const known = env.get("DATABASE_DRIVER");
  const driver = known === "pg" || known === "neon-http" || known === "neon-ws" ? known : undefined;
  if (url !== undefined && chooseDriver({ url, driver, neonProxy: env.get("NEON_PROXY"), use: "once" }) === "neon-http")
    return;
  throw new PsnError(
    "DB_UNSUITABLE",
    "Trigger.dev's tasks need a database that they can reach over Neon's HTTP, and this hub's database is not on Neon",
    {
      hint: "psn init --neon --trigger in another folder, or psn config set NEON_PROXY",
    },
  );
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
  return {
    secrets: set([...some(SECRET), ...APP_KEYS.map(({ name }) => [name, keys.get(name)] as const)]),
    plain: set(some(PLAIN)),
  };
}

/** Names of all variables psn may have set. */
export const VARIABLES: readonly string[] = [...SECRET, ...PLAIN, ...APP_KEYS.map(({ name }) => name), "PSN_DEPLOYED"];
