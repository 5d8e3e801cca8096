import type { Database } from "@psn/core/db/database.ts";
import { media, workers } from "@psn/core/db/schema.ts";
import type { Upkeep } from "@psn/core/ports/upkeep.ts";
import { inArray, sql } from "drizzle-orm";

export function upkeepStore(database: Database): Upkeep {
  return {
    async staleTokens(platforms, aheadMs, idleMs) {
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({
              accountId: sql<string>`account_id`,
              userId: sql<string>`user_id`,
              platform: sql<string>`platform`,
            })
            .from(
              sql`psn.stale_tokens(${`{${platforms.join(",")}}`}::text[], ${aheadMs}::double precision,
          ${idleMs}::double precision)`,
            ),
        ],
        { repeatable: true },
      );
      return rows;
    },

    async noteEndingTokens(platforms, aheadMs) {
      // Not repeatable: what a lost answer took away nobody is told of again, and it stands on the account.
      const [rows] = await database.run("service", (db) => [
        db
          .select({
            accountId: sql<string>`account_id`,
            userId: sql<string>`user_id`,
            platform: sql<string>`platform`,
            handle: sql<string>`handle`,
            endsAt: sql<number>`ends_at`,
          })
          .from(sql`psn.note_ending_tokens(${`{${platforms.join(",")}}`}::text[], ${aheadMs}::double precision)`),
      ]);
      return rows.map(({ endsAt, ...row }) => ({ ...row, endsAt: new Date(endsAt) }));
    },

    async spentMedia(ageMs, most) {
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({
              mediaId: sql<string>`media_id`,
              userId: sql<string>`user_id`,
              objectKey: sql<string | null>`object_key`,
            })
            .from(sql`psn.spent_media(${ageMs}::double precision, ${most}::integer)`),
        ],
        { repeatable: true },
      );
      return rows;
    },

    async users() {
      const [rows] = await database.run(
        "service",
        (db) => [db.select({ id: sql<string>`user_id` }).from(sql`psn.hub_users()`)],
        {
          repeatable: true,
        },
      );
      return rows.map(({ id }) => id);
    },

    async unnamed(objectKeys) {
      // Names of psn's form have nothing in them that an array would need quoted.
      const names = `{${objectKeys.join(",")}}`;
      const [rows] = await database.run(
        "service",
        (db) => [db.select({ key: sql<string>`object_key` }).from(sql`psn.unnamed_objects(${names}::text[])`)],
        { repeatable: true },
      );
      return rows.map(({ key }) => key);
    },

    async noteTrouble(userId, said) {
      const [rows] = await database.run({ userId, service: true }, (db) => [
        db.select({ first: sql<boolean>`first` }).from(sql`psn.note_trouble(${said}::text) as noted(first)`),
      ]);
      return rows[0]?.first ?? false;
    },

    async mendTrouble(userId, said, code) {
      const [rows] = await database.run({ userId, service: true }, (db) => [
        db.select({ n: sql<number>`n` }).from(sql`psn.mend_trouble(${said}::text, ${code}::text) as mended(n)`),
      ]);
      return rows[0]?.n ?? 0;
    },

    async wakeTroubled(codes) {
      const [rows] = await database.run("service", (db) => [
        db.select({ n: sql<number>`n` }).from(sql`psn.wake_troubled(${`{${codes.join(",")}}`}::text[]) as woken(n)`),
      ]);
      return rows[0]?.n ?? 0;
    },

    async forgetTroubles() {
      const [rows] = await database.run("service", (db) => [
        db.select({ n: sql<number>`n` }).from(sql`psn.forget_troubles() as forgotten(n)`),
      ]);
      return rows[0]?.n ?? 0;
    },

    async dropMedia(userId, mediaIds) {
      await database.run(
        { userId },
        (db) => [
          db
            .update(media)
            .set({ content: null, objectKey: null })
            .where(inArray(media.id, [...mediaIds]))
            .returning({ id: media.id }),
        ],
        { repeatable: true },
      );
    },

    async dropEndedSecrets() {
      const [rows] = await database.run("service", (db) => [
        db.select({ dropped: sql<number>`dropped` }).from(sql`psn.drop_ended_secrets() as ended(dropped)`),
      ]);
      return rows[0]?.dropped ?? 0;
    },

    async dropWorkers(silentMs) {
      const [rows] = await database.run("service", (db) => [
        db
          .delete(workers)
          // One who is alive beats within seconds, also after the clock has stepped back.
          .where(sql`abs(extract(epoch from now() - ${workers.beatAt})) * 1000 > ${silentMs}`)
          .returning({ name: workers.name }),
      ]);
      return rows.length;
    },
  };
}
