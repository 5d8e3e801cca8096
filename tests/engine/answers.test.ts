import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { connectAccount } from "@psn/app/connect-account.ts";
import { assertOutcome, followPost } from "@psn/app/follow-post.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { until } from "../support/until.ts";
import { createWorld, noting } from "../support/world.ts";
import { recorder } from "./recorder.ts";
import { openStage, PLATFORMS, picture, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const texts = () => stage.remote.posts.map(({ text }) => text);
const routes = (account: string) =>
  stage.remote.calls.filter((call) => call.account === account).map(({ route }) => route);
const accountOf = async (id: string) => {
  const found = (await stage.world.stores.accounts.list(stage.userId)).find((account) => account.id === id);
  if (!found) throw new Error("no such account");
  return found;
};
const reconnect = (platform: string) =>
  connectAccount(stage.world, {
    userId: stage.userId,
    platformId: platform,
    consent: { form: { name: `ada-${platform}` } },
    signal: new AbortController().signal,
  });

describe("a post of one text", () => {
  test("costs two database writes: the claim and the settle", async () => {
    const own = await openStage("embedded");
    const account = await own.connect("blind");
    const [id = ""] = await own.post(account);
    const spy = noting(own.db.database);
    const { world } = createWorld(spy.database, { platforms: PLATFORMS, fetch: own.remote.fetch });
    const same = { ...own.world, stores: world.stores };
    // A transaction that writes takes a number, and one that only reads takes none.
    const number = async () =>
      Number((await asOwner<{ xid: string }>(own.db, "SELECT pg_current_xact_id()::text AS xid"))[0]?.xid);
    const before = await number();
    expect(await own.run({ world: same, leaseMs: LEASE_MS })).toHaveLength(1);
    expect((await number()) - before - 1).toBe(2);
    const writes = spy.statements.filter((text) => /psn\.(claim_due|settle)|^\s*(insert|update|delete)/i.test(text));
    expect(writes.map((text) => /claim_due|settle/.exec(text)?.[0])).toEqual(["claim_due", "settle"]);
    const { state, attempt, events, url } = await own.detail(id);
    expect({ state, attempt, events: events.map(({ event }) => event) }).toEqual({
      state: "published",
      attempt: 1,
      events: ["scheduled", "sending", "published"],
    });
    expect(url).toBe(`https://blind.example/${own.remote.posts[0]?.id}`);
  });
});

describe("a token that has expired", () => {
  test("is exchanged once, and the post goes out under the same claim", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    stage.remote.expire("ada-blind");
    await stage.run();
    expect(texts()).toEqual(["hello"]);
    expect(routes("ada-blind").slice(1)).toEqual(["POST /posts", "POST /refresh", "POST /posts"]);
    expect(await stage.detail(id)).toMatchObject({ state: "published", attempt: 1 });
    // What was exchanged is kept: the next post needs no exchange.
    await stage.post(account);
    await stage.run();
    expect(routes("ada-blind").filter((route) => route === "POST /refresh")).toHaveLength(1);
  });

  test("is exchanged once although several deliveries meet it at the same time", async () => {
    const account = await stage.connect("chosen");
    for (let n = 0; n < 2; n += 1) await stage.post(account, { texts: [`post ${n}`] });
    stage.remote.expire("ada-chosen");
    const fetch: typeof stage.world.fetch = async (input, init) => {
      // Long enough for the other one to come with its 401.
      if (String(input).endsWith("/refresh")) await Bun.sleep(300);
      return stage.remote.fetch(input, init);
    };
    await stage.run({ world: { ...stage.world, fetch } });
    expect(texts().sort()).toEqual(["post 0", "post 1"]);
    expect(routes("ada-chosen").filter((route) => route === "POST /refresh")).toHaveLength(1);
  });

  test.each(["blind", "unrefreshed"])(
    "and cannot be exchanged holds the delivery until its user reconnects (%s)",
    async (platform) => {
      const account = await stage.connect(platform);
      const [id = ""] = await stage.post(account);
      stage.remote.revoke(`ada-${platform}`);
      await stage.run();
      expect(await stage.detail(id)).toMatchObject({ state: "held", code: "AUTH_REVOKED" });
      expect((await accountOf(account.id)).health).toBe("needs-reconnect");
      await stage.due();
      expect(await stage.run()).toEqual([]);
      // A new post is refused while nobody could publish it.
      await expect(stage.post(await accountOf(account.id))).rejects.toMatchObject({
        code: "AUTH_REQUIRED",
        exit: 4,
        hint: `psn connect ${platform}`,
      });

      await reconnect(platform);
      expect((await accountOf(account.id)).health).toBe("ok");
      await stage.run();
      expect(await stage.detail(id)).toMatchObject({ state: "published", code: null });
      expect(texts()).toEqual(["hello"]);
    },
  );

  test("ends a wait with exit code 4, also for a post nobody has tried yet", async () => {
    const account = await stage.connect("blind");
    const [first = ""] = await stage.post(account);
    const [second = ""] = await stage.post(account, { inMs: 60_000 });
    stage.remote.revoke("ada-blind");
    for (const id of [first, second]) {
      const { postId } = await stage.detail(id);
      const stop = AbortSignal.timeout(5000);
      const ended = await followPost({ world: stage.world, userId: stage.userId, postId, version: "0", stop });
      expect(stop.aborted).toBe(false);
      expect(() => assertOutcome(ended)).toThrow(
        expect.objectContaining({ code: "AUTH_REVOKED", exit: 4, hint: "psn connect blind:ada-blind" }),
      );
    }
    expect((await stage.detail(second)).state).toBe("scheduled");
  });

  test("and meets a broken exchange is tried again later: nothing was sent", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    stage.remote.expire("ada-blind");
    const broken = {
      ...stage.world,
      fetch: (async (input, init) =>
        String(input).endsWith("/refresh")
          ? new Response("<html>")
          : stage.remote.fetch(input, init)) as typeof stage.world.fetch,
    };
    await stage.run({ world: broken });
    expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: "PLATFORM_DOWN" });
    await stage.due();
    await stage.run();
    expect(texts()).toEqual(["hello"]);
  });
});

