import { keepHub } from "@psn/app/keep-hub.ts";
import { refreshTokens } from "@psn/app/refresh-tokens.ts";
import type { PsnError } from "@psn/core/errors.ts";
import { expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage } from "./stage.ts";

/* What a worker does beside publishing. */

test("tokens that nobody has used for a week are exchanged, and one account's trouble stops no other's", async () => {
  const stage = await openStage();
  const fresh = await stage.connect("chosen", "fresh");
  const idle = await stage.connect("keyed", "idle");
  const revoked = await stage.connect("searched", "revoked");
  stage.remote.revoke("revoked");
  await asOwner(
    stage.db,
    "UPDATE psn.oauth_tokens SET refreshed_at = now() - interval '8 days' WHERE account_id <> $1",
    [fresh.id],
  );
  const stop = new AbortController();
  const troubles: PsnError[] = [];
  const before = stage.remote.calls.length;
  const kept = keepHub({ ...stage.world, sleep: async () => stop.abort() }, stop.signal, (error) =>
    troubles.push(error),
  );
  await kept;
  const asked = stage.remote.calls.slice(before).map(({ account, route }) => `${account} ${route}`);
  expect(asked.toSorted()).toEqual(["idle POST /refresh", "revoked POST /refresh"]);
  expect(troubles.map(({ code }) => code)).toEqual(["AUTH_REVOKED"]);
  const health = new Map((await stage.world.stores.accounts.list(stage.userId)).map(({ id, health: is }) => [id, is]));
  expect([fresh, idle, revoked].map(({ id }) => health.get(id))).toEqual(["ok", "ok", "needs-reconnect"]);
});

test("ends when it is told to, also while it waits, and a database that is away is only trouble", async () => {
  const stage = await openStage();
  const stop = new AbortController();
  const troubles: PsnError[] = [];
  const away = {
    ...stage.world.stores.upkeep,
    staleTokens: () => Promise.reject(new Error("away")),
    spentMedia: () => Promise.reject(new Error("away")),
  };
  const asleep = Promise.withResolvers<void>();
  const kept = keepHub(
    {
      ...stage.world,
      stores: { ...stage.world.stores, upkeep: away },
      sleep: (_ms, signal) =>
        new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
          asleep.resolve();
        }),
    },
    stop.signal,
    (error) => troubles.push(error),
  );
  await asleep.promise;
  stop.abort();
  await kept;
  expect(troubles.map(({ code }) => code)).toEqual(["BUG", "BUG"]);
});

test("one user's many tokens at a slow server do not keep another's from being exchanged", async () => {
  const stage = await openStage();
  const { accounts, upkeep } = stage.world.stores;
  const of = (userId: string, n: number) =>
    Array.from({ length: n }, () => ({ userId, accountId: stage.world.newId(), platform: "keyed" }));
  const stale = [...of("mallory", 20), ...of("vera", 2)];
  let now = 0;
  const asked: string[] = [];
  const world = {
    ...stage.world,
    elapsedMs: () => now,
    stores: {
      ...stage.world.stores,
      upkeep: { ...upkeep, staleTokens: async () => stale, noteEndingTokens: async () => [] },
      accounts: {
        ...accounts,
        list: async (userId: string) => {
          asked.push(userId);
          // Each takes as long as a request may.
          now += 30_000;
          return [];
        },
      },
    },
  };
  await refreshTokens(world, () => undefined);
  expect(asked.slice(0, 4)).toEqual(["mallory", "vera", "mallory", "vera"]);
  // A task has five minutes; the rest comes with the next look.
  expect(now).toBeLessThan(240_000);
});
