import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TASKS } from "@psn/app/deploy-tasks.ts";
import { watchHub } from "@psn/app/watch-hub.ts";
import { PsnError } from "@psn/core/errors.ts";
import { catchError, runDelivery } from "@psn/trigger/delivery.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binary, documentOf, psn, scratch } from "../support/cli.ts";
import { isShort, someOf } from "../support/how-much.ts";
import type { Execute } from "../support/trigger-api/index.ts";
import { hubEnvOf, openPlace, type Place } from "./place.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

/*
 * The whole way from two keys to a post that went out without this machine: the command line against Neon's and
 * Trigger.dev's doubles, a real PostgreSQL behind a gateway that speaks as Neon's proxy does, and the tasks' own code,
 * woken by the double.
 */

const stepsOf = (document: Readonly<Record<string, unknown>>) =>
  (document["steps"] as readonly { readonly what: string; readonly did: string }[]).map(
    ({ what, did }) => `${what} ${did}`,
  );

describe("psn init --neon --trigger", () => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace();
  });
  afterAll(() => place.stop());

  test("killed after each step it completes on the next run, and a further run changes nothing", async () => {
    const { folder, neon, trigger } = place;
    const steps = [
      "PSN_MADE",
      "NEON_PROJECT_ID",
      "HUB_ENCRYPTION_KEY",
      "DATABASE_OWNER_URL",
      "DATABASE_URL",
      "PSN_USER",
      "TRIGGER_ACCESS_TOKEN",
      "TRIGGER_PROJECT_REF",
      "TRIGGER_SECRET_KEY",
    ];
    const seen = new Map<string, string>();
    for (const step of someOf(steps)) {
      const { child, ended } = place.init();
      while (child.exitCode === null && place.env(step) === undefined) await sleep(1);
      child.kill("SIGKILL");
      const { stdout, stderr } = await ended;
      expect(place.env(step), `never wrote ${step}: ${stdout}${stderr}`).toBeDefined();
      for (const [name, value] of seen) if (name !== "PSN_MADE") expect(place.env(name), name).toBe(value);
      for (const name of steps) if (place.env(name) !== undefined) seen.set(name, place.env(name) ?? "");
    }
    const finished = await place.init().ended;
    expect(finished, finished.stdout + finished.stderr).toMatchObject({ code: 0 });
    expect(neon.projects).toHaveLength(1);
    expect(trigger.projects).toHaveLength(1);
    const logins = await place.sql("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'psn\\_%'");
    expect(logins).toHaveLength(1);

    const before = hubEnvOf(folder);
    const [asked, told] = [neon.requests.length, trigger.requests.length];
    const again = await place.init().ended;
    expect(again).toMatchObject({ code: 0, stderr: "" });
    expect(stepsOf(documentOf(again))).toEqual([
      "neon project kept",
      "key kept",
      "schema kept",
      "login kept",
      "user kept",
      "trigger project kept",
      "trigger key kept",
      "trigger variables set",
    ]);
    expect(hubEnvOf(folder)).toBe(before);
    expect(neon.requests.slice(asked).filter(({ method }) => method !== "GET")).toEqual([]);
    // Secrets cannot be read back, so they are written again; nothing else is.
    expect(
      trigger.requests
        .slice(told)
        .filter(({ method }) => method !== "GET")
        .map(({ path }) => path),
    ).toEqual([expect.stringMatching(/\/envvars\/prod\/import$/)]);
    const idle = ["--neon-org", "--neon-region", "--neon-database", "--trigger-org"];
    const more = documentOf(await place.initHere({ more: idle.flatMap((flag) => [flag, "elsewhere"]) }));
    expect((more["ignored"] as readonly { readonly flag: string }[]).map(({ flag }) => flag)).toEqual(idle);
    expect(neon.violations).toEqual([]);
  });

  test("its login is bound by the rows' policies, and what the tasks need is at Trigger.dev, as secrets", async () => {
    const rights = await place.sql(
      "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname LIKE 'psn\\_%' AND rolcanlogin",
    );
    expect(rights).toEqual([{ rolsuper: false, rolbypassrls: false, rolcreaterole: false }]);
    const variables = place.trigger.projects[0]?.environments.prod.variables ?? new Map();
    expect(Object.fromEntries([...variables].map(([name, { isSecret }]) => [name, isSecret]))).toEqual({
      DATABASE_URL: true,
      HUB_ENCRYPTION_KEY: true,
      NEON_PROXY: false,
      PSN_PRIVATE_ORIGINS: false,
      PSN_WATCHDOG_MINUTES: false,
      S3_REGION: false,
    });
    expect(variables.get("DATABASE_URL")?.value).toBe(place.env("DATABASE_URL"));
  });

  test.skipIf(isShort)(
    "psn deploy --dry-run: the real CLI builds the tasks and asks the server, and nothing is set",
    async () => {
      const told = place.trigger.requests.length;
      const { code, stdout, stderr } = await binary(["deploy", "--dry-run", "--json"], {
        cwd: place.folder,
        env: { HOME: await scratch("home") },
      }).ended;
      expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 });
      expect(documentOf({ code, stdout, stderr })).toMatchObject({ dryRun: true, tasks: TASKS });
      const asked = place.trigger.requests.slice(told);
      expect(asked.length).toBeGreaterThan(2);
      expect(asked.filter(({ method }) => method !== "GET")).toEqual([]);
      // By the token, or by the key of the environment that the token may read.
      const known = [place.trigger.token, place.trigger.projects[0]?.environments.prod.secretKey].map(
        (key) => `Bearer ${key}`,
      );
      expect(asked.filter(({ authorization }) => !known.includes(authorization ?? ""))).toEqual([]);
      // The CLI asks for a list on the internet first, and waits where there is none.
    },
  );

  test("psn doctor names what is missing, and psn destroy takes away what was made and nothing else", async () => {
    const { trigger, neon, folder } = place;
    const doctor = async () => {
      const { checks } = documentOf(await psn(["doctor", "--json"], { cwd: folder })) as {
        readonly checks: readonly { name: string; status: string; fix: string | null }[];
      };
      return Object.fromEntries(checks.map(({ name, status }) => [name, status]));
    };
    expect(await doctor()).toMatchObject({
      "neon over HTTP": "ok",
      "neon over WebSocket": "ok",
      "trigger.dev": "ok",
      deployment: "fail",
      "task settings": "ok",
      watchdog: "warn",
    });
    trigger.deploy({ tasks: TASKS.map((id) => ({ id })) });
    expect(await doctor()).toMatchObject({ deployment: "warn" });
    const again = async () =>
      (await psn(["init", "--neon", "--trigger", "--neon-api-key-stdin"], { cwd: folder, stdin: neon.apiKey })).stderr;
    expect(await again()).toMatch(/next: psn deploy/);
    const { variables } = trigger.projects[0]?.environments.prod ?? { variables: new Map() };
    variables.set("PSN_DEPLOYED", {
      value: `0.0.0 ${trigger.projects[0]?.environments.prod.current?.version}`,
      isSecret: false,
    });
    expect(await again()).toMatch(/next: psn doctor/);
    await place.run("config", "set", "PSN_WATCHDOG_MINUTES", "10");
    expect(await again()).toMatch(/next: psn deploy/);
    expect(await doctor()).toMatchObject({ deployment: "ok", "task settings": "warn" });
    await place.run("config", "set", "PSN_WATCHDOG_MINUTES", "--unset");
    variables.delete("HUB_ENCRYPTION_KEY");
    expect(await doctor()).toMatchObject({ "task settings": "fail" });

    const plan = await place.run("destroy", "--dry-run");
    expect(plan).toMatchObject({ dryRun: true });
    expect([neon.projects.length, trigger.projects.length]).toEqual([1, 1]);
    const refused = await psn(["destroy", "--json", "--yes"], { cwd: folder });
    expect(documentOf(refused)).toMatchObject({ error: { code: "INPUT_REQUIRED" } });
    expect([neon.projects.length, trigger.projects.length]).toEqual([1, 1]);
    const theirs = await neon.addProject("theirs").catch(() => undefined);
    const done = await psn(["destroy", "--json", "--yes", "--neon-api-key-stdin"], { cwd: folder, stdin: neon.apiKey });
    expect(done).toMatchObject({ code: 0 });
    expect(neon.projects).toEqual(theirs ? [theirs] : []);
    expect(trigger.projects).toEqual([]);
    expect([...hubEnvOf(folder).matchAll(/^([A-Z_0-9]+)=/gm)].map(([, name]) => name).toSorted()).toEqual([
      "HUB_ENCRYPTION_KEY",
      "NEON_API_HOST",
      "NEON_PROXY",
      "PSN_PRIVATE_ORIGINS",
      "TRIGGER_API_URL",
    ]);
    expect(neon.violations).toEqual([]);
  });
});

