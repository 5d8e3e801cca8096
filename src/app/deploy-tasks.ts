import { PsnError } from "@psn/core/errors.ts";
import type { TriggerDev, TriggerWorker } from "@psn/core/ports/vendors.ts";

/** Ids of this version's tasks, sorted; a test holds them against the bundle. */
export const TASKS: readonly string[] = [
  "prune",
  "publish-delivery",
  "publish-due",
  "refresh-tokens",
  "settle-unknown",
];
/** The variable that says which psn was deployed last, and as which version there. */
export const DEPLOYED = "PSN_DEPLOYED";
/** Variables that the build reads too: what production does by them changes only with a deployment. */
export const BUILT_IN: readonly string[] = ["PSN_WATCHDOG_MINUTES"];

export interface Deployment {
  readonly trigger: TriggerDev;
  readonly projectRef: string;
  readonly version: string;
  /** What the tasks need to know. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly plain: Readonly<Record<string, string>>;
  /** Names of all variables psn may have set, also in other versions of these settings. */
  readonly ours: readonly string[];
  /** Throws DEPLOY_FAILED where this machine lacks a program that building needs. */
  readonly ready: () => Promise<void>;
  /** Builds the tasks and puts them into production. Throws DEPLOY_FAILED. */
  readonly ship: () => Promise<void>;
}

/**
 * Brings the tasks and their settings to Trigger.dev and checks that production runs exactly this version's tasks.
 * Throws FOREIGN_CONTENT where the project runs somebody else's tasks and DEPLOY_FAILED where a program is missing,
 * before anything is changed; else DEPLOY_FAILED, VENDOR_….
 */
export async function deployTasks(deployment: Deployment): Promise<TriggerWorker> {
  const { trigger, projectRef, version, secrets, plain, ours, ready, ship } = deployment;
  assertOurs(await trigger.currentWorker(projectRef));
  await ready();
  const there = await trigger.variables(projectRef);
  // A setting that was taken out of hub.env is no setting of the tasks any more: an old key after a rotation.
  const stale = ours.filter((name) => there.has(name) && name !== DEPLOYED && !(name in secrets) && !(name in plain));
  await trigger.removeVariables(projectRef, stale);
  await trigger.setVariables(projectRef, secrets, true);
  await trigger.setVariables(projectRef, plain, false);
  await ship();
  const worker = await trigger.currentWorker(projectRef);
  const missing = TASKS.filter((task) => !worker?.tasks.includes(task));
  const foreign = worker?.tasks.filter((task) => !TASKS.includes(task)) ?? [];
  if (!worker || missing.length > 0 || foreign.length > 0)
    throw new PsnError(
      "DEPLOY_FAILED",
      `the deployment exists, but production runs ${worker ? "the wrong" : "no"} tasks` +
        `${listed("missing", missing)}${listed("not psn's", foreign)}`,
    );
  await trigger.setVariables(projectRef, { [DEPLOYED]: deployedAs(version, worker) }, false);
  return worker;
}

/** What DEPLOYED says where production runs these tasks of this version of psn. */
export const deployedAs = (version: string, worker: TriggerWorker) => `${version} ${worker.version}`;

/** A deployment replaces what production runs. Throws FOREIGN_CONTENT for tasks that are not psn's. */
export function assertOurs(worker: TriggerWorker | undefined): void {
  const foreign = worker?.tasks.filter((task) => !TASKS.includes(task)) ?? [];
  if (foreign.length === 0) return;
  throw new PsnError(
    "FOREIGN_CONTENT",
    `this project on Trigger.dev runs tasks that are not psn's; a deployment would remove ` +
      `them${listed("they are", foreign)}`,
    {
      hint: "use a separate project for psn: psn init --trigger --trigger-project NAME in another folder",
    },
  );
}

function listed(words: string, tasks: readonly string[]): string {
  return tasks.length === 0 ? "" : `; ${words}: ${tasks.slice(0, 8).join(", ")}`;
}
