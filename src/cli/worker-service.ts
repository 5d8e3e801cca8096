import { isAbsolute, resolve } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { dataDir, readHubEnv, serviceEnv, stateFolder } from "@psn/core/utils/env.ts";
import { installed, isPassing } from "@psn/service/installed.ts";
import { serviceManager } from "@psn/service/manager.ts";
import { serviceName, type WorkerService } from "@psn/service/worker-service.ts";
import type { Context } from "./command.ts";

/* The service of a hub, from its settings and from how psn was started. */

/** The service of the hub that is meant, and this system's manager. Throws HUB_MISSING, SERVICE_FAILED. */
export async function managed({ folder }: Pick<Context, "folder">) {
  const hub = resolve(await folder());
  const name = serviceName(hub);
  const manager = serviceManager(process.platform, serviceEnv());
  return { hub, name, manager, named: { service: name, manager: manager.kind, file: manager.file(name) } };
}

/**
 * @param feeds folders that the hub's feeds are written to, outside of it.
 * @throws PsnError SERVICE_FAILED where psn is not installed in a place that lasts.
 */
export function workerService(hub: string, feeds: readonly string[]): WorkerService {
  const program = installed();
  if (isPassing(program))
    throw new PsnError("SERVICE_FAILED", `this psn was started by ${program.by} and is not installed`, {
      hint: "npm install --global psn, then psn service install",
    });
  const { env } = readHubEnv(hub);
  const state = stateFolder();
  return {
    name: serviceName(hub),
    hub,
    command: [...program.command, "worker", "--hub", hub],
    writes: [...new Set([hub, dataDir(env), ...(state === undefined ? [] : [state]), ...feeds])],
    environment: serviceEnv().passed,
  };
}

/** Folders of feeds that lie outside of the hub. */
export function feedsOutside(accounts: readonly Pick<Account, "platform" | "profile">[]): string[] {
  return accounts.flatMap(({ platform, profile: { home } }) => (platform === "feed" && isAbsolute(home) ? [home] : []));
}

/** Settings that come from this shell's environment alone: a service does not have them. */
export function onlyHere(hub: string): readonly string[] {
  const { env } = readHubEnv(hub);
  return Object.entries(env.settings)
    .filter(([name, value]) => value.origin === "environment" && name !== "PSN_HUB")
    .map(([name]) => name);
}
