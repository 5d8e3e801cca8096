import type { Claim, Deliveries, LoadedDelivery, StoredUnit, WakeUp } from "@psn/app/ports.ts";
import type { DeliveryState, Json, Purpose } from "@psn/core/types/index.ts";
import type { MediaInfo, Ref } from "@psn/core/types/platform.ts";
import { and, asc, eq, ne, sql } from "drizzle-orm";
import type { Builder, Database } from "../database.ts";
import { accounts, deliveries, deliveryUnits, media, oauthTokens, workers } from "../schema.ts";
import { SCHEMA_VERSION } from "../version.ts";
import { profileOf } from "./accounts.ts";
import { uuids } from "./changes.ts";

type UnitRow = typeof deliveryUnits.$inferSelect;
type MediaRow = Pick<typeof media.$inferSelect, "id" | "kind" | "mime" | "bytes" | "width" | "height" | "alt">;

export const mediaColumns = {
  id: media.id,
  kind: media.kind,
  mime: media.mime,
  bytes: media.bytes,
  width: media.width,
  height: media.height,
  alt: media.alt,
};

export function mediaOf({ width, height, alt, ...rest }: MediaRow): MediaInfo {
  return { ...rest, ...(width === null ? {} : { width }), ...(height === null ? {} : { height }), ...(alt === null ? {} : { alt }) };
}

export function unitOf(row: UnitRow): StoredUnit {
  const ref: Ref | null =
    row.refId === null
      ? null
      : { id: row.refId, url: row.refUrl ?? "", ...(row.refRevision === null ? {} : { revision: row.refRevision }) };
  return {
    id: row.id,
    position: row.position,
    state: row.state,
    unit: { body: row.body, text: row.text, length: row.length, media: row.media, prepare: row.needsPrepare },
    prepared: row.prepared,
    sentAt: row.sentAt,
    handle: row.handle,
    ref,
  };
}

const claimColumns = {
  deliveryId: sql<string>`delivery_id`,
  userId: sql<string>`user_id`,
  fence: sql<string>`fence::text`,
  purpose: sql<Purpose>`purpose`,
};
const claimOf = (row: Omit<Claim, "fence"> & { readonly fence: string }): Claim => ({ ...row, fence: Number(row.fence) });

