import { type Call, Full, type Route } from "./call.ts";
import { delayUntil, durationMs, keyTtlMs } from "./delay.ts";
import { Refusal } from "./http.ts";
import { change, enqueue, FINAL, finish, type HeldRun, retrieved, settle } from "./runs.ts";
import { type Environment, letters, type World } from "./world.ts";

/* Runs, by a secret key. Where the server is awkward, so is this: each oddity was seen on a server of 4.5.12. */

export const runRoutes: readonly Route[] = [
  ["POST", /^\/api\/v1\/tasks\/([^/]+)\/trigger$/, trigger],
  ["GET", /^\/api\/v3\/runs\/([^/]+)$/, (call) => retrieved(runOf(call, "Not found"))],
  ["GET", /^\/api\/v1\/runs$/, list],
  ["POST", /^\/api\/v2\/runs\/([^/]+)\/cancel$/, cancel],
  ["POST", /^\/api\/v1\/runs\/([^/]+)\/reschedule$/, reschedule],
  ["POST", /^\/api\/v1\/idempotencyKeys\/([^/]+)\/reset$/, reset],
];

const MAX_TAGS = 10;
const MAX_KEY = 2048;

function trigger(call: Call) {
  const { world, body } = call;
  const environment = call.environment();
  const task = call.params[0] ?? "";
  settle(world);
  const options = recordOf(body["options"] ?? {});
  // The words are not recorded.
  if (call.isGarbled) throw new Refusal(400, "Invalid JSON");
  if (options === undefined) throw new Refusal(400, 'Validation error: Expected object at "options"');
  const tags = tagsOf(options["tags"]);
  const key = options["idempotencyKey"];
  if (key !== undefined && (typeof key !== "string" || key.length > MAX_KEY))
    throw new Refusal(400, 'Validation error: Invalid at "options.idempotencyKey"');

  const again = call.header("x-trigger-request-idempotency-key");
  const repeated = world.runs.find(
    (run) => again !== undefined && run.options[REQUEST] === again && run.environment === environment,
  );
  if (repeated !== undefined) return answer(repeated, false);
  const now = world.now();
  const known = world.runs.findLast(
    (run) => run.environment === environment && run.task === task && isHeld(run, key, now),
  );
  // Whatever else was asked for this time: the old run, unchanged.
  if (known !== undefined) return answer(known, true);

  const run = makeRun(world, environment, {
    task,
    payload: options["payloadType"] === "application/super+json" ? superJson(body["payload"]) : body["payload"],
    options: again === undefined ? options : { ...options, [REQUEST]: again },
    tags,
    kind: "STANDARD",
  });
  return answer(run, false);
}

/** Where the key of an SDK's own repetitions is kept. */
const REQUEST = "x-trigger-request-idempotency-key";

const answer = ({ id, environment }: HeldRun, isCached: boolean) => {
  const claims = { sub: environment.id, pub: true, scopes: [`read:runs:${id}`, `write:inputStreams:${id}`] };
  const headers = { "x-trigger-jwt-claims": JSON.stringify(claims), "x-trigger-jwt": "JWT_REDACTED" };
  return new Full({ status: 200, headers, body: { id, isCached } });
};

const isHeld = (run: HeldRun, key: unknown, now: Date) =>
  run.key !== undefined && run.key.sent === key && run.key.until > now;

export interface NewRun extends Pick<HeldRun, "task" | "payload" | "options" | "tags" | "kind"> {}

export function makeRun(world: World, environment: Environment, { task, options, ...wish }: NewRun): HeldRun {
  const now = world.now();
  const declared = environment.current?.tasks.find(({ id }) => id === task)?.queue;
  const chosen = recordOf(options["queue"])?.["name"];
  const key = options["idempotencyKey"];
  const shown = recordOf(options["idempotencyKeyOptions"])?.["key"];
  const until = delayUntil(options["delay"], now);
  const run: HeldRun = {
    ...wish,
    id: `run_c${letters(24)}`,
    environment,
    task,
    options,
    queue: typeof chosen === "string" ? chosen : (declared ?? `task/${task}`),
    concurrencyKey: typeof options["concurrencyKey"] === "string" ? options["concurrencyKey"] : undefined,
    createdAt: now,
    ttlMs: typeof options["ttl"] === "number" ? options["ttl"] * 1000 : durationMs(String(options["ttl"] ?? "")),
    status: "DELAYED",
    updatedAt: now,
    delayedUntil: until,
    queuedAt: undefined,
    retryAt: undefined,
    holdsSlot: false,
    startedAt: undefined,
    finishedAt: undefined,
    version: undefined,
    key:
      typeof key === "string"
        ? {
            sent: key,
            shown: typeof shown === "string" ? shown : key,
            until: new Date(now.getTime() + keyTtlMs(options["idempotencyKeyTTL"])),
          }
        : undefined,
    attempts: 0,
    output: undefined,
    error: undefined,
    abort: new AbortController(),
    history: [],
  };
  world.runs.push(run);
  if (until === undefined) enqueue(run, now, now);
  else change(run, now, {});
  return run;
}

