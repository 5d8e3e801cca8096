import { keepHub } from "@psn/app/keep-hub.ts";
import type { World } from "@psn/core/ports/world.ts";
import { beforeEach, expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage, type Stage } from "./stage.ts";

/* What only the user can mend reaches the user. */

let stage: Stage;
let told: string[];
let world: World;
beforeEach(async () => {
  stage = await openStage();
  told = [];
  world = { ...stage.world, notify: async (line) => void told.push(line) };
});

test("an account whose token was taken back, once, and with what helps", async () => {
  const account = await stage.connect("chosen", "ada");
  await stage.post(account, { texts: ["a word of the post"] });
  stage.remote.revoke("ada");
  await stage.run({ world });
  expect(told).toEqual([
    expect.stringMatching(
      /^chosen:ada must be reconnected \(.+\); its posts are on hold until then: psn connect chosen:ada$/,
    ),
  ]);
});

test("the same when the hub's upkeep finds it out", async () => {
  const account = await stage.connect("chosen", "ada");
  stage.remote.revoke("ada");
  await asOwner(
    stage.db,
    "UPDATE psn.oauth_tokens SET refreshed_at = now() - interval '8 days' WHERE account_id = $1",
    [account.id],
  );
  const stop = new AbortController();
  await keepHub({ ...world, sleep: async () => stop.abort() }, stop.signal, () => undefined);
  expect(told).toEqual([expect.stringContaining("chosen:ada must be reconnected")]);
});

test("a token that ends within a week and cannot be renewed, once; one that can be is renewed", async () => {
  const account = await stage.connect("chosen", "ada");
  const other = await stage.connect("chosen", "bob");
  await asOwner(
    stage.db,
    "UPDATE psn.oauth_tokens SET expires_at = now() + interval '6 days' WHERE account_id IN ($1, $2)",
    [account.id, other.id],
  );
  await asOwner(stage.db, "UPDATE psn.oauth_tokens SET refresh_token = NULL, secret = NULL WHERE account_id = $1", [
    account.id,
  ]);
  for (let hour = 0; hour < 3; hour += 1) {
    const stop = new AbortController();
    await keepHub({ ...world, sleep: async () => stop.abort() }, stop.signal, () => undefined);
  }
  expect(told).toEqual([
    expect.stringMatching(
      /^chosen:ada must be reconnected by \d{4}-\d\d-\d\d, or its posts will be on hold: psn connect chosen$/,
    ),
  ]);
  const health = new Map(
    (await stage.world.stores.accounts.list(stage.userId)).map((one) => [one.profile.handle, one]),
  );
  expect([health.get("ada")?.health, health.get("ada")?.healthReason, health.get("bob")?.healthReason]).toEqual([
    "ok",
    expect.stringContaining("its token ends on"),
    null,
  ]);
});

test("a post that is out or not, as far as anybody knows", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind", "ada"), { texts: ["a word of the post"] });
  stage.remote.fault("reset-after");
  await stage.run({ world });
  expect(told).toEqual([]);
  await stage.expire();
  await stage.run({ world });
  expect(told).toEqual([`psn could not confirm whether a post is published at blind:ada: psn resolve ${id.slice(-8)}`]);
});

test("a post that was refused", async () => {
  const [id = ""] = await stage.post(await stage.connect("chosen", "ada"), { texts: ["a word of the post"] });
  stage.remote.fault({ status: 422, reason: "text is too rude" });
  await stage.run({ world });
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`^a post to chosen:ada failed .*: psn show ${id.slice(-8)}$`)),
  ]);
  expect(told.join()).not.toContain("a word");
});

test("nobody can be told: nothing else comes of it", async () => {
  const [id = ""] = await stage.post(await stage.connect("blind", "ada"));
  stage.remote.fault("reset-after");
  const deaf: World = { ...world, notify: () => Promise.reject(new Error("no such host")) };
  await stage.run({ world: deaf });
  await stage.expire();
  await stage.run({ world: deaf });
  expect((await stage.detail(id)).state).toBe("unconfirmed");
});
