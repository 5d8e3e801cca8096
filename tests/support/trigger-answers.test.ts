import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { COMPARED } from "./trigger-api/compared.ts";
import { startTriggerApi, type TriggerApi } from "./trigger-api/index.ts";
import { RECORDED, type Recorded } from "./trigger-api/recording.ts";

/*
 * Each request that was sent to a real server, and what it answered, beside what the double answers. What the double
 * does not do at all, since psn asks for none of it: batches, schedules made by hand, queues, replays, tokens for
 * browsers, and the moments in which a run is DEQUEUED. The fifteen variables that the server adds for a worker are two
 * here: the names of the others were not written down.
 */

const TASKS = [
  { id: "send-reminder", queue: "reminders" },
  { id: "watch", cron: "*/30 * * * *" },
] as const;
const ANSWERS = { ...RECORDED, ...COMPARED };

let api: TriggerApi;
let ref: string;
let key: string;
beforeEach(async () => {
  const now = new Date("2026-11-23T00:16:50.000Z");
  api = await startTriggerApi({ now: () => now, execute: async () => ({ ok: true, output: { done: true } }) });
  const project = api.addProject("psn-test");
  ref = project.ref;
  key = project.environments.prod.secretKey;
  api.deploy({ tasks: TASKS, version: "20261123.4" });
});
afterEach(() => api.stop());

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

/** By the secret key, where nothing else is said; null: by nobody. */
async function ask(method: string, path: string, body?: unknown, token: string | null = key): Promise<Answer> {
  const response = await fetch(`${api.origin}${path}`, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), "content-type": "application/json" },
    ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

const idOf = ({ body }: Answer) => String(Object(body)["id"]);
const trigger = (options: Record<string, unknown> = {}) =>
  ask("POST", "/api/v1/tasks/send-reminder/trigger", { payload: { userId: "u1" }, options });
const undeployed = () => api.addProject("new").environments.prod;
const ANY = /^(?:payload|metadata|output|queueConfig|git)$/;
const shapeOf = (value: unknown, name = ""): string => {
  if (ANY.test(name)) return "any";
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.length === 0 ? "" : shapeOf(value[0])}]`;
  if (typeof value === "string") return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? "time" : "string";
  if (typeof value !== "object") return typeof value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([inner, held]) => `${inner}: ${shapeOf(held, inner)}`).join(", ")}}`;
};
const FULL = {
  queue: { name: "reminders" },
  concurrencyKey: "u1",
  payloadType: "application/super+json",
  idempotencyKey: "c587",
  idempotencyKeyTTL: "7d",
  idempotencyKeyOptions: { key: "rec-1", scope: "global" },
  delay: "2026-11-23T01:16:50.087Z",
  ttl: "2h",
  tags: ["user:u1"],
  metadata: { src: "rec" },
};
const sent = { payload: '{"json":{"userId":"u1"}}', options: FULL };
const delayed = async (): Promise<string> => idOf(await ask("POST", "/api/v1/tasks/send-reminder/trigger", sent));
const cancelled = async () => {
  const id = await delayed();
  await ask("POST", `/api/v2/runs/${id}/cancel`);
  return id;
};
const pat = (method: string, path: string, body?: unknown) => ask(method, path, body, api.token);
const vars = () => `/api/v1/projects/${ref}/envvars/prod`;
const setA = () => ask("POST", `${vars()}/import`, { variables: { A: "1" }, override: true });
const slug = () => api.organizations[0]?.slug;

