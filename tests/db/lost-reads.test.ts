import { assertMigrated, migrationStatus } from "@psn/core/db/migrate.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import { sql } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { asOwner, sharedGateway, type TestDatabase, testDatabases } from "../support/databases.ts";
import type { NeonGateway } from "../support/neon-gateway.ts";
import { atMost, until } from "../support/until.ts";
import { newId, type Stage, setUp } from "./stage.ts";

/*
 * A read can be asked again: an answer that is lost on the way must end no command. Every verb of every store is here,
 * so that a new one must say which it is.
 */

type Read = (stage: Stage) => Promise<unknown>;
type Verbs = { readonly [S in keyof Stores]: Readonly<Record<keyof Stores[S], Read | "writes">> };

const VERBS: Verbs = {
  users: { add: "writes", change: "writes", get: ({ stores, userId }) => stores.users.get(userId) },
  accounts: {
    list: ({ stores, userId }) => stores.accounts.list(userId),
    find: ({ stores, userId, platform }) => stores.accounts.find(userId, platform, "first"),
    credentials: ({ stores, userId, accountId }) => stores.accounts.credentials(userId, accountId),
    hasFailed: ({ stores, userId, accountId }) => stores.accounts.hasFailed(userId, accountId, 1_000),
    connect: "writes",
    disconnect: "writes",
    leaseRefresh: "writes",
    refreshed: "writes",
    releaseRefresh: "writes",
    needsReconnect: "writes",
  },
  keys: { list: ({ stores, userId }) => stores.keys.list(userId), put: "writes", remove: "writes" },
  posts: {
    findByKey: ({ stores, userId }) => stores.posts.findByKey(userId, "a key"),
    list: ({ stores, userId }) => stores.posts.list(userId, "open", 9),
    page: ({ stores, userId }) => stores.posts.page(userId, { order: "changed", states: "all", limit: 9 }),
    ofPost: ({ stores, userId }) => stores.posts.ofPost(userId, newId()),
    detail: ({ stores, userId }) => stores.posts.detail(userId, [newId()]),
    find: ({ stores, userId }) => stores.posts.find(userId, "abc"),
    source: ({ stores, userId }) => stores.posts.source(userId, newId()),
    findMedia: ({ stores, userId }) => stores.posts.findMedia(userId, newId()),
    schedule: "writes",
    edit: "writes",
    cancel: "writes",
    move: "writes",
    retry: "writes",
    remove: "writes",
    resolve: "writes",
  },
  deliveries: {
    nextWake: ({ stores, platform }) => stores.deliveries.nextWake({ [platform]: 1 }),
    load: ({ stores, userId }) => stores.deliveries.load(userId, newId()),
    knownRefs: ({ stores, userId, accountId }) => stores.deliveries.knownRefs(userId, newId(), accountId),
    // The same worker is answered the same again.
    claimOne: ({ stores, userId, platform }) =>
      stores.deliveries.claimOne({ worker: "w", leaseMs: 1_000, platforms: [platform], userId, deliveryId: newId() }),
    wakeUps: ({ stores, platform }) =>
      stores.deliveries.wakeUps({ worker: "w", version: "0", platforms: [platform], aheadMs: 1_000, most: 9 }),
    claim: "writes",
    claimNext: "writes",
    note: "writes",
    record: "writes",
    listen: "writes",
    beat: "writes",
    gone: "writes",
  },
  incarnation: { look: ({ stores }) => stores.incarnation.look(), become: "writes", part: "writes" },
  inspection: {
    workers: ({ stores }) => stores.inspection.workers(),
    troubles: ({ stores, userId }) => stores.inspection.troubles(userId, ["VENDOR_AUTH"]),
    late: ({ stores, userId }) => stores.inspection.late(userId),
    clockSkewMs: ({ stores }) => stores.inspection.clockSkewMs(),
    durability: ({ stores }) => stores.inspection.durability(),
    differences: ({ stores }) => stores.inspection.differences(),
    strangerSees: ({ stores }) => stores.inspection.strangerSees(),
    sealedByKey: ({ stores, userId }) => stores.inspection.sealedByKey(userId),
  },
  upkeep: {
    staleTokens: ({ stores, platform }) => stores.upkeep.staleTokens([platform], 1_000, 1_000),
    spentMedia: ({ stores }) => stores.upkeep.spentMedia(1_000, 9),
    users: ({ stores }) => stores.upkeep.users(),
    unnamed: ({ stores }) => stores.upkeep.unnamed(["psn/a/b"]),
    noteTrouble: "writes",
    mendTrouble: "writes",
    wakeTroubled: "writes",
    // Who was told is noted.
    noteEndingTokens: "writes",
    dropEndedSecrets: "writes",
    forgetTroubles: "writes",
    dropMedia: "writes",
    dropWorkers: "writes",
  },
  recovery: { open: ({ stores, userId }) => stores.recovery.open(userId), settle: "writes" },
  sealed: {
    ofKey: ({ stores, userId }) => stores.sealed.ofKey(userId, { keyId: "key1", most: 9 }),
    ofOthers: ({ stores, userId }) => stores.sealed.ofOthers(userId, ["key1"], 9),
    count: ({ stores, userId }) => stores.sealed.count(userId),
    reseal: "writes",
  },
};