describe("a post, with this machine off", () => {
  let place: Place;
  let receiver: Receiver;
  /** The tasks, as production runs them: by the variables that psn has set there and by nothing else. */
  const execute: Execute = async ({ task, payload, variables }) => {
    const environment = {
      ...variables,
      TRIGGER_API_URL: place.trigger.origin,
      TRIGGER_SECRET_KEY: place.env("TRIGGER_SECRET_KEY"),
    };
    const { world, watchdogMs } = openWorld(environment);
    try {
      if (task === "publish-due")
        return {
          ok: true,
          output: await watchHub({ world, version: "0.0.0", everyMs: watchdogMs, onTrouble: () => undefined }),
        };
      return { ok: true, output: await runDelivery(payload, world) };
    } catch (error) {
      if (!(error instanceof PsnError)) return { abort: error instanceof Error ? error.message : "unknown" };
      const again = catchError({ error });
      return again ? { retryAt: again.retryAt } : { retryInMs: 1000 };
    }
  };
  beforeAll(async () => {
    place = await openPlace((execution) => execute(execution));
    receiver = startReceiver();
    const made = await place.init().ended;
    if (made.code !== 0) throw new Error(made.stdout);
    const secret = join(await scratch("secret"), "secret");
    await writeFile(secret, receiver.secret);
    await place.run("connect", "webhook", receiver.url, "--secret-file", secret);
    // The tasks are told that they may send there, too.
    const told = await place.init().ended;
    expect(told, told.stdout + told.stderr).toMatchObject({ code: 0 });
    place.trigger.deploy({
      tasks: [
        { id: "publish-delivery", queue: "publish-bluesky" },
        { id: "settle-unknown", queue: "settle" },
        { id: "publish-due", cron: "*/30 * * * *" },
        ...["publish-mastodon", "publish-webhook"].map((queue) => ({ id: `declares-${queue}`, queue })),
      ],
    });
  });
  afterAll(async () => {
    await receiver.stop();
    await place.stop();
  });

  const idOf = (document: Readonly<Record<string, unknown>>) =>
    (document["deliveries"] as readonly { readonly id: string }[])[0]?.id ?? "";
  const stateOf = async (id: string) =>
    (await place.run("show", id))["deliveries"] as readonly {
      readonly state: string;
      readonly history?: readonly { readonly actor: string }[];
    }[];
  const texts = () => receiver.taken.map(({ text }) => text);

  test("scheduled, woken at its time, published by the task: two round trips to Neon", async () => {
    const posted = await place.run("post", "good morning", "--in", "2s");
    expect(posted).toMatchObject({ wake: { queue: "Trigger.dev", missed: null, atHome: [] } });
    await place.trigger.runDue();
    expect(texts()).toEqual([]);
    // A length of time is rounded up to the second.
    await sleep(3100);
    place.gateway.requests.length = 0;
    const ran = await place.trigger.runDue();
    expect(ran.map(({ task }) => task)).toEqual(["publish-delivery"]);
    expect(texts()).toEqual(["good morning"]);
    expect(place.gateway.requests).toHaveLength(2);
    expect(await stateOf(idOf(posted))).toMatchObject([{ state: "published" }]);
    // What would have looked after a dead process was taken back.
    expect(place.trigger.runs.filter(({ task }) => task === "settle-unknown").map(({ status }) => status)).toEqual([
      "CANCELED",
    ]);
  });

  test("moved: the old run goes away, the new one publishes; delivered twice it is still one post", async () => {
    const posted = await place.run("post", "later than said", "--in", "1s");
    const id = idOf(posted);
    expect(await place.run("move", id, "--in", "3s")).toMatchObject({ wake: { missed: null } });
    const runs = place.trigger.runs.filter(({ tags }) => tags.includes(`delivery:${id}`));
    expect(runs).toHaveLength(2);
    await sleep(4100);
    await Promise.all([place.trigger.runDue(), place.trigger.runDue()]);
    expect(texts().filter((text) => text === "later than said")).toHaveLength(1);
    expect([...receiver.deliveries.values()].every((times) => times === 1)).toBe(true);
  });

  test("cancelled: the run finds nothing to do", async () => {
    const id = idOf(await place.run("post", "never", "--in", "1s"));
    await place.run("cancel", id);
    await sleep(2100);
    await place.trigger.runDue();
    expect(texts()).not.toContain("never");
    expect(await stateOf(id)).toMatchObject([{ state: "cancelled" }]);
  });

  test("Trigger.dev down while scheduling: psn says so, and the watchdog takes the post", async () => {
    await place.trigger.down();
    const posted = await place.run("post", "in spite of it", "--in", "1s");
    expect(posted).toMatchObject({ wake: { queue: "Trigger.dev", missed: { code: "VENDOR_UNREACHABLE" } } });
    await place.trigger.up();
    await sleep(2100);
    await place.trigger.runDue();
    expect(texts()).not.toContain("in spite of it");
    await place.trigger.fireCron("publish-due");
    await place.trigger.runDue();
    expect(texts().filter((text) => text === "in spite of it")).toHaveLength(1);
    expect(await place.run("doctor", "--offline")).toMatchObject({
      checks: expect.arrayContaining([expect.objectContaining({ name: "watchdog", status: "ok" })]),
    });
  });

  test("the watchdog looks ahead: what was lost is woken at its own second", async () => {
    await place.trigger.down();
    await place.run("post", "on the second", "--in", "3s");
    await place.trigger.up();
    await place.trigger.fireCron("publish-due");
    await place.trigger.fireCron("publish-due");
    expect(texts()).not.toContain("on the second");
    await sleep(4100);
    expect((await place.trigger.runDue()).filter(({ task }) => task === "publish-delivery")).toHaveLength(1);
    expect(texts().filter((text) => text === "on the second")).toHaveLength(1);
  });

  test("the receiver refuses: the run fails at once and says why; its trouble is settled, not sent again", async () => {
    receiver.refuse(400);
    const refused = idOf(await place.run("post", "unwanted", "--no-wait"));
    await place.trigger.runDue();
    expect(await stateOf(refused)).toMatchObject([{ state: "failed" }]);
    const run = place.trigger.runs.findLast(
      ({ task, tags }) => task === "publish-delivery" && tags.includes(`delivery:${refused}`),
    );
    expect(run).toMatchObject({ status: "FAILED", attempts: 1 });

    receiver.refuse(503);
    const passing = idOf(await place.run("post", "in a moment", "--no-wait"));
    await place.trigger.runDue();
    receiver.refuse(undefined);
    expect(texts()).not.toContain("in a moment");
    expect(await stateOf(passing)).toMatchObject([{ state: "sending" }]);
  });

  test("a feed in a folder needs this machine, and psn says so", async () => {
    await place.run("connect", "feed", join(place.folder, "public"));
    expect(await place.run("post", "at home", "--to", "feed", "--in", "1h")).toMatchObject({
      wake: { atHome: [expect.any(String)] },
    });
    expect(place.trigger.runs.some(({ tags }) => tags.some((tag) => tag.includes("at home")))).toBe(false);
  });

  test("no secret in what Trigger.dev was told beside the variables, and no file of ours left behind", async () => {
    const secrets = ["DATABASE_URL", "DATABASE_OWNER_URL", "HUB_ENCRYPTION_KEY"].map((name) => place.env(name) ?? "");
    const told = JSON.stringify(
      place.trigger.requests
        .filter(({ path }) => !path.includes("/envvars/"))
        .map(({ path, body }) => ({ path, body })),
    );
    for (const secret of secrets) expect(told).not.toContain(secret);
    const notes = [".incarnation.lock", "incarnation.json", "incarnation.seen"];
    expect((await readdir(join(place.folder, "config"))).toSorted()).toEqual(
      [".gitignore", ".lock", "hub.env", ...notes, "keys.env"].toSorted(),
    );
  });
});
