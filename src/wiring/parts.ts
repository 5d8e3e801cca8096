import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openBucket } from "@psn/core/bucket/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import { discard } from "@psn/core/net/answer-body.ts";
import { fetchAsPsn } from "@psn/core/net/fetch.ts";
import type { Bucket, Platforms, Queue } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import { type Key, keyFromHex } from "@psn/core/utils/crypto.ts";
import { type HubEnv, hasProxy } from "@psn/core/utils/env.ts";
import { printable } from "@psn/core/utils/printable.ts";
import { readObjectMarks, readOrigins, readPrivateOrigins } from "@psn/core/utils/settings.ts";
import { keyId } from "@psn/core/vault.ts";
import { isPlatformId, platformIds, platforms, remotePlatforms } from "@psn/platforms/index.ts";
import { publicFetch } from "@psn/platforms/kit/private.ts";
import { triggerQueue } from "@psn/queue/trigger.ts";

/*
 * What the two composition roots have in common: the command line's, and the tasks', whose bundle must hold neither the
 * embedded database nor the command line.
 */

export function loaderOf(ids: readonly string[]): Platforms {
  return {
    ids,
    load: async (id) => {
      if (!isPlatformId(id) || !ids.includes(id))
        throw new PsnError("INPUT_INVALID", `"${id}" is not a platform; platforms are ${platformIds.join(", ")}`, {
          hint: "psn connect PLATFORM",
        });
      return platforms[id]();
    },
  };
}

/** The world but for what a hub decides. */
export const outside = {
  fetch: fetchAsPsn,
  now: () => new Date(),
  elapsedMs: () => performance.now(),
  random: Math.random,
  newId: () => Bun.randomUUIDv7(),
  sleep: async (ms: number, signal?: AbortSignal) => {
    await sleep(ms, undefined, signal ? { signal } : {});
  },
} as const;

/** The private origins that the hub's owner has allowed. */
export const privateOrigins = (env: HubEnv): ReadonlySet<string> =>
  readPrivateOrigins(env.get("PSN_PRIVATE_ORIGINS") ?? "none") ?? new Set();

/** `outside.fetch`, for public addresses and for the private origins that are allowed. */
export function publicFetchOf(isAllowed: (origin: string) => boolean): Pick<World, "fetch"> {
  return { fetch: publicFetch({ fetch: outside.fetch, isAllowed, proxied: hasProxy() }) };
}

/** The same, where some addresses lead to a server on this machine (`PSN_ORIGINS`). */
export function fetchOf(env: HubEnv, isAllowed: (origin: string) => boolean): Pick<World, "fetch"> {
  const origins = readOrigins(env.get("PSN_ORIGINS") ?? "");
  const { fetch } = publicFetchOf(isAllowed);
  if (!origins) return { fetch };
  return {
    fetch: (input, init) => {
      const url = new URL(input);
      const origin = origins.get(url.origin);
      return origin === undefined
        ? fetch(url, init)
        : outside.fetch(new URL(`${url.pathname}${url.search}`, origin), init);
    },
  };
}

/** Longest a notification may take, in milliseconds. */
const NOTIFY_MS = 10_000;

/** One line as the body of a POST to the address the user named: an ntfy topic, or anything that takes one. */
export function notifierOf(env: HubEnv): Pick<World, "notify"> {
  const url = env.get("PSN_NOTIFY_URL");
  if (url === undefined) return {};
  return {
    notify: async (line) => {
      const response = await outside.fetch(url, {
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8", title: "psn" },
        body: printable(line),
        redirect: "manual",
        // A connection of its own is closed with the answer, of which nobody reads a word.
        keepalive: false,
        signal: AbortSignal.timeout(NOTIFY_MS),
      });
      await discard(response);
    },
  };
}

/** The hub's keys, the current one first. Throws VAULT_LOCKED. */
export function keysOf(env: HubEnv): readonly Key[] {
  const current = env.get("HUB_ENCRYPTION_KEY");
  if (current === undefined)
    throw new PsnError("VAULT_LOCKED", "hub.env has no HUB_ENCRYPTION_KEY", {
      hint: "restore the key: psn config set HUB_ENCRYPTION_KEY",
    });
  const old = env.get("HUB_ENCRYPTION_KEY_OLD");
  return [keyFromHex(current), ...(old === undefined ? [] : [keyFromHex(old)])];
}

/** Trigger.dev, where the hub has a project there. */
export function queueOf(env: HubEnv): Pick<World, "queue"> {
  const secretKey = env.get("TRIGGER_SECRET_KEY");
  const url = env.get("TRIGGER_API_URL");
  if (secretKey === undefined || url === undefined) return {};
  const { fetch, now } = outside;
  const queue: Queue = triggerQueue({ url, secretKey, platforms: Object.keys(remotePlatforms), fetch, now });
  return { queue };
}

/** The bucket, where the hub has one. Throws CONFIG_INVALID for half a bucket. */
export function bucketOf(env: HubEnv): Pick<World, "bucket"> {
  const names = ["S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] as const;
  const [endpoint, name, accessKeyId, secretAccessKey] = names.map((setting) => env.get(setting));
  if (name === undefined) return {};
  if (endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = names.filter((setting) => env.get(setting) === undefined);
    if (env.hubDir !== undefined && env.settings.S3_BUCKET?.origin === "environment")
      throw new PsnError(
        "CONFIG_INVALID",
        `this shell sets S3_BUCKET, but neither the shell nor hub.env sets ${missing.join(" or ")}`,
        {
          hint: "unset S3_BUCKET",
        },
      );
    throw new PsnError("CONFIG_INVALID", `S3_BUCKET is set in hub.env, but these are missing: ${missing.join(", ")}`, {
      hint: `psn config set ${missing[0]}`,
    });
  }
  const bucket: Bucket = openBucket({
    endpoint,
    region: env.get("S3_REGION") ?? "auto",
    bucket: name,
    accessKeyId,
    secretAccessKey,
  });
  return { bucket };
}

/** What the names of objects begin with that a hub puts into the bucket under the key with this id; no secret. */
export const objectMarkOf = (keyId: string): string =>
  createHash("sha256").update(`objects ${keyId}`).digest("hex").slice(0, 10);

/** By the key that the hub has now, and by those that it had before (`PSN_OBJECT_MARKS`). */
export function objectMarksOf(
  env: HubEnv,
  [current, ...old]: readonly Key[],
): Pick<World, "objectMark" | "formerMarks"> {
  if (!current) return {};
  const former = [
    ...old.map((key) => objectMarkOf(keyId(key))),
    ...(readObjectMarks(env.get("PSN_OBJECT_MARKS") ?? "") ?? []),
  ];
  return {
    objectMark: `${objectMarkOf(keyId(current))}-`,
    formerMarks: [...new Set(former)].map((mark) => `${mark}-`),
  };
}

/** Neon takes 10 MB a request over HTTP (neon.com/docs/changelog/2023-08-16), where each byte is two characters. */
export const HTTP_ROW_HOLDS = 4 * 1024 * 1024;
