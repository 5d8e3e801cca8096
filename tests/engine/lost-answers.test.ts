import { resolveDelivery } from "@psn/app/change-deliveries.ts";
import { connectAccount } from "@psn/app/connect-account.ts";
import { PsnError } from "@psn/core/errors.ts";
import { SETTLE_PATIENCE_MS } from "@psn/domain/delivery.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { someOf } from "../support/how-much.ts";
import { LOST } from "./recorder.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const texts = () => stage.remote.posts.map(({ text }) => text);
const sends = () => stage.remote.calls.filter(({ route }) => route === "POST /posts");
const MINUTE = 60_000;
const DAY = 24 * 3_600_000;

/** Lets the lease of what is unknown end, and acts on it. */
async function settle(): Promise<void> {
  await stage.expire();
  await stage.run();
}

async function lose(platform: string, fault: Parameters<Stage["remote"]["fault"]>[0]): Promise<string> {
  const [id = ""] = await stage.post(await stage.connect(platform));
  stage.remote.fault(fault);
  await stage.run();
  return id;
}

describe.each(someOf(LOST))("an answer lost to %s", (fault) => {
  test.each(["chosen", "keyed", "searched"])("is never sent again blindly, and found (%s)", async (platform) => {
    const id = await lose(platform, fault);
    expect(await stage.detail(id)).toMatchObject({
      state: "sending",
      code: fault === "garbage-after" ? "PLATFORM_CHANGED" : "OUTCOME_UNKNOWN",
    });
    // Not even when it is asked for at once.
    expect(await stage.run()).toEqual([]);
    await settle();
    const { state, url, events } = await stage.detail(id);
    expect({ state, url }).toEqual({
      state: "published",
      url: `https://${platform}.example/${stage.remote.posts[0]?.id}`,
    });
    expect(events.map(({ event }) => event)).toEqual([
      "scheduled",
      "sending",
      "outcome unknown",
      "settling",
      "published",
    ]);
    expect(texts()).toEqual(["hello"]);
    expect(sends()).toHaveLength(1);
  });

  test("becomes a question to its user where nothing can be asked", async () => {
    const id = await lose("blind", fault);
    await settle();
    expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED" });
    for (let n = 0; n < 3; n += 1) {
      await stage.due();
      await settle();
    }
    expect(sends()).toHaveLength(1);
    await resolveDelivery(stage.world, { userId: stage.userId, id, live: "https://blind.example/1" });
    expect(await stage.detail(id)).toMatchObject({ state: "published", url: "https://blind.example/1", code: null });
    expect(await stage.run()).toEqual([]);
    expect(texts()).toEqual(["hello"]);
  });
});

describe.each(["reset-before", "500-before"] as const)("a post lost to %s", (fault) => {
  test("is sent again at once where psn chose the id, at the same instant and under the same key", async () => {
    const id = await lose("chosen", fault);
    await settle();
    expect((await stage.detail(id)).state).toBe("published");
    expect(texts()).toEqual(["hello"]);
    expect(new Set(sends().map(({ sent }) => `${sent?.at} ${sent?.key}`)).size).toBe(1);
    expect(sends()).toHaveLength(2);
  });

  test("is sent again with its key once the platform has had a minute to show it", async () => {
    const id = await lose("keyed", fault);
    for (let n = 0; n < 3; n += 1) await settle();
    expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "OUTCOME_UNKNOWN" });
    expect(sends()).toHaveLength(1);
    stage.clock.passedMs = SETTLE_PATIENCE_MS;
    await settle();
    expect((await stage.detail(id)).state).toBe("published");
    expect(new Set(sends().map(({ sent }) => `${sent?.at} ${sent?.key}`)).size).toBe(1);
    expect(texts()).toEqual(["hello"]);
  });

  test("is not sent again where there is no key, and its user decides", async () => {
    const id = await lose("searched", fault);
    await settle();
    expect((await stage.detail(id)).state).toBe("sending");
    stage.clock.passedMs = SETTLE_PATIENCE_MS;
    await settle();
    expect((await stage.detail(id)).state).toBe("unconfirmed");
    expect(sends()).toHaveLength(1);
    stage.clock.passedMs = 0;
    await resolveDelivery(stage.world, { userId: stage.userId, id, live: undefined });
    await stage.run();
    expect((await stage.detail(id)).state).toBe("published");
    expect(texts()).toEqual(["hello"]);
  });
});

test.each([5 * MINUTE, -5 * MINUTE])(
  "a worker whose clock is %d ms off waits as long as any other, and goes by the database's",
  async (off) => {
    stage.clock.aheadMs = off;
    const id = await lose("keyed", "reset-before");
    await settle();
    expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "OUTCOME_UNKNOWN" });
    expect(sends()).toHaveLength(1);
    stage.clock.passedMs = SETTLE_PATIENCE_MS;
    await settle();
    expect((await stage.detail(id)).state).toBe("published");
    const [at] = sends().map(({ sent }) => sent?.at);
    expect(Math.abs(Date.now() - Date.parse(String(at)))).toBeLessThan(MINUTE);
  },
);

test("what waits for an answer keeps nothing of its account's from going out", async () => {
  const account = await stage.connect("keyed");
  await stage.post(account, { texts: ["lost one"] });
  await stage.post(account, { texts: ["lost two"] });
  stage.remote.fault("reset-before");
  stage.remote.fault("reset-before");
  await stage.run();
  // As many as the account may have in flight are unknown, and will be for a minute.
  await stage.post(account, { texts: ["the next"] });
  await stage.run();
  expect(texts()).toEqual(["the next"]);
});