const READS: readonly (readonly [string, Read])[] = Object.entries(VERBS).flatMap(([store, verbs]) =>
  Object.entries<Read | "writes">(verbs).flatMap(([verb, read]) =>
    read === "writes" ? [] : [[`${store}.${verb}`, read] as const],
  ),
);

const openOn = async (driver: string): Promise<TestDatabase> => {
  const db = await testDatabases.find((one) => one.driver === driver)?.open();
  if (!db) throw new Error("no such driver");
  return db;
};

describe("over Neon's HTTP, one answer lost", () => {
  let stage: Stage;
  let gateway: NeonGateway;
  beforeAll(async () => {
    stage = await setUp(await openOn("neon-http"));
    gateway = await sharedGateway();
  });
  afterEach(() => gateway.faults.clear());

  const lost = async (read: () => Promise<unknown>) => {
    const before = gateway.requests.length;
    gateway.faults.next({ kind: "drop", when: "after" });
    await read();
    expect(gateway.requests.slice(before).map(({ status }) => status)).toEqual(expect.arrayContaining([0, 200]));
  };

  it.each(READS)("%s answers all the same", async (_, read) => lost(() => read(stage)));

  it("opening the hub goes on, and so does psn db status", async () => {
    await lost(() => assertMigrated(stage.db.database));
    await lost(() => migrationStatus(stage.db.database));
  });

  it("the clocks are compared by the answer that came", async () => {
    gateway.faults.next({ kind: "drop", when: "after" }, { times: 2 });
    expect(Math.abs(await stage.stores.inspection.clockSkewMs())).toBeLessThan(atMost(500));
  });
});

describe.each(["pg", "neon-ws"])("over a session by %s, cut in the middle", (driver) => {
  it("a read is asked again on another connection, a write is not", async () => {
    const db = await openOn(driver);
    // Of a statement that was cut before it took its number, the next would sleep.
    const sleeps = async () => (await asOwner(db, "SELECT is_called FROM public.times"))[0]?.["is_called"] === true;
    const cut = async (repeatable: boolean) => {
      // The first time it would sleep until it is cut, the second time not at all.
      await asOwner(db, "CREATE SEQUENCE public.times; GRANT USAGE ON SEQUENCE public.times TO PUBLIC");
      const answer = db.database
        .run(
          "service",
          (b) => [b.execute(sql`select pg_sleep(CASE nextval('public.times') WHEN 1 THEN 600 ELSE 0 END)`)],
          { repeatable },
        )
        .then(
          () => "answered",
          (error: unknown) => Reflect.get(Object(error), "code"),
        );
      await until("the statement sleeps", sleeps);
      await asOwner(
        db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' " +
          "AND query LIKE 'select pg_sleep%' AND datname = current_database()",
      );
      const told = await answer;
      await asOwner(db, "DROP SEQUENCE public.times");
      return told;
    };
    expect(await cut(true)).toBe("answered");
    expect(await cut(false)).toBe("DB_UNREACHABLE");
    await db.close();
  });
});
