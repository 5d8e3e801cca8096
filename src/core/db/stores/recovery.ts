import type { Recovery } from "@psn/app/ports/incarnation.ts";
import { and, eq, inArray, notInArray, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { deliveries, deliveryUnits } from "../schema.ts";
import { changedHere, note, takenBack } from "./changes.ts";

const CODE = "UNCONFIRMED";

export function recoveryStore(database: Database): Recovery {
  return {
    async open(userId) {
      const [rows] = await database.run({ userId }, (db) => [
        db
          .select({ id: deliveries.id })
          .from(deliveries)
          .where(
            // What an import or a move left held has no code, and waits for `psn import --start`.
            sql`${inArray(deliveries.state, ["scheduled", "claimed", "sending", "pending"])} or (${deliveries.state} = 'held' and ${deliveries.code} is not null)`,
          )
          .orderBy(deliveries.dueAt, deliveries.id),
      ]);
      return rows.map(({ id }) => id);
    },

    async settle(userId, { id, fence }, { state, found, why }) {
      const mine = sql`exists (select from psn.deliveries d where d.id = ${id}::uuid and ${changedHere})`;
      const ofIt = eq(deliveryUnits.deliveryId, id);
      const [rows] = await database.run({ userId }, (db) => [
        db
          .update(deliveries)
          .set({
            state,
            code: state === "unconfirmed" ? CODE : null,
            message: state === "unconfirmed" ? why : null,
            ...(state === "published" ? { publishedAt: sql`now()` } : {}),
            ...(state === "scheduled" ? { wakeAt: sql`greatest(${deliveries.dueAt}, now())` } : {}),
            worker: null,
            ...takenBack,
          })
          .where(
            and(eq(deliveries.id, id), eq(deliveries.fence, fence), notInArray(deliveries.state, ["published", "cancelled", "failed"])),
          )
          .returning({ id: deliveries.id }),
        ...found.map(({ position, ref }) =>
          db
            .update(deliveryUnits)
            .set({
              state: "published",
              handle: null,
              refId: ref.id,
              refUrl: ref.url,
              refRevision: ref.revision ?? null,
              publishedAt: sql`now()`,
              sentAt: sql`coalesce(${deliveryUnits.sentAt}, now())`,
            })
            .where(and(ofIt, eq(deliveryUnits.position, position), mine))
            .returning({ id: deliveryUnits.id }),
        ),
        // Of the rest, either each may be out, and a person is asked for one after the other; or it begins anew, since what was uploaded
        // may have been dropped by the platform meanwhile.
        db
          .update(deliveryUnits)
          .set(
            state === "unconfirmed"
              ? { state: "sending", sentAt: sql`coalesce(${deliveryUnits.sentAt}, now())`, handle: null }
              : { state: "waiting", prepared: null, sentAt: null, handle: null },
          )
          .where(and(ofIt, sql`${deliveryUnits.state} <> 'published'`, mine))
          .returning({ id: deliveryUnits.id }),
        note(db, [id], `recovered: ${state}`, why),
      ]);
      return rows.length === 1;
    },
  };
}
