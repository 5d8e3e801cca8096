import { setTimeout as sleep } from "node:timers/promises";
import type { Database, Statement } from "@psn/core/db/connection.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Deliveries, LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { Platforms } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Fetch, Platform } from "@psn/core/types/platform.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createVault } from "@psn/core/vault.ts";

/*
 * A World over a real database: the real stores and the real vault, with the clock, the network and the platforms in a
 * test's hands.
 */

export interface TestWorld {
  readonly world: World;
  /**
   * `aheadMs`: how far this world's clock is ahead of the machine's, in milliseconds; the database's stays. `passedMs`:
   * how much time has passed for both, as far as one can tell by asking either.
   */
  readonly clock: { aheadMs: number; passedMs: number };
  /** How often each verb of the deliveries store was called. */
  readonly calls: Record<keyof Deliveries, number>;
  /** Every wait the engine asked for, in milliseconds. */
  readonly sleeps: number[];
}

export interface WorldOptions {
  readonly platforms: readonly Platform[];
  readonly fetch: Fetch;
  /** A second world over the same database must open what the first has sealed. */
  readonly key?: string;
  /** In [0, 1); 0.5 if not given. */
  readonly random?: () => number;
  /** What becomes of a wait, given its milliseconds; all of it if not given. */
  readonly shorten?: (ms: number) => number;
}

export const newKey = generateKey;

export function createWorld(database: Database, options: WorldOptions): TestWorld {
  const { platforms, key = generateKey(), shorten = (ms) => ms } = options;
  const clock = { aheadMs: 0, passedMs: 0 };
  const sleeps: number[] = [];
  const stores = createStores(database);
  const later = <T extends LoadedDelivery | undefined>(loaded: T): T =>
    loaded && { ...loaded, readAt: new Date(loaded.readAt.getTime() + clock.passedMs) };
  const { load, claimOne, claimNext, beat } = stores.deliveries;
  const { counted, calls } = counting({
    ...stores.deliveries,
    load: async (...args) => later(await load(...args)),
    beat: async (...args) => new Date((await beat(...args)).getTime() + clock.passedMs),
    claimOne: async (...args) => {
      const { loaded, ...one } = await claimOne(...args);
      return { ...one, loaded: later(loaded) };
    },
    claimNext: async (...args) => {
      const { loaded, ...one } = await claimNext(...args);
      return { ...one, loaded: later(loaded) };
    },
  });
  const known: Platforms = {
    ids: platforms.map(({ id }) => id),
    load: async (id) => {
      const found = platforms.find((platform) => platform.id === id);
      if (!found) throw new PsnError("INPUT_INVALID", `no platform is called ${id}`);
      return found;
    },
  };
  const world: World = {
    stores: { ...stores, deliveries: counted },
    vault: createVault({ keys: [keyFromHex(key)] }),
    platforms: known,
    apps: { find: async () => undefined },
    fetch: options.fetch,
    now: () => new Date(Date.now() + clock.aheadMs + clock.passedMs),
    elapsedMs: () => performance.now() + clock.passedMs,
    random: options.random ?? (() => 0.5),
    newId: () => Bun.randomUUIDv7(),
    sleep: async (ms, signal) => {
      sleeps.push(ms);
      await sleep(shorten(ms), undefined, signal ? { signal } : {});
    },
  };
  return { world, clock, calls, sleeps };
}

function counting(deliveries: Deliveries) {
  const none: Partial<Record<keyof Deliveries, number>> = {};
  const calls = Object.assign(none, Object.fromEntries(Object.keys(deliveries).map((verb) => [verb, 0]))) as Record<
    keyof Deliveries,
    number
  >;
  const counted = new Proxy(deliveries, {
    get: (target, verb: keyof Deliveries, receiver) => {
      calls[verb] += 1;
      return Reflect.get(target, verb, receiver);
    },
  });
  return { counted, calls };
}

/** Where a process dies: just before or just after one call of a verb of the deliveries store takes effect. */
export interface Death {
  readonly verb: "load" | "record";
  /** Which call, from 1. */
  readonly nth: number;
  readonly when: "before" | "after";
}

/**
 * The same world as a process sees it that dies there: that call never comes back. `died` resolves when it is reached.
 */
export function dying(
  world: World,
  { verb, nth, when }: Death,
): { readonly world: World; readonly died: Promise<void> } {
  let reached: () => void = () => undefined;
  const died = new Promise<void>((resolve) => {
    reached = resolve;
  });
  let count = 0;
  const mortal = async <T>(call: () => Promise<T>): Promise<T> => {
    count += 1;
    if (count !== nth) return call();
    if (when === "after") await call();
    reached();
    return new Promise<never>(() => undefined);
  };
  const { deliveries } = world.stores;
  const some: Partial<Deliveries> =
    verb === "load"
      ? { load: (...args) => mortal(() => deliveries.load(...args)) }
      : { record: (...args) => mortal(() => deliveries.record(...args)) };
  return { world: { ...world, stores: { ...world.stores, deliveries: { ...deliveries, ...some } } }, died };
}

/** The database, and the text of every statement that was built for it. */
export function noting(database: Database): { readonly database: Database; readonly statements: string[] } {
  const statements: string[] = [];
  const textOf = (statement: Statement): string => {
    const made: unknown = "toSQL" in statement && typeof statement.toSQL === "function" ? statement.toSQL() : undefined;
    const text: unknown = typeof made === "object" && made !== null ? Reflect.get(made, "sql") : undefined;
    return typeof text === "string" ? text : "?";
  };
  const run: Database["run"] = (actor, build) =>
    database.run(actor, (db) => {
      const built = build(db);
      statements.push(...built.map(textOf));
      return built;
    });
  return { database: { ...database, run }, statements };
}
