import { existsSync } from "node:fs";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hubEnvOf, openPlace, type Place } from "../journeys/place.ts";
import { binary, documentOf, filesOf, psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";

/*
 * What can be wrong with keys, plans, projects and servers at Neon and Trigger.dev: one message, its code, a fix, and
 * nothing half-made that the next run does not finish.
 */

let place: Place;
beforeEach(async () => {
  place = await openPlace();
});
afterEach(async () => {
  expect(place.neon.violations).toEqual([]);
  await place.stop();
});

/** One document with this code, its exit code and a fix; nobody's secret in it. */
function ended(ran: Ran, code: ErrorCode): string {
  const { error } = documentOf(ran) as {
    readonly error: { readonly code: string; readonly message: string; readonly hint: string | null };
  };
  expect(error, ran.stdout).toMatchObject({
    code,
    message: expect.stringMatching(/./),
    hint: expect.stringMatching(/./),
  });
  expect(ran).toMatchObject({ code: ERRORS[code].exit, stderr: "" });
  const secrets = [
    place.neon.apiKey,
    place.trigger.token,
    new URL(place.ownerUrl).password,
    place.env("HUB_ENCRYPTION_KEY"),
    place.env("TRIGGER_SECRET_KEY"),
  ];
  for (const secret of secrets) if (secret !== undefined) expect(ran.stdout).not.toContain(secret);
  return `${error.message} ${error.hint}`;
}

/** A right run afterwards finishes, and there is one of everything. */
async function finishes(): Promise<void> {
  const ran = await place.initHere();
  expect(ran, ran.stdout).toMatchObject({ code: 0 });
  expect([place.neon.projects.length, place.trigger.projects.length]).toEqual([1, 1]);
  expect(
    await place.sql("SELECT count(*)::integer AS n FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'psn\\_%'"),
  ).toEqual([{ n: 1 }]);
}

describe("keys", () => {
  test("wrong, revoked, or of another kind", async () => {
    expect(ended(await place.initHere({ key: "napi_wrong" }), "VENDOR_AUTH")).toContain("api-keys");
    expect(ended(await place.initHere({ token: "tr_pat_wrong" }), "VENDOR_AUTH")).toContain("/account/tokens");
    expect(ended(await place.initHere({ token: "tr_prod_abc" }), "INPUT_INVALID")).toContain("tr_pat_");
    await finishes();
    place.trigger.revoke(place.trigger.token);
    ended(await place.initHere(), "VENDOR_AUTH");
    ended(await psn(["deploy", "--json"], { cwd: place.folder }), "VENDOR_AUTH");
  });

  test("a file that is missing, empty or holds two lines; two secrets on one pipe", async () => {
    const two = join(await scratch(), "two");
    await writeFile(two, "a\nb\n");
    const run = (...argv: string[]) => psn(["init", "--neon", ...argv, "--json"], { cwd: place.folder, stdin: "" });
    ended(await run("--neon-api-key-file", "/nowhere"), "FILE_UNREADABLE");
    ended(await run("--neon-api-key-file", two), "INPUT_INVALID");
    ended(await run("--neon-api-key-stdin"), "INPUT_INVALID");
    ended(await run("--neon-api-key-stdin", "--trigger", "--trigger-token-stdin"), "USAGE");
    ended(await run(), "INPUT_REQUIRED");
    expect(existsSync(join(place.folder, "config"))).toBe(false);
  });
});

describe("plans and organisations", () => {
  test("Neon's plan is full, Trigger.dev's organisation has no plan: the next run finishes", async () => {
    place.neon.plan.projects = 0;
    expect(ended(await place.initHere(), "VENDOR_QUOTA")).toContain("console.neon.tech");
    place.neon.plan.projects = 1;
    const [organization] = place.trigger.organizations;
    Object.assign(organization ?? {}, { plan: null, activatable: false });
    expect(ended(await place.initHere(), "VENDOR_QUOTA")).toContain(place.trigger.origin);
    Object.assign(organization ?? {}, { plan: "free" });
    await finishes();
  });

  test("several organisations and none named", async () => {
    const key = place.neon.addKey(place.neon.addOrganization("One"), place.neon.addOrganization("Two"));
    expect(ended(await place.initHere({ key }), "INPUT_REQUIRED")).toMatch(/--neon-org.*\(One\).*\(Two\)/);
    place.trigger.addOrganization({ title: "Second" });
    expect(ended(await place.initHere(), "INPUT_REQUIRED")).toMatch(/--trigger-org.*Second/);
    const ran = await place.initHere({ more: ["--trigger-org", "Second"] });
    expect(ran, ran.stdout).toMatchObject({ code: 0 });
  });
});

describe("projects", () => {
  test("of another organisation or another account", async () => {
    const theirs = await place.neon.addProject("theirs", place.neon.addOrganization("Bob"));
    const before = place.neon.projects.length;
    await place.initHere({ more: ["--neon-project", theirs.id] });
    expect(place.neon.projects.filter(({ id }) => id === theirs.id)).toHaveLength(1);
    expect(place.neon.projects.length).toBeGreaterThanOrEqual(before);
    expect(place.env("NEON_PROJECT_ID")).not.toBe(theirs.id);
    const bob = place.trigger.addUser("bob@example.com");
    ended(await place.initHere({ token: bob.token }), "VENDOR_REFUSED");
  });

  test("one that runs somebody else's tasks is neither taken over nor deployed to", async () => {
    const project = place.trigger.addProject("shop");
    place.trigger.deploy({ project, tasks: [{ id: "send-invoice" }] });
    expect(ended(await place.initHere({ more: ["--trigger-project", "shop"] }), "FOREIGN_CONTENT")).toContain(
      "send-invoice",
    );
    const told = place.trigger.requests.length;
    ended(await psn(["deploy", "--json"], { cwd: place.folder }), "FOREIGN_CONTENT");
    expect(place.trigger.requests.slice(told).filter(({ method }) => method !== "GET")).toEqual([]);
    expect(project.environments.prod.current?.tasks.map(({ id }) => id)).toEqual(["send-invoice"]);
  });

  test("a name that is taken is adopted, and destroy leaves it", async () => {
    await place.neon.addProject("hub");
    place.trigger.addProject("hub");
    const ran = await place.initHere({ more: ["--neon-project", "hub", "--trigger-project", "hub"] });
    expect(ran, ran.stdout).toMatchObject({ code: 0, stdout: expect.stringMatching(/"adopted"[\s\S]*"adopted"/) });
    const mine = place.trigger.projects[0]?.environments.prod.variables;
    mine?.set("MINE", { value: "kept", isSecret: false });
    const gone = await psn(["destroy", "--yes", "--json"], { cwd: place.folder });
    expect(gone, gone.stdout).toMatchObject({ code: 0 });
    expect([place.neon.projects.length, place.trigger.projects.length]).toEqual([1, 1]);
    expect([...(mine?.keys() ?? [])]).toEqual(["MINE"]);
    expect(await place.sql("SELECT nspname::text FROM pg_namespace WHERE nspname = 'psn'")).toEqual([]);
    expect(await place.sql("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'psn\\_%'")).toEqual([]);
    // And a hub again, with the same key.
    const key = place.env("HUB_ENCRYPTION_KEY");
    const again = await place.initHere({ more: ["--neon-project", "hub", "--trigger-project", "hub"] });
    expect(again, again.stdout).toMatchObject({ code: 0 });
    expect(place.env("HUB_ENCRYPTION_KEY")).toBe(key);
  });
});

describe("databases", () => {
  const asOwner = async (text: string) => {
    const client = new pg.Client(place.ownerUrl);
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows;
  };

  test("one with other tables: the hub lives beside them", async () => {
    await asOwner("CREATE TABLE public.orders (id integer); INSERT INTO public.orders VALUES (1)");
    await finishes();
    expect(await asOwner("SELECT id FROM public.orders")).toEqual([{ id: 1 }]);
  });

  test("one whose schema psn is somebody else's: nothing of it is touched", async () => {
    await asOwner("CREATE SCHEMA psn; CREATE TABLE psn.notes (id integer)");
    expect(ended(await place.initHere(), "FOREIGN_CONTENT")).toContain("another database");
    expect(await asOwner("SELECT tablename::text FROM pg_tables WHERE schemaname = 'psn'")).toEqual([
      { tablename: "notes" },
    ]);
    await asOwner("DROP SCHEMA psn CASCADE");
    await finishes();
  });
});

describe("servers", () => {
  test("nobody there, and somebody else there", async () => {
    await place.trigger.down();
    ended(await place.initHere(), "VENDOR_UNREACHABLE");
    await place.trigger.up();
    const page = createServer((_, response) => response.setHeader("content-type", "text/html").end("<h1>hello</h1>"));
    await new Promise<void>((done) => page.listen(0, "127.0.0.1", done));
    const address = page.address();
    const origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const elsewhere = await psn(["init", "--neon", "--neon-api-key-stdin", "--neon-api-host", origin, "--json"], {
      cwd: await scratch(),
      stdin: place.neon.apiKey,
    });
    expect(documentOf(elsewhere)).toMatchObject({
      error: { code: "VENDOR_CHANGED", hint: "psn config get NEON_API_HOST" },
    });
    page.close();
    await finishes();
  });

  test("the key by which tasks are woken is revoked: the post is safe, and psn says who takes it", async () => {
    await finishes();
    const url = "http://127.0.0.1:9/hook";
    const secret = join(await scratch(), "secret");
    await writeFile(secret, `whsec_${Buffer.alloc(32, 7).toString("base64")}`);
    await psn(["connect", "webhook", url, "--secret-file", secret, "--json"], { cwd: place.folder });
    const file = join(place.folder, "config", "hub.env");
    await writeFile(
      file,
      (await readFile(file, "utf8")).replace(/^TRIGGER_SECRET_KEY=.*$/m, "TRIGGER_SECRET_KEY=tr_prod_revoked"),
    );
    const ran = await psn(["post", "safe", "--in", "1h"], { cwd: place.folder });
    expect(ran).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/does not accept TRIGGER_SECRET_KEY[\s\S]*watchdog/),
    });
    expect(documentOf(await psn(["queue", "--json"], { cwd: place.folder }))).toMatchObject({
      deliveries: [{ state: "scheduled" }],
    });
  });

  test("deploying without Node says what is missing", async () => {
    await finishes();
    const bare = await scratch("bare");
    const ran = await binary(["deploy", "--dry-run", "--json"], { cwd: place.folder, env: { PATH: bare } }).ended;
    expect(documentOf(ran)).toMatchObject({
      error: { code: "DEPLOY_FAILED", hint: expect.stringContaining("install Node") },
    });
  });

  test.each([
    [
      "without Docker",
      undefined,
      /Docker is not installed here/,
      "install Docker: https://docs.docker.com/engine/install/",
    ],
    [
      "with Docker and no buildx",
      "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1",
      /Docker has no buildx here/,
      "install buildx: https://github.com/docker/buildx#installing",
    ],
    [
      "with Docker that does not run",
      '[ "$1" = buildx ] || { echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2; ' +
        "exit 1; }",
      /Docker is not running/,
      "start Docker: sudo systemctl start docker, or open Docker Desktop",
    ],
  ])("deploying %s says so before anything is made at the server", async (_what, docker, says, hint) => {
    await finishes();
    const tools = await scratch("tools");
    for (const name of ["node", "sh"]) await symlink(Bun.which(name) ?? "", join(tools, name));
    if (docker !== undefined) await writeFile(join(tools, "docker"), `#!/bin/sh\n${docker}\n`, { mode: 0o755 });
    const told = place.trigger.requests.length;
    const ran = await binary(["deploy", "--json"], { cwd: place.folder, env: { PATH: tools } }).ended;
    expect(documentOf(ran)).toMatchObject({
      error: { code: "DEPLOY_FAILED", message: expect.stringMatching(says), hint },
    });
    expect(place.trigger.requests.slice(told).filter(({ method }) => method !== "GET")).toEqual([]);
  });

  test("--dry-run on a hub that is in use changes nothing, anywhere", async () => {
    await finishes();
    const before = [hubEnvOf(place.folder), await filesOf(place.folder)];
    const [asked, told] = [place.neon.requests.length, place.trigger.requests.length];
    for (const argv of [["init", "--neon", "--trigger"], ["destroy"], ["init"]])
      expect(await psn([...argv, "--dry-run", "--json"], { cwd: place.folder }), argv.join(" ")).toMatchObject({
        code: 0,
      });
    expect([place.neon.requests.length, place.trigger.requests.length]).toEqual([asked, told]);
    expect([hubEnvOf(place.folder), await filesOf(place.folder)]).toEqual(before);
  });
});

