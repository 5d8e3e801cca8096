import { ERRORS, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { SETTLE_PATIENCE_MS } from "@psn/domain/delivery.ts";
import { platforms } from "@psn/platforms/index.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startReceiver } from "../journeys/receiver.ts";
import { startCutting } from "../support/cutting-server.ts";
import { asOwner } from "../support/databases.ts";
import { until } from "../support/until.ts";
import { recorder } from "./recorder.ts";
import { openStage, picture, type Stage } from "./stage.ts";

/*
 * A repeat that fails proves nothing about the attempt before: only where an adapter says that nothing was ever taken
 * does it end as failed, whatever the code and whatever the platform.
 */

const codes = Object.keys(ERRORS) as ErrorCode[];

describe.each(Object.keys(platforms) as (keyof typeof platforms)[])("a repeat on %s", (name) => {
  let stage: Stage;
  const next: { throws: PsnError | undefined } = { throws: undefined };
  let account: Awaited<ReturnType<Stage["connect"]>>;
  beforeAll(async () => {
    // What this platform declares, on a server that lost the first answer and does not show the post.
    const { capabilities } = await platforms[name]();
    const base = recorder("chosen", {
      duplicates: capabilities.duplicates,
      lookup: capabilities.duplicates !== "ask-human",
    });
    const platform: Platform = {
      ...base,
      publish: async (request, session) => {
        if (!request.again) throw new PsnError("OUTCOME_UNKNOWN", "no answer");
        if (next.throws) throw next.throws;
        return base.publish(request, session);
      },
      refresh: async ({ credentials }) => credentials,
    };
    stage = await openStage("pg", { platforms: [platform] });
    stage.remote.shows = false;
    account = await stage.connect("chosen");
  });

  test.each(codes)("that ends with %s is not failed", async (code) => {
    // The code before may have left it to its user.
    account = await stage.connect("chosen");
    for (const neverTaken of code === "PLATFORM_REJECTED" ? [false, true] : [false]) {
      next.throws = new PsnError(code, "why", { neverTaken });
      // What the code before has left keeps a place of the account, some of it until its lease is over.
      await asOwner(stage.db, "TRUNCATE psn.posts CASCADE");
      const [id = ""] = await stage.post(account);
      // A pause that the code before asked for is over.
      await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = NULL");
      // A claim passes by an account that another statement still has locked.
      await until("it was sent", async () => {
        await stage.run();
        return (await stage.detail(id)).state !== "scheduled";
      });
      for (const passedMs of [0, SETTLE_PATIENCE_MS + 1_000]) {
        stage.clock.passedMs = passedMs;
        await stage.expire();
        await stage.run();
      }
      stage.clock.passedMs = 0;
      const { state, unitList } = await stage.detail(id);
      if (neverTaken && state === "failed") expect(unitList[0]?.state).toBe("waiting");
      else {
        expect(["sending", "unconfirmed"]).toContain(state);
        expect(unitList[0]?.state).toBe("sending");
      }
    }
  });
});

/** Reads the whole first request, resets the connection, and then answers as it is told. */
describe("a webhook's receiver that has the post", () => {
  const bodies: string[] = [];
  let answer = 409;
  let server: Awaited<ReturnType<typeof startCutting>>;
  let stage: Stage;
  beforeAll(async () => {
    server = await startCutting(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      bodies.push(await request.text());
      return bodies.length === 1 ? "reset" : Response.json({ error: "already have it" }, { status: answer });
    });
    stage = await openStage("pg", {
      platforms: [await platforms.webhook()],
      fetch: (input, init) => fetch(input, init),
    });
  });
  afterAll(() => server.stop());

  const connect = async () => {
    const { connectAccount } = await import("@psn/app/connect-account.ts");
    const receiver = startReceiver();
    await receiver.stop();
    const consent = { form: { url: `${server.origin}/${bodies.length}`, secret: receiver.secret } };
    const { id } = await connectAccount(stage.world, {
      userId: stage.userId,
      platformId: "webhook",
      consent,
      signal: new AbortController().signal,
    });
    const found = (await stage.world.stores.accounts.list(stage.userId)).find((one) => one.id === id);
    if (!found) throw new Error("no account");
    return found;
  };

  /** Lost, and then this answer to the repeat. */
  async function repeated(status: number): Promise<string> {
    // What an earlier one left is asked again as well.
    await asOwner(stage.db, "TRUNCATE psn.posts CASCADE");
    bodies.length = 0;
    answer = status;
    const [id = ""] = await stage.post(await connect(), { media: [picture()] });
    await stage.run();
    await stage.expire();
    await stage.run();
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toBe(bodies[0]);
    return id;
  }

  test.each([400, 409, 413, 422])("and answers %i to the repeat leaves it to a person", async (status) => {
    expect(await stage.detail(await repeated(status))).toMatchObject({
      state: "unconfirmed",
      code: "UNCONFIRMED",
      unitList: [{ state: "sending" }],
    });
  });

  test.each([404, 425])("and answers %i to the repeat, which passes, is asked again", async (status) => {
    expect(await stage.detail(await repeated(status))).toMatchObject({
      state: "sending",
      unitList: [{ state: "sending" }],
    });
  });
});
