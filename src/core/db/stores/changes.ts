import type { Builder } from "@psn/core/db/database.ts";
import { sql } from "drizzle-orm";

/** The `{…}` form of a Postgres array, as one parameter. */
export const uuids = (ids: readonly string[]) => sql`${`{${ids.join(",")}}`}::uuid[]`;

/** A line of history for those of these deliveries that are the user's. */
export function note(db: Builder, ids: readonly string[], event: string, text: string | null = null, actor = "user") {
  return db
    .select({ id: sql<string>`delivery_id` })
    .from(sql`psn.note(${uuids(ids)}, ${event}::text, ${text}::text, ${actor}::text)`);
}
