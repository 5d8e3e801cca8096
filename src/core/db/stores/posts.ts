import type { Database } from "@psn/core/db/database.ts";
import { violated } from "@psn/core/db/drivers/failure.ts";
import { accounts, deliveries, deliveryEvents, deliveryUnits, media, posts } from "@psn/core/db/schema.ts";
import type { DeliveryDetail, DeliveryEvent, Posts } from "@psn/core/ports/posts.ts";
import { asc, eq, type SQL, sql } from "drizzle-orm";
import { note, uuids } from "./changes.ts";
import { unitOf } from "./loaded.ts";
import { pagesStore } from "./pages.ts";
import { insertMedia, sourceStore } from "./source.ts";
import { summaries } from "./summaries.ts";

/** RFC 9562 §4, in lower case. */
const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

export function postsStore(database: Database): Posts {
  /** Asks for a change of deliveries; the ids of those that were in a state for it. */
  const change = async (userId: string, verb: SQL): Promise<readonly string[]> => {
    const [rows] = await database.run({ userId }, (db) => [db.select({ id: sql<string>`delivery_id` }).from(verb)]);
    return rows.map(({ id }) => id);
  };

  /** Everything about some deliveries; `which` is what their id is compared with. */
  const detailed = async (userId: string, which: SQL): Promise<readonly DeliveryDetail[]> => {
    const [rows, units, events] = await database.run(
      { userId },
      (db) => [
        summaries(db).where(sql`${deliveries.id} = ${which}`).orderBy(asc(accounts.platform), asc(accounts.handle)),
        db
          .select()
          .from(deliveryUnits)
          .where(sql`${deliveryUnits.deliveryId} = ${which}`)
          .orderBy(asc(deliveryUnits.position)),
        db
          .select()
          .from(deliveryEvents)
          .where(sql`${deliveryEvents.deliveryId} = ${which}`)
          .orderBy(asc(deliveryEvents.sequence)),
      ],
      { repeatable: true },
    );
    return rows.map((row) => ({
      ...row,
      unitList: units.filter(({ deliveryId }) => deliveryId === row.id).map(unitOf),
      events: events
        .filter(({ deliveryId }) => deliveryId === row.id)
        .map(
          ({ at, event, attempt, unit, code, note, actor }): DeliveryEvent => ({
            at,
            event,
            attempt,
            unit,
            code,
            note,
            actor,
          }),
        ),
    }));
  };

  return {
    ...sourceStore(database),
    ...pagesStore(database),

    async schedule(userId, { post: { origin, ...post }, media: files, deliveries: targets, due }) {
      const { at: dueAt, late = "ask", wallTime = null, timeZone = null } = due;
      const made = origin ? { origin: origin.kind, originRef: origin.ref } : {};
      try {
        await database.run({ userId }, (db) => [
          db
            .insert(posts)
            .values({ ...post, ...made, userId, targets: targets.map(({ accountId }) => accountId) })
            .returning({ id: posts.id }),
          ...files.map((file) => insertMedia(db, { userId, postId: post.id, file })),
          db
            .insert(deliveries)
            .values(
              targets.map(({ id, accountId }) => ({
                id,
                userId,
                accountId,
                postId: post.id,
                state: "scheduled" as const,
                dueAt,
                wallTime,
                timeZone,
                wakeAt: dueAt,
                late,
              })),
            )
            .returning({ id: deliveries.id }),
          db
            .insert(deliveryUnits)
            .values(
              targets.flatMap((target) =>
                target.units.map(({ id, unit }, position) => ({
                  id,
                  userId,
                  deliveryId: target.id,
                  position,
                  body: unit.body,
                  text: unit.text,
                  length: unit.length,
                  media: [...unit.media],
                  needsPrepare: unit.prepare,
                })),
              ),
            )
            .returning({ id: deliveryUnits.id }),
          note(db, { ids: targets.map(({ id }) => id), event: "scheduled" }),
        ]);
        return true;
      } catch (error) {
        if (violated(error) === "posts_idempotency_key") return false;
        throw error;
      }
    },

    async findByKey(userId, idempotencyKey) {
      const [rows] = await database.run(
        { userId },
        (db) => [db.select({ id: posts.id }).from(posts).where(eq(posts.idempotencyKey, idempotencyKey))],
        { repeatable: true },
      );
      return rows[0]?.id;
    },

    async ofPost(userId, postId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          summaries(db).where(eq(deliveries.postId, postId)).orderBy(asc(accounts.platform), asc(accounts.handle)),
        ],
        { repeatable: true },
      );
      return rows;
    },

    detail: (userId, ids) => detailed(userId, sql`any(${uuids(ids)})`),

    find: (userId, id) => {
      const tail = id.toLowerCase();
      // The whole id is found by its index.
      const ends = (column: SQL) =>
        isUuid(tail) ? sql`${column} = ${tail}::uuid` : sql`right(${column}::text, ${tail.length}) = ${tail}`;
      return detailed(
        userId,
        sql`any(array(select d.id from psn.deliveries d
          where ${ends(sql`d.id`)} or ${ends(sql`d.post_id`)} limit 200))`,
      );
    },

    cancel: (userId, ids) => change(userId, sql`psn.cancel(${uuids(ids)})`),

    move: (userId, { ids, dueAt, wallTime, timeZone, meant = wallTime }) =>
      change(
        userId,
        sql`psn.move(${uuids(ids)}, ${dueAt.toISOString()}::timestamptz, ${meant}::text, ${timeZone}::text,
          ${`${wallTime} ${timeZone}`}::text)`,
      ),

    retry: (userId, ids) => change(userId, sql`psn.retry(${uuids(ids)})`),

    async remove(userId, ids, unsent = []) {
      const id = sql<string>`delivery_id`;
      const still = sql`array(select d.id from psn.deliveries d where d.id = any(${uuids(unsent)}) and d.operation =
        'publish')`;
      const rows = await database.run({ userId }, (db) => [
        db.select({ id }).from(sql`psn.remove(${uuids([...ids, ...unsent])})`),
        db.select({ id }).from(sql`psn.cancel(${still})`),
      ]);
      return rows.flat().map((row) => row.id);
    },

    async resolve(userId, id, verdict) {
      const live = verdict === "not-live" ? undefined : verdict.live;
      const [rows] = await database.run({ userId }, (db) => [
        db.select({ done: sql<boolean>`done` }).from(
          sql`psn.resolve(${id}::uuid, ${live !== undefined}::boolean, ${live?.id ?? null}::text,
              ${live?.url ?? null}::text) as resolved(done)`,
        ),
      ]);
      return rows[0]?.done ?? false;
    },

    async findMedia(userId, mediaId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ content: media.content, objectKey: media.objectKey, bucket: media.bucket, sha256: media.sha256 })
            .from(media)
            .where(eq(media.id, mediaId)),
        ],
        { repeatable: true },
      );
      const row = rows[0];
      if (row?.content) return { content: row.content, sha256: row.sha256 };
      return row?.objectKey ? { objectKey: row.objectKey, bucket: row.bucket, sha256: row.sha256 } : undefined;
    },
  };
}
