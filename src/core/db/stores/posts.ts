import type { DeliveryDetail, DeliveryEvent, DeliverySummary, Posts } from "@psn/app/ports/posts.ts";
import { type DeliveryState, TO_COME, UNDER_WAY } from "@psn/core/types/index.ts";
import { and, asc, desc, eq, inArray, notInArray, or, type SQL, sql } from "drizzle-orm";
import type { Builder, Database } from "../database.ts";
import { violated } from "../drivers/failure.ts";
import { accounts, deliveries, deliveryEvents, deliveryUnits, media, posts } from "../schema.ts";
import { changedHere, note, preparing, takenBack, uuids } from "./changes.ts";
import { unitOf } from "./deliveries.ts";

const ended: DeliveryState[] = ["published", "failed", "cancelled"];

const ofDelivery = (expression: SQL, tail = sql``) =>
  sql`(select ${expression} from psn.delivery_units u where u.delivery_id = ${deliveries.id} ${tail})`;

function summaries(db: Builder) {
  return db
    .select({
      id: deliveries.id,
      postId: deliveries.postId,
      accountId: deliveries.accountId,
      platform: accounts.platform,
      handle: accounts.handle,
      health: accounts.health,
      state: deliveries.state,
      dueAt: deliveries.dueAt,
      // A paused account's deliveries wake when the pause is over.
      wakeAt: sql<Date>`greatest(${deliveries.wakeAt}, ${accounts.pausedUntil})`.mapWith(deliveries.wakeAt),
      aheadMs: sql<number>`(extract(epoch from case
        when ${deliveries.state} in ('scheduled', 'pending') then greatest(${deliveries.wakeAt}, ${accounts.pausedUntil})
        when ${deliveries.state} = 'sending' and ${deliveries.worker} is null then greatest(${deliveries.leaseUntil}, ${accounts.pausedUntil})
        else now() end - now()) * 1000)::double precision`,
      attempt: deliveries.attempt,
      fence: deliveries.fence,
      code: deliveries.code,
      message: deliveries.message,
      publishedAt: deliveries.publishedAt,
      text: sql<string>`coalesce(${ofDelivery(sql`u.text`, sql`and u.position = 0`)}, '')`,
      url: sql<string | null>`${ofDelivery(sql`u.ref_url`, sql`and u.position = 0`)}`,
      units: sql<number>`${ofDelivery(sql`count(*)::integer`)}`,
      unitsPublished: sql<number>`${ofDelivery(sql`count(*)::integer`, sql`and u.state = 'published'`)}`,
    })
    .from(deliveries)
    .innerJoin(accounts, eq(accounts.id, deliveries.accountId));
}

const openUnit = (ids: SQL) => sql`${deliveryUnits.state} <> 'published' and ${deliveryUnits.deliveryId} = any (array(
  select d.id from psn.deliveries d where d.id = any (${ids}) and ${changedHere}))`;
/** A worker that is at it may still send: a disconnect does not take its lease away. */
const noLease = sql`(${deliveries.worker} is null or ${deliveries.leaseUntil} is null or ${deliveries.leaseUntil} <= now())`;
/** Nobody is at work on it, and nobody will ask the platform before its account is connected again. */
const leftAlone = sql`${inArray(deliveries.state, [...UNDER_WAY])}
  and ${noLease}
  and exists (select from psn.accounts a where a.id = ${deliveries.accountId} and a.health <> 'ok')`;
const unsent = { state: "waiting", prepared: null, sentAt: null, handle: null } as const;

