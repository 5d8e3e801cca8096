import { connectAccount } from "@psn/app/connect-account.ts";
import { pruneHub } from "@psn/app/prune-hub.ts";
import { refreshTokens } from "@psn/app/refresh-tokens.ts";
import { schedulePost } from "@psn/app/schedule-post.ts";
import { ERRORS, type ErrorCode, PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { catchError, onFailure, RETRY, runDelivery, verdict } from "@psn/trigger/delivery.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { task } from "@trigger.dev/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { version } from "../../package.json";
import { LOST } from "../engine/recorder.ts";
import { picture } from "../engine/stage.ts";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { asOwner } from "../support/databases.ts";
import { attempt, CRON_PAYLOAD } from "../support/trigger-harness.ts";
import { atMost } from "../support/until.ts";
import { openTaskHub, openTaskStage, type TaskHub, type TaskStage } from "./stage.ts";

/* What each task does and what Trigger.dev makes of it, by Trigger.dev's own executor. */

const CODES = Object.keys(ERRORS) as ErrorCode[];
const DAY = 24 * 3_600_000;
const before = { ...process.env };

let hub: TaskHub;
let receiver: Receiver;
beforeAll(async () => {
  receiver = startReceiver();
  hub = await openTaskHub(receiver.url);
  await connectAccount(hub.world, {
    userId: hub.userId,
    platformId: "webhook",
    consent: { form: { url: receiver.url, secret: receiver.secret } },
    signal: new AbortController().signal,
  });
});
beforeEach(() => {
  Object.assign(process.env, hub.env);
});
afterEach(() => {
  for (const name of Object.keys(hub.env)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  hub.gateway.faults.clear();
  receiver.refuse(undefined);
});
afterAll(async () => {
  await hub?.close();
  await receiver?.stop();
});

async function postOf(media: readonly NewMedia[] = []): Promise<string> {
  const { world, userId } = hub;
  const accounts = await world.stores.accounts.list(userId);
  const draft = { parts: [{ text: "hello", media }] as const, overrides: {}, split: false, numbered: false };
  const due = { at: new Date(Date.now() - 1000), wallTime: null, timeZone: null };
  const { postId } = await schedulePost(world, { userId, draft, accounts, due, idempotencyKey: null });
  const [delivery] = await world.stores.posts.ofPost(userId, postId);
  return delivery?.id ?? "";
}
const payloadOf = (deliveryId: string) => ({ deliveryId, userId: hub.userId });
const change = (statement: string, ...values: unknown[]) => asOwner(hub.db, statement, values);
async function detail(id: string) {
  const [found] = await hub.world.stores.posts.detail(hub.userId, [id]);
  if (!found) throw new Error("no such delivery");
  return found;
}
const eventsOf = async (id: string) =>
  (await detail(id)).events.map(({ event, note, actor }) => [event, note, actor.replace(/-[0-9a-f]{12}$/, "-<run>")]);

describe("what a failure means to Trigger.dev", () => {
  const probe = task({
    id: "probe",
    retry: RETRY,
    run: async ({ code, retryAfterMs }: { code: ErrorCode; retryAfterMs?: number }) => {
      throw verdict(new PsnError(code, "it failed", retryAfterMs === undefined ? {} : { retryAfterMs }));
    },
    catchError,
  });
  const passing = CODES.filter((code) => ERRORS[code].retry === "backoff");

  test.each(CODES.filter((code) => !passing.includes(code)))("%s ends the run", async (code) => {
    const decided = await attempt(probe.id, { code });
    expect(decided).toMatchObject({
      ok: false,
      skippedRetrying: true,
      error: { name: "AbortTaskRunError", message: `${code}: it failed` },
    });
    expect(decided.retry ?? null).toBeNull();
    // Not even at a time that somebody named.
    expect((await attempt(probe.id, { code, retryAfterMs: 1000 })).retry ?? null).toBeNull();
  });

  test.each(passing)("%s is tried again, later each time, or when the platform said", async (code) => {
    const first = await attempt(probe.id, { code });
    expect(first).toMatchObject({ ok: false, skippedRetrying: false });
    expect(first.retry?.delay).toBeGreaterThanOrEqual(1_000);
    expect(first.retry?.delay).toBeLessThanOrEqual(2_000);
    expect((await attempt(probe.id, { code }, 39)).retry?.delay).toBe(15 * 60_000);
    const named = await attempt(probe.id, { code, retryAfterMs: 90_000 });
    expect(Math.abs((named.retry?.timestamp ?? 0) - Date.now() - 90_000)).toBeLessThan(atMost(5_000));
    const last = await attempt(probe.id, { code }, RETRY.maxAttempts);
    expect(last.retry ?? null).toBeNull();
  });
});

describe.each(["publish-delivery", "settle-unknown"])("%s", (id) => {
  test("publishes, and shows what came of it", async () => {
    const deliveryId = await postOf();
    const decided = await attempt(id, payloadOf(deliveryId));
    expect(decided).toMatchObject({ ok: true });
    expect(JSON.parse(decided.output ?? "")).toEqual({ json: { state: "published", acted: true } });
    expect(receiver.taken.at(-1)).toMatchObject({ text: "hello" });
    expect(await eventsOf(deliveryId)).toEqual([
      ["scheduled", null, "user"],
      ["sending", null, "trigger.dev-<run>"],
      ["published", expect.stringContaining(receiver.url), "trigger.dev-<run>"],
    ]);
  });

  test("comes again when the platform said", async () => {
    const deliveryId = await postOf();
    receiver.refuse(429);
    const decided = await attempt(id, payloadOf(deliveryId));
    receiver.refuse(undefined);
    expect(decided).toMatchObject({ ok: false, error: { name: "PsnError" } });
    const { wakeAt } = await detail(deliveryId);
    expect(Math.abs((decided.retry?.timestamp ?? 0) - wakeAt.getTime())).toBeLessThan(atMost(5_000));
    expect((await eventsOf(deliveryId)).map(([event]) => event)).toEqual(["scheduled", "sending", "paused"]);
    await change("UPDATE psn.accounts SET paused_until = NULL");
    await change("UPDATE psn.deliveries SET wake_at = now() WHERE id = $1", deliveryId);
    expect(await attempt(id, payloadOf(deliveryId), 2)).toMatchObject({ ok: true });
    expect((await detail(deliveryId)).state).toBe("published");
  });

  test("that the platform refuses is over, and its history says so once", async () => {
    const deliveryId = await postOf();
    receiver.refuse(422);
    const decided = await attempt(id, payloadOf(deliveryId));
    expect(decided).toMatchObject({ ok: false, skippedRetrying: true });
    expect(decided.error?.message).toMatch(/^PLATFORM_REJECTED: /);
    expect((await eventsOf(deliveryId)).map(([event]) => event)).toEqual(["scheduled", "sending", "failed"]);
  });

  test("that fails beside its delivery leaves a line in the delivery's history", async () => {
    const deliveryId = await postOf();
    await change("INSERT INTO psn.migrations (number, hash) VALUES (1000, 'of a newer psn')");
    const decided = await attempt(id, payloadOf(deliveryId));
    await change("DELETE FROM psn.migrations WHERE number = 1000");
    expect(decided).toMatchObject({ ok: false, skippedRetrying: true });
    const [, line, ...others] = await eventsOf(deliveryId);
    expect(others).toEqual([]);
    expect(line).toEqual(["run failed", expect.stringMatching(/^SCHEMA_NEWER: /), "trigger.dev"]);
    expect((await detail(deliveryId)).state).toBe("scheduled");
    expect(await attempt(id, payloadOf(deliveryId))).toMatchObject({ ok: true });
  });

  test("says so in the delivery's history when the database fails it until the last attempt", async () => {
    const deliveryId = await postOf();
    hub.gateway.faults.next({ kind: "answer", status: 400, body: "boom" }, { statement: /claim_one/, times: 2 });
    const first = await attempt(id, payloadOf(deliveryId));
    expect(first).toMatchObject({ ok: false, skippedRetrying: false, error: { name: "PsnError" } });
    expect(first.retry?.delay).toBeLessThanOrEqual(2_000);
    const last = await attempt(id, payloadOf(deliveryId), RETRY.maxAttempts);
    expect(last.retry ?? null).toBeNull();
    const [, line, ...others] = await eventsOf(deliveryId);
    expect(others).toEqual([]);
    expect(line).toEqual(["run failed", expect.stringMatching(/^DB_FAILED: /), "trigger.dev"]);
    expect((await detail(deliveryId)).state).toBe("scheduled");
    await change("DELETE FROM psn.deliveries");
  });

  test.each([undefined, null, "delivery", {}, { deliveryId: "1", userId: "2" }, { deliveryId: Bun.randomUUIDv7() }])(
    "without a delivery, as %j, is over before it asks anybody",
    async (payload) => {
      const requests = hub.gateway.requests.length;
      expect(await attempt(id, payload)).toMatchObject({
        ok: false,
        skippedRetrying: true,
        error: { name: "AbortTaskRunError" },
      });
      expect(hub.gateway.requests.length).toBe(requests);
    },
  );

  test("takes what an older or a newer psn asked for: more fields than it knows", async () => {
    const deliveryId = await postOf();
    const payload = { ...payloadOf(deliveryId), postId: "p", attempt: 3, nested: { more: [1] } };
    expect(await attempt(id, payload)).toMatchObject({ ok: true });
    expect((await detail(deliveryId)).state).toBe("published");
  });

  test("for a delivery that is gone is done", async () => {
    expect(await attempt(id, payloadOf(Bun.randomUUIDv7()))).toMatchObject({ ok: true });
  });

  test("without settings is over, and says what helps and nothing else", async () => {
    delete process.env["DATABASE_URL"];
    const decided = await attempt(id, payloadOf(Bun.randomUUIDv7()));
    expect(decided).toMatchObject({
      ok: false,
      skippedRetrying: true,
      error: { message: expect.stringMatching(/^CONFIG_INVALID: .*DATABASE_URL/) },
    });
    process.env["DATABASE_URL"] = hub.env["DATABASE_URL"] ?? "";
    process.env["HUB_ENCRYPTION_KEY"] = "not-a-key-but-secret";
    const locked = await attempt(id, payloadOf(Bun.randomUUIDv7()));
    expect(locked).toMatchObject({
      ok: false,
      skippedRetrying: true,
      error: { message: expect.stringMatching(/^VAULT_LOCKED: /) },
    });
    expect(JSON.stringify(locked)).not.toContain("not-a-key-but-secret");
  });
});

test("a database that is away is tried again within the attempt, and then by another attempt", async () => {
  const deliveryId = await postOf();
  process.env["NEON_PROXY"] = "http://127.0.0.1:1";
  const decided = await attempt("publish-delivery", payloadOf(deliveryId), RETRY.maxAttempts - 1);
  // The driver's settings are the process's own: the next world puts them back.
  openWorld(hub.env);
  expect(decided).toMatchObject({
    ok: false,
    skippedRetrying: false,
    error: { name: "PsnError", message: "the database does not answer" },
  });
  expect(decided.retry?.delay).toBe(15 * 60_000);
  expect((await detail(deliveryId)).state).toBe("scheduled");
  await change("DELETE FROM psn.deliveries");
});

describe("a delivery in a platform's hands", () => {
  let stage: TaskStage;
  beforeEach(async () => {
    stage = await openTaskStage();
  });
  afterEach(() => stage.close());
  const sends = () => stage.remote.calls.filter(({ route }) => route === "POST /posts");
  const due = async (platform: string) => (await stage.post(await stage.connect(platform)))[0] ?? "";
  const run = (deliveryId: string) => runDelivery({ deliveryId, userId: stage.userId }, stage.world);

  test.each(LOST)("is never sent again by its run when the answer is lost to %s", async (fault) => {
    const id = await due("keyed");
    stage.remote.fault(fault);
    expect(await run(id)).toEqual({ state: "sending", acted: true });
    expect(await run(id)).toEqual({ state: "sending", acted: false });
    await stage.expire();
    expect(await run(id)).toEqual({ state: "published", acted: true });
    expect(sends()).toHaveLength(1);
  });

  test("that nothing can be asked of is its user's to decide", async () => {
    const id = await due("blind");
    stage.remote.fault("reset-after");
    expect(await run(id)).toEqual({ state: "sending", acted: true });
    await stage.expire();
    await expect(run(id)).rejects.toMatchObject({
      name: "AbortTaskRunError",
      message: expect.stringMatching(/^UNCONFIRMED: /),
    });
    expect(await run(id)).toEqual({ state: "unconfirmed", acted: false });
    expect(sends()).toHaveLength(1);
  });

  test("whose account needs its user ends the run, and waits", async () => {
    const id = await due("unrefreshed");
    stage.remote.expire("ada-unrefreshed");
    await expect(run(id)).rejects.toMatchObject({
      name: "AbortTaskRunError",
      message: expect.stringMatching(/^AUTH_REVOKED: /),
    });
    expect((await stage.detail(id)).state).toBe("held");
    expect(await run(id)).toEqual({ state: "held", acted: false });
  });

  test("that was tried as often as it may be has failed, and so has its run", async () => {
    const id = await due("chosen");
    await asOwner(stage.db, "UPDATE psn.deliveries SET attempt = 29");
    stage.remote.fault("refused");
    const failure = await run(id).catch((error: unknown) => error);
    expect((await stage.detail(id)).state).toBe("failed");
    // Nothing is left to try again.
    expect(failure).toMatchObject({ name: "AbortTaskRunError" });
  });

  test("has nothing of an unforeseen failure in its history but that there was one", async () => {
    const id = await due("chosen");
    const payload = { deliveryId: id, userId: stage.userId };
    await onFailure({ payload, error: new TypeError("https://user:secret@example.com") }, stage.world);
    await onFailure({ payload, error: new PsnError("DB_BUSY", "busy") }, stage.world);
    await onFailure({ payload: "none", error: new PsnError("DB_BUSY", "busy") }, stage.world);
    const lines = (await stage.detail(id)).events.filter(({ event }) => event === "run failed").map(({ note }) => note);
    expect(lines).toEqual(["unexpected failure", "DB_BUSY: busy"]);
  });
});

describe("prune", () => {
  const age = (id: string, days: number, state = "published") =>
    change(
      "UPDATE psn.deliveries SET state = $2, updated_at = now() - make_interval(days => $3) WHERE id = $1",
      id,
      state,
      days,
    );
  const kept = async (id: string) =>
    (
      await change(
        "SELECT m.content IS NOT NULL AS here, m.mime FROM psn.media m JOIN psn.deliveries d ON d.post_id = " +
          "m.post_id WHERE d.id = $1",
        id,
      )
    )[0];

  test("drops media a month after their post is out, failed or unknown, and old workers; the rest stays", async () => {
    const [old, young, failed, unsure, recent, open] = [
      await postOf([picture()]),
      await postOf([picture()]),
      await postOf([picture()]),
      await postOf([picture()]),
      await postOf([picture()]),
      await postOf([picture()]),
    ];
    await age(old, 31);
    await age(young, 29);
    await age(failed, 31, "failed");
    await age(unsure, 31, "unconfirmed");
    await age(recent, 29, "failed");
    await change(
      "INSERT INTO psn.workers (name, version, beat_at) VALUES ('gone', '0', now() - interval '8 days'), ('here', " +
        "'0', now())",
    );
    const decided = await attempt("prune", CRON_PAYLOAD);
    expect(decided).toMatchObject({ ok: true });
    expect(decided.output).toContain('"media":3');
    expect(decided.output).toContain('"workers":1');
    for (const id of [old, failed, unsure]) expect(await kept(id)).toEqual({ here: false, mime: "image/png" });
    for (const id of [young, recent, open]) expect(await kept(id)).toEqual({ here: true, mime: "image/png" });
    expect((await detail(old)).events.length).toBeGreaterThan(0);
    expect((await change("SELECT name FROM psn.workers")).map(({ name }) => name)).toContain("here");
    expect((await attempt("prune", CRON_PAYLOAD)).output).toContain('"media":0');
    await change("DELETE FROM psn.deliveries");
  });

  test("forgets an object only when it is gone from the bucket", async () => {
    const [gone, stays] = [await postOf([picture()]), await postOf([picture()])];
    for (const id of [gone, stays]) {
      await age(id, 31);
      await change(
        "UPDATE psn.media SET content = NULL, object_key = 'psn/' || user_id || '/' || $1 WHERE post_id = " +
          "(SELECT post_id FROM psn.deliveries WHERE id = $1)",
        id,
      );
    }
    const removed: string[] = [];
    const bucket: Pick<Bucket, "remove"> = {
      remove: async (key) => {
        if (key.endsWith(stays)) throw new PsnError("VENDOR_UNREACHABLE", "the bucket does not answer");
        removed.push(key);
      },
    };
    const trouble: string[] = [];
    const world = { ...hub.world, bucket: bucket as Bucket };
    expect(await pruneHub(world, ({ code }) => void trouble.push(code))).toMatchObject({ media: 1 });
    expect(removed).toEqual([expect.stringMatching(new RegExp(`^psn/.+/${gone}$`))]);
    expect(trouble).toEqual(["VENDOR_UNREACHABLE"]);
    // Without a bucket nobody can take them out of it, and nothing is forgotten.
    expect(await attempt("prune", CRON_PAYLOAD)).toMatchObject({
      ok: true,
      output: expect.stringContaining('"media":0'),
    });
    expect(await change("SELECT object_key AS key FROM psn.media WHERE object_key IS NOT NULL")).toEqual([
      { key: expect.stringContaining(stays) },
    ]);
    await change("DELETE FROM psn.deliveries");
  });

  test("fails, and is tried again, where a bucket gives none of them up", async () => {
    const id = await postOf([picture()]);
    await age(id, 31);
    await change(
      "UPDATE psn.media SET content = NULL, object_key = 'psn/' || user_id || '/' || $1 WHERE post_id = (SELECT " +
        "post_id FROM psn.deliveries WHERE id = $1)",
      id,
    );
    const away = () => Promise.reject(new PsnError("VENDOR_UNREACHABLE", "the bucket does not answer"));
    const world = { ...hub.world, bucket: { remove: away } as Pick<Bucket, "remove"> as Bucket };
    await expect(pruneHub(world, () => undefined)).rejects.toMatchObject({ code: "VENDOR_UNREACHABLE" });
    await change("DELETE FROM psn.deliveries");
  });
});

describe("refresh-tokens", () => {
  let stage: TaskStage;
  beforeEach(async () => {
    stage = await openTaskStage();
  });
  afterEach(() => stage.close());
  const refreshed = () =>
    stage.remote.calls.filter(({ route }) => route === "POST /refresh").map(({ account }) => account);
  const connect = async (
    platform: string,
    name: string,
    { endsInMs, sinceMs }: { endsInMs: number | null; sinceMs: number },
  ) => {
    const { id } = await stage.connect(platform, name);
    const at = (ms: number | null) => (ms === null ? null : new Date(Date.now() + ms));
    await asOwner(stage.db, "UPDATE psn.oauth_tokens SET expires_at = $2, refreshed_at = $3 WHERE account_id = $1", [
      id,
      at(endsInMs),
      at(-sinceMs),
    ]);
    return id;
  };
  const trouble: string[] = [];
  const refresh = () => {
    trouble.length = 0;
    return refreshTokens(stage.world, (error) => void trouble.push(toPsnError(error).code));
  };
  const health = async (id: string) =>
    (await stage.world.stores.accounts.list(stage.userId)).find((one) => one.id === id)?.health;

  test("exchanges a token near its end and one that nobody used for a week, and no other", async () => {
    const ending = await connect("keyed", "ending", { endsInMs: 10 * 3_600_000, sinceMs: 3 * DAY });
    await connect("keyed", "idle", { endsInMs: null, sinceMs: 8 * DAY });
    await connect("keyed", "fresh", { endsInMs: 3 * DAY, sinceMs: 3 * DAY });
    await connect("keyed", "lasting", { endsInMs: null, sinceMs: 3 * DAY });
    // One of a short life is exchanged when somebody needs it.
    await connect("keyed", "short", { endsInMs: 3_600_000, sinceMs: 3_600_000 });
    const sealed = await stage.world.stores.accounts.credentials(stage.userId, ending);
    expect(await refresh()).toEqual({ refreshed: 2, failed: 0 });
    expect(refreshed().toSorted()).toEqual(["ending", "idle"]);
    expect((await stage.world.stores.accounts.credentials(stage.userId, ending))?.access).not.toBe(sealed?.access);
    expect(await refresh()).toEqual({ refreshed: 0, failed: 0 });
    // What was stored is what the platform now takes.
    const account = (await stage.world.stores.accounts.list(stage.userId)).find(({ id }) => id === ending);
    const [id = ""] = await stage.post(account ?? []);
    expect(await stage.wake(id)).toMatchObject({ state: "published" });
  });

  test("marks an account that only its user can mend, and goes on to the next", async () => {
    const revoked = await connect("keyed", "revoked", { endsInMs: 3_600_000, sinceMs: 3 * DAY });
    const well = await connect("keyed", "well", { endsInMs: 3_600_000, sinceMs: 3 * DAY });
    stage.remote.revoke("revoked");
    expect(await refresh()).toEqual({ refreshed: 1, failed: 1 });
    expect(trouble).toEqual(["AUTH_REVOKED"]);
    expect([await health(revoked), await health(well)]).toEqual(["needs-reconnect", "ok"]);
    expect(await refresh()).toEqual({ refreshed: 0, failed: 0 });
  });

  test("leaves an account well whose platform is only down, and comes again", async () => {
    const id = await connect("keyed", "down", { endsInMs: 3_600_000, sinceMs: 3 * DAY });
    await connect("keyed", "up", { endsInMs: 3_600_000, sinceMs: 3 * DAY });
    const { fetch: through } = stage.world;
    const away = {
      ...stage.world,
      fetch: async (...[input, init]: Parameters<typeof through>) => {
        const bearer = new Headers(init?.headers).get("authorization") ?? "";
        if (bearer.includes("down/")) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
        return through(input, init);
      },
    };
    expect(await refreshTokens(away, ({ code }) => void trouble.push(code))).toEqual({ refreshed: 1, failed: 1 });
    expect(await health(id)).toBe("ok");
    expect(await refresh()).toEqual({ refreshed: 1, failed: 0 });
  });

  test("cannot help where a platform exchanges no tokens", async () => {
    const id = await connect("unrefreshed", "ada", { endsInMs: 3_600_000, sinceMs: 3 * DAY });
    expect(await refresh()).toEqual({ refreshed: 0, failed: 0 });
    expect(await health(id)).toBe("ok");
  });

  test("as a task, on a hub where there is nothing to exchange", async () => {
    expect(await attempt("refresh-tokens", CRON_PAYLOAD)).toMatchObject({
      ok: true,
      output: expect.stringContaining('"refreshed":0'),
    });
  });
});

describe("publish-due", () => {
  test("asks for what nobody was told of, and is heard of by its version", async () => {
    const id = await postOf();
    const runs = hub.api.runs.length;
    const decided = await attempt("publish-due", CRON_PAYLOAD);
    expect(decided.output).toContain('"overdue":1');
    expect(hub.api.runs.slice(runs)).toMatchObject([
      { task: "publish-delivery", queue: "publish-webhook", payload: payloadOf(id), status: "QUEUED" },
    ]);
    expect(await change("SELECT version FROM psn.workers WHERE name = 'trigger.dev'")).toEqual([{ version }]);
    await attempt("publish-delivery", payloadOf(id));
    expect((await attempt("publish-due", CRON_PAYLOAD)).output).toContain('"overdue":0');
  });

  test("fails where the tasks cannot reach Trigger.dev's address, is tried again, leaves no sign of life", async () => {
    await postOf();
    await change("DELETE FROM psn.workers");
    process.env["TRIGGER_API_URL"] = "http://127.0.0.1:1";
    const decided = await attempt("publish-due", CRON_PAYLOAD);
    expect(decided).toMatchObject({
      ok: false,
      skippedRetrying: false,
      error: {
        name: "PsnError",
        message: "Trigger.dev started no task for 1 due post: Trigger.dev does not answer at http://127.0.0.1:1",
      },
    });
    expect(decided.retry?.delay).toBeGreaterThanOrEqual(2_000);
    expect(await change("SELECT name FROM psn.workers")).toEqual([]);
    process.env["TRIGGER_API_URL"] = hub.api.origin;
    expect(await attempt("publish-due", CRON_PAYLOAD, 2)).toMatchObject({
      ok: true,
      output: expect.stringContaining('"missed":0'),
    });
    expect(await change("SELECT name FROM psn.workers")).toEqual([{ name: "trigger.dev" }]);
    await change("DELETE FROM psn.deliveries");
  });

  test.each(["publish-due", "refresh-tokens", "prune"])(
    "%s is tried a few times, and then left to its next time",
    async (id) => {
      hub.gateway.faults.next({ kind: "answer", status: 400, body: "boom" }, { times: 2 });
      const first = await attempt(id, CRON_PAYLOAD);
      expect(first).toMatchObject({ ok: false, error: { name: "PsnError" } });
      expect(first.retry?.delay).toBeGreaterThanOrEqual(2_000);
      expect(first.retry?.delay).toBeLessThanOrEqual(4_000);
      expect((await attempt(id, CRON_PAYLOAD, 3)).retry ?? null).toBeNull();
    },
  );

  test.each(["publish-due", "refresh-tokens", "prune"])(
    "%s is over where the settings are not those of a hub",
    async (id) => {
      process.env["DATABASE_URL"] = "";
      expect(await attempt(id, CRON_PAYLOAD)).toMatchObject({ ok: false, skippedRetrying: true });
    },
  );
});
