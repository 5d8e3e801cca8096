import { connectAccount } from "@psn/app/connect-account.ts";
import { examineHub } from "@psn/app/doctor.ts";
import { pruneHub } from "@psn/app/prune-hub.ts";
import { sealCredentials } from "@psn/app/session.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { totalOf } from "@psn/domain/retry-schedule.ts";
import webhook from "@psn/platforms/webhook/index.ts";
import { RETRIES } from "@psn/platforms/webhook/schedule.ts";
import { Webhook } from "standardwebhooks";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage, picture, type Stage } from "./stage.ts";

/*
 * A webhook is tried on a schedule of three days. What is final is final at the first request; an account of which
 * nothing goes out is disabled, and connecting it again lets everything go on.
 */

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let stage: Stage;
let answer: number | "reset";
let headers: Record<string, string>;
let ids: string[];
let [signature, signedAt, body] = ["", new Date(0), ""];
let told: string[];
beforeAll(async () => {
  stage = await openStage("pg", {
    platforms: [webhook],
    random: () => 0,
    fetch: async (_, init) => {
      if (init?.method !== "POST") return new Response(null, { status: 405 });
      const sent = new Headers(init.headers);
      ids.push(sent.get("webhook-id") ?? "");
      signature = sent.get("webhook-signature") ?? "";
      signedAt = new Date(1000 * Number(sent.get("webhook-timestamp")));
      body = String(init.body);
      if (answer === "reset") throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return new Response(null, { status: answer, headers });
    },
  });
  Object.assign(stage.world, { notify: async (line: string) => void told.push(line) });
});
beforeEach(async () => {
  answer = 204;
  headers = {};
  ids = [];
  told = [];
  await asOwner(stage.db, "TRUNCATE psn.accounts, psn.posts CASCADE");
});

async function connect(path = "hook", secret = SECRET): Promise<Account> {
  const form = { url: `https://receiver.example/${path}`, secret };
  const { id } = await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "webhook",
    consent: { form },
    signal: new AbortController().signal,
  });
  const found = (await stage.world.stores.accounts.list(stage.userId)).find((one) => one.id === id);
  if (!found) throw new Error("no account");
  return found;
}

/** As if so much time had gone by, for every instant that the engine looks at. */
async function pass(ms: number): Promise<void> {
  const back = (...columns: string[]) =>
    columns.map((name) => `${name} = ${name} - $1 * interval '1 millisecond'`).join(", ");
  for (const [table, ...columns] of [
    ["deliveries", "due_at", "wake_at", "lease_until", "published_at"],
    ["delivery_units", "sent_at"],
    ["accounts", "paused_until"],
    ["oauth_tokens", "refreshed_at", "secret_until"],
  ] as const)
    await asOwner(stage.db, `UPDATE psn.${table} SET ${back(...columns)}`, [ms]);
}

/** How long until somebody looks at it again, in milliseconds. */
async function waitOf(id: string): Promise<number> {
  const [row] = await asOwner(
    stage.db,
    `SELECT extract(epoch FROM
       greatest(CASE state WHEN 'sending' THEN lease_until ELSE wake_at END, paused_until) - now()) * 1000 AS ms
     FROM psn.deliveries d JOIN (SELECT id AS account, paused_until
       FROM psn.accounts) a ON a.account = d.account_id WHERE d.id = $1`,
    [id],
  );
  return Number(row?.["ms"]);
}

/** Tries until nobody looks any more; the pauses in between. */
async function untilItEnds(id: string): Promise<number[]> {
  const waits: number[] = [];
  for (;;) {
    await stage.run();
    const { state } = await stage.detail(id);
    if (state !== "scheduled" && state !== "sending") return waits;
    if ((await accountOf(id)).health !== "ok") return waits;
    const wait = await waitOf(id);
    waits.push(wait);
    await pass(wait + 1);
  }
}

async function accountOf(id: string): Promise<Account> {
  const { accountId } = await stage.detail(id);
  const found = (await stage.world.stores.accounts.list(stage.userId)).find((one) => one.id === accountId);
  if (!found) throw new Error("no account");
  return found;
}

/**
 * The schedule, give or take what the statements of this test take; a pause of psn's own for a 429 is a minute at
 * least.
 */
