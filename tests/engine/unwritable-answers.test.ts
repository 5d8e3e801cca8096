import { PsnError } from "@psn/core/errors.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { asOwner, testDatabases } from "../support/databases.ts";
import { isShort } from "../support/how-much.ts";
import { until } from "../support/until.ts";
import { recorder } from "./recorder.ts";
import { openStage, type Stage, stageOn } from "./stage.ts";

/* What cannot be written down would be sent for ever: any answer a platform can give ends in a written state. */

/** Half an emoji, a NUL, a control character, text of the wrong kind. */
const AWKWARD = [
  "half \ud83d",
  "\ude00 half",
  "a \0 NUL",
  "\u0007\u001b[31m",
  "\uffff\ufffe",
  "x".repeat(200_000),
  '{"a": "\\ud83d"}',
];

test.each(testDatabases.map(({ driver, open }) => [driver, open] as const))(
  "text becomes storable at the one door: %s",
  async (_, open) => {
    const stage = await stageOn(await open());
    const account = await stage.connect("chosen");
    const ids: string[] = [];
    for (const text of AWKWARD) ids.push(...(await stage.post(account, { texts: [text] })));
    for (const [index, id] of ids.entries()) {
      const [unit] = (await stage.detail(id)).unitList;
      const kept = (AWKWARD[index] ?? "").toWellFormed().replaceAll("\0", "\ufffd");
      expect(unit?.unit.text).toBe(kept);
      expect(unit?.unit.body).toEqual({ text: kept });
    }
  },
);

/** Throws or answers what it is told to. */
function telling(): {
  readonly platform: Platform;
  readonly tell: { next: () => never | Awaited<ReturnType<Platform["publish"]>> };
} {
  const base = recorder("chosen", { duplicates: "client-id" });
  const tell = {
    next: () => ({ status: "published" as const, ref: { id: "1", url: "https://chosen.example/1" } }),
  } as ReturnType<typeof telling>["tell"];
  return { tell, platform: { ...base, publish: async () => tell.next() } };
}

async function endedWith(stage: Stage, tell: ReturnType<typeof telling>["tell"], next: typeof tell.next) {
  const account = (await stage.world.stores.accounts.list(stage.userId))[0] ?? (await stage.connect("chosen"));
  tell.next = next;
  const [id = ""] = await stage.post(account);
  // What an earlier answer has left may be asked about first: it takes one of the account's places then, and may be
  // told to pause, or that the account must be connected again.
  await until("the delivery was claimed", async () => {
    await stage.resume();
    const [found] = await stage.world.stores.accounts.list(stage.userId);
    if (found?.health !== "ok") await stage.connect("chosen");
    await stage.run();
    return (await stage.detail(id)).attempt > 0;
  });
  return stage.detail(id);
}

test.each(["pg", "embedded"] as const)("a refusal in any words is written (%s)", async (driver) => {
  const { platform, tell } = telling();
  const stage = await openStage(driver, { platforms: [platform] });
  for (const words of AWKWARD) {
    const ended = await endedWith(stage, tell, () => {
      throw new PsnError("PLATFORM_REJECTED", words);
    });
    expect(ended).toMatchObject({ state: "failed", code: "PLATFORM_REJECTED" });
  }
});

test("any answer ends in a written state", async () => {
  const { platform, tell } = telling();
  const stage = await openStage("pg", { platforms: [platform] });
  await stage.connect("chosen");
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.constantFrom(...AWKWARD));
  const json = fc.jsonValue({ noUnicodeString: false } as object);
  const number = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(Number.MAX_VALUE, -1, 0, Number.POSITIVE_INFINITY, Number.NaN),
  );
  const answer = fc.oneof(
    fc.record({ status: fc.constant("published" as const), ref: fc.record({ id: text, url: text, revision: text }) }),
    fc.record({ status: fc.constant("pending" as const), handle: json as fc.Arbitrary<never>, checkAfterMs: number }),
  );
  const failure = fc.record({
    code: fc.constantFrom(
      "PLATFORM_REJECTED",
      "RATE_LIMITED",
      "PLATFORM_DOWN",
      "OUTCOME_UNKNOWN",
      "AUTH_REVOKED",
      "AUTH_SCOPE",
      "UNCONFIRMED",
    ) as fc.Arbitrary<"UNCONFIRMED">,
    message: text,
    retryAfterMs: number,
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(answer, failure), async (one) => {
      // What an earlier answer has left would be asked about first, and would get this answer.
      await asOwner(stage.db, "TRUNCATE psn.posts CASCADE");
      const account = (await stage.world.stores.accounts.list(stage.userId))[0];
      if (account?.health !== "ok") await stage.connect("chosen");
      const ended = await endedWith(stage, tell, () => {
        if ("status" in one) return one;
        throw new PsnError(one.code, one.message, { retryAfterMs: one.retryAfterMs });
      });
      // Written: whatever it is, the row says more than that something is on its way.
      expect(ended.events.length).toBeGreaterThanOrEqual(3);
    }),
    { numRuns: isShort ? 50 : 150, endOnFailure: true },
  );
});

test.each([-3.7e158, 1.7e308, Number.POSITIVE_INFINITY, Number.NaN])(
  "a pause of %d ms is written",
  async (retryAfterMs) => {
    const { platform, tell } = telling();
    const stage = await openStage("pg", { platforms: [platform] });
    const ended = await endedWith(stage, tell, () => {
      throw new PsnError("RATE_LIMITED", "slowly", { retryAfterMs });
    });
    expect(ended).toMatchObject({ state: "scheduled", code: "RATE_LIMITED" });
  },
);

test("a write that the database refuses for what is in it is made again without the words", async () => {
  const { platform, tell } = telling();
  const stage = await openStage("pg", { platforms: [platform] });
  const { record: settle } = stage.world.stores.deliveries;
  const refused: string[] = [];
  const deliveries: typeof stage.world.stores.deliveries = {
    ...stage.world.stores.deliveries,
    record: async (claim, worker, change) => {
      if (change.message?.includes("odd")) {
        refused.push(change.message);
        throw new PsnError("DB_FAILED", "a statement failed in the database (SQLSTATE 22P02)", {
          details: { code: "22P02" },
        });
      }
      return settle(claim, worker, change);
    },
  };
  const [id = ""] = await stage.post(await stage.connect("chosen"));
  tell.next = () => {
    throw new PsnError("PLATFORM_REJECTED", "odd words");
  };
  await stage.run({ world: { ...stage.world, stores: { ...stage.world.stores, deliveries } } });
  expect(refused).toEqual(["odd words"]);
  expect(await stage.detail(id)).toMatchObject({
    state: "failed",
    code: "PLATFORM_REJECTED",
    message: "what the platform said cannot be kept",
  });
});
