import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { connectAccount } from "@psn/app/connect-account.ts";
import type { LatePolicy } from "@psn/core/types/index.ts";
import { beforeEach, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage, type Stage } from "./stage.ts";

/* A post whose time passed while nothing ran. */

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const texts = () => stage.remote.posts.map(({ text }) => text);

/** A delivery that was due so long ago, with this policy. */
async function overdue(hours: number, policy: LatePolicy, texts: readonly string[] = ["hello"]): Promise<string> {
  const account = await stage.connect("chosen");
  const [id = ""] = await stage.post(account, { texts });
  await asOwner(
    stage.db,
    "UPDATE psn.deliveries SET late = $2, due_at = now() - $3 * interval '1 hour', wake_at = now() - $3 * " +
      "interval '1 hour' WHERE id = $1",
    [id, policy, hours],
  );
  return id;
}

test.each([
  [23, "ask", "published"],
  [23, "drop", "published"],
  [25, "publish", "published"],
  [25, "ask", "held"],
  [25, "drop", "cancelled"],
] as const)("%i hours late, %s: %s", async (hours, policy, state) => {
  const id = await overdue(hours, policy);
  await stage.run();
  const detail = await stage.detail(id);
  expect(detail).toMatchObject({ state, unitList: [{ state: state === "published" ? "published" : "waiting" }] });
  expect(texts()).toEqual(state === "published" ? ["hello"] : []);
  if (state !== "published")
    expect(detail).toMatchObject({ code: "LATE", message: expect.stringContaining("25 hours ago") });
  expect(await stage.run()).toEqual([]);
});

test("a platform that asked for a pause of more than a day is no reason to say that nothing ran", async () => {
  const id = await overdue(25, "ask");
  await asOwner(stage.db, "UPDATE psn.deliveries SET attempt = 1, code = 'RATE_LIMITED' WHERE id = $1", [id]);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({
    state: "held",
    message: "it was due 25 hours ago, and could not be sent until now",
  });
});

test("its user says yes, and it goes out at once, however late", async () => {
  const id = await overdue(100, "ask");
  await stage.run();
  await changeDeliveries(stage.world, { userId: stage.userId, id, change: { to: "retry" }, dryRun: false });
  await stage.run();
  expect(texts()).toEqual(["hello"]);
  expect(await stage.detail(id)).toMatchObject({ state: "published", code: null });
});

test("its user says no", async () => {
  const id = await overdue(100, "ask");
  await stage.run();
  await changeDeliveries(stage.world, { userId: stage.userId, id, change: { to: "cancel" }, dryRun: false });
  await stage.run();
  expect(texts()).toEqual([]);
});

test("reconnecting the account days later asks too, and forgets nothing", async () => {
  const id = await overdue(100, "ask");
  await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'held', code = 'AUTH_REVOKED'");
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "chosen",
    consent: { form: { name: "ada-chosen" } },
    signal: new AbortController().signal,
  });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "held", code: "LATE" });
  expect(texts()).toEqual([]);
});

test.each([
  [
    "it failed for want of a token, a hundred hours ago",
    "UPDATE psn.deliveries SET state = 'held', code = 'AUTH_REVOKED', attempt = 1",
    100,
  ],
  [
    "its user was asked already, since it was too late",
    "UPDATE psn.deliveries SET state = 'held', code = 'LATE', attempt = 1",
    100,
  ],
])("reconnecting the account does not publish what is too late: %s", async (_, sql, hours) => {
  const id = await overdue(hours, "ask");
  await asOwner(stage.db, sql);
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "chosen",
    consent: { form: { name: "ada-chosen" } },
    signal: new AbortController().signal,
  });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "held", code: "LATE" });
  expect(texts()).toEqual([]);
});

test("reconnecting the account sends what failed a short time ago, however long it had been due", async () => {
  const id = await overdue(60, "ask");
  await asOwner(
    stage.db,
    "UPDATE psn.deliveries SET state = 'held', code = 'AUTH_REVOKED', attempt = 9, wake_at = now() - interval '2 " +
      "hours'",
  );
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "chosen",
    consent: { form: { name: "ada-chosen" } },
    signal: new AbortController().signal,
  });
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
});

test("what has waited for the hub to be mended is asked about like what nobody sent", async () => {
  const id = await overdue(7 * 24, "ask");
  await asOwner(
    stage.db,
    "UPDATE psn.deliveries SET attempt = 600, code = 'VENDOR_AUTH', message = 'the key may not read', wake_at = now()",
  );
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "held", code: "LATE" });
  expect(texts()).toEqual([]);
});

test("a thread that has begun goes on", async () => {
  const id = await overdue(100, "publish", ["one", "two"]);
  await stage.die({ verb: "record", nth: 1, when: "after" });
  // As after a rate limit between the two.
  await asOwner(stage.db, "UPDATE psn.delivery_units SET state = 'waiting', sent_at = NULL WHERE position = 1");
  await asOwner(stage.db, "UPDATE psn.deliveries SET late = 'ask', state = 'scheduled', lease_until = NULL");
  await stage.run();
  expect(texts()).toEqual(["one", "two"]);
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
});

test.each([
  [
    "its account was asked to pause until just now",
    "UPDATE psn.accounts SET paused_until = now() - interval '1 minute'",
    "published",
  ],
  [
    "the pause ended long ago, and nothing ran since",
    "UPDATE psn.accounts SET paused_until = now() - interval '25 hours'",
    "held",
  ],
  [
    "it was tried and waited for its next try",
    "UPDATE psn.deliveries SET attempt = 1, code = 'RATE_LIMITED', wake_at = now()",
    "published",
  ],
  [
    "it was tried, and nothing ran since its next try was due",
    "UPDATE psn.deliveries SET attempt = 1, code = 'RATE_LIMITED', wake_at = now() - interval '25 hours'",
    "held",
  ],
])("49 hours after its time, where %s", async (_, sql, state) => {
  const id = await overdue(49, "ask");
  await asOwner(stage.db, sql);
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state });
  expect(texts()).toEqual(state === "published" ? ["hello"] : []);
});
