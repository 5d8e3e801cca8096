import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Execution, type Result, startTriggerApi, type TriggerApi } from "./trigger-api/index.ts";

const START = new Date("2026-11-23T00:16:50.000Z");
const HOUR = 3_600_000;
const TASKS = [
  { id: "send-reminder", queue: "reminders" },
  { id: "watch", cron: "*/30 * * * *" },
] as const;

let executions: Execution[];
let next: (execution: Execution) => Promise<Result>;
let api: TriggerApi;
let ref: string;
let key: string;

beforeEach(async () => {
  executions = [];
  next = async () => ({ ok: true, output: { done: true } });
  api = await startTriggerApi({
    now: () => START,
    execute: (execution) => {
      executions.push(execution);
      return next(execution);
    },
  });
  const project = api.addProject("psn-test");
  ref = project.ref;
  key = project.environments.prod.secretKey;
  api.deploy({ tasks: TASKS, version: "20261123.4" });
});
afterEach(() => api.stop());

/** What the tests look at in an answer. */
interface Body extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly isCached: boolean;
  readonly status: string;
  readonly data: readonly { readonly id: string }[];
  readonly pagination: { readonly next?: string };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

async function ask(method: string, path: string, body?: unknown, token = key): Promise<Answer> {
  const response = await fetch(`${api.origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

const trigger = (options: Record<string, unknown> = {}, task = "send-reminder") =>
  ask("POST", `/api/v1/tasks/${task}/trigger`, { payload: { userId: "u1" }, options });
const status = async (id: string) => (await ask("GET", `/api/v3/runs/${id}`)).body.status;
const inAnHour = () => new Date(api.now().getTime() + HOUR).toISOString();
const list = async (query = "") => (await ask("GET", `/api/v1/runs?${query}`)).body.data.map(({ id }) => id);

describe("a run", () => {
  test("that is due is executed, and told what it is", async () => {
    const { body } = await trigger({ delay: inAnHour(), tags: ["t"], idempotencyKey: "k", concurrencyKey: "c" });
    expect(await api.advance(HOUR - 1)).toEqual([]);
    expect(await status(body.id)).toBe("DELAYED");
    expect(await api.advance(1)).toMatchObject([{ id: body.id, status: "COMPLETED", output: { done: true } }]);
    expect(executions).toMatchObject([
      {
        task: "send-reminder",
        payload: { userId: "u1" },
        attempt: 1,
        tags: ["t"],
        queue: "reminders",
        concurrencyKey: "c",
        version: "20261123.4",
      },
    ]);
  });

  test("is tried again when the task asks for it, at its time and by the version that began it", async () => {
    const { body } = await trigger();
    next = async ({ attempt }) => (attempt < 3 ? { retryInMs: 60_000 } : { ok: true });
    await api.runDue();
    expect(await status(body.id)).toBe("EXECUTING");
    api.deploy({ tasks: TASKS, version: "20261123.5" });
    await api.advance(60_000);
    expect(executions).toHaveLength(2);
    await api.advance(60_000);
    expect(executions.map(({ attempt, version }) => [attempt, version])).toEqual(
      [1, 2, 3].map((attempt) => [attempt, "20261123.4"]),
    );
    expect(await status(body.id)).toBe("COMPLETED");
  });

  test("that waits takes the version that is current when it begins", async () => {
    await trigger({ delay: inAnHour() });
    api.deploy({ tasks: TASKS, version: "20261123.5" });
    await api.advance(HOUR);
    expect(executions).toMatchObject([{ version: "20261123.5" }]);
  });

  test.each(["1 month", "-5m", " 1h", "", "2020-01-01T00:00:00Z"])(
    "with the delay %o is queued at once",
    async (delay) => {
      expect(await status((await trigger({ delay })).body.id)).toBe("QUEUED");
    },
  );

  test.each(["1h30m", "2d"])("with the delay %o waits", async (delay) => {
    expect(await status((await trigger({ delay })).body.id)).toBe("DELAYED");
  });

  test("is not rescheduled to a time that is none", async () => {
    const { body } = await trigger({ delay: inAnHour() });
    const to = (delay: string) => ask("POST", `/api/v1/runs/${body.id}/reschedule`, { delay });
    expect(await to("1 month")).toMatchObject({ status: 400, body: { error: "Invalid delay: 1 month" } });
    expect(await to("2020-01-01T00:00:00.000Z")).toMatchObject({ status: 400 });
    await api.advance(HOUR);
    expect(await to(inAnHour())).toMatchObject({
      status: 400,
      body: { error: "Cannot reschedule a run that is not delayed" },
    });
  });

  test("that was cancelled or succeeded keeps its key; one that failed or expired does not; reset frees", async () => {
    const keyed = (options = {}) => trigger({ idempotencyKey: "k", ...options });
    const first = (await keyed({ delay: inAnHour() })).body.id;
    await ask("POST", `/api/v2/runs/${first}/cancel`);
    expect((await keyed()).body).toEqual({ id: first, isCached: true });
    await ask("POST", "/api/v1/idempotencyKeys/k/reset", { taskIdentifier: "send-reminder" });

    const second = (await keyed()).body.id;
    await api.runDue();
    expect((await keyed()).body).toEqual({ id: second, isCached: true });
    await ask("POST", "/api/v1/idempotencyKeys/k/reset", { taskIdentifier: "send-reminder" });

    next = async () => ({ abort: "no" });
    const third = (await keyed()).body.id;
    await api.runDue();
    expect(await status(third)).toBe("FAILED");
    const fourth = (await keyed({ delay: inAnHour(), ttl: "10m", queue: { name: "nope" } })).body;
    expect(fourth.isCached).toBe(false);
    await api.advance(HOUR + 600_001);
    expect(await status(fourth.id)).toBe("EXPIRED");
    expect((await keyed()).body.isCached).toBe(false);
  });

  test("of an unknown task or queue is accepted and waits for a version that knows it", async () => {
    const { body: task } = await trigger({}, "unheard-of");
    const { body: queue } = await trigger({ queue: { name: "unheard-of" } });
    expect(await api.advance(30 * 24 * HOUR)).toEqual([]);
    expect(await status(task.id)).toBe("PENDING_VERSION");
    expect(await status(queue.id)).toBe("PENDING_VERSION");
    api.deploy({ tasks: [...TASKS, { id: "unheard-of" }] });
    expect(await api.runDue()).toMatchObject([{ id: task.id }]);
  });

  test("that is cancelled while it is executed stays so; one that is over is not cancelled any more", async () => {
    const { body } = await trigger();
    next = async ({ signal }) => {
      await ask("POST", `/api/v2/runs/${body.id}/cancel`);
      expect(signal.aborted).toBe(true);
      return { ok: true };
    };
    await api.runDue();
    expect(await status(body.id)).toBe("CANCELED");
    next = async () => ({ ok: true });
    const over = (await trigger()).body.id;
    await api.runDue();
    expect(await ask("POST", `/api/v2/runs/${over}/cancel`)).toMatchObject({ status: 200, body: { id: over } });
    expect(await status(over)).toBe("COMPLETED");
    expect(await ask("POST", "/api/v2/runs/run_nope/cancel")).toMatchObject({ status: 404 });
  });

  test("is executed once, however many look for what is due", async () => {
    await trigger();
    next = () => new Promise((resolve) => setTimeout(resolve, 20, { ok: true }));
    await Promise.all([api.runDue(), api.runDue()]);
    expect(executions).toHaveLength(1);
  });

  test("reaches the list late, in pages, newest first", async () => {
    const ids = [(await trigger({ tags: ["a"] })).body.id, (await trigger({ tags: ["b"] })).body.id];
    expect(await list()).toEqual([]);
    await api.advance(1500);
    expect(await list()).toEqual(ids.toReversed());
    expect(await list("filter[status]=COMPLETED")).toEqual(ids.toReversed());
    expect(await list("filter[status]=QUEUED")).toEqual([]);
    expect(await list("filter[tag]=a")).toEqual([ids[0]]);
    const page = await ask("GET", "/api/v1/runs?page[size]=1");
    expect(page.body.pagination.next).toBe(ids[1]);
    expect(await list(`page[size]=1&page[after]=${ids[1]}`)).toEqual([ids[0]]);
  });

  test("with eleven tags, or too large, is refused", async () => {
    expect(await trigger({ tags: [..."abcdefghijk"] })).toMatchObject({ status: 422 });
    expect(await ask("POST", "/api/v1/tasks/send-reminder/trigger", { payload: "x".repeat(3_200_000) })).toMatchObject({
      status: 413,
    });
    expect(api.runs).toEqual([]);
  });

  test("of a scheduled task comes of its cron, and of no other task", async () => {
    expect(await api.fireCron("watch")).toMatchObject({ status: "COMPLETED", kind: "SCHEDULED" });
    expect(executions).toMatchObject([{ task: "watch", payload: { type: "DECLARATIVE" } }]);
    await expect(api.fireCron("send-reminder")).rejects.toThrow("not a scheduled task");
  });
});

describe("a run whose process dies", () => {
  const DUE = { queue: { name: "reminders" }, concurrencyKey: "ada" };
  beforeEach(() => {
    api.deploy({ tasks: [{ ...TASKS[0], concurrencyLimit: 1 }, TASKS[1]] });
  });

  test("has crashed where the task's process was killed: not tried again, its key and place are free", async () => {
    next = async ({ attempt }) => (attempt === 1 ? { crashed: "the process was killed by SIGKILL" } : { ok: true });
    const { body } = await trigger({ ...DUE, idempotencyKey: "k" });
    await api.advance(HOUR);
    expect(executions).toHaveLength(1);
    expect(await status(body.id)).toBe("CRASHED");
    next = async () => ({ ok: true });
    const again = await trigger({ ...DUE, idempotencyKey: "k" });
    expect(again.body.isCached).toBe(false);
    await api.runDue();
    expect(await status(again.body.id)).toBe("COMPLETED");
  });

  test("with its machine holds its place for 300 s, and comes back as the second attempt", async () => {
    next = async ({ attempt }) => (executions.length === 1 && attempt === 1 ? { lost: true } : { ok: true });
    const { body: lost } = await trigger(DUE);
    const { body: behind } = await trigger(DUE);
    const { body: other } = await trigger({ ...DUE, concurrencyKey: "eve" });
    await api.advance(299_999);
    expect(await status(lost.id)).toBe("EXECUTING");
    expect(await status(behind.id)).toBe("QUEUED");
    expect(await status(other.id)).toBe("COMPLETED");
    await api.advance(1);
    expect(executions.map(({ runId, attempt }) => [runId, attempt])).toEqual([
      [lost.id, 1],
      [other.id, 1],
      [lost.id, 2],
      [behind.id, 1],
    ]);
    expect(await status(behind.id)).toBe("COMPLETED");
  });
});

describe("variables", () => {
  const path = () => `/api/v1/projects/${ref}/envvars/prod`;
  test("of the server's own names are left out, secrets are not read back, what is set needs an override", async () => {
    const own = { TRIGGER_SECRET_KEY: "x", TRIGGER_API_URL: "y" };
    expect(await ask("POST", `${path()}/import`, { variables: own, override: true })).toMatchObject({ status: 400 });
    await ask("POST", `${path()}/import`, { variables: { ...own, S: "hush" }, isSecret: true });
    expect((await ask("GET", path())).body).toEqual([{ name: "S", value: "<redacted>", isSecret: true }]);
    expect(await ask("POST", `${path()}/import`, { variables: { S: "2" } })).toMatchObject({ status: 400 });
    expect((await ask("GET", `/api/v1/projects/${ref}/envvars`)).body).toMatchObject({
      variables: { S: "hush", TRIGGER_SECRET_KEY: key },
    });
    await ask("PUT", `${path()}/S`, { value: "3" });
    expect(api.projects[0]?.environments.prod.variables.get("S")).toEqual({ value: "3", isSecret: true });
  });
});

describe("the wire", () => {
  test("breaks as it is told to, before and after the effect", async () => {
    api.faults.push(
      { what: "drop-before", on: /trigger$/ },
      { what: "drop-after", on: /trigger$/ },
      { what: "500-after" },
      { what: "429" },
    );
    await expect(trigger()).rejects.toThrow();
    expect(api.runs).toHaveLength(0);
    await expect(trigger()).rejects.toThrow();
    expect(api.runs).toHaveLength(1);
    expect(await trigger()).toMatchObject({ status: 500 });
    expect(api.runs).toHaveLength(2);
    expect(await trigger()).toMatchObject({ status: 429 });
    expect(api.runs).toHaveLength(2);
    expect(await trigger()).toMatchObject({ status: 200 });
    expect(api.requests).toHaveLength(5);
  });

  test("refuses connections while it is down, and comes back where it was", async () => {
    await api.down();
    await expect(trigger()).rejects.toThrow();
    await api.up();
    expect(await trigger()).toMatchObject({ status: 200 });
  });

  test("counts requests", async () => {
    api.settings.rateLimit = 2;
    expect((await trigger()).headers.get("x-ratelimit-remaining")).toBe("1");
    await trigger();
    expect(await trigger()).toMatchObject({ status: 429 });
    await api.advance(10_000);
    expect(await trigger()).toMatchObject({ status: 200 });
  });
});

test("another account sees nothing of the first one's", async () => {
  const other = api.addUser("eve@example.com");
  api.addOrganization({ title: "Eve", members: [other] });
  const asked = (path: string) => ask("GET", path, undefined, other.token);
  expect((await asked("/api/v1/projects")).body).toEqual([]);
  expect(await asked(`/api/v1/projects/${ref}`)).toMatchObject({ status: 404 });
  expect(await asked(`/api/v1/projects/${ref}/prod`)).toMatchObject({ status: 404 });
  expect(await asked(`/api/v1/projects/${ref}/envvars/prod`)).toMatchObject({ status: 404 });
  expect(await ask("GET", "/api/v2/whoami")).toMatchObject({ status: 401 });
});
