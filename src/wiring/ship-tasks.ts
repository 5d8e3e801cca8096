import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PsnError } from "@psn/core/errors.ts";
import { childEnvironment, type HubEnv } from "@psn/core/utils/env.ts";
import { assertBuildTools } from "@psn/provision/build-tools.ts";
import { deployByCli } from "@psn/provision/trigger-cli.ts";

/** psn's own folder, from which the tasks are built. */
const ROOT = dirname(fileURLToPath(new URL("..", import.meta.url)));

export interface Shipping {
  readonly env: HubEnv;
  readonly token: string;
  readonly projectRef: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Throws DEPLOY_FAILED where the tasks' sources are missing, or a program that building them for this server needs. */
export async function assertTools(env: HubEnv, dryRun: boolean): Promise<void> {
  if (!existsSync(join(ROOT, "trigger.config.ts")))
    throw new PsnError("DEPLOY_FAILED", "the npm package of psn has no sources of the tasks, which deploying needs", {
      hint: "run psn deploy in a checkout of psn: bun run psn deploy --hub FOLDER",
    });
  return assertBuildTools({ url: env.get("TRIGGER_API_URL") ?? "", environment: childEnvironment(), dryRun });
}

/** Builds and deploys the tasks by Trigger.dev's CLI. Throws DEPLOY_FAILED. */
export function ship({ env, ...rest }: Shipping): Promise<void> {
  return deployByCli({
    ...rest,
    root: ROOT,
    url: env.get("TRIGGER_API_URL") ?? "",
    watchdogMinutes: env.get("PSN_WATCHDOG_MINUTES") ?? "",
    environment: childEnvironment(),
    bun: process.execPath,
  });
}
