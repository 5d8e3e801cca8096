import { momentOf, since, steadyAge } from "@psn/app/clocks.ts";
import { runWorker } from "@psn/app/run-worker.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import { SETTLE_PATIENCE_MS, stillUnknown } from "@psn/domain/delivery.ts";
import { expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { until } from "../support/until.ts";
import { startRemote } from "./recorder.ts";
import { openStage } from "./stage.ts";

/* Wall clocks step, and machines sleep: nothing is sent twice, and nobody settles what they are sending themselves. */

const MINUTE = 60_000;

test("a worker does not claim what it is sending, though the database's clock ends its lease", async () => {
  const remote = startRemote();
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let sent = 0;
  const fetch: Fetch = async (input, init) => {
    const isPost = init?.method === "POST" && new URL(String(input)).pathname === "/posts";
    if (isPost) sent += 1;
    const response = await remote.fetch(input, init);
    if (isPost) await answered;
    return response;
  };
  const stage = await openStage("pg", { fetch, shorten: (ms) => ms });
  // A server that ignores keys, and shows the post only when it has answered.
  remote.shows = false;
  const account = await stage.connect("keyed");
  const [id = ""] = await stage.post(account);
  const stop = new AbortController();
  const worker = runWorker({ world: stage.world, name: "w", version: "0", stop: stop.signal });
  await until("the request is at the server", () => sent === 1);
  // The clock of the database steps by 400 s: every lease is over, and the post looks old enough to be sent again.
  await asOwner(stage.db, "UPDATE psn.deliveries SET lease_until = lease_until - interval '400 seconds'");
  await asOwner(
    stage.db,
    "UPDATE psn.delivery_units SET sent_at = sent_at - interval '400 seconds' WHERE sent_at IS NOT NULL",
  );
  const before = stage.calls.claim;
  // Something else wakes the worker.
  await stage.post(await stage.connect("blind"), { texts: ["another"] });
  await until("the worker has looked again", () => stage.calls.claim > before + 2);
  answer();
  await until("the first is settled", async () => (await stage.detail(id)).state === "published");
  stop.abort();
  await worker;
  expect(remote.posts.filter(({ text }) => text === "hello")).toHaveLength(1);
  expect((await stage.detail(id)).events.map(({ event }) => event)).toEqual(["scheduled", "sending", "published"]);
});

test.each([
  ["forward", 5 * MINUTE],
  ["back", -5 * MINUTE],
  ["by a day", 24 * 60 * MINUTE],
])(
  "a wall clock that steps %s between the claim and the request makes the worker ask the database",
  async (_, step) => {
    const stage = await openStage();
    const [id = ""] = await stage.post(await stage.connect("blind"));
    const before = stage.calls.record;
    const world = {
      ...stage.world,
      fault: (point: string) => {
        if (point === "claimed") stage.clock.aheadMs = step;
      },
    };
    await stage.run({ world });
    expect((await stage.detail(id)).state).toBe("published");
    // The renewal and the answer.
    expect(stage.calls.record - before).toBe(2);
  },
);

test("a renewal with a late answer does not count: the claim may be another's and is read again", async () => {
  const stage = await openStage();
  const [id = ""] = await stage.post(await stage.connect("blind"));
  const { record: settle } = stage.world.stores.deliveries;
  let renewals = 0;
  const deliveries: typeof stage.world.stores.deliveries = {
    ...stage.world.stores.deliveries,
    record: async (...args) => {
      const mine = await settle(...args);
      const isRenewal = args[2].event === null && args[2].unit === null;
      if (isRenewal) renewals += 1;
      if (isRenewal && renewals === 1) {
        // The answer is on its way for two minutes, and another worker settles the delivery meanwhile.
        stage.clock.passedMs += 2 * MINUTE;
        await stage.expire();
        const [other] = await stage.world.stores.deliveries.claim({
          worker: "other",
          most: 1,
          leaseMs: MINUTE,
          concurrency: { blind: 1 },
        });
        expect(other?.purpose).toBe("settle");
      }
      return mine;
    },
  };
  const world = {
    ...stage.world,
    stores: { ...stage.world.stores, deliveries },
    fault: (point: string) => {
      if (point === "claimed") stage.clock.aheadMs = 5 * MINUTE;
    },
  };
  await stage.run({ world });
  expect(renewals).toBe(2);
  expect(stage.remote.calls.filter(({ route }) => route === "POST /posts")).toEqual([]);
  expect((await stage.detail(id)).state).toBe("sending");
});

test("a step of the database's clock makes nothing old: patience begins anew", () => {
  let steady = 1_000;
  const world = { elapsedMs: () => steady, stores: {} as never };
  let database = 1_000_000;
  const pass = (ms: number) => {
    steady += ms;
    database += ms;
  };
  const age = (ms: number) => steadyAge(world, new Date(database), ms);
  expect(age(200_000)).toBe(200_000);
  pass(MINUTE);
  expect(age(260_000)).toBe(260_000);
  database += 400_000;
  expect(age(660_000)).toBe(0);
  pass(MINUTE);
  expect(age(720_000)).toBe(MINUTE);
  database -= 3_600_000;
  expect(age(100_000)).toBe(0);
  // What was sent before the step back lies in the future, for an hour: it is as old as the step.
  pass(MINUTE);
  expect(age(-3_400_000)).toBe(SETTLE_PATIENCE_MS / 2);
  pass(MINUTE);
  expect(age(-3_340_000)).toBe(2 * MINUTE);
});

test("two clocks that agree are believed; where they part the later one counts, and neither is trusted", () => {
  const clock = { wall: 0, steady: 0 };
  const clocks = { now: () => new Date(clock.wall), elapsedMs: () => clock.steady };
  const then = momentOf(clocks);
  Object.assign(clock, { wall: 5_000, steady: 5_200 });
  expect(since(clocks, then)).toEqual({ ms: 5_200, trusted: true });
  Object.assign(clock, { wall: 405_000, steady: 5_000 });
  expect(since(clocks, then)).toEqual({ ms: 405_000, trusted: false });
  Object.assign(clock, { wall: -60_000, steady: 5_000 });
  expect(since(clocks, then)).toEqual({ ms: 5_000, trusted: false });
});

test("psn looks at the latest when its patience is over: seven looks, the last of them no later than 150 s", () => {
  const looks: number[] = [];
  for (let age = 2_000; age < SETTLE_PATIENCE_MS; age += stillUnknown(age, undefined).leaseMs ?? 0) looks.push(age);
  expect(looks).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000]);
  expect(128_000 + (stillUnknown(128_000, undefined).leaseMs ?? 0)).toBe(SETTLE_PATIENCE_MS);
  for (let age = 0; age < SETTLE_PATIENCE_MS; age += 997)
    expect(age + (stillUnknown(age, undefined).leaseMs ?? 0)).toBeLessThanOrEqual(SETTLE_PATIENCE_MS + 2_000);
});
