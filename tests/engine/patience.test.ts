import { resolveDelivery } from "@psn/app/change-deliveries.ts";
import { disconnectAccount } from "@psn/app/connect-account.ts";
import { assertOutcome, followPost } from "@psn/app/follow-post.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import { SETTLE_PATIENCE_MS } from "@psn/domain/delivery.ts";
import { expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { startRemote } from "./recorder.ts";
import { openStage, type Stage } from "./stage.ts";

/* How long psn waits before it sends again, and what it leaves to its user. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function leaseMs(stage: Stage): Promise<number> {
  const text = "SELECT (extract(epoch FROM lease_until - now()) * 1000)::float8 AS ms FROM psn.deliveries";
  return (await asOwner<{ ms: number }>(stage.db, text))[0]?.ms ?? 0;
}

test.each([
  ["at once", false],
  ["after a token exchange of 29 s", true],
] as const)("a minute lies between the end of psn's waiting and a second request (sent %s)", async (_, expired) => {
  const remote = startRemote();
  const clock = { pass: (_ms: number): void => undefined, now: () => 0 };
  let sent = 0;
  let stopped = 0;
  let second = 0;
  const fetch: Fetch = async (input, init) => {
    const route = `${init?.method} ${new URL(String(input)).pathname}`;
    if (route === "POST /refresh") clock.pass(29 * SECOND);
    const refused = expired && (new Headers(init?.headers).get("authorization") ?? "").endsWith("/1");
    if (route !== "POST /posts" || refused) return remote.fetch(input, init);
    sent += 1;
    if (sent > 1) {
      second = clock.now();
      return remote.fetch(input, init);
    }
    clock.pass(30 * SECOND);
    stopped = clock.now();
    throw new DOMException("timed out", "TimeoutError");
  };
  const stage = await openStage("pg", { fetch });
  clock.pass = (ms) => {
    stage.clock.passedMs += ms;
  };
  clock.now = () => stage.world.now().getTime();
  const account = await stage.connect("keyed");
  if (expired) remote.expire("ada-keyed");
  const [id = ""] = await stage.post(account);
  await stage.run();
  while ((await stage.detail(id)).state === "sending") {
    stage.clock.passedMs += await leaseMs(stage);
    await stage.expire();
    await stage.run();
  }
  expect(second - stopped).toBeGreaterThanOrEqual(MINUTE);
});

test("what is unknown on an account that is disconnected is its user's to settle", async () => {
  const stage = await openStage();
  const account = await stage.connect("keyed");
  const [id = ""] = await stage.post(account);
  stage.remote.fault("reset-after");
  await stage.run();
  await disconnectAccount(stage.world, { userId: stage.userId, account, signal: new AbortController().signal });
  expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed", code: "UNCONFIRMED" });
  await resolveDelivery(stage.world, { userId: stage.userId, id, live: "https://keyed.example/1" });
  expect(await stage.detail(id)).toMatchObject({ state: "published" });
});

test("a command leaves to a worker what is asked for again later, whatever this machine's clock says", async () => {
  const stage = await openStage();
  stage.clock.aheadMs = 60 * MINUTE;
  const [id = ""] = await stage.post(await stage.connect("keyed"));
  stage.remote.fault("reset-before");
  stage.remote.searching = "fails";
  await stage.run();
  stage.clock.passedMs = 10 * MINUTE;
  await stage.expire();
  await stage.run();
  const { postId, aheadMs } = await stage.detail(id);
  expect(aheadMs).toBeGreaterThan(5 * MINUTE);
  const stop = AbortSignal.timeout(5 * SECOND);
  const ended = await followPost({
    world: stage.world,
    userId: stage.userId,
    postId,
    version: "0",
    stop,
    patienceMs: 5 * MINUTE,
  });
  expect(stop.aborted).toBe(false);
  expect(() => assertOutcome(ended)).toThrow(
    expect.objectContaining({
      code: "STILL_PENDING",
      message: expect.stringContaining("not confirmed yet whether the post was published"),
    }),
  );
});

test("a repeat that is answered with another delivery's post is no success", async () => {
  const remote = startRemote();
  let another: string | undefined;
  const fetch: Fetch = async (input, init) =>
    another !== undefined && init?.method === "POST" && String(input).endsWith("/posts")
      ? Response.json({ id: another })
      : remote.fetch(input, init);
  const stage = await openStage("pg", { fetch });
  const account = await stage.connect("keyed");
  const [first = ""] = await stage.post(account);
  await stage.run();
  const [second = ""] = await stage.post(account);
  remote.fault("reset-before");
  await stage.run();
  another = (await stage.detail(first)).unitList[0]?.ref?.id;
  stage.clock.passedMs = SETTLE_PATIENCE_MS;
  await stage.expire();
  await stage.run();
  expect(await stage.detail(second)).toMatchObject({
    state: "unconfirmed",
    message: expect.stringContaining("another delivery"),
  });
});

test("nothing is sent again on an account that is disconnected while psn looks for the post", async () => {
  const remote = startRemote();
  let disconnect: () => Promise<unknown> = async () => undefined;
  const fetch: Fetch = async (input, init) => {
    const answer = await remote.fetch(input, init);
    if (`${init?.method} ${new URL(String(input)).pathname}` === "GET /posts") await disconnect();
    return answer;
  };
  const stage = await openStage("pg", { fetch });
  const account = await stage.connect("chosen");
  const [id = ""] = await stage.post(account);
  remote.fault("reset-before");
  await stage.run();
  disconnect = () => stage.world.stores.accounts.disconnect(stage.userId, account.id);
  stage.clock.passedMs = SETTLE_PATIENCE_MS;
  await stage.expire();
  await stage.run();
  expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed" });
  expect(remote.posts).toEqual([]);
});
