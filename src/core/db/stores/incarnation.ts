import type { Builder, Database } from "@psn/core/db/database.ts";
import { copied } from "@psn/core/errors.ts";
import type { Incarnations } from "@psn/core/ports/incarnation.ts";
import type { Sight } from "@psn/core/types/incarnation.ts";
import { PARTINGS } from "@psn/core/types/index.ts";
import { sql } from "drizzle-orm";

/** Which incarnation the database is, as one statement; `sightOf` reads its answer. */
export const seeIncarnation = (db: Builder) =>
  db
    .select({
      id: sql<string | null>`id::text`,
      past: sql<string>`coalesce(past::text, '{}')`,
      seen: sql<string | null>`seen::text`,
      counted: sql<boolean>`counted`,
      partedMs: sql<number | null>`(extract(epoch from parted_at) * 1000)::double precision`,
      reason: sql<string | null>`reason`,
      elsewhere: sql<boolean>`elsewhere`,
      used: sql<boolean>`used`,
    })
    .from(sql`psn.see_incarnation()`);

export function sightOf([row]: Awaited<ReturnType<typeof seeIncarnation>>): Sight {
  return {
    id: row?.id ?? undefined,
    past: (row?.past ?? "").slice(1, -1).split(",").filter(Boolean),
    seen: Number(row?.seen ?? 0),
    counted: row?.counted ?? false,
    parted:
      row?.partedMs == null
        ? undefined
        : { at: new Date(row.partedMs), why: PARTINGS.find((one) => one === row.reason) ?? "unknown" },
    elsewhere: row?.elsewhere ?? false,
    used: row?.used ?? false,
  };
}

export function incarnationStore(database: Database): Incarnations {
  return {
    async look() {
      const [rows] = await database.run("service", (db) => [seeIncarnation(db)], { repeatable: true });
      return sightOf(rows);
    },

    async become(id, instead) {
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({ id: sql<string>`id::text` })
            .from(sql`psn.incarnate(${id}::uuid, ${instead ?? null}::uuid) as now(id)`),
        ],
        { repeatable: true },
      );
      return rows[0]?.id ?? id;
    },

    async part(why, first) {
      const { code, message } = copied();
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({ held: sql<number>`held` })
            .from(sql`psn.part(${why}::text, ${code}::text, ${message}::text, ${first}::uuid) as done(held)`),
        ],
        { repeatable: true },
      );
      return rows[0]?.held ?? 0;
    },
  };
}
