import { appsOf } from "@psn/app/api-keys.ts";
import { openNeonHttp } from "@psn/core/db/drivers/neon-http.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import { type Environment, loadHubEnv, loadKeysEnv } from "@psn/core/utils/env.ts";
import { createVault } from "@psn/core/vault.ts";
import { remotePlatforms } from "@psn/platforms/index.ts";
import {
  bucketOf,
  HTTP_ROW_HOLDS,
  keysOf,
  loaderOf,
  notifierOf,
  objectMarksOf,
  outside,
  privateOrigins,
  publicFetchOf,
  queueOf,
} from "./parts.ts";

export { queueName, SETTLE_QUEUE } from "@psn/queue/trigger.ts";
export { remotePlatforms };

/*
 * The tasks' world: everything from the environment, the database over Neon's HTTP alone, and no platform that needs
 * the user's own machine. Opening it asks nobody anything.
 */

/** Throws CONFIG_INVALID, VAULT_LOCKED. */
export function openWorld(environment?: Environment): { readonly world: World; readonly watchdogMs: number } {
  const env = loadHubEnv(undefined, environment);
  const url = env.get("DATABASE_URL");
  if (url === undefined)
    throw new PsnError("CONFIG_INVALID", "this task's environment has no DATABASE_URL", { hint: "psn deploy" });
  const { queue } = queueOf(env);
  // Without it nothing would be watched, and nobody would notice.
  if (!queue)
    throw new PsnError("CONFIG_INVALID", "this task's environment has no TRIGGER_SECRET_KEY", { hint: "psn deploy" });
  const stores = createStores(openNeonHttp(url, env.get("NEON_PROXY")));
  const keys = keysOf(env);
  const vault = createVault({ keys });
  const allowed = privateOrigins(env);
  const world: World = {
    ...outside,
    ...publicFetchOf((origin) => allowed.has(origin)),
    queue,
    ...objectMarksOf(env, keys),
    ...bucketOf(env),
    ...notifierOf(env),
    rowHolds: HTTP_ROW_HOLDS,
    platforms: loaderOf(Object.keys(remotePlatforms)),
    apps: appsOf((name) => loadKeysEnv(undefined, environment).get(name), stores, vault),
    stores,
    vault,
  };
  return { world, watchdogMs: Number(env.get("PSN_WATCHDOG_MINUTES")) * 60_000 };
}
