import type { VendorGround } from "@psn/app/doctor-vendors.ts";
import { objectPrefix } from "@psn/app/keep-media.ts";
import { chooseDriver, openDatabase } from "@psn/core/db/connection.ts";
import { privilegesOf } from "@psn/core/db/logins.ts";
import { migrationStatus } from "@psn/core/db/migrate.ts";
import { type Environment, loadHubEnv } from "@psn/core/utils/env.ts";
import { dashboardOf } from "@psn/provision/trigger.ts";
import { databaseOptions } from "./database.ts";
import { bucketOf, keysOf, objectMarksOf } from "./parts.ts";
import { openTrigger, VARIABLES, variablesOf } from "./vendors.ts";

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
    bucket: bucket && {
      bucket,
      folder: `${objectPrefix(env.get("PSN_USER") ?? "")}${objectMarksOf(env, keysOf(env)).objectMark ?? ""}`,
    },
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
