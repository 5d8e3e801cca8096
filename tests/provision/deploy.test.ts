import { readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Deployment, deployTasks, TASKS } from "@psn/app/deploy-tasks.ts";
import { examineVendors, type VendorGround } from "@psn/app/doctor-vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import { assertBuildTools } from "@psn/provision/build-tools.ts";
import { tasksFolder } from "@psn/provision/tasks-folder.ts";
import { triggerApi } from "@psn/provision/trigger.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scratch } from "../support/cli.ts";
import { type Execute, startTriggerApi, type TriggerApi } from "../support/trigger-api/index.ts";

let api: TriggerApi;
let ref: string;
beforeEach(async () => {
  api = await startTriggerApi();
  ref = api.addProject("hub").ref;
});
afterEach(() => api.stop());

const variables = () =>
  api.projects[0]?.environments.prod.variables ?? new Map<string, { value: string; isSecret: boolean }>();
const trigger = () =>
  triggerApi({
    url: api.origin,
    token: api.token,
    fetch: (input, init) => fetch(input, init),
    sleep: async () => undefined,
  });
const shipping =
  (tasks: readonly string[] = TASKS) =>
  async () =>
    void api.deploy({ version: "20261123.1", tasks: tasks.map((id) => ({ id })) });
const deployment = (more: Partial<Deployment> = {}): Deployment => ({
  trigger: trigger(),
  projectRef: ref,
  version: "1.2.3",
  secrets: { DATABASE_URL: "postgres://a:hunter2@b/c", HUB_ENCRYPTION_KEY: "k" },
  plain: { PSN_WATCHDOG_MINUTES: "30" },
  ours: ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "HUB_ENCRYPTION_KEY_OLD", "PSN_WATCHDOG_MINUTES", "PSN_DEPLOYED"],
  ready: async () => undefined,
  ship: shipping(),
  ...more,
});
const codeOf = (run: Promise<unknown>) =>
  run.then(
    () => "nothing",
    (error: unknown) => (error instanceof PsnError ? `${error.code}: ${error.message}` : error),
  );