test("a post that shows up late is found before the key is used again", async () => {
  const id = await lose("keyed", "reset-after");
  stage.remote.shows = false;
  await settle();
  expect((await stage.detail(id)).state).toBe("sending");
  stage.remote.shows = true;
  stage.clock.passedMs = SETTLE_PATIENCE_MS;
  await settle();
  expect((await stage.detail(id)).state).toBe("published");
  expect(texts()).toEqual(["hello"]);
});

test("a look-up without an answer decides nothing for a day, and then its user does", async () => {
  const id = await lose("keyed", "reset-after");
  stage.remote.searching = "fails";
  for (const ahead of [MINUTE, 3_600_000, DAY - MINUTE]) {
    stage.clock.passedMs = ahead;
    await settle();
    expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "PLATFORM_DOWN" });
  }
  stage.clock.passedMs = DAY + MINUTE;
  await settle();
  expect((await stage.detail(id)).state).toBe("unconfirmed");
  expect(sends()).toHaveLength(1);
});

test("the questions become rarer the longer the answer is missing", async () => {
  const id = await lose("keyed", "reset-before");
  stage.remote.searching = "fails";
  const waits: number[] = [];
  for (const ahead of [0, 10_000, MINUTE, 3_600_000]) {
    stage.clock.passedMs = ahead;
    await settle();
    const [row] = await asOwner<{ ms: number }>(
      stage.db,
      "SELECT (extract(epoch FROM lease_until - now()) * 1000)::float8 AS ms FROM psn.deliveries WHERE id = $1",
      [id],
    );
    waits.push(row?.ms ?? 0);
  }
  expect(waits[0]).toBeGreaterThan(1000);
  expect(waits[1]).toBeGreaterThan(9000);
  expect(waits[2]).toBeGreaterThan(50_000);
  expect(waits[3]).toBeGreaterThan(14 * MINUTE);
  expect(waits[3]).toBeLessThan(16 * MINUTE);
});

describe("an account that is refused while an answer is lost", () => {
  test.each(["chosen", "keyed", "searched"])(
    "leaves the question open until it is connected again (%s)",
    async (platform) => {
      const id = await lose(platform, "reset-after");
      stage.remote.revoke(`ada-${platform}`);
      await settle();
      expect(await stage.detail(id)).toMatchObject({
        state: "sending",
        code: "AUTH_REVOKED",
        health: "needs-reconnect",
      });
      await settle();
      await connectAccount(stage.world, {
        userId: stage.userId,
        platformId: platform,
        consent: { form: { name: `ada-${platform}` } },
        signal: new AbortController().signal,
      });
      await settle();
      expect((await stage.detail(id)).state).toBe("published");
      expect(texts()).toEqual(["hello"]);
      expect(sends()).toHaveLength(1);
    },
  );

  test("has its token exchanged to ask", async () => {
    const id = await lose("keyed", "reset-after");
    stage.remote.expire("ada-keyed");
    await settle();
    expect((await stage.detail(id)).state).toBe("published");
    expect(sends()).toHaveLength(1);
  });
});

describe("a repeat that fails", () => {
  test.each(["refused", { status: 429, reason: "slowly", retryAfter: 5 }] as const)(
    "with %o keeps the first attempt's instant: its post may yet be there",
    async (fault) => {
      const id = await lose("chosen", "reset-after");
      stage.remote.shows = false;
      stage.remote.fault(fault);
      await settle();
      expect(await stage.detail(id)).toMatchObject({ state: "sending" });
      // A 429 pauses the account.
      await stage.due();
      await settle();
      expect((await stage.detail(id)).state).toBe("published");
      expect(texts()).toEqual(["hello"]);
      expect(new Set(sends().map(({ sent }) => sent?.at)).size).toBe(1);
    },
  );

  test.each([400, 404, 409, 410, 422])(
    "with a refusal (%i) says nothing of the first attempt: a person decides",
    async (status) => {
      const id = await lose("chosen", "reset-before");
      stage.remote.fault({ status, reason: "no" });
      await settle();
      const { state, code, message, unitList } = await stage.detail(id);
      expect({ state, code, unit: unitList[0]?.state }).toEqual({
        state: "unconfirmed",
        code: "UNCONFIRMED",
        unit: "sending",
      });
      expect(message).toMatch(/^the first answer was lost, and a second request was refused: .*no$/);
    },
  );
});

test("what an adapter did not foresee is an unknown outcome and not a refusal", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  const platforms = {
    ...stage.world.platforms,
    load: async (name: string) => ({
      ...(await stage.world.platforms.load(name)),
      publish: async () => {
        throw new TypeError("undefined is not a function");
      },
    }),
  };
  await stage.run({ world: { ...stage.world, platforms } });
  expect(await stage.detail(id)).toMatchObject({ state: "sending", code: "OUTCOME_UNKNOWN" });
  await settle();
  expect(texts()).toEqual(["hello"]);
});

test("only what is unconfirmed can be resolved", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  await stage.run();
  await expect(resolveDelivery(stage.world, { userId: stage.userId, id, live: undefined })).rejects.toThrow(PsnError);
  expect((await stage.detail(id)).state).toBe("published");
});