function expectSchedule(waits: readonly number[], least = 0): void {
  expect(waits).toHaveLength(RETRIES.length);
  for (const [n, wait] of waits.entries()) {
    const pause = Math.max(RETRIES[n] ?? 0, least);
    expect(wait).toBeGreaterThan(Math.min(pause * 0.5, pause - 5_000));
    expect(wait).toBeLessThanOrEqual(pause + 5_000);
  }
}

test("a repeat whose file is gone is left to a person when the schedule is over, not asked for ever", async () => {
  const [id = ""] = await stage.post(await connect(), { media: [picture()] });
  answer = "reset";
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "OUTCOME_UNKNOWN" });
  await asOwner(stage.db, "UPDATE psn.media SET content = NULL");
  await pass(DAY);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "MEDIA_GONE" });
  await pass(3 * DAY);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({
    state: "unconfirmed",
    message: expect.stringContaining("no clear answer for 3 days"),
  });
  expect(told.filter((line) => line.includes("psn resolve"))).toHaveLength(1);
  expect(ids).toHaveLength(1);
});

test("the schedule spans three days", () => {
  expect(totalOf(RETRIES)).toBeGreaterThanOrEqual(3 * DAY);
  expect(totalOf(RETRIES)).toBeLessThan(3.5 * DAY);
});

describe("weather", () => {
  test.each([404, 425, 429] as const)(
    "%i, which took nothing, is tried along the whole schedule, and then waits for its user",
    async (status) => {
      const account = await connect();
      answer = status;
      const [id = ""] = await stage.post(account);
      const waits = await untilItEnds(id);
      expectSchedule(waits, status === 429 ? 60_000 : 0);
      expect(ids).toHaveLength(RETRIES.length + 1);
      expect(new Set(ids).size).toBe(1);
      expect(await stage.detail(id)).toMatchObject({ state: "held", unitList: [{ state: "waiting" }] });
      expect(await accountOf(id)).toMatchObject({ health: "needs-reconnect" });
    },
  );

  test.each([408, 500, 502, 503, 504, "reset"] as const)(
    "%s, which may have taken it, is repeated along the whole schedule",
    async (status) => {
      const account = await connect();
      answer = status;
      const [id = ""] = await stage.post(account);
      const waits = await untilItEnds(id);
      expectSchedule(waits);
      expect(ids).toHaveLength(RETRIES.length + 1);
      expect(new Set(ids).size).toBe(1);
      // Nobody knows whether it was taken, and nothing has gone out since: it waits for its user.
      expect(await stage.detail(id)).toMatchObject({ state: "sending", unitList: [{ state: "sending" }] });
      expect(await accountOf(id)).toMatchObject({ health: "needs-reconnect" });
    },
  );

  test("a receiver that is back after a minute has the post, once", async () => {
    const account = await connect();
    answer = 404;
    const [id = ""] = await stage.post(account);
    for (let passed = 0; passed < 60_000; ) {
      await stage.run();
      const wait = await waitOf(id);
      await pass(wait + 1);
      passed += wait;
    }
    answer = 204;
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published" });
  });

  test("a pause that the receiver asks for is kept where it is longer, and shortens none", async () => {
    const account = await connect();
    answer = 404;
    headers = { "retry-after": "3600" };
    const [id = ""] = await stage.post(account);
    await stage.run();
    expect(Math.abs((await waitOf(id)) - HOUR)).toBeLessThan(5_000);
    await pass(HOUR + 1);
    headers = { "retry-after": "1" };
    await stage.run();
    expect(await waitOf(id)).toBeGreaterThan(20_000);
  });

  test("what waited for its next try is not late", async () => {
    const account = await connect();
    answer = 404;
    const [id = ""] = await stage.post(account);
    for (let passed = 0; passed < 26 * HOUR; ) {
      await stage.run();
      const wait = await waitOf(id);
      await pass(wait + 1);
      passed += wait;
    }
    answer = 204;
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published" });
  });

  test("a 404 to a repeat says nothing of the first request", async () => {
    const account = await connect();
    answer = "reset";
    const [id = ""] = await stage.post(account);
    await stage.run();
    answer = 404;
    await pass((await waitOf(id)) + 1);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "sending", unitList: [{ state: "sending" }] });
    answer = 204;
    await pass((await waitOf(id)) + 1);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published" });
  });
});