const nowMs = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::double precision`;

/** All that publishing needs, as three statements; `loadedOf` puts their answers together. */
function loading(db: Builder, deliveryId: string) {
  const { id, state, attempt, fence, dueAt, late, wakeAt, leaseUntil } = deliveries;
  return [
    db
      .select({ delivery: { id, state, attempt, fence, dueAt, late, wakeAt, leaseUntil }, account: accounts, tokens: oauthTokens, nowMs })
      .from(deliveries)
      .innerJoin(accounts, eq(accounts.id, deliveries.accountId))
      .leftJoin(oauthTokens, eq(oauthTokens.accountId, accounts.id))
      .where(eq(deliveries.id, deliveryId)),
    db.select().from(deliveryUnits).where(eq(deliveryUnits.deliveryId, deliveryId)).orderBy(asc(deliveryUnits.position)),
    db.select(mediaColumns).from(media).innerJoin(deliveries, eq(deliveries.postId, media.postId)).where(eq(deliveries.id, deliveryId)),
  ] as const;
}

type Loading = ReturnType<typeof loading>;

function loadedOf(found: Awaited<Loading[0]>, units: Awaited<Loading[1]>, files: Awaited<Loading[2]>): LoadedDelivery | undefined {
  const row = found[0];
  if (!row) return undefined;
  const { delivery, account, tokens } = row;
  const { id, platform, health, pausedUntil } = account;
  return {
    ...delivery,
    readAt: new Date(row.nowMs),
    account: { id, platform, profile: profileOf(account), health, pausedUntil },
    credentials: tokens && {
      id: tokens.id,
      access: tokens.accessToken,
      refresh: tokens.refreshToken,
      secret: tokens.secret,
      expiresAt: tokens.expiresAt,
      scopes: tokens.scopes,
    },
    units: units.map(unitOf),
    media: files.map(mediaOf),
  };
}

const beating = (db: Builder, worker: string, version: string) =>
  db
    .insert(workers)
    .values({ name: worker, version })
    .onConflictDoUpdate({ target: workers.name, set: { beatAt: sql`now()`, version } })
    .returning({ name: workers.name });

/** These deliveries, or all. */
const chosen = (only: readonly string[] | undefined) => (only ? uuids(only) : sql`null::uuid[]`);

export function deliveriesStore(database: Database): Deliveries {
  return {
    async claim({ worker, most, leaseMs, concurrency, only }) {
      const [rows] = await database.run("service", (db) => [
        db
          .select(claimColumns)
          .from(
            sql`psn.claim_due(${worker}::text, ${most}::integer, ${leaseMs}::integer, ${JSON.stringify(concurrency)}::jsonb, ${chosen(only)})`,
          ),
      ]);
      return rows.map(claimOf);
    },

    async nextWake(concurrency, only) {
      const [rows] = await database.run("service", (db) => [
        db
          .select({ ms: sql<number | null>`ms` })
          .from(sql`psn.next_wake(${JSON.stringify(concurrency)}::jsonb, ${chosen(only)}) as wake(ms)`),
      ]);
      return rows[0]?.ms ?? null;
    },

    async claimOne({ worker, leaseMs, platforms, userId, deliveryId }) {
      const known = JSON.stringify(Object.fromEntries(platforms.map((id) => [id, 1])));
      // Repeatable, since the claim answers the same worker the same way.
      const [, claims, ...loaded] = await database.run(
        { userId, service: true },
        (db) => [
          db.select({ ok: sql<boolean>`ok` }).from(sql`psn.assert_schema(${SCHEMA_VERSION}::integer) as schema(ok)`),
          db.select(claimColumns).from(sql`psn.claim_one(${worker}::text, ${leaseMs}::integer, ${known}::jsonb, ${deliveryId}::uuid)`),
          ...loading(db, deliveryId),
        ],
        { repeatable: true },
      );
      return { claim: claims[0] && claimOf(claims[0]), loaded: loadedOf(...loaded) };
    },

    async wakeUps({ worker, version, platforms, aheadMs, most }) {
      const known = JSON.stringify(Object.fromEntries(platforms.map((id) => [id, 1])));
      const [, rows] = await database.run(
        "service",
        (db) => [
          db.select({ ok: sql<boolean>`ok` }).from(sql`psn.assert_schema(${SCHEMA_VERSION}::integer) as schema(ok)`),
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
            .from(sql`psn.wake_ups(${known}::jsonb, ${aheadMs}::double precision, ${most}::integer)`),
          beating(db, worker, version),
        ],
        { repeatable: true },
      );
      // Cut as the driver cuts an instant: the same one must make the same wake-up, whoever asks.
      return rows.map(({ fence, atMs, ...row }): WakeUp => ({ ...row, fence: Number(fence), at: new Date(Math.floor(atMs)) }));
    },

    async note(userId, deliveryId, event, text, actor) {
      await database.run({ userId }, (db) => [
        db.execute(sql`insert into psn.delivery_events (delivery_id, user_id, event, attempt, note, actor)
          select d.id, d.user_id, ${event}::text, d.attempt, ${text}::text, ${actor}::text from psn.deliveries d where d.id = ${deliveryId}::uuid`),
      ]);
    },

    async load(userId, deliveryId): Promise<LoadedDelivery | undefined> {
      const rows = await database.run({ userId }, (db) => loading(db, deliveryId), { repeatable: true });
      return loadedOf(...rows);
    },

    async knownRefs(userId, deliveryId, accountId) {
      const [rows] = await database.run({ userId }, (db) => [
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
      ]);
      return new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])));
    },

    async settle(claim, worker, change) {
      const changes: Json = [
        { ...(change as unknown as Readonly<Record<string, Json>>), id: claim.deliveryId, fence: claim.fence, actor: worker },
      ];
      const [rows] = await database.run({ userId: claim.userId }, (db) => [
        db.select({ id: sql<string>`delivery_id` }).from(sql`psn.settle(${JSON.stringify(changes)}::jsonb)`),
      ]);
      return rows.length === 1;
    },

    async listen(onWake) {
      return database.listen?.(onWake);
    },

    async beat(worker, version) {
      await database.run("service", (db) => [beating(db, worker, version)]);
    },

    async gone(worker) {
      await database.run("service", (db) => [db.delete(workers).where(eq(workers.name, worker)).returning({ name: workers.name })]);
    },
  };
}