export function postsStore(database: Database): Posts {
  const change = async (
    userId: string,
    ids: readonly string[],
    from: readonly DeliveryState[],
    set: Partial<typeof deliveries.$inferInsert>,
    event: string,
    text: string | null = null,
    // What was uploaded may have been dropped by the platform until then.
    anew = false,
  ) => {
    const [rows] = await database.run({ userId }, (db) => [
      db
        .update(deliveries)
        .set({ ...set, ...takenBack })
        .where(and(inArray(deliveries.id, [...ids]), or(inArray(deliveries.state, [...from]), preparing)))
        .returning({ id: deliveries.id }),
      ...(anew
        ? [
            db
              .update(deliveryUnits)
              .set(unsent)
              .where(openUnit(uuids(ids)))
              .returning({ id: deliveryUnits.id }),
          ]
        : []),
      note(db, ids, event, text),
    ]);
    return rows.map(({ id }) => id);
  };

  return {
    async schedule(userId, post, files, targets, dueAt, late = "ask") {
      try {
        await database.run({ userId }, (db) => [
          db
            .insert(posts)
            .values({ ...post, userId, overrides: { ...post.overrides } })
            .returning({ id: posts.id }),
          ...files.map(({ alt = null, width = null, height = null, ...file }) =>
            db
              .insert(media)
              .values({ ...file, alt, width, height, userId, postId: post.id })
              .returning({ id: media.id }),
          ),
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
          db
            .insert(deliveryEvents)
            .values(targets.map(({ id }) => ({ deliveryId: id, userId, event: "scheduled", attempt: 0, actor: "user" })))
            .returning({ id: deliveryEvents.deliveryId }),
        ]);
        return true;
      } catch (error) {
        if (violated(error) === "posts_idempotency_key") return false;
        throw error;
      }
    },

    async findByKey(userId, idempotencyKey) {
      const [rows] = await database.run({ userId }, (db) => [
        db.select({ id: posts.id }).from(posts).where(eq(posts.idempotencyKey, idempotencyKey)),
      ]);
      return rows[0]?.id;
    },

    async list(userId, filter, most): Promise<readonly DeliverySummary[]> {
      const [rows] = await database.run({ userId }, (db) => [
        filter === "open"
          ? summaries(db)
              .where(and(eq(deliveries.userId, userId), notInArray(deliveries.state, ended)))
              .orderBy(asc(deliveries.dueAt))
              .limit(most)
          : summaries(db).where(eq(deliveries.userId, userId)).orderBy(desc(deliveries.updatedAt)).limit(most),
      ]);
      return rows;
    },

    async ofPost(userId, postId) {
      const [rows] = await database.run({ userId }, (db) => [
        summaries(db).where(eq(deliveries.postId, postId)).orderBy(asc(accounts.platform), asc(accounts.handle)),
      ]);
      return rows;
    },

    async detail(userId, ids): Promise<readonly DeliveryDetail[]> {
      const [rows, units, events] = await database.run({ userId }, (db) => [
        summaries(db)
          .where(inArray(deliveries.id, [...ids]))
          .orderBy(asc(accounts.platform), asc(accounts.handle)),
        db
          .select()
          .from(deliveryUnits)
          .where(inArray(deliveryUnits.deliveryId, [...ids]))
          .orderBy(asc(deliveryUnits.position)),
        db
          .select()
          .from(deliveryEvents)
          .where(inArray(deliveryEvents.deliveryId, [...ids]))
          .orderBy(asc(deliveryEvents.sequence)),
      ]);
      return rows.map((row) => ({
        ...row,
        unitList: units.filter(({ deliveryId }) => deliveryId === row.id).map(unitOf),
        events: events
          .filter(({ deliveryId }) => deliveryId === row.id)
          .map(({ at, event, attempt, unit, code, note, actor }): DeliveryEvent => ({ at, event, attempt, unit, code, note, actor })),
      }));
    },

    async resolveId(userId, id) {
      const tail = id.toLowerCase();
      const ends = (column: typeof deliveries.id | typeof deliveries.postId) => sql`right(${column}::text, ${tail.length}) = ${tail}`;
      const [rows] = await database.run({ userId }, (db) => [
        db
          .select({ id: deliveries.id, postId: deliveries.postId })
          .from(deliveries)
          .where(or(ends(deliveries.id), ends(deliveries.postId)))
          .limit(200),
      ]);
      return rows;
    },

    cancel: (userId, ids) => change(userId, ids, TO_COME, { state: "cancelled" }, "cancelled"),

    move: (userId, ids, dueAt, wallTime, timeZone) =>
      change(
        userId,
        ids,
        TO_COME,
        { state: "scheduled", dueAt, wakeAt: dueAt, code: null, message: null },
        "moved",
        `${wallTime} ${timeZone}`,
        true,
      ),

    async retry(userId, ids) {
      const [rows] = await database.run({ userId }, (db) => [
        db
          .update(deliveries)
          .set({ state: "scheduled", wakeAt: sql`now()`, late: "publish", attempt: 0, code: null, message: null, ...takenBack })
          .where(and(inArray(deliveries.id, [...ids]), inArray(deliveries.state, ["failed", "held", "cancelled", "scheduled"])))
          .returning({ id: deliveries.id }),
        // A new beginning: what was uploaded may have been dropped by the platform meanwhile.
        db
          .update(deliveryUnits)
          .set(unsent)
          .where(openUnit(uuids(ids)))
          .returning({ id: deliveryUnits.id }),
        note(db, ids, "retried"),
      ]);
      return rows.map(({ id }) => id);
    },

    async resolve(userId, id, verdict) {
      const live = verdict === "not-live" ? undefined : verdict.live;
      const isFirstOpen = sql`${deliveryUnits.position} = (select min(u.position) from psn.delivery_units u where u.delivery_id = ${id}::uuid and u.state <> 'published')`;
      const toCome = sql<number>`(select count(*) from psn.delivery_units u where u.delivery_id = ${id}::uuid and u.state <> 'published')`;
      const more = live ? 1 : 0;
      // After a recovery each of a thread's units may be out: then the next is asked for.
      const next = sql<boolean>`(${live !== undefined} and (select count(*) from psn.delivery_units u
        where u.delivery_id = ${id}::uuid and u.state = 'sending') > 1)`;
      const [rows] = await database.run({ userId }, (db) => [
        db
          .update(deliveries)
          .set({
            // A thread whose other units are still to come goes on.
            state: sql`case when ${next} then 'unconfirmed' when ${toCome} > ${more} then 'scheduled' else 'published' end`,
            publishedAt: sql`case when ${toCome} > ${more} then null else now() end`,
            wakeAt: sql`now()`,
            // Its user has just said that it is to go out.
            late: "publish",
            code: sql`case when ${next} then ${deliveries.code} end`,
            message: sql`case when ${next} then ${deliveries.message} end`,
            ...takenBack,
          })
          .where(and(eq(deliveries.id, id), or(and(eq(deliveries.state, "unconfirmed"), noLease), leftAlone)))
          .returning({ id: deliveries.id }),
        db
          .update(deliveryUnits)
          .set(live ? { state: "published", refId: live.id, refUrl: live.url, publishedAt: sql`now()` } : unsent)
          // Where one is not there, none that answers it is.
          .where(and(openUnit(uuids([id])), ...(live ? [isFirstOpen] : [])))
          .returning({ id: deliveryUnits.id }),
        note(db, [id], live ? "resolved: live" : "resolved: not live", live?.url ?? null),
      ]);
      return rows.length === 1;
    },

    async findMedia(userId, mediaId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db.select({ content: media.content, objectKey: media.objectKey, sha256: media.sha256 }).from(media).where(eq(media.id, mediaId)),
        ],
        { repeatable: true },
      );
      const row = rows[0];
      if (row?.content) return { content: row.content, sha256: row.sha256 };
      return row?.objectKey ? { objectKey: row.objectKey, sha256: row.sha256 } : undefined;
    },
  };
}
