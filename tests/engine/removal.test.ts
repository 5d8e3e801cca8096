import { assertDeleted, deletePost, planDeletion } from "@psn/app/delete-post.ts";
import { concurrencyOf } from "@psn/app/run-worker.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dieAt, openStage, type Stage } from "./stage.ts";

/* What is taken back: gone where psn says so, out where it says so, never without being asked. */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
let names = 0;
beforeEach(() => {
  stage.remote.posts.length = 0;
  stage.remote.calls.length = 0;
  names += 1;
});

const texts = () => stage.remote.posts.map(({ text }) => text);
const removals = () =>
  stage.remote.calls.flatMap(({ route }) => (route.startsWith("DELETE") ? [route.replace(/^.*-/, "")] : []));
const events = async (id: string) => (await stage.detail(id)).events.map(({ event }) => event);

async function published(platform: string, text: readonly string[] = ["hello"]): Promise<string> {
  const [id = ""] = await stage.post(await stage.connect(platform, `ada-${names}`), { texts: text });
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  return id;
}
const remove = async (id: string) =>
  deletePost(stage.world, { userId: stage.userId, plan: await planDeletion(stage.world, stage.userId, id) });

const die = (point: FaultPoint, nth = 1) => dieAt(stage, point, nth);

test("a post is gone, and twice is harmless", async () => {
  const id = await published("chosen");
  await remove(id);
  expect(await stage.detail(id)).toMatchObject({ state: "scheduled", operation: "remove" });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "removed", unitList: [{ state: "removed" }] });
  expect(await events(id)).toEqual(["scheduled", "sending", "published", "removal asked for", "sending", "removed"]);
  expect(texts()).toEqual([]);
  await remove(id);
  expect(await stage.run()).toEqual([]);
  expect(removals()).toHaveLength(1);
});

test("a thread goes from its last part on", async () => {
  const id = await published("chosen", ["one", "two", "three"]);
  const ids = stage.remote.posts.map((post) => post.id.replace(/^.*-/, ""));
  await remove(id);
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
  expect(texts()).toEqual([]);
  expect(removals()).toEqual(ids.toReversed());
});

test.each([
  ["claimed", 1],
  ["removing, not asked", 1],
  ["removing, not asked", 2],
  ["answered, not read", 1],
  ["answered, not read", 2],
  ["removed, not settled", 1],
  ["removed, not settled", 2],
  ["between units", 1],
] as const)("killed at: %s (%i), it ends with nothing out", async (point, nth) => {
  const id = await published("keyed", ["one", "two"]);
  await remove(id);
  await die(point, nth);
  const told = (await stage.detail(id)).unitList.filter(({ state }) => state === "removed");
  // What psn says is gone is gone, at every moment.
  for (const { ref } of told) expect(stage.remote.posts.map((post) => post.id)).not.toContain(ref?.id);
  await stage.expire();
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
  expect(texts()).toEqual([]);
});

test("killed while it asks after a lost answer, it asks again", async () => {
  const id = await published("searched");
  await remove(id);
  await die("removing, not asked");
  for (const point of ["before asking", "asked, not settled"] as const) {
    await stage.expire();
    await die(point);
    expect((await stage.detail(id)).state).toBe("sending");
  }
  await stage.expire();
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
});

describe.each(["reset-before", "reset-after", "500-after"] as const)("an answer lost to %s", (fault) => {
  test("is settled with the platform, and never guessed", async () => {
    const id = await published("blind");
    await remove(id);
    stage.remote.removalFault(fault);
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ state: "sending", unitList: [{ state: "sending" }] });
    await expect(stage.world.stores.posts.cancel(stage.userId, [id])).resolves.toEqual([]);
    await stage.expire();
    await stage.run();
    expect((await stage.detail(id)).state).toBe("removed");
    expect(texts()).toEqual([]);
  });
});

test("a platform that says no keeps the post, and psn says that it is out", async () => {
  const id = await published("chosen", ["one", "two"]);
  await remove(id);
  stage.remote.removalFault({ status: 422 });
  await stage.run();
  const { state, operation, code, unitList } = await stage.detail(id);
  expect({ state, operation, code }).toEqual({ state: "published", operation: "publish", code: "PLATFORM_REJECTED" });
  expect(unitList.map((unit) => unit.state)).toEqual(["published", "published"]);
  expect(texts()).toEqual(["one", "two"]);
  await remove(id);
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
});

test("a no to a repeat is a person's question, and asking once more answers it", async () => {
  const id = await published("chosen");
  await remove(id);
  stage.remote.removalFault("reset-after");
  await stage.run();
  stage.remote.removalFault({ status: 422 });
  await stage.expire();
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed", operation: "remove" });
  await remove(id);
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
});

test("a token that has ended is exchanged, and a session that has ended waits for its user", async () => {
  const id = await published("keyed");
  const { accountId } = await stage.detail(id);
  const [account] = (await stage.world.stores.accounts.list(stage.userId)).filter((one) => one.id === accountId);
  const name = account?.profile.handle ?? "";
  await remove(id);
  stage.remote.revoke(name);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({
    state: "held",
    operation: "remove",
    unitList: [{ state: "published" }],
  });
  expect(texts()).toEqual(["hello"]);
  await stage.connect("keyed", name);
  stage.remote.expire(name);
  await stage.run();
  expect((await stage.detail(id)).state).toBe("removed");
});

