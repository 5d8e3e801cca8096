import type { Builder, Database } from "@psn/core/db/database.ts";
import { users } from "@psn/core/db/schema.ts";
import type { Users } from "@psn/core/ports/accounts.ts";
import { eq, sql } from "drizzle-orm";

/** One user, as one statement. */
export const userById = (db: Builder, userId: string) =>
  db.select({ id: users.id, handle: users.handle, timeZone: users.timeZone }).from(users).where(eq(users.id, userId));

export function usersStore(database: Database): Users {
  return {
    async add({ id, handle, timeZone }) {
      await database.run("service", (db) => [
        db
          .select({ added: sql<boolean>`added` })
          .from(sql`psn.add_user(${id}::uuid, ${handle}::text, ${timeZone}::text) as added`),
      ]);
    },

    async change(userId, change) {
      const [rows] = await database.run({ userId }, (db) => [
        db
          .update(users)
          .set(change)
          .where(eq(users.id, userId))
          .returning({ id: users.id, handle: users.handle, timeZone: users.timeZone }),
      ]);
      return rows[0];
    },

    async get(userId) {
      const [rows] = await database.run({ userId }, (db) => [userById(db, userId)], { repeatable: true });
      return rows[0];
    },
  };
}
