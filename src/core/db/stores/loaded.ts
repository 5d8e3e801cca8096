import type { Builder } from "@psn/core/db/database.ts";
import { accounts, deliveries, deliveryUnits, media, oauthTokens } from "@psn/core/db/schema.ts";
import type { LoadedDelivery, StoredUnit } from "@psn/core/ports/deliveries.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Ref } from "@psn/core/types/platform.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import { asc, eq, type SQL, sql } from "drizzle-orm";
import { credentialsOf, profileOf } from "./accounts.ts";

/*
 * What publishing a delivery needs of the database: its rows, and what is made of them.
 */

type UnitRow = typeof deliveryUnits.$inferSelect;
type MediaRow = Pick<typeof media.$inferSelect, keyof typeof mediaColumns>;

export const mediaColumns = {
  id: media.id,
  kind: media.kind,
  mime: media.mime,
  bytes: media.bytes,
  width: media.width,
  height: media.height,
  durationMs: media.durationMs,
  frameRate: media.frameRate,
  alt: media.alt,
};

export function mediaOf({ width, height, durationMs, frameRate, alt, ...rest }: MediaRow): MediaInfo {
  return {
    ...rest,
    ...defined({
      width: width ?? undefined,
      height: height ?? undefined,
      durationMs: durationMs ?? undefined,
      frameRate: frameRate ?? undefined,
      alt: alt ?? undefined,
    }),
  };
}

export function unitOf(row: UnitRow): StoredUnit {
  const ref: Ref | null =
    row.refId === null
      ? null
      : { id: row.refId, url: row.refUrl ?? "", ...defined({ revision: row.refRevision ?? undefined }) };
  return {
    id: row.id,
    position: row.position,
    state: row.state,
    unit: { body: row.body, text: row.text, length: row.length, media: row.media, prepare: row.needsPrepare },
    prepared: row.prepared,
    sentAt: row.sentAt,
    handle: row.handle,
    ref,
    publishedAt: row.publishedAt,
    askedAt: row.askedAt,
    removedAt: row.removedAt,
  };
}

const nowMs = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::double precision`;

/**
 * All that publishing these needs, as three statements; `loadedOf` puts their answers together. `ids` is an array of
 * uuids.
 */
export function loading(db: Builder, ids: SQL) {
  const { id, state, operation, attempt, fence, dueAt, late, wakeAt, leaseUntil, code, message } = deliveries;
  return [
    db
      .select({
        delivery: { id, state, operation, attempt, fence, dueAt, late, wakeAt, leaseUntil, code, message },
        account: accounts,
        tokens: oauthTokens,
        nowMs,
      })
      .from(deliveries)
      .innerJoin(accounts, eq(accounts.id, deliveries.accountId))
      .leftJoin(oauthTokens, eq(oauthTokens.accountId, accounts.id))
      .where(sql`${id} = any (${ids})`),
    db
      .select()
      .from(deliveryUnits)
      .where(sql`${deliveryUnits.deliveryId} = any (${ids})`)
      .orderBy(asc(deliveryUnits.position)),
    db
      .select({ ...mediaColumns, deliveryId: id })
      .from(media)
      .innerJoin(deliveries, eq(deliveries.postId, media.postId))
      .where(sql`${id} = any (${ids})`),
  ] as const;
}

type Loading = ReturnType<typeof loading>;
type Loaded = readonly [Awaited<Loading[0]>, Awaited<Loading[1]>, Awaited<Loading[2]>];

/** In the order of the ids; undefined for one that is not there. */
export function loadedOf(
  deliveryIds: readonly string[],
  [found, units, files]: Loaded,
): readonly (LoadedDelivery | undefined)[] {
  const rowOf = new Map(found.map((row) => [row.delivery.id, row]));
  const unitsOf = Map.groupBy(units, ({ deliveryId }) => deliveryId);
  const filesOf = Map.groupBy(files, ({ deliveryId }) => deliveryId);
  return deliveryIds.map((deliveryId) => {
    const row = rowOf.get(deliveryId);
    if (!row) return undefined;
    const { delivery, account, tokens } = row;
    const { id, platform, health, pausedUntil } = account;
    return {
      ...delivery,
      readAt: new Date(row.nowMs),
      account: { id, platform, profile: profileOf(account), health, pausedUntil },
      credentials: tokens && credentialsOf(tokens, account),
      units: (unitsOf.get(deliveryId) ?? []).map(unitOf),
      media: (filesOf.get(deliveryId) ?? []).map(({ deliveryId: _of, ...file }) => mediaOf(file)),
    };
  });
}
