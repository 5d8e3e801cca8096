import { PsnError } from "@psn/core/errors.ts";
import { failed, LEASE_MS, sending } from "@psn/domain/delivery.ts";
import { expect } from "vitest";
import { asOwner } from "../../support/databases.ts";
import {
  claimOne,
  connect,
  detail,
  done,
  eventsOf,
  newId,
  newUser,
  profile,
  schedule,
  sealed,
  settle,
  stateOf,
  type Test,
} from "../stage.ts";

export function accountTests(test: Test): void {
  test("users: adding twice keeps the first; a user reads itself and nobody else", async ({ stores, userId }) => {
    await stores.users.add({ id: userId, handle: "other", timeZone: "UTC" });
    expect(await stores.users.get(userId)).toEqual({ id: userId, handle: "anna", timeZone: "Europe/Zurich" });
    expect(await stores.users.get(newId())).toBeUndefined();
  });

  test("accounts: what is connected is listed, found, and its credentials come back as they were", async (stage) => {
    const { stores, userId, platform } = stage;
    const id = newId();
    const credentials = sealed(newId(), {
      refresh: null,
      secret: "v1.key1.'secret'",
      expiresAt: new Date("2027-03-28T01:59:59.123Z"),
      scopes: ["a b", 'say "hi"', "back\\slash", "{curly},comma", "", "naïve 🦆"],
    });
    const limits = { altText: 500 } as const;
    await stores.accounts.connect(userId, { id, platform, profile: { ...profile("second"), limits } }, credentials);
    const listed = await stores.accounts.list(userId);
    expect(listed.map(({ profile: { handle } }) => handle)).toEqual(["@first", "@second"]);
    expect(listed[1]).toMatchObject({
      id,
      platform,
      health: "ok",
      healthReason: null,
      pausedUntil: null,
      profile: { limits },
    });
    expect(listed[1]?.expiresAt).toEqual(credentials.expiresAt);
    expect(listed[1]?.createdAt).toBeInstanceOf(Date);
    expect(Math.abs((listed[1]?.refreshedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(listed[0]?.profile).toEqual(profile("first"));
    expect(await stores.accounts.find(userId, platform, "second")).toBe(id);
    expect(await stores.accounts.find(userId, platform, "third")).toBeUndefined();
    expect(await stores.accounts.credentials(userId, id)).toEqual({
      ...credentials,
      audience: [platform, "second", profile("second").home],
    });
    expect(await stores.accounts.credentials(userId, newId())).toBeUndefined();
  });

  test("accounts: connecting again does not end a pause that the platform asked for", async (stage) => {
    const { stores, userId, platform, accountId } = stage;
    await asOwner(stage.db, "UPDATE psn.accounts SET paused_until = now() + interval '1 hour' WHERE id = $1", [
      accountId,
    ]);
    await stores.accounts.connect(userId, { id: accountId, platform, profile: profile("first") }, sealed());
    const [account] = await stores.accounts.list(userId);
    expect((account?.pausedUntil?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
  });

  test("accounts: the same subject of another user is another account", async ({
    stores,
    userId,
    platform,
    accountId,
  }) => {
    const other = await newUser(stores);
    const id = newId();
    await stores.accounts.connect(other, { id, platform, profile: profile("first") }, sealed());
    expect(await stores.accounts.list(other)).toMatchObject([{ id }]);
    expect(await stores.accounts.list(userId)).toMatchObject([{ id: accountId }]);
    expect(await stores.accounts.find(other, platform, "first")).toBe(id);
    expect(await stores.accounts.credentials(other, accountId)).toBeUndefined();
    expect(await stores.accounts.disconnect(other, accountId)).toEqual({ cancelled: 0, unconfirmed: 0 });
    expect(await stores.accounts.credentials(userId, accountId)).toBeDefined();
  });

  test("accounts: reconnecting keeps the id, heals the account and schedules what was held", async (stage) => {
    const { stores, userId, platform, accountId } = stage;
    const [held, cancelled] = [await schedule(stage), await schedule(stage)];
    await stores.posts.cancel(userId, [cancelled.id]);
    const claimed = await claimOne(stage);
    await settle(
      stage,
      claimed,
      failed(0, { error: new PsnError("AUTH_REVOKED", "token gone"), attempt: 1, random: 0 }),
    );
    expect(await detail(stage, held.id)).toMatchObject({
      state: "held",
      code: "AUTH_REVOKED",
      health: "needs-reconnect",
    });
    expect(await stores.accounts.list(userId)).toMatchObject([
      { health: "needs-reconnect", healthReason: "token gone" },
    ]);

    const credentials = sealed(newId(), { access: "v1.key1.new" });
    await stores.accounts.connect(
      userId,
      { id: accountId, platform, profile: { ...profile("first"), handle: "@renamed" } },
      credentials,
    );
    expect(await stores.accounts.find(userId, platform, "first")).toBe(accountId);
    expect(await stores.accounts.credentials(userId, accountId)).toMatchObject(credentials);
    expect(await stores.accounts.list(userId)).toMatchObject([
      { id: accountId, health: "ok", healthReason: null, profile: { handle: "@renamed" } },
    ]);
    expect(await detail(stage, held.id)).toMatchObject({ state: "scheduled", code: null, message: null });
    expect(await eventsOf(stage, held.id)).toEqual(["scheduled", "sending", "held", "reconnected"]);
    expect(await stateOf(stage, cancelled.id)).toBe("cancelled");
    expect(await eventsOf(stage, cancelled.id)).toEqual(["scheduled", "cancelled"]);
    expect(await claimOne(stage)).toMatchObject({ deliveryId: held.id, purpose: "publish" });
  });

  test("accounts: credentials that are stored again carry the id they were sealed for", async ({
    stores,
    userId,
    platform,
    accountId,
  }) => {
    const credentials = sealed(newId(), { access: "v1.key1.sealed-for-the-new-id" });
    await stores.accounts.connect(userId, { id: accountId, platform, profile: profile("first") }, credentials);
    expect(await stores.accounts.credentials(userId, accountId)).toMatchObject(credentials);
  });

  test("accounts: disconnecting forgets credentials, cancels what is to come, leaves what is out", async (stage) => {
    const { stores, userId, accountId, platform } = stage;
    const out = await schedule(stage);
    await settle(stage, await claimOne(stage), done("1"));
    const sent = await schedule(stage);
    const inFlight = await claimOne(stage);
    const prepared = await schedule(stage, { units: [{ prepare: true }] });
    const old = await claimOne(stage);
    const waiting = await schedule(stage, { dueInMs: 3_600_000 });
    const elsewhere = await schedule(stage, { accounts: [await connect(stage, "second")] });

    expect(await stores.accounts.disconnect(userId, accountId)).toEqual({ cancelled: 2, unconfirmed: 1 });
    expect(await Promise.all([out, sent, prepared, waiting, elsewhere].map(({ id }) => stateOf(stage, id)))).toEqual([
      "published",
      "unconfirmed",
      "cancelled",
      "cancelled",
      "scheduled",
    ]);
    expect(await eventsOf(stage, waiting.id)).toEqual(["scheduled", "cancelled"]);
    expect(await eventsOf(stage, out.id)).toEqual(["scheduled", "sending", "published"]);
    expect(await eventsOf(stage, sent.id)).toEqual(["scheduled", "sending", "unconfirmed"]);
    expect(await settle(stage, old, sending(0, null, LEASE_MS))).toBe(false);
    // The answer that was on its way is still taken; that there is none says nothing new.
    expect(await settle(stage, inFlight, sending(0, null, LEASE_MS))).toBe(false);
    expect(await settle(stage, inFlight, done("2"))).toBe(true);
    expect(await detail(stage, sent.id)).toMatchObject({ state: "published", code: null, message: null });
    expect(await stores.accounts.credentials(userId, accountId)).toBeUndefined();
    expect(await stores.accounts.find(userId, platform, "first")).toBe(accountId);
    expect((await stores.accounts.list(userId)).map(({ health }) => health)).toEqual(["disconnected", "ok"]);
    expect(await stores.accounts.disconnect(userId, accountId)).toEqual({ cancelled: 0, unconfirmed: 0 });
  });

  test("accounts: a lease that a step of the clock made a day long stops no refresh", async (stage) => {
    const { stores, userId, accountId } = stage;
    const until = (seconds: number) =>
      asOwner(
        stage.db,
        `UPDATE psn.oauth_tokens SET refresh_lease_until = now() + interval '${seconds} seconds' WHERE account_id = $1`,
        [accountId],
      );
    await until(100);
    expect(await stores.accounts.leaseRefresh(userId, accountId, 60_000)).toBe("taken");
    await until(86_400);
    expect(await stores.accounts.leaseRefresh(userId, accountId, 60_000)).toBe("mine");
  });

  test("accounts: one refresh at a time", async ({ stores, userId, accountId }) => {
    const take = (leaseMs: number) => stores.accounts.leaseRefresh(userId, accountId, leaseMs);
    const tries = await Promise.all(Array.from({ length: 10 }, () => take(60_000)));
    expect(tries.filter((one) => one === "mine")).toHaveLength(1);
    expect(await take(60_000)).toBe("taken");
    await stores.accounts.releaseRefresh(userId, accountId);
    expect(await take(0)).toBe("mine");
    // That lease has ended by now.
    expect(await take(60_000)).toBe("mine");
    const before = await stores.accounts.credentials(userId, accountId);
    if (!before) throw new Error("the account has credentials");
    const fresh = sealed(before.id, {
      version: 2,
      access: "v1.key1.fresh",
      refresh: "v1.key1.rotated",
      expiresAt: new Date(0),
    });
    expect(
      await stores.accounts.refreshed(userId, { accountId, previous: before, credentials: fresh, restMs: 60_000 }),
    ).toBe(true);
    expect(await stores.accounts.credentials(userId, accountId)).toMatchObject(fresh);
    // A refresh that took too long does not write over what came after it.
    expect(
      await stores.accounts.refreshed(userId, {
        accountId,
        previous: before,
        credentials: sealed(before.id, { access: "v1.key1.late" }),
        restMs: 0,
      }),
    ).toBe(false);
    expect(await stores.accounts.credentials(userId, accountId)).toMatchObject(fresh);
    // What was just exchanged rests, until its user connects the account again.
    expect(await take(60_000)).toBe("resting");
    expect(await stores.accounts.leaseRefresh(await newUser(stores), accountId, 1)).toBe("taken");
  });
}
