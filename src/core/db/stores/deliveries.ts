import type { Builder, Database } from "@psn/core/db/database.ts";
import { deliveries, deliveryUnits, workers } from "@psn/core/db/schema.ts";
import { storableJson } from "@psn/core/db/storable.ts";
import { SCHEMA_VERSION } from "@psn/core/db/version.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Claim, Deliveries, LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { WakeUp } from "@psn/core/ports/outside.ts";
import type { DeliveryState, Purpose } from "@psn/core/types/index.ts";
import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { note, uuids } from "./changes.ts";
import { loadedOf, loading } from "./loaded.ts";
import { together } from "./together.ts";

const claimColumns = {
  deliveryId: sql<string>`delivery_id`,
  userId: sql<string>`user_id`,
  fence: sql<string>`fence::text`,
  purpose: sql<Purpose>`purpose`,
};
const claimOf = (row: Omit<Claim, "fence"> & { readonly fence: string }): Claim => ({
  ...row,
  fence: Number(row.fence),
});

/**
 * The oldest delivery of an account that is due, waits for whoever comes, and holds no media: what can be sent at once.
 * The account is an expression; `skip` leaves out the oldest ones.
 */
const nextDue = (
  account: SQL,
  skip = 0,
) => sql`select d.id from psn.deliveries d join psn.accounts a on a.id = d.account_id
  where d.account_id = ${account} and d.state = 'scheduled' and d.wake_at <= now()
    and a.health = 'ok' and (a.paused_until is null or a.paused_until <= now())
    and not exists (select from psn.delivery_units u where u.delivery_id = d.id and cardinality(u.media) > 0)
  order by d.wake_at offset ${skip}::integer limit 1`;
const moreDue = (db: Builder, account: SQL) =>
  db.select({ more: sql<boolean>`more` }).from(sql`(select exists(${nextDue(account)}) as more) due`);

/** The heartbeat, where the look found nothing that must be done: who finds something is heard of when it is done. */
const beatingIdle = (
  db: Builder,
  { worker, version, found }: { readonly worker: string; readonly version: string; readonly found: SQL },
) =>
  db
    .insert(workers)
    .select(
      sql`select ${worker}::text, ${version}::text, '{}'::jsonb, now(), now() where not exists (select from ${found})`,
    )
    .onConflictDoUpdate({ target: workers.name, set: { beatAt: sql`now()`, version } })
    .returning({ at: workers.beatAt });

const beating = (
  db: Builder,
  {
    worker,
    version,
    settings = {},
  }: {
    readonly worker: string;
    readonly version: string;
    readonly settings?: Readonly<Record<string, string>> | undefined;
  },
) =>
  db
    .insert(workers)
    .values({ name: worker, version, settings })
    .onConflictDoUpdate({ target: workers.name, set: { beatAt: sql`now()`, version, settings } })
    .returning({ at: workers.beatAt });

/** What was written before the database's clock stepped back must not last for as long as the step was. */
const afterStepBack = (db: Builder) =>
  db.select({ stepped: sql<boolean>`stepped` }).from(sql`psn.after_step_back() as step(stepped)`);

/** These deliveries, or all. */
const chosen = (only: readonly string[] | undefined) => (only ? uuids(only) : sql`null::uuid[]`);

/** Deliveries of one round trip at most. */
const MOST_TOGETHER = 100;
/**
 * How long a write of many may wait for a row that somebody else is writing, in milliseconds. It holds the others' rows
 * meanwhile, and must give way before Postgres looks for deadlocks (`deadlock_timeout`, 1 s); then each is written by
 * itself.
 */
const LOCK_MANY_MS = 100;
/** The same for a write of one: it holds a connection of the pool meanwhile, which the posts of other users need. */
const LOCK_ONE_MS = 250;

interface Settlement {
  readonly claim: Claim;
  readonly worker: string;
  readonly change: Parameters<Deliveries["record"]>[2];
}

