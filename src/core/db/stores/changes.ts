import { type SQL, sql } from "drizzle-orm";
import type { Builder } from "../database.ts";
import { deliveries } from "../schema.ts";

/** The `{…}` form of a Postgres array, as one parameter. */
export const uuids = (ids: readonly string[]) => sql`${`{${ids.join(",")}}`}::uuid[]`;

/**
 * Whether this very transaction wrote the row `d`. Not by `updated_at = now()`: the embedded database's clock counts whole
 * milliseconds, and two transactions may begin in the same one.
 */
export const changedHere = sql`d.xmin = pg_current_xact_id()::xid`;

/** The platform works on an upload, and nothing was sent: what its user may still take back. */
export const preparing = sql`${deliveries.state} = 'pending' and not exists (select from psn.delivery_units u
  where u.delivery_id = ${deliveries.id} and u.state = 'pending' and u.sent_at is not null)`;

/** A line of history for those of these deliveries that this transaction has changed. */
export function note(db: Builder, ids: readonly string[] | SQL, event: string, text: string | null = null) {
  const list = Array.isArray(ids) ? uuids(ids) : ids;
  return db.select({ id: sql<string>`delivery_id` }).from(sql`psn.note(${list}, ${event}::text, ${text}::text)`);
}

/** Raising the fence takes a delivery from whoever has claimed it; `claimed` means that nothing was sent. */
export const takenBack = { fence: sql`${deliveries.fence} + 1`, leaseUntil: null, updatedAt: sql`now()` };