describe("a platform that asks for a pause", () => {
  test("gets it for its own time, while other accounts go on", async () => {
    const [slow, other] = [await stage.connect("chosen", "slow"), await stage.connect("chosen", "other")];
    const [paused = ""] = await stage.post(slow);
    await stage.post(slow, { texts: ["next"], inMs: -500 });
    stage.remote.fault({ status: 429, reason: "too many", retryAfter: 37 }, "slow");
    stage.remote.fault({ status: 429, reason: "too many", retryAfter: 37 }, "slow");
    await stage.run();
    await stage.post(other, { texts: ["other"] });
    await stage.run();
    expect(texts()).toEqual(["other"]);
    const until = (await accountOf(slow.id)).pausedUntil?.getTime() ?? 0;
    expect(until - Date.now()).toBeGreaterThan(30_000);
    expect(until - Date.now()).toBeLessThan(38_000);
    expect(await stage.detail(paused)).toMatchObject({ state: "scheduled", code: "RATE_LIMITED" });
    // Not even a delivery of that account that is due otherwise.
    await stage.post(slow, { texts: ["third"] });
    expect(await stage.run()).toEqual([]);
    await stage.due();
    await stage.run();
    await stage.run();
    expect(texts().sort()).toEqual(["hello", "next", "other", "third"]);
  });
});

describe("a platform that cannot be reached", () => {
  test("is tried again, later and later, and then reached", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      stage.remote.fault("refused");
      await stage.run();
      const { state, code, wakeAt, attempt: counted } = await stage.detail(id);
      expect({ state, code, counted }).toEqual({ state: "scheduled", code: "PLATFORM_UNREACHABLE", counted: attempt });
      waits.push(wakeAt.getTime() - Date.now());
      expect(await stage.run()).toEqual([]);
      await stage.due();
    }
    for (const [index, wait] of waits.entries()) {
      const expected = 5000 * 2 ** index * 0.75;
      expect(wait).toBeGreaterThan(expected - 2000);
      expect(wait).toBeLessThanOrEqual(expected + 500);
    }
    await stage.run();
    expect(texts()).toEqual(["hello"]);
    expect((await stage.detail(id)).events.map(({ event }) => event)).toEqual([
      "scheduled",
      ...Array(4).fill(["sending", "retrying"]).flat(),
      "sending",
      "published",
    ]);
  });
});