describe("a hub that lives elsewhere", () => {
  let hub: TestHub;
  beforeAll(async () => {
    hub = await testHub();
  });
  afterAll(() => hub.close());

  test("keeps its database, and is not given a clock that could not reach it", async () => {
    const before = await hub.state();
    const [asked, told] = [place.neon.requests.length, place.trigger.requests.length];
    const neon = await hub.psn(
      ["init", "--neon", "--neon-api-key-stdin", "--neon-api-host", place.neon.host, "--json"],
      {
        stdin: place.neon.apiKey,
      },
    );
    expect(documentOf(neon)).toMatchObject({ error: { code: "ALREADY_EXISTS" } });
    const trigger = await hub.psn(["init", "--trigger", "--trigger-url", place.trigger.origin, "--json"]);
    expect(documentOf(trigger)).toMatchObject({
      error: { code: "DB_UNSUITABLE", hint: expect.stringContaining("another folder") },
    });
    expect([place.neon.requests.length, place.trigger.requests.length]).toEqual([asked, told]);
    expect(await hub.state()).toBe(before);
  });

  test("destroy takes an embedded database away, and not while somebody works on it", async () => {
    const folder = await scratch("embedded");
    expect(await psn(["init", "--tz", "UTC", "--json"], { cwd: folder })).toMatchObject({ code: 0 });
    const worker = binary(["worker"], { cwd: folder });
    await worker.says("publishes what is due");
    const busy = await psn(["destroy", "--yes", "--json"], { cwd: folder });
    expect(documentOf(busy)).toMatchObject({ error: { code: "DB_BUSY", hint: expect.stringContaining("psn worker") } });
    worker.child.kill("SIGTERM");
    await worker.ended;
    expect(await psn(["destroy", "--yes", "--json"], { cwd: folder })).toMatchObject({ code: 0 });
    expect(existsSync(join(folder, "data"))).toBe(false);
    expect(await psn(["init", "--tz", "UTC", "--json"], { cwd: folder })).toMatchObject({ code: 0 });
    expect(await psn(["doctor", "--json"], { cwd: folder })).toMatchObject({ code: 0 });
  });
});
