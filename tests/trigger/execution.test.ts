import { openCredentials } from "@psn/app/session.ts";
import { loadHubEnv } from "@psn/core/utils/env.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { posted } from "../journeys/hub.ts";
import { binary, scratch } from "../support/cli.ts";
import { sharedGateway } from "../support/databases.ts";
import { type Pds, type PdsAccount, startPds } from "../support/pds.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { startTriggerApi, type TriggerApi } from "../support/trigger-api/index.ts";
import { buildTasks, type TriggerBuild } from "../support/trigger-build.ts";
import { type Attempt, startTriggerWorker, type TriggerWorker } from "../support/trigger-worker.ts";

/*
 * The whole way, with nothing in it that a deployment would not have: a hub on a Neon host, made by the command line,
 * an account on a real Bluesky server, and the bundle that is deployed, in the process in which Trigger.dev runs it.
 */

const TEXT = "exactly once, from the cloud";

let build: TriggerBuild;
let worker: TriggerWorker;
let pds: Pds;
let api: TriggerApi;
let account: PdsAccount;
let folder = "";
let proxy = "";
/** What `psn deploy` would upload. */
let env: Record<string, string> = {};
/** What nobody may ever read in a log. */
let secrets: string[] = [];

const psn = async (argv: readonly string[], stdin = "") => {
  const places = { NEON_PROXY: proxy, TRIGGER_API_URL: api.origin, TRIGGER_SECRET_KEY: secretKey() };
  const ran = await binary(argv, { cwd: folder, stdin, env: places }).ended;
  if (ran.code !== 0) throw new Error(`psn ${argv.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran;
};
const secretKey = () => api.projects[0]?.environments.prod.secretKey ?? "";

beforeAll(async () => {
  [build, pds, api, folder] = await Promise.all([
    buildTasks({ target: "dev" }),
    startPds(),
    startTriggerApi(),
    scratch("deployed"),
  ]);
  worker = await startTriggerWorker(build);
  api.addProject("psn");
  api.deploy({
    tasks: [
      { id: "publish-delivery" },
      { id: "settle-unknown", queue: "settle" },
      { id: "declares", queue: "publish-bluesky" },
    ],
  });
  account = await pds.createAccount("ada.test");
  const gateway = await sharedGateway();
  const owner = gateway.urlFor(await freshDatabase());
  proxy = new URL(gateway.httpEndpoint).origin;
  await psn(["init", "--database-url-stdin"], `${owner}\n`);
  const server = `http://127.0.0.1:${new URL(pds.url).port}`;
  await psn(["connect", "bluesky", account.handle, "--server", server, "--password-stdin"], `${account.password}\n`);

  const hub = loadHubEnv(folder, {});
  const needed = {
    DATABASE_URL: hub.get("DATABASE_URL"),
    HUB_ENCRYPTION_KEY: hub.get("HUB_ENCRYPTION_KEY"),
    NEON_PROXY: proxy,
    PSN_PRIVATE_ORIGINS: hub.get("PSN_PRIVATE_ORIGINS"),
  };
  env = z
    .record(z.string(), z.string())
    .parse({ ...needed, TRIGGER_API_URL: api.origin, TRIGGER_SECRET_KEY: secretKey() });
  secrets = [
    ...(await sessionOf(hub.get("PSN_USER") ?? "")),
    account.password,
    secretKey(),
    env["HUB_ENCRYPTION_KEY"] ?? "",
  ];
  for (const url of [env["DATABASE_URL"] ?? "", owner]) secrets.push(url, new URL(url).password);
});
afterAll(async () => {
  await worker?.stop();
  await build?.remove();
  await pds?.stop();
  await api?.stop();
});

/** The tokens that the hub has sealed. */
async function sessionOf(userId: string): Promise<string[]> {
  const { world } = openWorld(env);
  const [connected] = await world.stores.accounts.list(userId);
  const sealed = await world.stores.accounts.credentials(userId, connected?.id ?? "");
  if (!sealed) throw new Error("the account is not connected");
  const { access, refresh = "", secret = "" } = openCredentials(world, userId, sealed);
  return [access, refresh, secret];
}

/** A post that the command line wrote down, due now if not said otherwise; what Trigger.dev was asked to run for it. */
async function scheduled(
  text: string,
  when = ["--no-wait"],
): Promise<{ readonly payload: unknown; readonly id: string }> {
  const { stdout } = await psn(["post", text, "--to", "bluesky", ...when, "--json"]);
  const [delivery] = posted(JSON.parse(stdout)).deliveries;
  const run = api.runs.at(-1);
  expect(run).toMatchObject({
    task: "publish-delivery",
    queue: "publish-bluesky",
    payload: { deliveryId: delivery?.id },
  });
  return { payload: run?.payload, id: delivery?.id ?? "" };
}

async function texts(): Promise<string[]> {
  const list =
    `${pds.url}/xrpc/com.atproto.repo.listRecords?repo=${account.did}` + "&collection=app.bsky.feed.post&limit=100";
  const { records } = z
    .object({ records: z.array(z.object({ value: z.looseObject({ text: z.string() }) })) })
    .parse(await (await fetch(list)).json());
  return records.map(({ value }) => value.text);
}