describe("a clear refusal", () => {
  test("fails with the platform's own reason, and is not sent again until its user says so", async () => {
    const account = await stage.connect("keyed");
    const [id = ""] = await stage.post(account);
    stage.remote.fault({ status: 422, reason: "text is too rude" });
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({
      state: "failed",
      code: "PLATFORM_REJECTED",
      message: "keyed.example refused with 422: text is too rude",
    });
    await stage.due();
    await stage.expire();
    expect(await stage.run()).toEqual([]);
    expect(texts()).toEqual([]);
    await changeDeliveries(stage.world, { userId: stage.userId, id, change: { to: "retry" }, dryRun: false });
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "published", code: null, attempt: 1 });
    expect(texts()).toEqual(["hello"]);
  });

  test("for one account never stops another", async () => {
    const accounts = [
      await stage.connect("blind", "bad"),
      await stage.connect("blind", "good"),
      await stage.connect("chosen", "fine"),
    ];
    stage.remote.always("bad", { status: 400, reason: "no" });
    const ids = await stage.post(accounts);
    await stage.run();
    const ended = await Promise.all(ids.map((id) => stage.detail(id)));
    expect(Object.fromEntries(ended.map(({ handle, state }) => [handle, state]))).toEqual({
      bad: "failed",
      good: "published",
      fine: "published",
    });
    expect(() => assertOutcome(ended)).toThrow(
      expect.objectContaining({ code: "PUBLISH_PARTIAL", exit: 5, message: expect.stringContaining("blind:bad: ") }),
    );
  });
});

describe("a platform that is still processing", () => {
  test("is asked until it is done, and sent nothing more", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    stage.remote.fault("pending");
    stage.remote.stillPending = 2;
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "pending" });
    await until("it is out", async () => {
      await stage.run();
      return (await stage.detail(id)).state === "published";
    });
    expect(routes("ada-blind").filter((route) => route === "POST /posts")).toHaveLength(1);
    expect(routes("ada-blind").filter((route) => route === "GET /jobs")).toHaveLength(3);
    expect(texts()).toEqual(["hello"]);
  });

  test.each([false, true])(
    "and refuses the question: no verdict on the post, unless the adapter says so (%s)",
    async (neverTaken) => {
      const refusing: Platform = {
        ...recorder("blind", { duplicates: "ask-human", lookup: false }),
        poll: async () => Promise.reject(new PsnError("PLATFORM_REJECTED", "no such job", { neverTaken })),
      };
      const own = await openStage("pg", { platforms: [refusing] });
      const [id = ""] = await own.post(await own.connect("blind"));
      own.remote.fault("pending");
      await own.run();
      await own.due();
      await own.run();
      expect((await own.detail(id)).state).toBe(neverTaken ? "failed" : "pending");
      own.clock.passedMs = 25 * 3_600_000;
      await own.due();
      await own.run();
      expect((await own.detail(id)).state).toBe(neverTaken ? "failed" : "unconfirmed");
      expect(own.remote.calls.filter(({ route }) => route === "POST /posts")).toHaveLength(1);
    },
  );

  test("and no longer knows the account is asked again after reconnecting, and sent nothing more", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    stage.remote.fault("pending");
    await stage.run();
    stage.remote.revoke("ada-blind");
    await stage.due();
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "pending", code: "AUTH_REVOKED" });
    expect((await accountOf(account.id)).health).toBe("needs-reconnect");
    await reconnect("blind");
    await stage.due();
    await stage.run();
    expect((await stage.detail(id)).state).toBe("published");
    expect(routes("ada-blind").filter((route) => route === "POST /posts")).toHaveLength(1);
  });

  test("is not asked by a hub that cannot open its credentials, and stays pending", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account);
    stage.remote.fault("pending");
    await stage.run();
    await stage.due();
    const { world: stranger } = createWorld(stage.db.database, { platforms: PLATFORMS, fetch: stage.remote.fetch });
    await stage.run({ world: stranger });
    expect(await stage.detail(id)).toMatchObject({ state: "pending", code: "VAULT_LOCKED" });
    await stage.due();
    await stage.run();
    expect((await stage.detail(id)).state).toBe("published");
  });
});

