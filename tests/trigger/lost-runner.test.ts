import { LEASE_MS } from "@psn/domain/delivery.ts";
import { remotePlatforms } from "@psn/platforms/index.ts";
import { runDelivery } from "@psn/trigger/delivery.ts";
import { publishQueues, settleQueue } from "@psn/trigger/queues.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dying } from "../support/world.ts";
import { openTaskStage, type TaskStage } from "./stage.ts";

/*
 * A machine of Trigger.dev that is lost with a task on it keeps its place in the queue until the server notices, after
 * five minutes (measured on 4.5.12). What else the account has goes out meanwhile, and nothing comes out twice.
 */

/** The smallest that a platform's queue allows an account. */
const FEWEST = Math.min(...Object.values(remotePlatforms));

let stage: TaskStage;
/** Tasks whose next runs are lost, each while it has sent and has not written that down. */
let losing: string[];
beforeEach(async () => {
  losing = [];
  stage = await openTaskStage({}, async ({ task, payload }) => {
    const at = losing.indexOf(task);
    if (at < 0) return { ok: true, output: await runDelivery(payload, stage.world, "delivery") };
    losing.splice(at, 1);
    const { world: mortal, died } = dying(stage.world, { verb: "record", nth: 1, when: "before" });
    void runDelivery(payload, mortal, "delivery");
    await died;
    return { lost: true };
  });
  const queues = { publish: "publish-keyed", settle: settleQueue.name };
  stage.api.deploy({
    tasks: [
      { id: "publish-delivery", queue: queues.publish, concurrencyLimit: FEWEST },
      { id: "settle-unknown", queue: queues.settle, concurrencyLimit: settleQueue.concurrencyLimit ?? 1 },
    ],
  });
});
afterEach(() => stage.close());

const stateOf = async (id = "") => (await stage.detail(id)).state;
const sends = () => stage.remote.calls.filter(({ route }) => route === "POST /posts");

async function told(count: number): Promise<string[]> {
  const account = await stage.connect("keyed");
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push(...(await stage.post(account)));
  for (const id of ids) await stage.tell(id);
  return ids;
}

test("one that is lost while it publishes holds up nothing else of the account", async () => {
  losing = ["publish-delivery"];
  const [lost, ...others] = await told(3);
  await stage.api.runDue();
  expect(await Promise.all(others.map(stateOf))).toEqual(["published", "published"]);
  expect(await stateOf(lost)).toBe("sending");
  await stage.expire();
  await stage.api.advance(LEASE_MS + 5_000);
  expect(await stateOf(lost)).toBe("published");
  // The lost run comes back, and finds nothing to do.
  await stage.api.advance(300_000);
  expect(stage.api.runs.filter(({ attempts }) => attempts === 2)).toMatchObject([
    { status: "COMPLETED", output: { acted: false } },
  ]);
  expect(sends()).toHaveLength(3);
});

test("one that is lost while it settles holds up no other settling of the account", async () => {
  losing = ["publish-delivery", "publish-delivery", "settle-unknown"];
  const ids = await told(2);
  await stage.api.runDue();
  await stage.expire();
  await stage.api.advance(LEASE_MS + 5_000);
  expect((await Promise.all(ids.map(stateOf))).toSorted()).toEqual(["published", "sending"]);
  await stage.expire();
  await stage.api.advance(300_000);
  expect(await Promise.all(ids.map(stateOf))).toEqual(["published", "published"]);
  expect(sends()).toHaveLength(2);
});

test("every queue has a place that one lost runner leaves", () => {
  for (const { name, concurrencyLimit } of [...publishQueues, settleQueue])
    expect(concurrencyLimit, name).toBeGreaterThanOrEqual(2);
});