const run = (
  task: string,
  payload: unknown,
  more: Readonly<Record<string, string>> = {},
  attempt = 1,
): Promise<Attempt> => worker.run(task, payload, { env: { ...env, ...more }, attempt });
const cron = () => ({
  type: "DECLARATIVE",
  timestamp: new Date(),
  timezone: "UTC",
  scheduleId: "sched_1",
  upcoming: [],
});

/** All that an attempt let anybody see. */
function keepsSecrets(attempt: Attempt): void {
  const { said } = attempt;
  const seen = [
    JSON.stringify(attempt),
    said,
    ...worker.telemetry,
    ...api.requests.map(({ path, body }) => `${path} ${JSON.stringify(body)}`),
  ];
  expect(worker.telemetry.length).toBeGreaterThan(0);
  expect(secrets.every((secret) => secret.length > 7)).toBe(true);
  const leaked = seen.filter((text) => secrets.some((secret) => text.includes(secret)));
  expect(leaked).toEqual([]);
}

test("a post of the command line's is out, once, however often its run is delivered", async () => {
  const { payload, id } = await scheduled(TEXT, ["--in", "3s"]);
  expect(await texts()).toEqual([]);
  // Before its time by some seconds, as a clock of its own may have it.
  const attempts = await Promise.all([run("publish-delivery", payload), run("publish-delivery", payload)]);
  for (const attempt of attempts) expect(attempt, attempt.said).toMatchObject({ ok: true });
  expect(attempts.filter(({ output }) => output?.includes('"acted":true'))).toHaveLength(1);
  const again = await run("publish-delivery", payload);
  expect(again.output).toContain('"published"');
  expect(await texts()).toEqual([TEXT]);
  expect((await psn(["show", id, "--json"])).stdout).toContain('"published"');

  for (const attempt of [...attempts, again]) keepsSecrets(attempt);
  // Nor does the text of a post have any business there.
  expect(worker.telemetry.some((body) => body.includes(TEXT))).toBe(false);
  expect(worker.telemetry.some((body) => body.includes(id))).toBe(true);
});

test("one that nobody was told of is found by the watchdog", async () => {
  const { payload } = await scheduled("found");
  const before = api.runs.length;
  const look = await run("publish-due", cron());
  expect(look, look.said).toMatchObject({ ok: true });
  expect(look.output).toContain('"overdue":1');
  expect(api.runs.slice(before)).toMatchObject([{ task: "publish-delivery", payload }]);
  expect(await run("publish-delivery", api.runs.at(-1)?.payload)).toMatchObject({ ok: true });
  expect((await texts()).filter((text) => text === "found")).toHaveLength(1);
  keepsSecrets(look);
});

test("three that are due at once go out by one process; the others' find nothing to do", async () => {
  const posts = [await scheduled("burst 1"), await scheduled("burst 2"), await scheduled("burst 3")];
  const first = await run("publish-delivery", posts[0]?.payload);
  expect(first, first.said).toMatchObject({ ok: true, output: expect.stringContaining('"acted":true') });
  expect((await texts()).filter((text) => text.startsWith("burst")).toSorted()).toEqual([
    "burst 1",
    "burst 2",
    "burst 3",
  ]);
  const second = await run("publish-delivery", posts[1]?.payload);
  expect(second.output).toContain('"acted":false');
  for (const attempt of [first, second]) keepsSecrets(attempt);
});

test("a watchdog whose Trigger.dev address leads nowhere fails, and is tried again", async () => {
  await scheduled("overdue");
  const look = await run("publish-due", cron(), { TRIGGER_API_URL: "http://127.0.0.1:1" });
  expect(look, look.said).toMatchObject({
    ok: false,
    error: {
      message: expect.stringMatching(
        /^Trigger\.dev started no task for 1 due post: Trigger\.dev does not answer at http:/,
      ),
    },
  });
  expect(look.retry?.delay).toBeGreaterThanOrEqual(2_000);
  keepsSecrets(look);
  await run("publish-delivery", api.runs.at(-1)?.payload);
});

test.each(["refresh-tokens", "prune"])("%s runs there too", async (task) => {
  const attempt = await run(task, cron());
  expect(attempt, attempt.said).toMatchObject({ ok: true });
  keepsSecrets(attempt);
});

test.each([
  [
    "the database's password is wrong",
    () => ({ DATABASE_URL: (env["DATABASE_URL"] ?? "").replace(/:[^:@]+@/, ":wrong-password@") }),
    { skippedRetrying: true, error: { message: expect.stringMatching(/^DB_REFUSED: /) } },
  ],
  // The post waits until the key is the right one.
  ["the key is another hub's", () => ({ HUB_ENCRYPTION_KEY: "ab".repeat(32) }), { retry: expect.anything() }],
  [
    "there is no key",
    () => ({ HUB_ENCRYPTION_KEY: "" }),
    { skippedRetrying: true, error: { message: expect.stringMatching(/^VAULT_LOCKED: /) } },
  ],
])("a task that cannot work says what is wrong and no secret: %s", async (_, more, expected) => {
  const { payload } = await scheduled("never out");
  const attempt = await run("publish-delivery", payload, more());
  expect(attempt).toMatchObject({ ok: false, ...expected });
  expect(await texts()).not.toContain("never out");
  keepsSecrets(attempt);
  expect(JSON.stringify([attempt, attempt.said, worker.telemetry])).not.toContain("wrong-password");
});
