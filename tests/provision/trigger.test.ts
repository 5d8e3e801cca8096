import { request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { HubFile, HubFileName } from "@psn/app/provision-hub.ts";
import { provisionTrigger, type TriggerWish } from "@psn/app/provision-trigger.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { TriggerDev } from "@psn/core/ports/vendors.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import { plannedTriggerCalls, triggerApi } from "@psn/provision/trigger.ts";
import { type LogIn, logIn } from "@psn/provision/trigger-login.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startTriggerApi, type TriggerApi, type TriggerApiOptions } from "../support/trigger-api/index.ts";

let api: TriggerApi;
let slept: number[];
const sleep = async (ms: number) => {
  slept.push(ms);
};

async function start(options: TriggerApiOptions = {}): Promise<void> {
  await api?.stop();
  api = await startTriggerApi(options);
}
beforeEach(async () => {
  slept = [];
  await start();
});
afterEach(() => api.stop());

const connect = (token = api.token, via: Fetch = fetch): TriggerDev =>
  triggerApi({ url: api.origin, token, fetch: via, sleep });
const asked = () => api.requests.map(({ method, path }) => `${method} ${path}`);
const slug = () => api.organizations[0]?.slug ?? "";

async function failure(promise: Promise<unknown>): Promise<PsnError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PsnError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Everything of an error that could be printed or kept. */
const told = (error: PsnError) => `${JSON.stringify(error)} ${error.stack} ${String(error.cause)}`;

describe("Trigger.dev's API", () => {
  test("tells who and what there is, and nothing of another account", async () => {
    const mine = api.addProject("hub");
    api.addProject("hub-2");
    const other = api.addUser("eve@example.com");
    const theirs = api.addProject("hub", api.addOrganization({ title: "Eve", members: [other] }));
    const trigger = connect();
    expect(await trigger.whoAmI()).toMatchObject({ email: "ada@example.com", dashboardUrl: api.origin });
    expect(await trigger.organizations()).toEqual([{ id: slug(), name: "References" }]);
    const project = { ref: mine.ref, name: "hub", organization: { id: slug(), name: "References" } };
    expect(await trigger.byRef(mine.ref)).toEqual(project);
    expect(await trigger.byRef(theirs.ref)).toBeUndefined();
    expect(await trigger.byName("hub", slug())).toEqual([project]);
    expect(await trigger.secretKey(mine.ref)).toBe(mine.environments.prod.secretKey);
  });

  test("makes a project", async () => {
    const project = await connect().create("hub", slug());
    expect(api.projects).toMatchObject([{ ref: project.ref, name: "hub" }]);
  });

  test("sets variables over what is there, reads back what is no secret, and removes them", async () => {
    const { ref, environments } = api.addProject("hub");
    const trigger = connect();
    await trigger.setVariables(ref, { A: "1", B: "2" }, false);
    await trigger.setVariables(ref, { B: "3", S: "hush" }, true);
    await trigger.setVariables(ref, {}, true);
    expect(await trigger.variables(ref)).toEqual(new Map(Object.entries({ A: "1", B: null, S: null })));
    expect(environments.prod.variables.get("B")?.value).toBe("3");
    expect(environments.dev.variables.size).toBe(0);
    await trigger.removeVariables(ref, ["A", "NOT_THERE", "S"]);
    expect([...environments.prod.variables.keys()]).toEqual(["B"]);
  });

  test("tells what production runs, and takes the project away", async () => {
    const { ref, environments } = api.addProject("hub");
    const trigger = connect();
    expect(await trigger.currentWorker(ref)).toBeUndefined();
    api.deploy({ version: "20261123.4", tasks: [{ id: "watch", cron: "*/30 * * * *" }, { id: "publish" }] });
    expect(await trigger.currentWorker(ref)).toEqual({ version: "20261123.4", tasks: ["publish", "watch"] });
    api.settings.projectDelete = false;
    expect(await trigger.remove(ref)).toBe("paused");
    expect(environments.prod.paused).toBe(true);
    environments.prod.paused = false;
    api.settings.projectDelete = "no route";
    expect(await trigger.remove(ref)).toBe("paused");
    expect(environments.prod.paused).toBe(true);
    api.settings.pause = false;
    expect(await trigger.remove(ref)).toBe("left");
    expect(await trigger.byRef(ref)).toBeDefined();
    api.settings.projectDelete = true;
    expect(await trigger.remove(ref)).toBe("removed");
    expect(await trigger.byRef(ref)).toBeUndefined();
    expect(await trigger.remove(ref)).toBe("removed");
  });

  test("takes a 404 with a page for no answer to what it asked: the server says none in JSON", async () => {
    const page: Fetch = async () =>
      new Response("<!DOCTYPE html><title>404</title>", { status: 404, headers: { "content-type": "text/html" } });
    const trigger = connect(api.token, page);
    const elsewhere = { code: "VENDOR_REFUSED", hint: "psn config get TRIGGER_API_URL" };
    expect(await failure(trigger.byRef("proj_a"))).toMatchObject(elsewhere);
    expect(await failure(trigger.currentWorker("proj_a"))).toMatchObject(elsewhere);
    expect(await failure(trigger.create("hub", "org"))).toMatchObject(elsewhere);
    expect(await failure(trigger.removeVariables("proj_a", ["A"]))).toMatchObject(elsewhere);
  });

  test("says where a token is made when it does not accept this one", async () => {
    expect(await failure(connect("tr_pat_wrong").whoAmI())).toMatchObject({
      code: "VENDOR_AUTH",
      hint: expect.stringContaining(`${api.origin}/account/tokens`),
    });
    const key = api.addProject("hub").environments.prod.secretKey;
    expect(await failure(connect(key).whoAmI())).toMatchObject({
      code: "VENDOR_AUTH",
      message: expect.stringContaining("secret key"),
    });
    const cloud = triggerApi({
      url: "https://api.trigger.dev",
      token: "x",
      fetch: async () => Response.json({}, { status: 401 }),
      sleep,
    });
    expect((await failure(cloud.whoAmI())).hint).toContain("https://cloud.trigger.dev/account/tokens");
  });

  test("takes the free plan where there is none, even when the answer to that is lost", async () => {
    await start({ cloud: true, organizations: [{ title: "New", plan: "none" }] });
    api.faults.push({ what: "drop-after", on: /activate-free-plan/ });
    expect(await connect().create("hub", slug())).toMatchObject({ name: "hub" });
    expect(api.organizations[0]?.plan).toBe("free");
    expect(api.projects).toHaveLength(1);
  });

  test("says that a plan must be chosen where it may not take one", async () => {
    await start({ organizations: [{ title: "Own", plan: "none", activatable: false }] });
    expect(await failure(connect().create("hub", slug()))).toMatchObject({
      code: "VENDOR_QUOTA",
      message: expect.stringContaining("Select a plan"),
      hint: expect.stringContaining(api.origin),
    });
  });

  test("refuses to make a project in an organisation that is not there", async () => {
    expect(await failure(connect().create("hub", "nope"))).toMatchObject({
      code: "VENDOR_REFUSED",
      hint: expect.stringContaining("--trigger-org"),
    });
  });

  test.each(["drop-before", "cut-after", "500-before", "503-before", "429"] as const)(
    "reads again after %s",
    async (what) => {
      api.faults.push({ what }, { what });
      expect(await connect().organizations()).toHaveLength(1);
      expect(api.requests).toHaveLength(3);
      expect(slept).toHaveLength(2);
    },
  );

  test("waits as long as the server's window says", async () => {
    api.faults.push({ what: "429" });
    await connect().organizations();
    expect(slept).toEqual([expect.any(Number)]);
    expect(slept[0]).toBeGreaterThan(4000);
  });

  test("gives up in the end", async () => {
    await api.down();
    expect(await failure(connect().organizations())).toMatchObject({ code: "VENDOR_UNREACHABLE", exit: 6 });
    expect(slept).toHaveLength(3);
    await api.up();
    api.faults.push(...Array.from({ length: 4 }, () => ({ what: "503-before" }) as const));
    expect(await failure(connect().organizations())).toMatchObject({ code: "VENDOR_UNREACHABLE" });
    expect(api.requests).toHaveLength(4);
  });

  test.each(["drop-after", "cut-after", "500-after"] as const)("makes no second project after %s", async (what) => {
    const trigger = connect();
    // Leaves a connection open: what is lost on a kept one, the runtime may ask again by itself.
    await trigger.organizations();
    api.faults.push({ what });
    expect(await failure(trigger.create("hub", slug()))).toMatchObject({ code: "VENDOR_UNREACHABLE" });
    expect(api.requests).toHaveLength(2);
    expect(api.projects).toHaveLength(1);
  });

  test("asks for a project again after a 429, which comes before any effect", async () => {
    api.faults.push({ what: "429" });
    await connect().create("hub", slug());
    expect(api.projects).toHaveLength(1);
  });

  const READS: readonly [string, (trigger: TriggerDev, ref: string) => Promise<unknown>][] = [
    ["whoAmI", (trigger) => trigger.whoAmI()],
    ["organizations", (trigger) => trigger.organizations()],
    ["byRef", (trigger, ref) => trigger.byRef(ref)],
    ["byName", (trigger) => trigger.byName("hub", slug())],
    ["create", (trigger) => trigger.create("hub", slug())],
    ["secretKey", (trigger, ref) => trigger.secretKey(ref)],
    ["variables", (trigger, ref) => trigger.variables(ref)],
    ["setVariables", (trigger, ref) => trigger.setVariables(ref, { S: "hush-hush" }, true)],
    ["currentWorker", (trigger, ref) => trigger.currentWorker(ref)],
  ];
  test.each(READS)("%s does not guess at an answer it does not know", async (_name, call) => {
    const { ref } = api.addProject("hub");
    for (const what of ["strange-after", "garbage-after"] as const) {
      api.faults.push({ what });
      const error = await failure(call(connect(), ref));
      expect(error).toMatchObject({ code: "VENDOR_CHANGED" });
      expect(told(error)).not.toContain(api.token);
      expect(told(error)).not.toContain("hush-hush");
    }
  });

  test("repeats the vendor's reason, and nothing of what was sent", async () => {
    const { ref } = api.addProject("hub");
    const echo: Fetch = async (_url, init) =>
      Response.json(
        { error: `bad\nvalue hush-hush\tby ${new Headers(init?.headers).get("authorization")}` },
        { status: 400 },
      );
    const error = await failure(connect(api.token, echo).setVariables(ref, { S: "hush-hush" }, true));
    expect(error).toMatchObject({
      code: "VENDOR_REFUSED",
      message: expect.stringContaining("bad value ••• by Bearer •••"),
    });
    expect(told(error)).not.toContain("hush-hush");
    expect(told(error)).not.toContain(api.token);
    const broken: Fetch = async (_url, init) => {
      throw new Error(`broken ${JSON.stringify(init)}`);
    };
    expect(told(await failure(connect(api.token, broken).whoAmI()))).not.toContain(api.token);
  });

  test("follows no redirect: the token goes to no other host", async () => {
    const hosts: string[] = [];
    const moved: Fetch = async (url, init) => {
      hosts.push(new URL(url).host);
      expect(init?.redirect).toBe("manual");
      return new Response("", { status: 301, headers: { location: "https://elsewhere.example/" } });
    };
    expect(await failure(connect(api.token, moved).whoAmI())).toMatchObject({
      code: "VENDOR_REFUSED",
      hint: "psn config get TRIGGER_API_URL",
    });
    expect(hosts).toEqual([new URL(api.origin).host]);
  });
});

const SECRETS = { DATABASE_URL: "postgres://runs:pa55word@db.example/hub", HUB_ENCRYPTION_KEY: "0123456789abcdef" };
const PLAIN = { PSN_USER: "ada", PSN_DRIVER: "neon-http" };
const WISH: TriggerWish = { newName: "psn-1", secrets: SECRETS, plain: PLAIN };

/** hub.env in memory. */
function memory(values: Partial<Record<HubFileName, string>> = {}) {
  const held = new Map<string, string>(Object.entries(values));
  const writes: string[][] = [];
  const file: HubFile = {
    get: (name) => held.get(name),
    set: (changed) => {
      writes.push(Object.keys(changed));
      for (const [name, value] of Object.entries(changed)) {
        if (value === null) held.delete(name);
        else held.set(name, value);
      }
    },
  };
  return { file, held, writes };
}

describe("a hub's project", () => {
  const did = async (file: HubFile, wish: TriggerWish = WISH, trigger = connect()) =>
    (await provisionTrigger(trigger, file, wish)).steps.map((step) => `${step.what}: ${step.did}`);

  test("is made, and a second run changes nothing but variables", async () => {
    const { file, held, writes } = memory({ PSN_MADE: "neon-project:hub" });
    expect(await did(file)).toEqual(["trigger project: made", "trigger key: made", "trigger variables: set"]);
    const [project] = api.projects;
    const prod = project?.environments.prod;
    expect(Object.fromEntries(held)).toEqual({
      PSN_MADE: "neon-project:hub trigger-project:psn-1",
      TRIGGER_PROJECT_REF: project?.ref,
      TRIGGER_SECRET_KEY: prod?.secretKey,
    });
    expect(Object.fromEntries(prod?.variables ?? [])).toEqual({
      DATABASE_URL: { value: SECRETS.DATABASE_URL, isSecret: true },
      HUB_ENCRYPTION_KEY: { value: SECRETS.HUB_ENCRYPTION_KEY, isSecret: true },
      PSN_USER: { value: "ada", isSecret: false },
      PSN_DRIVER: { value: "neon-http", isSecret: false },
    });

    const before = [api.requests.length, writes.length] as const;
    expect(await did(file)).toEqual(["trigger project: kept", "trigger key: kept", "trigger variables: set"]);
    expect(writes).toHaveLength(before[1]);
    const written = api.requests.slice(before[0]).filter(({ method }) => method !== "GET");
    expect(written.map(({ path }) => path)).toEqual([`/api/v1/projects/${project?.ref}/envvars/prod/import`]);
    expect(await did(file, { ...WISH, secrets: {} })).toEqual([
      "trigger project: kept",
      "trigger key: kept",
      "trigger variables: kept",
    ]);
  });

  test("that was stopped at any write is finished by another run, and made once", async () => {
    let stops = 0;
    for (const after of [false, true]) {
      for (let dieAt = 1; ; dieAt += 1) {
        await start();
        const { file, held } = memory();
        let writes = 0;
        const dying = <T>(write: () => T): T => {
          writes += 1;
          if (writes === dieAt && !after) throw new Error("the process died");
          const result = write();
          if (writes === dieAt) throw new Error("the process died");
          return result;
        };
        const mortal: Fetch = async (url, init) => {
          if (init?.method === "GET") return fetch(url, init);
          const response = dying(() => undefined) ?? (await fetch(url, init));
          return response;
        };
        const late: Fetch = async (url, init) => {
          if (init?.method === "GET") return fetch(url, init);
          const response = await fetch(url, init);
          dying(() => undefined);
          return response;
        };
        const dead: HubFile = { get: file.get, set: (values) => dying(() => file.set(values)) };
        const first = await provisionTrigger(connect(api.token, after ? late : mortal), dead, WISH).catch(
          () => "died" as const,
        );
        if (first !== "died" && writes < dieAt) break;
        stops += 1;
        // Another run makes up another name; the first one's counts.
        await provisionTrigger(connect(), file, { ...WISH, newName: "psn-2" });
        const isUnmarked = dieAt === 1 && !after;
        expect(api.projects.map(({ name }) => name)).toEqual([isUnmarked ? "psn-2" : "psn-1"]);
        expect(held.get("PSN_MADE")).toBe(`trigger-project:${isUnmarked ? "psn-2" : "psn-1"}`);
        expect(held.get("TRIGGER_PROJECT_REF")).toBe(api.projects[0]?.ref);
        expect(api.projects[0]?.environments.prod.variables.size).toBe(4);
      }
    }
    // Intent, project, ref, key, secrets, plain: before and after each.
    expect(stops).toBe(12);
  });

  test("is made with one question for the organisations", async () => {
    await did(memory().file);
    expect(asked().filter((line) => line === "GET /api/v1/orgs")).toHaveLength(1);
    await did(memory().file, { ...WISH, organization: slug(), newName: "psn-2" });
    expect(asked().filter((line) => line === "GET /api/v1/orgs")).toHaveLength(2);
  });

  test("keeps the minutes that its deployed tasks were built with, and says that they differ", async () => {
    const { ref, environments } = api.addProject("hub");
    const set = (name: string, value: string) => environments.prod.variables.set(name, { value, isSecret: false });
    set("PSN_WATCHDOG_MINUTES", "5");
    const minutes = () => environments.prod.variables.get("PSN_WATCHDOG_MINUTES")?.value;
    const { file } = memory({ TRIGGER_PROJECT_REF: ref });
    const wish = { ...WISH, plain: { PSN_WATCHDOG_MINUTES: "10", PSN_USER: "ada" } };
    set("PSN_DEPLOYED", "1.2.3 20261123.1");
    expect(await provisionTrigger(connect(), file, wish)).toMatchObject({
      deployed: "1.2.3 20261123.1",
      needsBuild: true,
    });
    expect([minutes(), environments.prod.variables.get("PSN_USER")?.value]).toEqual(["5", "ada"]);
    environments.prod.variables.delete("PSN_DEPLOYED");
    expect(await provisionTrigger(connect(), file, wish)).toMatchObject({ deployed: undefined, needsBuild: false });
    expect(minutes()).toBe("10");
  });

  test("is in the organisation there is, or in the one that was named", async () => {
    api.addOrganization({ title: "Second" });
    const { file, held } = memory();
    const error = await failure(did(file));
    expect(error).toMatchObject({ code: "INPUT_REQUIRED" });
    expect(error.message).toContain("--trigger-org");
    for (const { slug: id, title } of api.organizations) expect(error.message).toContain(`${id} (${title})`);
    expect(await failure(did(file, { ...WISH, organization: "Third" }))).toMatchObject({ code: "INPUT_INVALID" });
    expect([...held, ...api.projects]).toEqual([]);
    await did(file, { ...WISH, organization: "Second" });
    expect(api.projects).toMatchObject([{ organization: { title: "Second" } }]);
    const other = memory();
    await did(other.file, { ...WISH, organization: slug(), newName: "psn-3" });
    expect(api.projects.at(-1)?.organization.slug).toBe(slug());
  });

  test("needs an organisation", async () => {
    await start({ organizations: [] });
    expect(await failure(did(memory().file))).toMatchObject({
      code: "VENDOR_REFUSED",
      hint: expect.stringContaining(`${api.origin}/orgs/new`),
    });
  });

  test("that the user names is adopted, and never psn's to take away", async () => {
    const mine = api.addProject("My Own");
    for (const project of [mine.ref, "My Own"]) {
      const { file, held } = memory({ PSN_MADE: "neon-project:hub" });
      expect(await did(file, { ...WISH, project })).toContain("trigger project: adopted");
      expect(held.get("PSN_MADE")).toBe("neon-project:hub");
      expect(held.get("TRIGGER_PROJECT_REF")).toBe(mine.ref);
      expect(await did(file, { ...WISH, project })).toContain("trigger project: kept");
    }
    expect(api.projects).toHaveLength(1);
  });

  test("is adopted too when the name for a new one is taken", async () => {
    api.addProject("psn-1");
    const { file, held } = memory();
    expect(await did(file)).toContain("trigger project: adopted");
    expect(held.has("PSN_MADE")).toBe(false);
  });

  test("of a name that several have is chosen by its ref", async () => {
    const two = [api.addProject("twin"), api.addProject("twin", api.addOrganization({ title: "Second" }))];
    const { file, held } = memory();
    const error = await failure(did(file, { ...WISH, project: "twin" }));
    expect(error).toMatchObject({ code: "AMBIGUOUS", hint: expect.stringContaining("--trigger-project proj_") });
    for (const { ref } of two) expect(error.message).toContain(ref);
    expect(held.size).toBe(0);
    await did(file, { ...WISH, project: two[1]?.ref });
    expect(held.get("TRIGGER_PROJECT_REF")).toBe(two[1]?.ref);
    const other = memory();
    await did(other.file, { ...WISH, project: "twin", organization: "Second" });
    expect(other.held.get("TRIGGER_PROJECT_REF")).toBe(two[1]?.ref);
  });

  test("is made by the name the user gives where there is none, if it is a name", async () => {
    const { file, held } = memory();
    for (const project of ["My Hub", "", "a".repeat(61), "a b"])
      expect(await failure(did(file, { ...WISH, project }))).toMatchObject({ code: "INPUT_INVALID" });
    expect(await failure(did(file, { ...WISH, newName: "ö" }))).toMatchObject({ code: "INPUT_INVALID" });
    expect(await failure(did(file, { ...WISH, project: "proj_nope" }))).toMatchObject({ code: "NOT_FOUND" });
    expect([...held, ...api.projects]).toEqual([]);
    expect(await did(file, { ...WISH, project: "my-hub" })).toContain("trigger project: made");
    expect(held.get("PSN_MADE")).toBe("trigger-project:my-hub");
  });

  test("whose making was broken off gives way to the one the user names then", async () => {
    const mine = api.addProject("mine");
    const { file, held } = memory({ PSN_MADE: "neon-project:hub trigger-project:psn-0" });
    expect(await did(file, { ...WISH, project: "mine" })).toContain("trigger project: adopted");
    expect(held.get("PSN_MADE")).toBe("neon-project:hub");
    expect(held.get("TRIGGER_PROJECT_REF")).toBe(mine.ref);
  });

  test("whose making was broken off is found where it was made, and not made again", async () => {
    const second = api.addOrganization({ title: "Second" });
    const { file, held } = memory();
    api.faults.push({ what: "drop-after", on: /^POST .*projects$/ });
    expect(await failure(did(file, { ...WISH, organization: "Second" }))).toMatchObject({ code: "VENDOR_UNREACHABLE" });
    expect(held.get("PSN_MADE")).toBe("trigger-project:psn-1");
    expect(await did(file)).toContain("trigger project: made");
    expect(api.projects).toMatchObject([{ name: "psn-1", organization: second }]);
  });

  test("of another account is not touched, and a hub keeps the one it has", async () => {
    const theirs = api.addProject(
      "hub",
      api.addOrganization({ title: "Eve", members: [api.addUser("eve@example.com")] }),
    );
    const { file, writes } = memory({ TRIGGER_PROJECT_REF: theirs.ref });
    expect(await failure(did(file))).toMatchObject({
      code: "VENDOR_REFUSED",
      message: expect.stringContaining("another account"),
    });
    const mine = api.addProject("mine");
    const own = memory({ TRIGGER_PROJECT_REF: mine.ref });
    expect(await failure(did(own.file, { ...WISH, project: "other" }))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect([...writes, ...own.writes]).toEqual([]);
    expect(asked().filter((line) => !line.startsWith("GET"))).toEqual([]);
  });

  test("has its new key written down, and variables that differ", async () => {
    const { ref, environments } = api.addProject("hub");
    environments.prod.variables.set("PSN_USER", { value: "eve", isSecret: false });
    environments.prod.variables.set("PSN_DRIVER", { value: "neon-http", isSecret: false });
    const { file, held } = memory({ TRIGGER_PROJECT_REF: ref, TRIGGER_SECRET_KEY: "tr_prod_old" });
    expect(await did(file, { ...WISH, secrets: {} })).toEqual([
      "trigger project: kept",
      "trigger key: made",
      "trigger variables: set",
    ]);
    expect(held.get("TRIGGER_SECRET_KEY")).toBe(environments.prod.secretKey);
    expect(api.requests.at(-1)?.body).toEqual({ variables: { PSN_USER: "ada" }, override: true, isSecret: false });
  });

  test("tells no secret, whatever goes wrong", async () => {
    for (const what of ["drop-before", "500-after", "strange-after", "garbage-after"] as const) {
      for (const on of [/whoami/, /orgs$/, /projects$/, /\/prod$/, /import/]) {
        await start();
        api.faults.push(...Array.from({ length: 9 }, () => ({ what, on })));
        const { file } = memory();
        const error = await failure(did(file));
        const secrets = [
          api.token,
          ...Object.values(SECRETS),
          api.projects[0]?.environments.prod.secretKey ?? api.token,
        ];
        for (const secret of secrets) expect(told(error)).not.toContain(secret);
        expect(error.hint).toBeTruthy();
      }
    }
  });

  test("is planned before its variables are known", () => {
    const bodies = plannedTriggerCalls({ newName: "psn-…" }, "https://api.trigger.dev").flatMap(
      ({ body }) => body ?? [],
    );
    expect(bodies).toEqual([
      { name: "psn-…" },
      { override: true, isSecret: true },
      { override: true, isSecret: false },
    ]);
  });

  test.each([
    ["a new one", {}],
    ["one by its ref", { project: true }],
  ])("is planned as it is done: %s", async (_name, more) => {
    const { project } = { project: false, ...more };
    const wish = { ...WISH, ...(project ? { project: api.addProject("hub").ref } : {}), organization: slug() };
    const planned = plannedTriggerCalls(wish, api.origin);
    expect(JSON.stringify(planned)).not.toContain("pa55word");
    expect(planned.find(({ body }) => body?.["isSecret"] === true)?.body?.["variables"]).toEqual({
      DATABASE_URL: "•••",
      HUB_ENCRYPTION_KEY: "•••",
    });
    await did(memory().file, wish);
    const ref = api.projects[0]?.ref ?? "";
    const lines = planned.map(({ method, url }) => `${method} ${url.slice(api.origin.length).replace("PROJECT", ref)}`);
    expect([...new Set(asked())]).toEqual([...new Set(lines)]);
    expect(asked().filter((line) => line.startsWith("POST"))).toEqual(lines.filter((line) => line.startsWith("POST")));
  });
});

describe("logging in", () => {
  /** The limit passes when the test says so; anything shorter at once. */
  let pass: () => void;
  let browsed: string[];
  const patience: LogIn["sleep"] = (ms, signal) =>
    ms < 60_000
      ? wait(1, undefined, { signal })
      : new Promise((resolve, reject) => {
          pass = resolve;
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
        });
  beforeEach(() => {
    browsed = [];
  });

  const login = (more: Partial<LogIn> = {}) =>
    logIn({
      url: api.origin,
      fetch,
      sleep: patience,
      signal: new AbortController().signal,
      openBrowser: async () => undefined,
      paste: async () => {
        throw new Error("nobody is asked to paste");
      },
      ...more,
    });
  const visit = async (url = "") => {
    browsed.push(url);
    const { status } = await fetch(url);
    return status;
  };
  const portOf = () => Number(Object(api.requests[0]?.body)["callbackPort"]);

  test("ends with the code that the browser brings to this machine", async () => {
    let status = 0;
    const token = await login({
      openBrowser: async (url) => {
        status = await visit(api.approve(url).callback);
      },
    });
    expect(token).toBe(api.token);
    expect(status).toBe(200);
    expect(api.requests[0]?.body).toMatchObject({ codeChallengeMethod: "S256", callbackPort: portOf() });
    expect(api.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    await expect(visit(browsed[0])).rejects.toThrow();
  });

  test("sends away whatever else knocks, and goes on waiting", async () => {
    const seen: number[] = [];
    const knock = (path: string, host?: string) =>
      new Promise<number>((resolve, reject) => {
        const asking = request(
          { port: portOf(), host: "127.0.0.1", path, headers: host === undefined ? {} : { host } },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        );
        asking.on("error", reject).end();
      });
    const token = await login({
      openBrowser: async (url) => {
        const right = api.approve(url).callback ?? "";
        const { pathname, search } = new URL(right);
        seen.push(await knock("/"), await knock("/callback"), await knock("/callback?approval_code=wr0ng"));
        seen.push(
          await knock("/callback?approval_code=%00%22"),
          await knock(pathname + search, "evil.example"),
          await visit(right),
        );
      },
    });
    expect(token).toBe(api.token);
    expect(seen).toEqual([404, 400, 400, 400, 400, 200]);
  });

  test("ends with a code that the user pastes, where no browser comes back", async () => {
    const questions: string[] = [];
    let address = "";
    const token = await login({
      callback: false,
      openBrowser: async (url) => {
        address = url;
      },
      paste: async (question) => {
        questions.push(question);
        if (questions.length === 1) return "AAAA-BBBB-CCCC";
        const { approvalCode } = api.approve(address);
        return questions.length === 2 ? "AAAA-BBBB-CCCC" : ` ${approvalCode}\n`;
      },
    });
    expect(token).toBe(api.token);
    expect(questions).toEqual([
      expect.stringMatching(/^The code/),
      expect.stringContaining("not confirmed"),
      expect.stringContaining("This code is wrong"),
    ]);
    expect(api.requests[0]?.body).not.toHaveProperty("callbackPort");
  });

  test("ends when the user gives up, or pastes wrong again and again", async () => {
    expect(await failure(login({ callback: false, paste: async () => undefined }))).toMatchObject({
      code: "INTERRUPTED",
    });
    const wrong = await failure(
      login({ callback: false, openBrowser: async (url) => api.approve(url), paste: async () => "AAAA" }),
    );
    expect(wrong).toMatchObject({ code: "VENDOR_AUTH", hint: expect.stringContaining("/account/tokens") });
  });

  describe("at a server before approval codes", () => {
    beforeEach(() => start({ pkce: false }));

    test("asks until there is a token, through bad weather", async () => {
      api.faults.push(...Array.from({ length: 5 }, () => ({ what: "429", on: /token$/ }) as const), {
        what: "drop-after",
        on: /token$/,
      });
      let address = "";
      const asking = login({
        openBrowser: async (url) => {
          address = url;
        },
      });
      while (api.requests.length < 9) await wait(5);
      api.approve(address);
      expect(await asking).toBe(api.token);
    });

    test("ends when the user says no", async () => {
      expect(await failure(login({ openBrowser: async (url) => api.deny(url) }))).toMatchObject({
        code: "VENDOR_AUTH",
      });
    });

    test("ends when the code is too old", async () => {
      const asking = failure(login());
      while (api.requests.length < 3) await wait(5);
      await api.advance(600_000);
      expect(await asking).toMatchObject({ code: "VENDOR_AUTH" });
    });
  });

  test.each(["callback", "paste", "poll"])(
    "takes ten minutes at most, and stops when it is told to: %s",
    async (way) => {
      await start({ pkce: way !== "poll" });
      const never = { callback: way !== "paste", paste: () => new Promise<string>(() => undefined) };
      const late = failure(login(never));
      while (api.requests.length === 0) await wait(5);
      pass();
      expect(await late).toMatchObject({ code: "VENDOR_AUTH", message: expect.stringContaining("ten minutes") });
      if (way === "callback") await expect(visit(`http://127.0.0.1:${portOf()}/callback`)).rejects.toThrow();

      const stop = new AbortController();
      const stopped = failure(login({ ...never, signal: stop.signal }));
      await wait(30);
      stop.abort();
      expect(await stopped).toMatchObject({ code: "INTERRUPTED", exit: 130 });
      expect(await failure(login({ ...never, signal: stop.signal }))).toMatchObject({ code: "INTERRUPTED" });
    },
  );

  test("does not hang on a server that is away, strange, or hands out something else", async () => {
    api.faults.push({ what: "strange-after" });
    expect(await failure(login())).toMatchObject({ code: "VENDOR_CHANGED" });
    const odd: Fetch = async (url, init) =>
      String(url).endsWith("/token") ? Response.json({ token: { token: "s3cret-of-another-kind" } }) : fetch(url, init);
    const error = await failure(
      login({ fetch: odd, openBrowser: async (url) => void visit(api.approve(url).callback).catch(() => 0) }),
    );
    expect(error).toMatchObject({ code: "VENDOR_CHANGED" });
    expect(told(error)).not.toContain("s3cret");
    await api.down();
    expect(await failure(login())).toMatchObject({ code: "VENDOR_UNREACHABLE" });
  });
});
