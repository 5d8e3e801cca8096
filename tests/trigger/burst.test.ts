import { LEASE_MS } from "@psn/domain/delivery.ts";
import { runDelivery } from "@psn/trigger/delivery.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { picture } from "../engine/stage.ts";
import { asOwner } from "../support/databases.ts";
import { atMost, until } from "../support/until.ts";
import { dying } from "../support/world.ts";
import { openTaskStage, type TaskStage } from "./stage.ts";

/* A run goes on to what else is due of its account; all that holds for one delivery holds for each. */

let stage: TaskStage;
beforeEach(async () => {
  stage = await openTaskStage();
});
afterEach(async () => {
  stage.gateway.faults.clear();
  await stage.close();
});

const run = (deliveryId: string, world = stage.world) => runDelivery({ deliveryId, userId: stage.userId }, world);
const sends = () => stage.remote.calls.filter(({ route }) => route === "POST /posts");
const change = (statement: string, ...values: unknown[]) => asOwner(stage.db, statement, values);
const stateOf = async (id = "") => (await stage.detail(id)).state;

/** The world in which something happens right after the first post is out. */
function afterFirst(happens: () => unknown): TaskStage["world"] {
  const { fetch: send } = stage.world;
  let sent = 0;
  return {
    ...stage.world,
    fetch: async (input, init) => {
      const answer = await send(input, init);
      sent += 1;
      if (sent === 1) await happens();
      return answer;
    },
  };
}

/** Posts of one account that are due, the first longest. */
async function burst(count: number, platform = "chosen"): Promise<string[]> {
  const account = await stage.connect(platform);
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1)
    ids.push(...(await stage.post(account, { texts: [`text ${n}`], inMs: (n - count) * 1000 })));
  return ids;
}

test("five at once: one run publishes them in order, in two round trips each; other runs find nothing", async () => {
  const ids = await burst(5);
  const before = stage.gateway.requests.length;
  expect(await run(ids[0] ?? "")).toEqual({ state: "published", acted: true });
  expect(stage.gateway.requests.length - before).toBe(10);
  expect(stage.remote.posts.map(({ text }) => text)).toEqual([0, 1, 2, 3, 4].map((n) => `text ${n}`));
  const actors = new Set<string>();
  for (const id of ids) {
    const { events, attempt } = await stage.detail(id);
    expect(events.map(({ event }) => event)).toEqual(["scheduled", "sending", "published"]);
    expect(attempt).toBe(1);
    actors.add(events.at(-1)?.actor ?? "");
  }
  // A name for each claim, so that a claim whose answer is lost is known again.
  expect(actors.size).toBe(5);
  for (const id of ids) expect(await run(id)).toEqual({ state: "published", acted: false });
  expect(sends()).toHaveLength(5);
  // Whoever would have looked after a process that died is taken back.
  expect(stage.waiting()).toEqual([]);
  expect(stage.trouble).toEqual([]);
});

test("one alone still costs two round trips", async () => {
  const [id = ""] = await burst(1);
  const before = stage.gateway.requests.length;
  expect(await run(id)).toEqual({ state: "published", acted: true });
  expect(stage.gateway.requests.length - before).toBe(2);
});

test("two runs at once share what is due, and nothing is sent twice", async () => {
  const ids = await burst(8);
  await Promise.all([run(ids[0] ?? ""), run(ids[1] ?? "")]);
  for (const id of ids) expect(await stateOf(id)).toBe("published");
  expect(sends()).toHaveLength(8);
});

test("a run leaves out the one that another run takes in this instant, and goes on", async () => {
  const ids = await burst(4);
  await stage.db.owner.asOwner?.(async (client) => {
    await client.query("BEGIN");
    await client.query("SELECT FROM psn.deliveries WHERE id = $1 FOR UPDATE", [ids[1]]);
    await run(ids[0] ?? "");
    await client.query("ROLLBACK");
  });
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "scheduled", "published", "published"]);
});

test("what is not due, another account's, with files or cancelled is left to its own time and run", async () => {
  const account = await stage.connect("chosen");
  const post = async (wish: Parameters<TaskStage["post"]>[1]) => (await stage.post(account, wish))[0] ?? "";
  const own = await post({ inMs: -5000 });
  const [later, files, cancelled] = [
    await post({ inMs: 60_000 }),
    await post({ media: [picture()] }),
    await post({ inMs: -4000 }),
  ];
  const [other = ""] = await stage.post(await stage.connect("keyed"));
  await stage.world.stores.posts.cancel(stage.userId, [cancelled]);
  await run(own);
  expect(await Promise.all([own, later, files, cancelled, other].map(stateOf))).toEqual([
    "published",
    "scheduled",
    "scheduled",
    "cancelled",
    "scheduled",
  ]);
});

