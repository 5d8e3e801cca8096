import type { Claim, Deliveries, LoadedDelivery, StoredUnit } from "@psn/app/ports.ts";
import type { Json, Purpose } from "@psn/core/types/index.ts";
import type { MediaInfo, Ref } from "@psn/core/types/platform.ts";
import { and, asc, eq, ne, sql } from "drizzle-orm";
import type { Database } from "../connection.ts";
import { accounts, deliveries, deliveryUnits, media, oauthTokens, workers } from "../schema.ts";
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

/** These deliveries, or all. */
const chosen = (only: readonly string[] | undefined) => (only ? uuids(only) : sql`null::uuid[]`);

export function deliveriesStore(database: Database): Deliveries {
  return {
    async claim({ worker, most, leaseMs, concurrency, only }) {
      const [rows] = await database.run("service", (db) => [
        db
          .select({
            deliveryId: sql<string>`delivery_id`,
            userId: sql<string>`user_id`,
            fence: sql<string>`fence::text`,
            purpose: sql<Purpose>`purpose`,
          })
          .from(
            sql`psn.claim_due(${worker}::text, ${most}::integer, ${leaseMs}::integer, ${JSON.stringify(concurrency)}::jsonb, ${chosen(only)})`,
          ),
      ]);
      return rows.map((row): Claim => ({ ...row, fence: Number(row.fence) }));
    },

    async nextWake(concurrency, only) {
      const [rows] = await database.run("service", (db) => [
        db
          .select({ ms: sql<number | null>`ms` })
          .from(sql`psn.next_wake(${JSON.stringify(concurrency)}::jsonb, ${chosen(only)}) as wake(ms)`),
      ]);
      return rows[0]?.ms ?? null;
    },

    async load(userId, deliveryId): Promise<LoadedDelivery | undefined> {
      const [found, units, files] = await database.run({ userId }, (db) => [
        db
          .select({
            delivery: { id: deliveries.id, state: deliveries.state, attempt: deliveries.attempt },
            account: accounts,
            tokens: oauthTokens,
          })
          .from(deliveries)
          .innerJoin(accounts, eq(accounts.id, deliveries.accountId))
          .leftJoin(oauthTokens, eq(oauthTokens.accountId, accounts.id))
          .where(eq(deliveries.id, deliveryId)),
        db.select().from(deliveryUnits).where(eq(deliveryUnits.deliveryId, deliveryId)).orderBy(asc(deliveryUnits.position)),
        db.select(mediaColumns).from(media).innerJoin(deliveries, eq(deliveries.postId, media.postId)).where(eq(deliveries.id, deliveryId)),
      ]);
      const row = found[0];
      if (!row) return undefined;
      const { delivery, account, tokens } = row;
      return {
        ...delivery,
        account: { id: account.id, platform: account.platform, profile: profileOf(account) },
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
      await database.run("service", (db) => [
        db
          .insert(workers)
          .values({ name: worker, version })
          .onConflictDoUpdate({ target: workers.name, set: { beatAt: sql`now()`, version } })
          .returning({ name: workers.name }),
      ]);
    },

    async gone(worker) {
      await database.run("service", (db) => [db.delete(workers).where(eq(workers.name, worker)).returning({ name: workers.name })]);
    },
  };
}
