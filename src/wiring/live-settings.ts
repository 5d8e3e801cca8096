import { createHmac } from "node:crypto";
import { statSync } from "node:fs";
import type { World } from "@psn/core/ports/world.ts";
import { READ_ONCE } from "@psn/core/types/index.ts";
import {
  APP_KEYS,
  type Environment,
  type EnvValue,
  type HubEnv,
  type HubSettingName,
  hubEnvPath,
  type KeysEnv,
  keysEnvPath,
  loadHubEnv,
  loadKeysEnv,
} from "@psn/core/utils/env.ts";
import { bucketOf, fetchOf, notifierOf } from "./parts.ts";
import { allowing } from "./private-origins.ts";

/*
 * The settings of a hub as they are now: a worker that runs for weeks hears of what was changed meanwhile.
 */

export interface LiveSettings {
  /** keys.env as it is now. Throws CONFIG_…. */
  readonly keys: () => KeysEnv;
  /** What is made of hub.env, made again when it has changed. `bucket` throws CONFIG_INVALID for half a bucket. */
  readonly parts: Pick<World, "fetch" | "bucket" | "notify">;
  /** See `World.settings`. */
  readonly told: () => Readonly<Record<string, string>>;
}

/** What a worker reads again, beside the keys of apps. */
const FOLLOWED: readonly HubSettingName[] = [
  "S3_ENDPOINT",
  "S3_REGION",
  "S3_BUCKET",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
  "PSN_NOTIFY_URL",
  "PSN_PRIVATE_ORIGINS",
  "PSN_ORIGINS",
];

/** @param first hub.env as it was read already, and as the hub was opened by it. */
export function liveSettings(folder: string, first: HubEnv, environment?: Environment): LiveSettings {
  const env = reading(hubEnvPath(folder), first, () => loadHubEnv(folder, environment));
  let keysEnv: (() => KeysEnv) | undefined;
  const keys = () => {
    // Only when it is asked for: most commands need none of it.
    keysEnv ??= reading(keysEnvPath(folder), loadKeysEnv(folder, environment), () => loadKeysEnv(folder, environment));
    return keysEnv();
  };
  const made = <T>(make: (env: HubEnv) => T) => {
    let of: HubEnv | undefined;
    let value: T;
    return () => {
      const now = env();
      if (now !== of) value = make(now);
      of = now;
      return value;
    };
  };
  const bucket = made((now) => bucketOf(now).bucket);
  const notify = made((now) => notifierOf(now).notify);
  const fetching = made((now) => fetchOf(now, allowing(folder, now, environment)).fetch);
  return {
    keys,
    parts: {
      get bucket() {
        return bucket();
      },
      get notify() {
        return notify();
      },
      fetch: (input, init) => fetching()(input, init),
    },
    told: () => {
      try {
        return digests(first, env(), keys().keys);
      } catch {
        // keys.env cannot be used: psn doctor says so.
        return digests(first, env(), new Map());
      }
    },
  };
}

/**
 * A file's content, read again when the file is another one or was written since. One that cannot be used changes
 * nothing.
 */
function reading<T>(path: string, first: T, read: () => T): () => T {
  let stamp = stampOf(path);
  let value = first;
  return () => {
    const now = stampOf(path);
    if (now === stamp) return value;
    try {
      value = read();
      stamp = now;
    } catch {
      // It is being edited, or waits until its user fixes it: psn doctor says so.
    }
    return value;
  };
}

function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found ? `${found.ino} ${found.size} ${found.mtimeNs}` : "";
}

/**
 * Of all that a worker uses: where each setting is from, and a digest by the hub's key: it tells one value from
 * another, and nobody else anything.
 */
function digests(opened: HubEnv, env: HubEnv, keys: KeysEnv["keys"]): Readonly<Record<string, string>> {
  const key = env.get("HUB_ENCRYPTION_KEY") ?? "";
  const told = (name: string, found: EnvValue | undefined) => {
    if (found === undefined || found.origin === "default") return [];
    const digest = createHmac("sha256", key).update(`${name}=${found.value}`).digest("hex").slice(0, 12);
    return [[name, `${found.origin === "environment" ? "shell" : "file"} ${digest}`] as const];
  };
  return Object.fromEntries([
    ...READ_ONCE.flatMap((name) => told(name, opened.settings[name])),
    ...FOLLOWED.flatMap((name) => told(name, env.settings[name])),
    ...APP_KEYS.flatMap(({ name }) => told(name, keys.get(name))),
  ]);
}
