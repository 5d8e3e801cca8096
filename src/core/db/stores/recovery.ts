import type { Database } from "@psn/core/db/database.ts";
import { deliveries } from "@psn/core/db/schema.ts";
import { storableJson } from "@psn/core/db/storable.ts";
import type { Recovery } from "@psn/core/ports/incarnation.ts";
import { inArray, sql } from "drizzle-orm";

export function recoveryStore(database: Database): Recovery {
  return {
    async open(userId) {
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ id: deliveries.id })
            .from(deliveries)
            .where(
              // What an import or a move left held has no code, and waits for `psn import --start`.
              sql`${inArray(deliveries.state, ["scheduled", "claimed", "sending", "pending"])}
                or (${deliveries.state} = 'held' and ${deliveries.code} is not null)`,
            )
            .orderBy(deliveries.dueAt, deliveries.id),
        ],
        { repeatable: true },
      );
      return rows.map(({ id }) => id);
    },

    async settle(userId, { id, fence }, { state, found, why }) {
      const [rows] = await database.run({ userId }, (db) => [
        db.select({ done: sql<boolean>`done` }).from(
          sql`psn.recover(${id}::uuid, ${fence}::bigint, ${state}::text, ${storableJson(found)}::jsonb,
              ${why}::text) as recovered(done)`,
        ),
      ]);
      return rows[0]?.done ?? false;
    },
  };
}
