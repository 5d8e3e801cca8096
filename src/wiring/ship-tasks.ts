import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, childEnvironment, type HubEnv } from "@psn/core/utils/env.ts";
import { assertBuildTools } from "@psn/provision/build-tools.ts";
import { tasksFolder } from "@psn/provision/tasks-folder.ts";
import { TASKS_PROJECT } from "@psn/provision/tasks-project.ts";
import { deployByCli } from "@psn/provision/trigger-cli.ts";

/** In a source tree psn's own folder, from which the tasks are built. */
const ROOT = dirname(fileURLToPath(new URL("..", import.meta.url)));

export interface Shipping {
  readonly env: HubEnv;
  /** Of psn. */
  readonly version: string;
  readonly token: string;
  readonly projectRef: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/**
 * All that can fail on this machine, before anything is changed at the server. Throws DEPLOY_FAILED where a program is
 * missing that building the tasks for this server needs, or the tasks' project cannot be made; INTERRUPTED.
 */
export async function makeReady(shipping: Shipping): Promise<void> {
  const { env, dryRun } = shipping;
  await assertBuildTools({ url: env.get("TRIGGER_API_URL") ?? "", environment: childEnvironment(), dryRun });
  await rootOf(shipping);
}

/** Builds and deploys the tasks by Trigger.dev's CLI, from wherever psn runs. Throws DEPLOY_FAILED, INTERRUPTED. */
export async function ship(shipping: Shipping): Promise<void> {
  const { env } = shipping;
  return deployByCli({
    ...shipping,
    ...running(),
    root: await rootOf(shipping),
    url: env.get("TRIGGER_API_URL") ?? "",
    watchdogMinutes: env.get("PSN_WATCHDOG_MINUTES") ?? "",
  });
}

const running = () => ({ environment: childEnvironment(), bun: process.execPath });

async function rootOf({ version, signal, onLine }: Shipping): Promise<string> {
  const project = TASKS_PROJECT;
  if (project === undefined) return ROOT;
  return tasksFolder({ ...running(), project, version, signal, onLine, cache: cacheFolder() });
}
