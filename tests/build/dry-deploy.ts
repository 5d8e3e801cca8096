import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { TASKS } from "@psn/app/deploy-tasks.ts";
import { expect } from "vitest";
import { startTriggerApi } from "../support/trigger-api/index.ts";
import { buildTasks, type TriggerBuild } from "../support/trigger-build.ts";

/* `psn deploy --dry-run` by a psn that has no source tree: the real CLI, against the double of Trigger.dev's server. */

export interface Installed {
  readonly psn: string;
  readonly env: Readonly<Record<string, string>>;
  /** A hub that `psn init` made. */
  readonly hub: string;
}

/** What it ended with, and what the server was asked meanwhile. */
export async function dryDeploy({ psn, env, hub }: Installed) {
  const api = await startTriggerApi();
  const path = join(hub, "config", "hub.env");
  const settings = await readFile(path, "utf8");
  try {
    const trigger = `TRIGGER_PROJECT_REF=${api.addProject("hub").ref}\nTRIGGER_API_URL=${api.origin}`;
    const database = "DATABASE_URL=postgres://a:canary-password@ep-a.eu-central-1.aws.neon.tech/c";
    await writeFile(path, `${settings}\n${trigger}\n${database}\n`);
    const child = spawn(psn, ["deploy", "--dry-run", "--json", "--trigger-token-stdin"], { cwd: hub, env });
    child.stdin.end(api.token);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code, stdout, stderr, token: api.token, asked: api.requests.map(({ method }) => method) };
  } finally {
    await writeFile(path, settings);
    await api.stop();
  }
}

/** The tasks, queues and crons of the project that psn has written below `cache` are those of the source tree. */
export async function expectSameTasks(cache: string): Promise<void> {
  const [name = "", ...more] = (await readdir(cache)).filter((one) => one.startsWith("tasks-"));
  expect(more).toEqual([]);
  const [here, written] = [await buildTasks(), await buildTasks({ root: join(cache, name) })];
  try {
    expect(written.worker.tasks.map(({ id }) => id).toSorted()).toEqual(TASKS);
    expect(declared(written)).toEqual(declared(here));
    expect(declared(here).crons).toHaveLength(3);
  } finally {
    await Promise.all([here.remove(), written.remove()]);
  }
}

/** All that Trigger.dev is told of the tasks; the file of each differs by the folder that it was built in. */
function declared({ worker }: TriggerBuild) {
  const tasks = worker.tasks.map(({ entryPoint: _built, ...task }) => task);
  const crons = worker.tasks.flatMap(({ schedule }) => (schedule ? [schedule.cron] : []));
  return { tasks, crons, queues: worker.queues, runtime: worker.runtime };
}
