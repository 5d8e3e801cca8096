import { PsnError } from "@psn/core/errors.ts";
import type { ServiceEnv } from "@psn/core/utils/env.ts";
import { launchdManager } from "./launchd-manager.ts";
import { systemdManager } from "./systemd-manager.ts";
import type { ServiceManager } from "./worker-service.ts";

/** This system's manager of an ordinary user's services. Throws SERVICE_FAILED where psn knows none. */
export function serviceManager(platform: NodeJS.Platform, env: ServiceEnv): ServiceManager {
  if (platform === "linux") return systemdManager(env);
  if (platform === "darwin") return launchdManager(env);
  throw new PsnError("SERVICE_FAILED", "psn knows no service manager on this system", {
    hint: "run psn worker by a scheduled task at logon, or in a container: psn service print compose",
  });
}