describe("what is final", () => {
  test.each([400, 402, 403, 405, 406, 409, 411, 413, 414, 415, 418, 422, 426, 431, 451])(
    "%i fails at the first request",
    async (status) => {
      const account = await connect();
      answer = status;
      const [id = ""] = await stage.post(account);
      await stage.run();
      expect(await stage.detail(id)).toMatchObject({ state: "failed", unitList: [{ state: "waiting" }] });
      await pass(DAY);
      await stage.run();
      expect(ids).toHaveLength(1);
      expect(await accountOf(id)).toMatchObject({ health: "ok" });
    },
  );

  test.each([
    [401, /answered 401: it does not accept psn's signature/],
    [410, /answered 410: it accepts no more posts/],
  ])("%i disables the account; connecting it again sends what waits", async (status, says) => {
    const account = await connect();
    answer = status;
    const [id = ""] = await stage.post(account);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "held", unitList: [{ state: "waiting" }] });
    expect(await accountOf(id)).toMatchObject({ health: "needs-reconnect", healthReason: expect.stringMatching(says) });
    expect(told).toEqual([expect.stringContaining("psn connect webhook:receiver.example/hook")]);
    answer = 204;
    await connect();
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published" });
  });
});

describe("a secret that an earlier psn took, without its padding or with too much", () => {
  const checks = () =>
    examineHub(
      stage.world,
      { id: stage.userId, handle: "ada", timeZone: "UTC" },
      { network: true, signal: new AbortController().signal, watchdogMinutes: 5, hears: async () => undefined },
    );

  test.each([SECRET.replace(/=$/, ""), `${SECRET}=`])(
    "publishes, is warned of, and can be replaced: %s",
    async (stored) => {
      const account = await connect();
      const row = { id: stage.world.newId(), version: 1 };
      const sealed = sealCredentials(stage.world, {
        userId: stage.userId,
        row,
        account,
        credentials: { access: stored, scopes: [] },
      });
      await stage.world.stores.accounts.connect(stage.userId, account, sealed);
      const [id = ""] = await stage.post(account);
      await stage.run();
      expect(await stage.detail(id)).toMatchObject({ state: "published" });
      expect(new Webhook(SECRET).sign(ids[0] ?? "", signedAt, body)).toBe(signature);
      expect(await checks()).toContainEqual({
        name: "account webhook:receiver.example/hook",
        status: "warn",
        said: expect.stringMatching(/base64 padding/),
        fix: "psn connect webhook:receiver.example/hook --secret-new --secret-overlap 24h",
      });
      // What it has may stay, and another account is connected beside it.
      await connect("hook", "");
      await connect("other", `whsec_${Buffer.alloc(32, 8).toString("base64")}`);
      await expect(connect("hook", stored)).rejects.toMatchObject({ code: "INPUT_INVALID" });
      await connect("hook", `whsec_${Buffer.alloc(32, 9).toString("base64")}`);
      expect(await checks()).not.toContainEqual(expect.objectContaining({ said: expect.stringMatching(/padding/) }));
    },
  );

  test("of which nothing can be read does not end what is asked of all accounts", async () => {
    const account = await connect();
    const row = { id: stage.world.newId(), version: 1 };
    const broken = { access: "nonsense", secret: "not json", scopes: [] };
    await stage.world.stores.accounts.connect(
      stage.userId,
      account,
      sealCredentials(stage.world, { userId: stage.userId, row, account, credentials: broken }),
    );
    expect(await checks()).toContainEqual(
      expect.objectContaining({ name: "account webhook:receiver.example/hook", status: "ok" }),
    );
    await connect("other", `whsec_${Buffer.alloc(32, 8).toString("base64")}`);
    await connect("hook", SECRET);
  });
});