const ASKED: Readonly<Record<keyof typeof ANSWERS, () => Promise<Answer>>> = {
  trigger: () => ask("POST", "/api/v1/tasks/send-reminder/trigger", sent),
  "trigger again": async () => {
    await delayed();
    return ask("POST", "/api/v1/tasks/send-reminder/trigger", sent);
  },
  "a delayed run": async () => ask("GET", `/api/v3/runs/${await delayed()}`),
  reschedule: async () =>
    ask("POST", `/api/v1/runs/${await delayed()}/reschedule`, { delay: "2026-11-23T02:16:50.333Z" }),
  cancel: async () => ask("POST", `/api/v2/runs/${await delayed()}/cancel`),
  "reschedule a cancelled run": async () =>
    ask("POST", `/api/v1/runs/${await cancelled()}/reschedule`, { delay: "1h" }),
  reset: async () => {
    await delayed();
    return ask("POST", "/api/v1/idempotencyKeys/c587/reset", { taskIdentifier: "send-reminder" });
  },
  "a queued run": async () => ask("GET", `/api/v3/runs/${idOf(await trigger())}`),
  "a finished run": async () => {
    const id = idOf(await trigger({ metadata: { attempt: 1 } }));
    await api.runDue();
    return ask("GET", `/api/v3/runs/${id}`);
  },
  list: async () => {
    await cancelled();
    await ask("POST", "/api/v1/idempotencyKeys/c587/reset", { taskIdentifier: "send-reminder" });
    await api.advance(2000);
    return ask(
      "GET",
      "/api/v1/runs?filter[status]=CANCELED&filter[taskIdentifier]=send-reminder&filter[tag]=user:u1&page[size]=2",
    );
  },
  "no such run": () => ask("GET", "/api/v3/runs/run_nope00000000000000000"),
  import: setA,
  variables: async () => {
    await setA();
    return ask("GET", vars());
  },
  "a variable": async () => {
    await setA();
    return ask("GET", `${vars()}/A`);
  },
  "remove a variable": async () => {
    await setA();
    return ask("DELETE", `${vars()}/A`);
  },
  "current deployment": () => ask("GET", "/api/v1/deployments/current"),
  "trigger by a wrong key": () => ask("POST", "/api/v1/tasks/send-reminder/trigger", sent, "tr_prod_wrong"),
  whoami: () => pat("GET", "/api/v2/whoami"),
  "whoami of a project": () => pat("GET", `/api/v2/whoami?projectRef=${ref}`),
  organisations: () => pat("GET", "/api/v1/orgs"),
  projects: () => pat("GET", "/api/v1/projects"),
  "projects of an organisation": () => pat("GET", `/api/v1/orgs/${slug()}/projects`),
  create: () => pat("POST", `/api/v1/orgs/${slug()}/projects`, { name: "rec" }),
  "create in no organisation": () => pat("POST", "/api/v1/orgs/nope/projects", { name: "rec" }),
  project: () => pat("GET", `/api/v1/projects/${ref}`),
  environment: () => pat("GET", `/api/v1/projects/${ref}/prod`),
  environments: () => pat("GET", `/api/v1/projects/${ref}/environments`),
  "authorization code": () => pat("POST", "/api/v1/authorization-code"),
  "token by a wrong code": () => pat("POST", "/api/v1/token", { authorizationCode: "nope" }),
  worker: () => pat("GET", `/api/v1/projects/${ref}/prod/workers/current`),
  deployments: () => ask("GET", "/api/v1/deployments"),

  "token without a code": () => ask("POST", "/api/v1/token", {}, null),
  pause: () => pat("POST", `/api/v1/projects/${ref}/prod/pause`, {}),
  resume: () => pat("POST", `/api/v1/projects/${ref}/prod/resume`, {}),
  "pause by the path with environments": () => pat("POST", `/api/v1/projects/${ref}/environments/prod/pause`, {}),
  "a path that is none": () => pat("GET", "/api/v1/nothing"),
  "activate a free plan": () => pat("POST", `/api/v1/orgs/${slug()}/activate-free-plan`),
  "settings of a deployment": () => pat("GET", `/api/v1/projects/${ref}/prod/deploy-settings`),
  "delete a project": () => pat("DELETE", `/api/v1/projects/${ref}`),
  "delete it again": async () => {
    await pat("DELETE", `/api/v1/projects/${ref}`);
    return pat("DELETE", `/api/v1/projects/${ref}`);
  },
  "whoami without a header": () => ask("GET", "/api/v2/whoami", undefined, null),
  "organisations without a header": () => ask("GET", "/api/v1/orgs", undefined, null),
  "project without a header": () => ask("GET", `/api/v1/projects/${ref}`, undefined, null),
  "variables without a header": () => ask("GET", vars(), undefined, null),
  "trigger without a header": () => ask("POST", "/api/v1/tasks/send-reminder/trigger", sent, null),
  "list without a header": () => ask("GET", "/api/v1/runs", undefined, null),
  "organisations by a wrong token": () => ask("GET", "/api/v1/orgs", undefined, "tr_pat_wrong"),
  "whoami by a wrong token": () => ask("GET", "/api/v2/whoami", undefined, "tr_pat_wrong"),
  "whoami by a secret key": () => ask("GET", "/api/v2/whoami"),
  "environment stg": () => pat("GET", `/api/v1/projects/${ref}/stg`),
  "environment of no name": () => pat("GET", `/api/v1/projects/${ref}/nonsense`),
  "environment staging": () => pat("GET", `/api/v1/projects/${ref}/staging`),
  "environment dev": () => pat("GET", `/api/v1/projects/${ref}/dev`),
  "environment of a project that is none": () => pat("GET", "/api/v1/projects/proj_nope/prod"),
  "a project that is none": () => pat("GET", "/api/v1/projects/proj_nope"),
  "create without a name": () => pat("POST", `/api/v1/orgs/${slug()}/projects`, {}),
  "make an organisation of a short title": () => pat("POST", "/api/v1/orgs", { title: "a" }),
  "make an organisation": () => pat("POST", "/api/v1/orgs", { title: "Another" }),
  "import nothing": () => ask("POST", `${vars()}/import`, { variables: {} }),
  "import reserved names": () =>
    ask("POST", `${vars()}/import`, { variables: { TRIGGER_API_URL: "x" }, override: true }),
  "import what is set": async () => {
    await setA();
    return ask("POST", `${vars()}/import`, { variables: { A: "2" } });
  },
  "a variable that is none": () => ask("GET", `${vars()}/NOPE`),
  "variables as the worker sees them": async () => {
    await setA();
    return ask("GET", `/api/v1/projects/${ref}/envvars`);
  },
  "trigger with what is no JSON": () => ask("POST", "/api/v1/tasks/send-reminder/trigger", new Blob(["payload=1"])),
  "trigger with eleven tags": () => trigger({ tags: [..."abcdefghijk"] }),
  "a cancelled run": async () => ask("GET", `/api/v3/runs/${await cancelled()}`),
  "cancel a run that is over": async () => ask("POST", `/api/v2/runs/${await cancelled()}/cancel`),
  "cancel a run that is none": () => ask("POST", "/api/v2/runs/run_nope/cancel"),
  "reschedule to no time": async () => ask("POST", `/api/v1/runs/${await delayed()}/reschedule`, { delay: "1 month" }),
  "reset a key that is none": () =>
    ask("POST", "/api/v1/idempotencyKeys/nope/reset", { taskIdentifier: "send-reminder" }),
  "a page of 101": () => ask("GET", "/api/v1/runs?page[size]=101"),
  "current deployment before the first": () =>
    ask("GET", "/api/v1/deployments/current", undefined, undeployed().secretKey),
  "worker before the first deployment": () =>
    pat("GET", `/api/v1/projects/${undeployed().project.ref}/prod/workers/current`),
  "promote an older version": async () => {
    api.deploy({ tasks: TASKS, version: "20261123.5" });
    return ask("POST", "/api/v1/deployments/20261123.4/promote");
  },
  "a key made anew": () => pat("POST", `/api/v1/projects/${ref}/prod/regenerate-api-key`),
  "trigger by the key before it": async () => {
    await pat("POST", `/api/v1/projects/${ref}/prod/regenerate-api-key`);
    return ask("POST", "/api/v1/tasks/send-reminder/trigger", sent);
  },
};

describe("the double says what the server said", () => {
  test.each(Object.entries<Recorded>(ANSWERS))("%s", async (name, recorded) => {
    const asked = ASKED[name as keyof typeof ANSWERS];
    const { status, headers, body } = await asked();
    expect(status).toBe(recorded.status);
    expect(headers.get("content-type")).toContain(recorded.type ?? "application/json");
    const said = [...headers.keys()].filter((header) => header.startsWith("x-"));
    expect(said.toSorted()).toEqual(recorded.headers);
    if (said.includes("x-ratelimit-limit"))
      expect(headers.get("x-ratelimit-limit")).toBe(String(recorded.limit ?? 750));
    if (recorded.type === "text/html") expect(body).toMatch(/^<!doctype html>/i);
    else if (recorded.error === undefined) expect(shapeOf(body)).toBe(recorded.shape);
    else if (typeof recorded.error === "string") expect(Object(body)["error"]).toBe(recorded.error);
    else expect(Object(body)["error"]).toMatch(recorded.error);
  });

  test("and is asked each of the 73 at least", () => {
    expect(Object.keys(ANSWERS).length).toBeGreaterThanOrEqual(73);
  });
});