export function deliveriesStore(database: Database): Deliveries {
  const load = together<string, LoadedDelivery | undefined>({
    most: MOST_TOGETHER,
    nameOf: (id) => id,
    ask: async (userId, ids) =>
      loadedOf(ids, await database.run({ userId }, (db) => loading(db, uuids(ids)), { repeatable: true })),
  });

  const write = async (userId: string, settlements: readonly Settlement[]): Promise<readonly boolean[]> => {
    const changes = settlements.map(({ claim, worker, change }) => ({
      ...change,
      id: claim.deliveryId,
      fence: claim.fence,
      actor: worker,
    }));
    const settling = (db: Builder) =>
      db.select({ id: sql<string>`delivery_id` }).from(sql`psn.settle(${storableJson(changes)}::jsonb)`);
    const lockMs = settlements.length === 1 ? LOCK_ONE_MS : LOCK_MANY_MS;
    const [rows] = await database.run({ userId }, (db) => [settling(db)], { lockMs });
    const held = new Set(rows.map(({ id }) => id));
    return settlements.map(({ claim }) => held.has(claim.deliveryId));
  };
  const settle = together<Settlement, boolean>({
    most: MOST_TOGETHER,
    ask: write,
    nameOf: ({ claim }) => claim.deliveryId,
  });

  return {
    async claim({ worker, most, leaseMs, concurrency, only, busy = [] }) {
      const [rows] = await database.run("service", (db) => [
        db.select(claimColumns).from(
          sql`psn.claim_due(${worker}::text, ${most}::integer, ${leaseMs}::integer,
              ${JSON.stringify(concurrency)}::jsonb, ${chosen(only)}, ${uuids(busy)})`,
        ),
      ]);
      return rows.map(claimOf);
    },

    async nextWake(concurrency, only) {
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({ ms: sql<number | null>`ms` })
            .from(sql`psn.next_wake(${JSON.stringify(concurrency)}::jsonb, ${chosen(only)}) as wake(ms)`),
        ],
        { repeatable: true },
      );
      return rows[0]?.ms ?? null;
    },

    async claimOne({ worker, leaseMs, platforms, userId, deliveryId }) {
      const known = JSON.stringify(Object.fromEntries(platforms.map((id) => [id, 1])));
      // Repeatable, since the claim answers the same worker the same way.
      const [, claims, due, ...loaded] = await database.run(
        { userId, service: true },
        (db) => [
          db.select({ ok: sql<boolean>`ok` }).from(sql`psn.assert_schema(${SCHEMA_VERSION}::integer) as schema(ok)`),
          db
            .select(claimColumns)
            .from(sql`psn.claim_one(${worker}::text, ${leaseMs}::integer, ${known}::jsonb, ${deliveryId}::uuid)`),
          moreDue(db, sql`(select account_id from psn.deliveries where id = ${deliveryId}::uuid)`),
          ...loading(db, uuids([deliveryId])),
        ],
        { repeatable: true },
      );
      return {
        claim: claims[0] && claimOf(claims[0]),
        loaded: loadedOf([deliveryId], loaded)[0],
        more: due[0]?.more === true,
      };
    },

    async claimNext({ worker, leaseMs, platforms, userId, accountId, skip }) {
      const known = JSON.stringify(Object.fromEntries(platforms.map((id) => [id, 1])));
      const account = sql`${accountId}::uuid`;
      const mine = sql`select d.id from psn.deliveries d where d.account_id = ${account} and d.worker = ${worker}::text
        and d.state in ('claimed', 'sending')`;
      // Repeatable: what this worker has claimed already is what it gets again.
      const [, claims, due, ...loaded] = await database.run(
        { userId, service: true },
        (db) => [
          db.select({ ok: sql<boolean>`ok` }).from(sql`psn.assert_schema(${SCHEMA_VERSION}::integer) as schema(ok)`),
          db.select(claimColumns).from(
            sql`psn.claim_one(${worker}::text, ${leaseMs}::integer, ${known}::jsonb,
                coalesce((${mine} limit 1), (${nextDue(account, skip)})))`,
          ),
          moreDue(db, account),
          ...loading(db, sql`array(${mine})`),
        ],
        { repeatable: true },
      );
      const claim = claims[0] && claimOf(claims[0]);
      return { claim, loaded: claim && loadedOf([claim.deliveryId], loaded)[0], more: due[0]?.more === true };
    },

    async wakeUps({ worker, version, platforms, aheadMs, most }) {
      const known = JSON.stringify(Object.fromEntries(platforms.map((id) => [id, 1])));
      const found = (count: number) =>
        sql`psn.wake_ups(${known}::jsonb, ${aheadMs}::double precision, ${count}::integer)`;
      const [, , rows] = await database.run(
        "service",
        (db) => [
          db.select({ ok: sql<boolean>`ok` }).from(sql`psn.assert_schema(${SCHEMA_VERSION}::integer) as schema(ok)`),
          afterStepBack(db),
          db
            .select({
              deliveryId: sql<string>`delivery_id`,
              userId: sql<string>`user_id`,
              accountId: sql<string>`account_id`,
              platform: sql<string>`platform`,
              fence: sql<string>`fence::text`,
              state: sql<DeliveryState>`state`,
              atMs: sql<number>`at_ms`,
            })
            .from(found(most)),
          beatingIdle(db, { worker, version, found: found(1) }),
        ],
        { repeatable: true },
      );
      // Cut as the driver cuts an instant: the same one must make the same wake-up, whoever asks.
      return rows.map(
        ({ fence, atMs, ...row }): WakeUp => ({ ...row, fence: Number(fence), at: new Date(Math.floor(atMs)) }),
      );
    },

    async note(userId, { deliveryId, event, text, actor }) {
      await database.run({ userId }, (db) => [note(db, { ids: [deliveryId], event, text, actor })]);
    },

    load,

    async knownRefs(userId, deliveryId, accountId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ id: deliveryUnits.refId })
            .from(deliveryUnits)
            .innerJoin(deliveries, eq(deliveries.id, deliveryUnits.deliveryId))
            // A look-up asks about the last days; the refs of years do not matter to it.
            .where(
              and(
                eq(deliveries.accountId, accountId),
                ne(deliveries.id, deliveryId),
                sql`${deliveryUnits.publishedAt} > now() - interval '7 days'`,
              ),
            ),
        ],
        { repeatable: true },
      );
      return new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])));
    },

    async record(claim, worker, change) {
      const settlement = { claim, worker, change };
      // Of two changes to one account in one statement only one would be made.
      if (change.account === null) return settle(claim.userId, settlement);
      const [held = false] = await write(claim.userId, [settlement]);
      return held;
    },

    async listen(onWake, onLost) {
      return database.listen?.(onWake, onLost);
    },

    async beat(worker, version, settings) {
      const [, rows] = await database.run("service", (db) => [
        afterStepBack(db),
        beating(db, { worker, version, settings }),
      ]);
      if (!rows[0]) throw new PsnError("DB_FAILED", "the worker could not be written down");
      return rows[0].at;
    },

    async gone(worker) {
      await database.run("service", (db) => [
        db.delete(workers).where(eq(workers.name, worker)).returning({ name: workers.name }),
      ]);
    },
  };
}