describe("three days without a single success", () => {
  /** Two posts that fail for three days: one that was never taken, one of which nobody knows. */
  async function longFailure(): Promise<readonly [string, string]> {
    const account = await connect();
    answer = 503;
    const [unknown = ""] = await stage.post(account);
    await stage.run();
    answer = 404;
    const [refused = ""] = await stage.post(account);
    for (let passed = 0; passed < 4 * DAY && (await accountOf(refused)).health === "ok"; ) {
      await stage.run();
      const wait = Math.max(1, Math.min(await waitOf(unknown), await waitOf(refused)));
      await pass(wait + 1);
      passed += wait;
    }
    return [unknown, refused];
  }

  test("disable the account, and say so to its user, in accounts and in doctor", async () => {
    const [unknown, refused] = await longFailure();
    const account = await accountOf(refused);
    expect(account).toMatchObject({
      health: "needs-reconnect",
      healthReason: expect.stringMatching(
        /^every post to it has failed for 3 days, the last one since receiver\.example/,
      ),
    });
    expect(told).toEqual([expect.stringMatching(/^webhook:receiver\.example\/hook must be reconnected \(every post/)]);
    const checks = await examineHub(
      stage.world,
      { id: stage.userId, handle: "ada", timeZone: "UTC" },
      {
        network: true,
        signal: new AbortController().signal,
        watchdogMinutes: 5,
        hears: async () => undefined,
      },
    );
    expect(checks).toContainEqual({
      name: "account webhook:receiver.example/hook",
      status: "fail",
      said: account.healthReason,
      fix: "psn connect webhook:receiver.example/hook",
    });
    for (const id of [unknown, refused]) expect((await stage.detail(id)).state).not.toMatch(/failed|unconfirmed/);
    const before = ids.length;
    await pass(DAY);
    await stage.run();
    expect(ids).toHaveLength(before);
  });

  test("and connecting it again, with the secret it has, sends all of it, once", async () => {
    const deliveries = await longFailure();
    answer = 204;
    ids.length = 0;
    await connect("hook", "");
    await stage.run();
    for (const id of deliveries) expect(await stage.detail(id)).toMatchObject({ state: "published" });
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(2);
  });

  test("a receiver that is still away then gets the whole schedule again, and is not disabled at once", async () => {
    const [, refused] = await longFailure();
    await connect();
    await stage.run();
    expect(await accountOf(refused)).toMatchObject({ health: "ok" });
    expect(await stage.detail(refused)).toMatchObject({ state: "scheduled" });
  });

  test("one success in between, and the post fails by itself", async () => {
    const account = await connect();
    answer = 404;
    const [id = ""] = await stage.post(account);
    for (let n = 0; n < RETRIES.length; n += 1) {
      await stage.run();
      await pass((await waitOf(id)) + 1);
    }
    answer = 204;
    const [good = ""] = await stage.post(account, { inMs: -1 });
    await asOwner(stage.db, "UPDATE psn.deliveries SET wake_at = now() + interval '1 hour' WHERE id = $1", [id]);
    await stage.run();
    expect(await stage.detail(good)).toMatchObject({ state: "published" });
    answer = 404;
    await pass(HOUR + 1);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "failed", code: "PLATFORM_DOWN" });
    expect(await accountOf(id)).toMatchObject({ health: "ok" });
  });
});

test("connecting again with another secret tries what waits at once, but keeps the receiver's own pause", async () => {
  const account = await connect();
  answer = 404;
  const [id = ""] = await stage.post(account);
  for (let n = 0; n < 7; n += 1) {
    await stage.run();
    await pass((await waitOf(id)) + 1);
  }
  await stage.run();
  expect(await waitOf(id)).toBeGreaterThan(HOUR);
  answer = 204;
  await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() + interval '1 minute'");
  await connect("hook", `whsec_${Buffer.alloc(32, 8).toString("base64")}`);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "scheduled" });
  await pass(60_001);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
});

test("a secret whose time is over is removed from the database, and no other", async () => {
  const account = await connect();
  const other = await connect("other");
  const form = {
    url: "https://receiver.example/hook",
    secret: `whsec_${Buffer.alloc(32, 8).toString("base64")}`,
    "secret-overlap": "24h",
  };
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "webhook",
    consent: { form },
    signal: new AbortController().signal,
  });
  const secretOf = async ({ id }: Account) =>
    (await stage.world.stores.accounts.credentials(stage.userId, id))?.secret ?? null;
  await pruneHub(stage.world, () => undefined);
  expect(await secretOf(account)).toMatch(/^v\d/);
  await pass(DAY + 1_000);
  await pruneHub(stage.world, () => undefined);
  expect([await secretOf(account), await secretOf(other)]).toEqual([null, null]);
  const [id = ""] = await stage.post(account);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
});