describe("deploying", () => {
  test("sets what the tasks need, ships them, checks them, and notes which psn that was", async () => {
    expect(await deployTasks(deployment())).toEqual({ version: "20261123.1", tasks: TASKS });
    expect(Object.fromEntries([...variables()].map(([name, { isSecret }]) => [name, isSecret]))).toEqual({
      DATABASE_URL: true,
      HUB_ENCRYPTION_KEY: true,
      PSN_WATCHDOG_MINUTES: false,
      PSN_DEPLOYED: false,
    });
    expect(variables().get("PSN_DEPLOYED")?.value).toBe("1.2.3 20261123.1");
  });

  test("what left hub.env leaves the tasks too; what is not psn's stays", async () => {
    await trigger().setVariables(ref, { HUB_ENCRYPTION_KEY_OLD: "old" }, true);
    await trigger().setVariables(ref, { MINE: "kept" }, false);
    await deployTasks(deployment());
    expect([...variables().keys()].toSorted()).toEqual([
      "DATABASE_URL",
      "HUB_ENCRYPTION_KEY",
      "MINE",
      "PSN_DEPLOYED",
      "PSN_WATCHDOG_MINUTES",
    ]);
  });

  test("a task that is missing, one that is not psn's, and nothing at all", async () => {
    expect(await codeOf(deployTasks(deployment({ ship: shipping(TASKS.slice(1)) })))).toMatch(
      /^DEPLOY_FAILED: .*missing: prune/,
    );
    expect(
      await codeOf(deployTasks(deployment({ ship: async () => undefined, projectRef: api.addProject("other").ref }))),
    ).toMatch(/^DEPLOY_FAILED: .*runs no tasks/);
    const third = api.addProject("third");
    const ship = async () => void api.deploy({ project: third, tasks: [...TASKS, "extra"].map((id) => ({ id })) });
    expect(await codeOf(deployTasks(deployment({ projectRef: third.ref, ship })))).toMatch(
      /^DEPLOY_FAILED: .*not psn's: extra/,
    );
    expect(variables().has("PSN_DEPLOYED")).toBe(false);
  });

  test("somebody else's tasks: nothing is set and nothing is shipped", async () => {
    api.deploy({ tasks: [{ id: "send-invoice" }] });
    let shipped = false;
    const ship = async () => {
      shipped = true;
    };
    expect(await codeOf(deployTasks(deployment({ ship })))).toMatch(/^FOREIGN_CONTENT: .*send-invoice/);
    expect([shipped, variables().size]).toEqual([false, 0]);
  });

  test("a program that is missing: nothing is set and nothing is shipped", async () => {
    const ready = () => Promise.reject(new PsnError("DEPLOY_FAILED", "no docker"));
    const ship = async () => expect.unreachable();
    expect(await codeOf(deployTasks(deployment({ ready, ship })))).toBe("DEPLOY_FAILED: no docker");
    expect(variables().size).toBe(0);
  });

  test("Docker is needed where the server does not build, and in no dry run", async () => {
    const tools = await scratch("tools");
    await symlink(Bun.which("node") ?? "", join(tools, "node"));
    const needs = (url: string, dryRun = false) =>
      codeOf(assertBuildTools({ url, environment: { PATH: tools }, dryRun }));
    expect(await needs("https://api.trigger.dev")).toBe("nothing");
    expect(await needs(api.origin, true)).toBe("nothing");
    expect(await needs(api.origin)).toMatch(/^DEPLOY_FAILED: .*Docker is not installed here$/);
  });

  test("a Node that is too old for the CLI is named, with the one that is needed", async () => {
    const tools = await scratch("tools");
    const has = async (version: string) => {
      await writeFile(join(tools, "node"), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
      return codeOf(assertBuildTools({ url: api.origin, environment: { PATH: tools }, dryRun: true }));
    };
    expect(await has("v18.20.4")).toBe("DEPLOY_FAILED: Trigger.dev's CLI needs Node 20, and here is Node 18");
    expect(await has("v20.0.0")).toBe("nothing");
  });

  test("without a folder of the user's for what can be made again, psn says which variable names one", async () => {
    const project = { "package.json": "{}" };
    const making = { project, version: "1.2.3", environment: {}, bun: process.execPath, onLine: () => undefined };
    const made = tasksFolder({ ...making, cache: undefined, signal: AbortSignal.timeout(60_000) });
    expect(await codeOf(made)).toMatch(/^DEPLOY_FAILED: this user has no folder/);
  });

  test("packages that do not come in time are said to be missing, and nothing is left of the project", async () => {
    const folder = await scratch("slow");
    const slow = join(folder, "bun");
    await writeFile(slow, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
    const making = { project: { "package.json": "{}" }, version: "1.2.3", environment: {}, onLine: () => undefined };
    const cache = join(folder, "cache");
    const made = tasksFolder({ ...making, bun: slow, cache, signal: new AbortController().signal, timeoutMs: 50 });
    expect(await codeOf(made)).toMatch(
      /^DEPLOY_FAILED: the packages of the tasks could not be installed: 0\.05 seconds/,
    );
    expect(await readdir(cache)).toEqual([]);
  });

  test("what fails on the way is what is said, and is not noted as deployed", async () => {
    const ship = () => Promise.reject(new PsnError("DEPLOY_FAILED", "no docker"));
    expect(await codeOf(deployTasks(deployment({ ship })))).toBe("DEPLOY_FAILED: no docker");
    expect(variables().has("PSN_DEPLOYED")).toBe(false);
  });
});

describe("doctor", () => {
  const ground = (more: Partial<NonNullable<VendorGround["trigger"]>> = {}): VendorGround => ({
    ways: [],
    bucket: undefined,
    trigger: {
      api: trigger(),
      dashboard: api.origin,
      projectRef: ref,
      secretKey: api.projects[0]?.environments.prod.secretKey,
      secrets: deployment().secrets,
      plain: deployment().plain,
      ours: deployment().ours,
      version: "1.2.3",
      ...more,
    },
  });
  const lines = async (of: VendorGround) =>
    Object.fromEntries(
      (await examineVendors(of)).map(({ name, status, said, fix }) => [name, `${status}: ${said} (${fix})`]),
    );

  beforeEach(() => {
    api.settings.apiOrigin = "https://trigger.example.com";
  });

  test("all is well", async () => {
    await deployTasks(deployment());
    expect(await lines(ground())).toEqual({
      "trigger.dev": "ok: token and key are valid (null)",
      production: "ok: is not paused (null)",
      deployment: "ok: 20261123.1 is this version, 1.2.3 (null)",
      "task settings": "ok: 3 variables are set, with the values of this hub (null)",
      "task address": "ok: tasks reach Trigger.dev at https://trigger.example.com (null)",
      "watchdog run": "ok: none yet (null)",
    });
  });

  test("a setting that was changed here and not deployed, plain or secret; one that was removed here", async () => {
    await trigger().setVariables(ref, { HUB_ENCRYPTION_KEY_OLD: "old-secret" }, true);
    await deployTasks(deployment({ ours: [] }));
    const { secrets, plain } = deployment();
    const changed = async (more: Partial<NonNullable<VendorGround["trigger"]>>) =>
      (await lines(ground(more)))["task settings"];
    expect(await changed({ plain: { ...plain, PSN_WATCHDOG_MINUTES: "720" }, ours: [] })).toBe(
      "warn: production and this hub have different values for PSN_WATCHDOG_MINUTES (psn deploy)",
    );
    expect(await changed({ secrets: { ...secrets, DATABASE_URL: "postgres://a:hunter3@b/c" }, ours: [] })).toBe(
      "warn: production and this hub have different values for DATABASE_URL (psn deploy)",
    );
    expect(await changed({})).toBe(
      "warn: production still has HUB_ENCRYPTION_KEY_OLD, which this hub no longer sets (psn deploy)",
    );
    expect(JSON.stringify(await lines(ground({ secrets: { ...secrets, DATABASE_URL: "x" } })))).not.toMatch(
      /hunter|old-secret/,
    );
  });

  test("production that somebody has paused, and where it is resumed", async () => {
    await deployTasks(deployment());
    Object.assign(api.projects[0]?.environments.prod ?? {}, { paused: true });
    expect((await lines(ground()))["production"]).toBe(
      `fail: is paused at Trigger.dev: no task runs, so nothing is published (resume it at ${api.origin})`,
    );
  });

  test.each([
    "http://localhost:8030",
    "http://127.0.0.1:8030",
    "http://[::1]:8030",
    "http://0.0.0.0:8030",
    "http://api.localhost",
  ])(
    "a server that tells its tasks that it is at %s, which is a container itself in a container",
    async (apiOrigin) => {
      await deployTasks(deployment());
      api.settings.apiOrigin = apiOrigin;
      expect((await lines(ground()))["task address"]).toMatch(
        /^warn: tasks reach Trigger\.dev at http.*container itself \(set API_ORIGIN /,
      );
    },
  );

  test("a watchdog whose last run could not reach Trigger.dev, one that failed otherwise, a well one", async () => {
    await api.stop();
    const failures = [
      "no task could be started for 1 waiting post: Trigger.dev does not answer at http://localhost:8030",
      "DB_REFUSED: no",
    ];
    const execute: Execute = async () => {
      const abort = failures.shift();
      return abort === undefined ? { ok: true } : { abort };
    };
    api = await startTriggerApi({ execute, apiOrigin: "https://trigger.example.com" });
    ref = api.addProject("hub").ref;
    const ship = async () =>
      void api.deploy({ version: "20261123.1", tasks: TASKS.map((id) => ({ id, cron: "*/30 * * * *" })) });
    await deployTasks(deployment({ ship }));
    const looked = async () => {
      await api.fireCron("publish-due");
      await api.advance(5_000);
      return (await lines(ground()))["watchdog run"];
    };
    expect(await looked()).toMatch(
      /^fail: the last one failed: no task .* at http:\/\/localhost:8030 \(set API_ORIGIN /,
    );
    expect(await looked()).toBe(`fail: the last one failed: DB_REFUSED: no (see the run at ${api.origin})`);
    expect(await looked()).toBe("ok: the last one succeeded (null)");
  });

  test("another version, a deployment by hand, a task that is missing, nothing yet", async () => {
    expect((await lines(ground()))["deployment"]).toBe("fail: nothing is deployed yet (psn deploy)");
    await deployTasks(deployment());
    expect((await lines(ground({ version: "2.0.0" })))["deployment"]).toMatch(
      /^warn: .*is psn 1\.2\.3, and this is 2\.0\.0 \(psn deploy\)/,
    );
    api.deploy({ version: "20261123.2", tasks: TASKS.map((id) => ({ id })) });
    expect((await lines(ground()))["deployment"]).toMatch(/^warn: 20261123\.2 was not deployed by psn deploy/);
    api.deploy({ version: "20261123.3", tasks: [{ id: "prune" }] });
    expect((await lines(ground()))["deployment"]).toMatch(/^fail: 20261123\.3 does not contain publish-delivery/);
  });

  test("names what is missing, and no value", async () => {
    await deployTasks(deployment());
    variables().delete("DATABASE_URL");
    expect((await lines(ground()))["task settings"]).toBe("fail: production does not have DATABASE_URL (psn deploy)");
    expect(JSON.stringify(await lines(ground()))).not.toContain("hunter2");
  });

  test("a wrong key, a revoked token, an unseen project: said once, without what follows from it", async () => {
    expect(await lines(ground({ secretKey: "tr_prod_other" }))).toEqual({
      "trigger.dev": expect.stringMatching(/^fail: TRIGGER_SECRET_KEY .*psn init --trigger/),
    });
    expect(await lines(ground({ projectRef: "proj_unknown" }))).toEqual({
      "trigger.dev": expect.stringMatching(/^fail: this token has no access to proj_unknown/),
    });
    api.revoke(api.token);
    expect(await lines(ground())).toEqual({
      "trigger.dev": expect.stringMatching(/^fail: .*does not accept the token/),
    });
  });

  test("each way to Neon by itself, and a login that may too much", async () => {
    const way = (name: string, answer: () => Promise<readonly string[]>) => ({ name, privileges: answer });
    const of = {
      bucket: undefined,
      trigger: undefined,
      ways: [
        way("neon over HTTP", async () => []),
        way("neon over WebSocket", () =>
          Promise.reject(new PsnError("DB_UNREACHABLE", "the database does not answer")),
        ),
        way("as the owner", async () => ["superuser"]),
      ],
    };
    expect(await lines(of)).toEqual({
      "neon over HTTP": "ok: reachable; the login has only the privileges that psn needs (null)",
      "neon over WebSocket": "fail: the database does not answer (psn doctor)",
      "as the owner": expect.stringMatching(/^fail: .*superuser/),
    });
  });
});
