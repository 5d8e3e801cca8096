import type { TriggerDev } from "@psn/core/ports/vendors.ts";
import { DEPLOYED, deployedAs, TASKS } from "./deploy-tasks.ts";
import { type Check, checking, fail, ok, warn } from "./doctor.ts";

export interface TriggerGround {
  readonly api: TriggerDev;
  /** Where a person sees the project. */
  readonly dashboard: string;
  readonly projectRef: string;
  readonly secretKey: string | undefined;
  /** What the tasks need to know, as it is here. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly plain: Readonly<Record<string, string>>;
  /** Names of all variables that psn may have set, also those that are not set here any more. */
  readonly ours: readonly string[];
  readonly version: string;
}

/** What Trigger.dev says of the hub's project. Read-only. */
export async function examineTrigger(ground: TriggerGround): Promise<readonly Check[]> {
  const { api, projectRef, secretKey } = ground;
  const key = await checking("trigger.dev", async () => {
    if (!(await api.byRef(projectRef)))
      return fail("trigger.dev", `this token has no access to ${projectRef}`, "psn init --trigger");
    if ((await api.secretKey(projectRef)) !== secretKey)
      return fail(
        "trigger.dev",
        "TRIGGER_SECRET_KEY is not the key of this project's production",
        "psn init --trigger",
      );
    return ok("trigger.dev", "token and key are valid");
  });
  if (key.status !== "ok" || secretKey === undefined) return [key];
  // What a task gets when it begins: the settings with their values, and the server's own address.
  const seen = once(() => api.workerVariables(projectRef, secretKey));
  return [
    key,
    await checking("production", async () =>
      (await api.isPaused(projectRef))
        ? fail(
            "production",
            "is paused at Trigger.dev: no task runs, so nothing is published",
            `resume it at ${ground.dashboard}`,
          )
        : ok("production", "is not paused"),
    ),
    await checking("deployment", async () => deploymentCheck(ground, (await seen()).get(DEPLOYED))),
    await checking("task settings", async () => settingsCheck(ground, await seen())),
    await checking("task address", async () => addressCheck((await seen()).get("TRIGGER_API_URL"))),
    await checking("watchdog run", () => watchdogRunCheck(ground, secretKey)),
  ];
}

async function deploymentCheck(
  { api, projectRef, version }: TriggerGround,
  deployed: string | undefined,
): Promise<Check> {
  const worker = await api.currentWorker(projectRef);
  if (!worker) return fail("deployment", "nothing is deployed yet", "psn deploy");
  const missing = TASKS.filter((task) => !worker.tasks.includes(task));
  if (missing.length > 0)
    return fail("deployment", `${worker.version} does not contain ${missing.join(", ")}`, "psn deploy");
  if (deployed === deployedAs(version, worker))
    return ok("deployment", `${worker.version} is this version, ${version}`);
  if (deployed?.endsWith(` ${worker.version}`))
    return warn(
      "deployment",
      `${worker.version} is psn ${deployed.split(" ")[0]}, and this is ${version}`,
      "psn deploy",
    );
  return warn("deployment", `${worker.version} was not deployed by psn deploy`, "psn deploy");
}

/** Names settings and never their values. */
function settingsCheck({ secrets, plain, ours }: TriggerGround, there: ReadonlyMap<string, string>): Check {
  const here = Object.entries({ ...secrets, ...plain });
  const missing = here.filter(([name]) => !there.has(name)).map(([name]) => name);
  if (missing.length > 0) return fail("task settings", `production does not have ${missing.join(", ")}`, "psn deploy");
  const differ = here.filter(([name, value]) => there.get(name) !== value).map(([name]) => name);
  const left = ours.filter((name) => name !== DEPLOYED && there.has(name) && !(name in secrets) && !(name in plain));
  const told = [
    ...(differ.length === 0 ? [] : [`production and this hub have different values for ${differ.join(", ")}`]),
    ...(left.length === 0 ? [] : [`production still has ${left.join(", ")}, which this hub no longer sets`]),
  ];
  return told.length === 0
    ? ok("task settings", `${here.length} variables are set, with the values of this hub`)
    : warn("task settings", told.join("; "), "psn deploy");
}

/** Names of a machine for itself: in a container, the container. */
const OWN_MACHINE = /^(?:(?:.+\.)?localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/;
const API_ORIGIN = "set API_ORIGIN of the Trigger.dev server to an address that its runners can reach, and restart it";

/** A self-hosted server tells its tasks its API_ORIGIN, which is http://localhost:8030 where nobody has set it. */
function addressCheck(address: string | undefined): Check {
  if (address === undefined || !URL.canParse(address))
    return ok("task address", "the server does not tell the address at which tasks reach it");
  const { hostname, origin } = new URL(address);
  return OWN_MACHINE.test(hostname)
    ? warn(
        "task address",
        `tasks reach Trigger.dev at ${origin}; inside a container this address is the container itself`,
        API_ORIGIN,
      )
    : ok("task address", `tasks reach Trigger.dev at ${origin}`);
}

async function watchdogRunCheck({ api, dashboard }: TriggerGround, secretKey: string): Promise<Check> {
  const last = await api.lastRun("publish-due", secretKey);
  if (!last) return ok("watchdog run", "none yet");
  if (!last.hasFailed) return ok("watchdog run", "the last one succeeded");
  const why = last.error ?? "Trigger.dev gives no reason";
  return fail(
    "watchdog run",
    `the last one failed: ${why}`,
    /does not answer at/.test(why) ? API_ORIGIN : `see the run at ${dashboard}`,
  );
}

/** Asks once, however many want to know; a failure is everybody's. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask();
    return asked;
  };
}