describe("media", () => {
  test("are uploaded before anything is sent, and not again by the next attempt", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account, { media: [picture()] });
    stage.remote.fault("refused");
    await stage.run();
    const { events, unitList } = await stage.detail(id);
    expect(events.map(({ event }) => event)).toEqual(["scheduled", "claimed", "sending", "retrying"]);
    expect(unitList[0]?.prepared).toEqual([expect.stringMatching(/^media-/)]);
    await stage.due();
    await stage.run();
    expect(routes("ada-blind").slice(1)).toEqual(["POST /media", "POST /posts", "POST /posts"]);
    expect(stage.remote.posts.map(({ media }) => media)).toEqual([unitList[0]?.prepared]);
  });

  test("that take longer than a lease keep it, and no renewal comes after `sending`", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account, { media: [picture()] });
    const leaseMs = 400;
    let states: string[] = [];
    const { stores } = stage.world;
    // A renewal takes its time; the last one is still under way when the upload ends.
    const settle: typeof stores.deliveries.record = async (claim, worker, change) => {
      if (change.state === "claimed") await Bun.sleep(120);
      return stores.deliveries.record(claim, worker, change);
    };
    const slow = {
      ...stage.world,
      stores: { ...stores, deliveries: { ...stores.deliveries, settle } },
      fetch: (async (input, init) => {
        if (String(input).endsWith("/media")) await Bun.sleep(900);
        if (String(input).endsWith("/posts")) {
          await Bun.sleep(150);
          states = (await asOwner<{ state: string }>(stage.db, "SELECT state FROM psn.deliveries")).map(
            ({ state }) => state,
          );
        }
        return stage.remote.fetch(input, init);
      }) as typeof stage.world.fetch,
    };
    const running = stage.run({ leaseMs, world: slow });
    await Bun.sleep(700);
    expect(await stage.run()).toEqual([]);
    await running;
    expect(states).toEqual(["sending"]);
    expect((await stage.detail(id)).state).toBe("published");
    expect(texts()).toEqual(["hello"]);
  });

  test("that cannot be uploaded for the moment are tried again; nothing was sent", async () => {
    const account = await stage.connect("blind");
    const [id = ""] = await stage.post(account, { media: [picture()] });
    const down = {
      ...stage.world,
      fetch: (async (input, init) =>
        String(input).endsWith("/media")
          ? new Response("", { status: 503 })
          : stage.remote.fetch(input, init)) as typeof stage.world.fetch,
    };
    await stage.run({ world: down });
    expect(await stage.detail(id)).toMatchObject({ state: "scheduled", code: "PLATFORM_DOWN" });
    await stage.due();
    await stage.run();
    expect(texts()).toEqual(["hello"]);
  });
});

test("what cannot be cancelled any more says so, and what can is not sent", async () => {
  const account = await stage.connect("blind");
  const [gone = "", kept = ""] = [...(await stage.post(account)), ...(await stage.post(account, { inMs: 60_000 }))];
  await stage.run();
  const refused = await changeDeliveries(stage.world, {
    userId: stage.userId,
    id: gone,
    change: { to: "cancel" },
    dryRun: false,
  }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(PsnError);
  expect(refused).toMatchObject({ code: "STATE_CONFLICT" });
  await changeDeliveries(stage.world, { userId: stage.userId, id: kept, change: { to: "cancel" }, dryRun: false });
  await stage.due();
  expect(await stage.run()).toEqual([]);
  expect(texts()).toEqual(["hello"]);
});
