import type { Builder } from "@psn/core/db/database.ts";
import { sql } from "drizzle-orm";

/** The `{…}` form of a Postgres array, as one parameter. */
export const uuids = (ids: readonly string[]) => sql`${`{${ids.join(",")}}`}::uuid[]`;

/** A line of history for those of these deliveries that are the user's. */
export function note(
  db: Builder,
  {
    ids,
    event,
    text = null,
    actor = "user",
  }: {
    readonly ids: readonly string[];
    readonly event: string;
    readonly text?: string | null | undefined;
    readonly actor?: string | undefined;
  },
) {
  return db
    .select({ id: sql<string>`delivery_id` })
    .from(sql`psn.note(${uuids(ids)}, ${event}::text, ${text}::text, ${actor}::text)`);
}