test("a run that settles does not go on: it is in another queue, and would be over the platform's limit", async () => {
  const ids = await burst(2, "keyed");
  await runDelivery({ deliveryId: ids[0] ?? "", userId: stage.userId }, stage.world, "delivery");
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "scheduled"]);
});

describe("goes no further", () => {
  test("when its own delivery fails", async () => {
    const ids = await burst(3);
    stage.remote.fault({ status: 422, reason: "no" });
    await expect(run(ids[0] ?? "")).rejects.toThrow("PLATFORM_REJECTED");
    expect(await Promise.all(ids.map(stateOf))).toEqual(["failed", "scheduled", "scheduled"]);
  });

  test("when the platform asks for a pause, and leaves a wake-up for the one that was asked", async () => {
    const ids = await burst(3);
    const world = afterFirst(() => stage.remote.fault({ status: 429, reason: "slowly", retryAfter: 60 }));
    expect(await run(ids[0] ?? "", world)).toEqual({ state: "published", acted: true });
    expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "scheduled", "scheduled"]);
    const { wakeAt, fence } = await stage.detail(ids[1] ?? "");
    const [wakeUp, ...others] = stage.waiting();
    expect(others).toEqual([]);
    expect(wakeUp).toMatchObject({
      task: "publish-delivery",
      payload: { deliveryId: ids[1] },
      key: expect.stringContaining(`:${fence}:`),
    });
    expect(Math.abs((wakeUp?.at?.getTime() ?? 0) - wakeAt.getTime())).toBeLessThan(atMost(5_000));
    // The account pauses: nobody sends more of it.
    await run(ids[2] ?? "");
    expect(sends()).toHaveLength(2);
  });

  test("when an answer is lost, which is asked about by a run of its own", async () => {
    const ids = await burst(3, "keyed");
    await run(
      ids[0] ?? "",
      afterFirst(() => stage.remote.fault("reset-after")),
    );
    expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "sending", "scheduled"]);
    expect(stage.waiting()).toMatchObject([{ task: "settle-unknown", payload: { deliveryId: ids[1] } }]);
    await stage.expire();
    await stage.wake(ids[1] ?? "");
    expect(await stateOf(ids[1])).toBe("published");
    expect(sends()).toHaveLength(2);
  });

  test("after half a minute", async () => {
    const ids = await burst(3);
    const world = afterFirst(() => {
      stage.clock.passedMs += 31_000;
    });
    await run(ids[0] ?? "", world);
    expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "scheduled", "scheduled"]);
  });

  test("when the database goes away, and its own delivery is out all the same", async () => {
    const ids = await burst(2);
    stage.gateway.faults.next({ kind: "answer", status: 400, body: "boom" }, { statement: /coalesce/ });
    expect(await run(ids[0] ?? "")).toEqual({ state: "published", acted: true });
    expect(await stateOf(ids[1])).toBe("scheduled");
  });
});

test("the answer to a claim is lost: the same one is claimed again, and sent once", async () => {
  const ids = await burst(2);
  stage.gateway.faults.next({ kind: "drop", when: "after" }, { statement: /coalesce/ });
  await run(ids[0] ?? "");
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "published"]);
  expect(sends()).toHaveLength(2);
  expect((await stage.detail(ids[1] ?? "")).attempt).toBe(1);
});

test("a process that dies while it sends another one leaves somebody behind who finds out", async () => {
  const ids = await burst(3, "keyed");
  const { world: mortal, died } = dying(stage.world, { verb: "record", nth: 2, when: "before" });
  void run(ids[0] ?? "", mortal);
  await died;
  await until("it is asked for", () => stage.waiting().some(({ task }) => task === "settle-unknown"));
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "sending", "scheduled"]);
  await stage.expire();
  await stage.api.advance(LEASE_MS + 5_000);
  expect(await stateOf(ids[1])).toBe("published");
  expect(sends()).toHaveLength(2);
});

test("what was moved away while a run goes on is not sent", async () => {
  const ids = await burst(2);
  const move = () =>
    change("UPDATE psn.deliveries SET wake_at = now() + interval '1 hour', fence = fence + 1 WHERE id = $1", ids[1]);
  await run(ids[0] ?? "", afterFirst(move));
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "scheduled"]);
  expect(sends()).toHaveLength(1);
});
