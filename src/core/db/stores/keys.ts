import type { Database } from "@psn/core/db/database.ts";
import { apiKeys } from "@psn/core/db/schema.ts";
import type { Keys } from "@psn/core/ports/accounts.ts";
import { asc, sql } from "drizzle-orm";

export function keysStore(database: Database): Keys {
  const { id, name, value, updatedAt } = apiKeys;
  return {
    async list(userId) {
      const [rows] = await database.run(
        { userId },
        (db) => [db.select({ id, name, value, updatedAt }).from(apiKeys).orderBy(asc(name))],
        {
          repeatable: true,
        },
      );
      return rows;
    },

    async put(userId, key) {
      // A sealed value opens in its own row alone, so the new one's id comes with it.
      await database.run({ userId }, (db) => [
        db
          .insert(apiKeys)
          .values({ ...key, userId })
          .onConflictDoUpdate({
            target: [apiKeys.userId, apiKeys.name],
            set: { id: sql`excluded.id`, value: sql`excluded.value`, updatedAt: sql`now()` },
          })
          .returning({ id }),
      ]);
    },

    async remove(userId, named) {
      const [rows] = await database.run({ userId }, (db) => [
        db.select({ gone: sql<boolean>`gone` }).from(sql`psn.forget_key(${named}::text) as forgotten(gone)`),
      ]);
      return rows[0]?.gone ?? false;
    },
  };
}
