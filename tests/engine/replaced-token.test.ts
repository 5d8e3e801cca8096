import { checkAccount, connectAccount } from "@psn/app/connect-account.ts";
import { openSession, refreshSession } from "@psn/app/session.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { expect, test } from "vitest";
import { openStage, PLATFORMS } from "./stage.ts";

/* A token that is replaced while somebody still uses the one before. */

const [BASE] = PLATFORMS;
if (!BASE) throw new Error("the stage has platforms");
const base: Platform = BASE;

/** A platform that is asked, and answers only when it is let. */
function slowPlatform() {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let first = true;
  const slow: Platform = {
    ...base,
    id: "slow",
    publish: async (request, session) => {
      if (!first) return base.publish(request, session);
      first = false;
      ask();
      await answered;
      throw new PsnError("AUTH_REVOKED", "the session was ended");
    },
  };
  return { slow, asked, answer };
}

test("a late refusal of the old one says nothing of an account that was connected anew", async () => {
  const { slow, asked, answer } = slowPlatform();
  const stage = await openStage("pg", { platforms: [slow] });
  const account = await stage.connect("slow", "ada");
  const [id = ""] = await stage.post(account);
  const running = stage.run();
  await asked;
  await connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "slow",
    consent: { form: { name: "ada" } },
    signal: new AbortController().signal,
    meant: {
      account,
    },
  });
  answer();
  await running;
  expect(await stage.world.stores.accounts.list(stage.userId)).toMatchObject([{ health: "ok" }]);
  expect(await stage.detail(id)).toMatchObject({
    state: "scheduled",
    message: "the account was connected again in the meantime",
  });
});

test("nor does it bring back one that was disconnected", async () => {
  const { slow, asked, answer } = slowPlatform();
  const stage = await openStage("pg", { platforms: [slow] });
  const account = await stage.connect("slow", "ada");
  await stage.post(account);
  const running = stage.run();
  await asked;
  await stage.world.stores.accounts.disconnect(stage.userId, account.id);
  answer();
  await running;
  expect(await stage.world.stores.accounts.list(stage.userId)).toMatchObject([{ health: "disconnected" }]);
});

test("a new one outlives a database that is away for a while, and a check exchanges an ended one", async () => {
  const spent = new Set<string>();
  const rotating: Platform = {
    ...base,
    id: "rotating",
    identify: async (session) => {
      if (!session.credentials.access.startsWith("new-")) throw new PsnError("AUTH_EXPIRED", "the token has ended");
      return session.profile;
    },
    refresh: async ({ credentials: { refresh = "" }, profile }) => {
      const once = `${profile.subject} ${refresh}`;
      if (spent.has(once)) throw new PsnError("AUTH_REVOKED", "invalid_grant");
      spent.add(once);
      return { access: `new-${spent.size}`, refresh: `refresh-${spent.size}`, scopes: [] };
    },
  };
  const stage = await openStage("pg", { platforms: [rotating] });
  const account = await stage.connect("rotating", "ada");
  const { accounts } = stage.world.stores;
  let away = 9;
  const refreshed: typeof accounts.refreshed = async (...args) => {
    away -= 1;
    if (away > 0) throw new PsnError("DB_UNREACHABLE", "the database does not answer");
    return accounts.refreshed(...args);
  };
  const world = { ...stage.world, stores: { ...stage.world.stores, accounts: { ...accounts, refreshed } } };
  const sealed = (await accounts.credentials(stage.userId, account.id)) ?? null;
  const session = openSession(world, { userId: stage.userId, account, sealed });
  const fresh = await refreshSession(world, {
    userId: stage.userId,
    account,
    platform: rotating,
    session,
    reason: new PsnError("AUTH_EXPIRED", "x"),
  });
  expect(fresh.credentials).toMatchObject({ access: "new-1", refresh: "refresh-1" });

  const other = await stage.connect("rotating", "bob");
  expect(
    await checkAccount(stage.world, {
      userId: stage.userId,
      accountId: other.id,
      signal: new AbortController().signal,
    }),
  ).toMatchObject({
    ok: true,
  });
});
