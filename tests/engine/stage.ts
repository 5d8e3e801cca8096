import { connectAccount } from "@psn/app/connect-account.ts";
import { publishDelivery } from "@psn/app/publish-delivery.ts";
import { concurrencyOf } from "@psn/app/run-worker.ts";
import { type DraftPost, schedulePost } from "@psn/app/schedule-post.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DeliveryDetail, NewMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { asOwner, type TestDatabase, testDatabases } from "../support/databases.ts";
import { createWorld, type Death, dying, newKey, type TestWorld, type WorldOptions } from "../support/world.ts";
import { type Remote, recorder, startRemote } from "./recorder.ts";

/** One platform for each way of knowing whether a post is there. */
export const PLATFORMS: readonly Platform[] = [
  recorder("chosen", { duplicates: "client-id" }),
  recorder("keyed", { duplicates: "idempotency-key" }),
  recorder("searched", { duplicates: "lookup" }),
  recorder("blind", { duplicates: "ask-human", lookup: false }),
  recorder("unrefreshed", { duplicates: "client-id", refresh: false }),
];

/** A whole engine over a database of its own. */
export interface Stage extends TestWorld {
  readonly db: TestDatabase;
  readonly remote: Remote;
  readonly userId: string;
  /** Another process on the same database: connections, clock and counts of its own. */
  another(): Promise<TestWorld>;
  connect(platform: string, name?: string): Promise<Account>;
  post(to: Account | readonly Account[], wish?: Wish): Promise<string[]>;
  /** Takes what is due and acts on all of it at once. */
  run(options?: { readonly leaseMs?: number; readonly world?: World }): Promise<readonly Claim[]>;
  /** Takes the one delivery that is due, and dies on the way. */
  die(death: Death): Promise<Claim>;
  detail(id: string): Promise<DeliveryDetail>;
  /** Lets every lease end. */
  expire(): Promise<void>;
  /** Makes everything that waits for its time due. */
  due(): Promise<void>;
  /** Ends the pauses of all accounts. */
  resume(): Promise<void>;
}

export interface Wish {
  readonly texts?: readonly string[];
  readonly media?: readonly NewMedia[];
  readonly inMs?: number;
}

const embedded = testDatabases.find(({ driver }) => driver === "embedded");
const postgres = testDatabases.find(({ driver }) => driver === "pg");

export async function openStage(driver: "embedded" | "pg" = "pg", options: Partial<WorldOptions> = {}): Promise<Stage> {
  const db = await (driver === "pg" ? postgres : embedded)?.open();
  if (!db) throw new Error("no such driver");
  return stageOn(db, options);
}

export async function stageOn(db: TestDatabase, options: Partial<WorldOptions> = {}): Promise<Stage> {
  const remote = startRemote();
  const rest = {
    platforms: PLATFORMS,
    fetch: remote.fetch,
    key: newKey(),
    shorten: (ms: number) => Math.min(ms, 50),
    ...options,
  };
  const own = createWorld(db.database, rest);
  const { world } = own;
  const userId = world.newId();
  await world.stores.users.add({ id: userId, handle: "ada", timeZone: "Europe/Zurich" });
  const concurrency = await concurrencyOf(world);

  const claim = (leaseMs = LEASE_MS, worker = "worker", from = world) =>
    from.stores.deliveries.claim({ worker, most: 100, leaseMs, concurrency });
  const resume = async () => {
    await asOwner(db, "UPDATE psn.accounts SET paused_until = NULL");
  };
  return {
    ...own,
    db,
    remote,
    userId,
    another: async () => createWorld(db.database, rest),
    connect: async (platform, name = `ada-${platform}`) => {
      const { id } = await connectAccount(world, {
        userId,
        platformId: platform,
        consent: { form: { name } },
        signal: new AbortController().signal,
      });
      const found = (await world.stores.accounts.list(userId)).find((account) => account.id === id);
      if (!found) throw new Error("the account is not there");
      return found;
    },
    post: async (to, { texts = ["hello"], media = [], inMs = -1000 } = {}) => {
      const [first = "", ...others] = texts;
      const draft: DraftPost = {
        parts: [{ text: first, media }, ...others.map((text) => ({ text, media: [] }))],
        overrides: {},
        split: false,
        numbered: false,
      };
      const due = { at: new Date(Date.now() + inMs), wallTime: null, timeZone: null };
      const { postId } = await schedulePost(world, { userId, draft, accounts: [to].flat(), due, idempotencyKey: null });
      return (await world.stores.posts.ofPost(userId, postId)).map(({ id }) => id);
    },
    run: async ({ leaseMs = LEASE_MS, world: as = world } = {}) => {
      const claims = await claim(leaseMs, "worker", as);
      await Promise.all(claims.map((one) => publishDelivery({ world: as, claim: one, worker: "worker", leaseMs })));
      return claims;
    },
    die: async (death) => {
      const [one, ...others] = await claim(LEASE_MS, "mortal");
      if (!one || others.length > 0) throw new Error(`expected one claim, got ${others.length + (one ? 1 : 0)}`);
      const { world: mortal, died } = dying(world, death);
      const ended = publishDelivery({ world: mortal, claim: one, worker: "mortal", leaseMs: LEASE_MS }).then(() => {
        throw new Error("it did not die");
      });
      await Promise.race([died, ended]);
      return one;
    },
    detail: async (id) => {
      const [found] = await world.stores.posts.detail(userId, [id]);
      if (!found) throw new Error("no such delivery");
      return found;
    },
    expire: async () => {
      await asOwner(
        db,
        "UPDATE psn.deliveries SET lease_until = now() - interval '1 millisecond' WHERE lease_until IS NOT NULL",
      );
      // A gateway's 502 pauses the account too.
      await asOwner(db, "UPDATE psn.accounts SET paused_until = NULL");
    },
    due: async () => {
      await asOwner(
        db,
        "UPDATE psn.deliveries SET wake_at = now() - interval '1 millisecond' WHERE state IN ('scheduled', 'pending')",
      );
      await resume();
    },
    resume,
  };
}

/** Takes the one delivery that is due, and dies when it passes this point for the nth time, from 1. */
export async function dieAt({ world }: Pick<Stage, "world">, point: FaultPoint, nth = 1): Promise<void> {
  const concurrency = await concurrencyOf(world);
  const [claim] = await world.stores.deliveries.claim({ worker: "mortal", most: 1, leaseMs: LEASE_MS, concurrency });
  if (!claim) throw new Error("nothing is due");
  const { promise: died, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const fault = async (passed: FaultPoint) => {
    if (passed === point) count += 1;
    if (passed !== point || count !== nth) return;
    resolve();
    await new Promise<never>(() => undefined);
  };
  const mortal: World = { ...world, fault };
  const ended = publishDelivery({ world: mortal, claim, worker: "mortal", leaseMs: LEASE_MS }).then(() => {
    throw new Error(`it did not pass "${point}" for the ${nth}th time`);
  });
  await Promise.race([died, ended]);
}

/** A picture as the database keeps it; nobody here looks at its bytes. */
export function picture(): NewMedia {
  const content = new Uint8Array(64).fill(7);
  return {
    id: Bun.randomUUIDv7(),
    kind: "image",
    mime: "image/png",
    bytes: content.length,
    width: 1,
    height: 1,
    sha256: "ab".repeat(32),
    content,
  };
}
