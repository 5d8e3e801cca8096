import { publishDelivery } from "@psn/app/publish-delivery.ts";
import { concurrencyOf, runWorker } from "@psn/app/run-worker.ts";
import { expect, test } from "vitest";
import { sharedPostgres } from "../support/shared-postgres.ts";
import { until } from "../support/until.ts";
import { openStage, type Stage } from "./stage.ts";

/** The answer of the platform comes while the database is away. */
async function loseSettle(stage: Stage, platform: string): Promise<string> {
  const server = await sharedPostgres();
  const [id = ""] = await stage.post(await stage.connect(platform));
  const [claim] = await stage.world.stores.deliveries.claim({
    worker: "w",
    most: 1,
    leaseMs: 60_000,
    concurrency: await concurrencyOf(stage.world),
  });
  if (!claim) throw new Error("nothing was due");
  stage.remote.fault({ first: () => server.kill() });
  const lost = publishDelivery({ world: stage.world, claim, worker: "w", leaseMs: 60_000 });
  await expect(lost).rejects.toMatchObject({ code: "DB_UNREACHABLE" });
  expect(stage.remote.posts).toHaveLength(1);
  await server.restart();
  return id;
}

test.each(["chosen", "keyed", "searched"])(
  "a settle lost with its database is found out later, and nothing is sent twice (%s)",
  async (platform) => {
    const stage = await openStage();
    const id = await loseSettle(stage, platform);
    expect(stage.sleeps).toEqual([200, 1000, 4000]);
    expect((await stage.detail(id)).state).toBe("sending");
    expect(await stage.run()).toEqual([]);
    await stage.expire();
    await stage.run();
    expect((await stage.detail(id)).state).toBe("published");
    expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toHaveLength(1);
  },
);

test("and where nothing can be asked its user is", async () => {
  const stage = await openStage();
  const id = await loseSettle(stage, "blind");
  await stage.expire();
  await stage.run();
  expect((await stage.detail(id)).state).toBe("unconfirmed");
  expect(stage.remote.posts).toHaveLength(1);
});

test("a settle that finds the database again in time is written by the same worker", async () => {
  const stage = await openStage("pg", { shorten: (ms) => ms });
  const server = await sharedPostgres();
  const [id = ""] = await stage.post(await stage.connect("blind"));
  stage.remote.fault({
    first: async () => {
      await server.kill();
      setTimeout(() => void server.restart(), 100);
    },
  });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published", attempt: 1 });
});

test("a worker survives the death of its database, and goes on when it is back", async () => {
  const stage = await openStage();
  const server = await sharedPostgres();
  const account = await stage.connect("chosen");
  const stop = new AbortController();
  const trouble: string[] = [];
  const ended = runWorker({
    world: stage.world,
    name: "w",
    version: "0",
    stop: stop.signal,
    onTrouble: ({ code }) => trouble.push(code),
  });
  try {
    await stage.post(account, { texts: ["before"] });
    const settled = async () => (await stage.world.stores.posts.list(stage.userId, "open", 10)).length === 0;
    await until("the first is out", settled);
    await stage.post(account, { texts: ["during"], inMs: 500 });
    await server.kill();
    await until("it is in trouble", () => trouble.length > 0);
    await server.restart();
    await until("the second is out", () => stage.remote.posts.length === 2, 15_000);
    await until("all is settled", settled);
    // It hears again: this is long before it would look by itself.
    await stage.post(account, { texts: ["after"] });
    await until("the third is out", () => stage.remote.posts.length === 3, 2_000);
  } finally {
    stop.abort();
    await ended;
  }
  expect(new Set(trouble)).toEqual(new Set(["DB_UNREACHABLE"]));
  expect(stage.remote.posts.map(({ text }) => text)).toEqual(["before", "during", "after"]);
});
