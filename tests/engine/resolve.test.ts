import { resolveDelivery } from "@psn/app/change-deliveries.ts";
import { connectAccount } from "@psn/app/connect-account.ts";
import { SETTLE_PATIENCE_MS } from "@psn/domain/delivery.ts";
import { beforeEach, expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

/* What a person finds out and psn goes on with. */

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});

const resolve = (id: string, live?: string) => resolveDelivery(stage.world, { userId: stage.userId, id, live });

/** A thread whose second unit is public, and whose answer psn never saw. */
async function unsureThread(): Promise<string> {
  const account = await stage.connect("searched");
  const [id = ""] = await stage.post(account, { texts: ["first", "second", "third"] });
  stage.remote.fault({ first: async () => stage.remote.fault("reset-after") });
  await stage.run();
  stage.remote.shows = false;
  stage.clock.passedMs = SETTLE_PATIENCE_MS;
  await stage.expire();
  await stage.run();
  stage.clock.passedMs = 0;
  stage.remote.shows = true;
  expect(await stage.detail(id)).toMatchObject({ state: "unconfirmed", unitsPublished: 1 });
  return id;
}

test("the rest of a thread answers the post that a person found", async () => {
  const id = await unsureThread();
  await resolve(id, "https://searched.example/searched.example-2");
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  expect(stage.remote.posts.map(({ text, parent }) => ({ text, parent }))).toEqual([
    { text: "first", parent: null },
    { text: "second", parent: "searched.example-1" },
    { text: "third", parent: "searched.example-2" },
  ]);
});

test("an address that leads to no post of the account is refused while a thread has more to say", async () => {
  const id = await unsureThread();
  await expect(resolve(id, "https://elsewhere.example/1")).rejects.toMatchObject({ code: "INPUT_INVALID" });
  expect((await stage.detail(id)).state).toBe("unconfirmed");
});

test("where nothing is to come, any address will do", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind"));
  stage.remote.fault("reset-before");
  await stage.run();
  await stage.expire();
  await stage.run();
  await resolve(id, "https://elsewhere.example/1");
  expect(await stage.detail(id)).toMatchObject({ state: "published", url: "https://elsewhere.example/1" });
});

test("what needs its account connected again before it is asked is a person's to settle, or waits", async () => {
  const account = await stage.connect("keyed");
  const [out = "", other = ""] = [...(await stage.post(account)), ...(await stage.post(account, { texts: ["other"] }))];
  stage.remote.fault("reset-after");
  stage.remote.fault("reset-after");
  await stage.run();
  await expect(resolve(out, "https://keyed.example/keyed.example-1")).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  await stage.world.stores.accounts.needsReconnect(stage.userId, account.id, "the session has ended");
  await stage.expire();
  expect(await stage.run()).toEqual([]);
  await resolve(out, "https://keyed.example/keyed.example-1");
  expect((await stage.detail(out)).state).toBe("published");
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "keyed",
    consent: { form: { name: "ada-keyed" } },
    signal: new AbortController().signal,
  });
  await stage.run();
  expect((await stage.detail(other)).state).toBe("published");
  expect(stage.remote.posts).toHaveLength(2);
});

test("nobody settles what a worker is at work on", async () => {
  const account = await stage.connect("keyed");
  const [id = ""] = await stage.post(account);
  stage.remote.fault({
    first: async () => {
      await stage.world.stores.accounts.needsReconnect(stage.userId, account.id, "the session has ended");
      await expect(resolve(id)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    },
  });
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
});

test("what a disconnect has made unconfirmed is nobody's to settle while a worker may still send it", async () => {
  const account = await stage.connect("blind");
  const [id = ""] = await stage.post(account);
  stage.remote.fault({
    first: async () => {
      await stage.world.stores.accounts.disconnect(stage.userId, account.id);
      expect((await stage.detail(id)).state).toBe("unconfirmed");
      await expect(resolve(id)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    },
  });
  await stage.run();
  expect((await stage.detail(id)).state).toBe("published");
  const [other = ""] = await stage.post(await stage.connect("blind"), { texts: ["other"] });
  await stage.die({ verb: "load", nth: 1, when: "before" });
  await stage.world.stores.accounts.disconnect(stage.userId, account.id);
  await expect(resolve(other)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  // Its worker is dead: when the lease is over it is a person's.
  await stage.expire();
  await resolve(other);
  expect((await stage.detail(other)).state).toBe("scheduled");
});