test("what was not sent is cancelled, what is being sent is refused", async () => {
  const account = await stage.connect("blind", `ada-${names}`);
  const [later = ""] = await stage.post(account, { inMs: 60_000 });
  await remove(later);
  expect(await stage.detail(later)).toMatchObject({ state: "cancelled", operation: "publish" });
  const [lost = ""] = await stage.post(account);
  const claims = await stage.world.stores.deliveries.claim({
    worker: "slow",
    most: 1,
    leaseMs: LEASE_MS,
    concurrency: await concurrencyOf(stage.world),
  });
  expect(claims).toHaveLength(1);
  await expect(remove(lost)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  expect((await stage.detail(lost)).state).toBe("sending");
});

test("a removal that has not begun can be given up, and nothing is removed", async () => {
  const id = await published("chosen");
  await remove(id);
  expect(await stage.world.stores.posts.cancel(stage.userId, [id])).toEqual([id]);
  expect(await stage.detail(id)).toMatchObject({ state: "published", operation: "publish" });
  expect(await stage.run()).toEqual([]);
  expect(removals()).toEqual([]);
});

test("half of a thread that is out is removed, and the rest is never sent", async () => {
  const account = await stage.connect("chosen", `ada-${names}`);
  const [id = ""] = await stage.post(account, { texts: ["one", "two"] });
  stage.remote.fault({ first: async () => stage.remote.fault({ status: 422, reason: "no" }) });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "failed", unitsPublished: 1 });
  await remove(id);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({
    state: "removed",
    unitList: [{ state: "removed" }, { state: "removed", ref: null }],
  });
  await expect(stage.world.stores.posts.retry(stage.userId, [id])).resolves.toEqual([]);
  expect(texts()).toEqual([]);
});

describe("a worker goes on while its user is asked whether to delete", () => {
  const planned = (id: string) => planDeletion(stage.world, stage.userId, id);

  test("what was not sent then, and is out by now, is removed", async () => {
    const [id = ""] = await stage.post(await stage.connect("chosen", `ada-${names}`), { texts: ["one", "two"] });
    const plan = await planned(id);
    expect(plan).toMatchObject([{ step: "cancel" }]);
    await stage.run();
    await deletePost(stage.world, { userId: stage.userId, plan });
    await stage.run();
    expect((await stage.detail(id)).state).toBe("removed");
    expect(texts()).toEqual([]);
  });

  test("a thread of which the first part is out by now is removed, and not only cancelled", async () => {
    const [id = ""] = await stage.post(await stage.connect("chosen", `ada-${names}`), { texts: ["one", "two"] });
    const plan = await planned(id);
    stage.remote.fault({ first: async () => stage.remote.fault("refused") });
    await stage.run();
    expect(await stage.detail(id)).toMatchObject({ unitsPublished: 1 });
    await deletePost(stage.world, { userId: stage.userId, plan });
    await stage.due();
    await stage.expire();
    await stage.run();
    expect((await stage.detail(id)).state).toBe("removed");
    expect(texts()).toEqual([]);
  });
});

test("a thread that was cancelled with a part out is not called deleted", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen", `ada-${names}`), { texts: ["one", "two"] });
  stage.remote.fault({ first: async () => stage.remote.fault("refused") });
  await stage.run();
  expect(await stage.world.stores.posts.cancel(stage.userId, [id])).toEqual([id]);
  const plan = await planDeletion(stage.world, stage.userId, id);
  expect(plan).toMatchObject([{ step: "remove", delivery: { state: "cancelled" } }]);
  expect(() => assertDeleted(plan)).toThrow(expect.objectContaining({ code: "REMOVE_INCOMPLETE" }));
});

test.each([
  ["deletion planned, not written", ["scheduled", "published"]],
  ["deletion written, nobody told", ["cancelled", "removed"]],
] as const)("psn is killed at: %s, and all of the deletion is done, or nothing", async (point, states) => {
  const { world, userId } = stage;
  const accounts = [await stage.connect("blind", `bob-${names}`), await stage.connect("chosen", `ada-${names}`)];
  stage.remote.fault("refused", `bob-${names}`);
  const ids = await stage.post(accounts);
  await stage.run();
  const plan = (await Promise.all(ids.map((id) => planDeletion(world, userId, id)))).flat();
  expect(plan.map(({ step }) => step)).toEqual(["cancel", "remove"]);
  const { promise: died, resolve } = Promise.withResolvers<void>();
  const fault = (passed: FaultPoint) => (passed === point ? new Promise<never>(() => resolve()) : undefined);
  void deletePost({ ...world, fault }, { userId, plan });
  await died;
  await stage.run();
  const after = await Promise.all(ids.map(stage.detail));
  expect(after.map(({ state }) => state)).toEqual([...states]);
  expect(texts()).toEqual(after.some(({ state }) => state === "published") ? ["hello"] : []);
});