function runOf(call: Call, unknown: string): HeldRun {
  const environment = call.environment();
  settle(call.world);
  const run = call.world.runs.find(({ id, environment: at }) => id === call.params[0] && at === environment);
  // The SDK asks again when it is told to: a new run may not have reached the replica that was asked.
  if (run === undefined)
    throw new Refusal(404, unknown, {}, unknown === "Not found" ? { "x-should-retry": "true" } : {});
  return run;
}

function cancel(call: Call) {
  const run = runOf(call, "Resource not found");
  if (!FINAL.includes(run.status)) {
    finish(run, call.world.now(), "CANCELED");
    run.abort.abort();
  }
  return { id: run.id };
}

function reschedule(call: Call) {
  const run = runOf(call, "Not found");
  const { delay } = call.body;
  if (run.status !== "DELAYED") throw new Refusal(400, "Cannot reschedule a run that is not delayed");
  const now = call.world.now();
  const until = delayUntil(delay, now);
  if (until === undefined) throw new Refusal(400, `Invalid delay: ${String(delay)}`);
  change(run, now, { delayedUntil: until });
  return retrieved(run);
}

function reset(call: Call) {
  const environment = call.environment();
  const [key = ""] = call.params;
  const { taskIdentifier } = call.body;
  const found = call.world.runs.filter(
    (run) => run.environment === environment && run.task === taskIdentifier && run.key?.sent === key,
  );
  if (found.length === 0)
    throw new Refusal(404, `No runs found with idempotency key: ${key} and task: ${String(taskIdentifier)}`);
  for (const run of found) change(run, call.world.now(), { key: undefined });
  return { id: key };
}

type Item = HeldRun["history"][number]["item"];

/** Newest first, and as it was a while ago. */
function list(call: Call) {
  const { world, query } = call;
  const environment = call.environment();
  settle(world);
  const seenAt = new Date(world.now().getTime() - world.settings.listLagMs);
  const size = Number(query.get("page[size]") ?? 25);
  if (!Number.isInteger(size) || size < 1 || size > 100)
    throw new Refusal(400, "Query Error", { details: [{ path: ["page[size]"] }] });
  const wanted = (name: string) => query.get(`filter[${name}]`)?.split(",");
  const isIn = (names: readonly string[] | undefined, value: unknown) =>
    names === undefined || names.includes(String(value));
  const tags = wanted("tag");
  const items: Item[] = world.runs
    .filter((run) => run.environment === environment)
    .toReversed()
    .flatMap(({ history }): Item[] => {
      const seen = history.findLast(({ at }) => at <= seenAt);
      return seen === undefined ? [] : [seen.item];
    })
    .filter((item) => isIn(wanted("status"), item["status"]) && isIn(wanted("taskIdentifier"), item["taskIdentifier"]))
    .filter(
      (item) => tags === undefined || (Array.isArray(item["tags"]) && item["tags"].some((tag) => tags.includes(tag))),
    );
  const after = query.get("page[after]");
  const from = after === null ? 0 : items.findIndex((item) => item["id"] === after) + 1;
  const data = items.slice(from, from + size);
  return { data, pagination: from + size < items.length ? { next: data.at(-1)?.["id"] } : {} };
}

function tagsOf(value: unknown): string[] {
  const tags: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  if (tags.length > MAX_TAGS)
    throw new Refusal(422, `Runs can only have ${MAX_TAGS} tags, you're trying to set ${tags.length}.`);
  return tags.map((tag) => {
    if (typeof tag !== "string" || tag.length >= 128)
      throw new Refusal(400, 'Validation error: Invalid at "options.tags"');
    return tag;
  });
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function superJson(payload: unknown): unknown {
  return typeof payload === "string" ? recordOf(JSON.parse(payload))?.["json"] : payload;
}
