import type { Database } from "@psn/core/db/database.ts";
import { type Fact, factsQuery, PLAIN_NAMES } from "@psn/core/db/facts.ts";
import { differences } from "@psn/core/db/manifest.ts";
import { apiKeys, deliveries, oauthTokens, posts, users, workers } from "@psn/core/db/schema.ts";
import type { Inspection } from "@psn/core/ports/upkeep.ts";
import { and, asc, eq, inArray, sql } from "drizzle-orm";

/** Nobody's id: RFC 9562 §5.10, the Max UUID. */
const STRANGER = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * A Neon compute runs without fsync, and its commits wait for the safekeepers, which it names as its only synchronous
 * standby (`walproposer`; control_plane/src/endpoint.rs of neondatabase/neon, 2026-11). An unprivileged login sees the
 * process ids in pg_stat_replication and no more; who reads a logical slot is no standby.
 */
const DURABILITY = sql`select neon or current_setting('fsync')::boolean as fsync,
    neon or current_setting('full_page_writes')::boolean as full_page_writes,
    case when names = '' then (select count(*)::integer from pg_catalog.pg_stat_replication r
      where not exists (select from pg_catalog.pg_replication_slots s where s.active_pid = r.pid
        and s.slot_type = 'logical')) else 0 end as standbys
  from (select current_setting('synchronous_standby_names') as names,
    current_setting('synchronous_standby_names') = 'walproposer' as neon) as settings`;

/** Troubles that are told one by one. */
const MOST_TROUBLES = 5;

/** By any login that runs the program, a member's too: what is asked is the catalogue's. */
export async function factsOf(database: Database): Promise<readonly Fact[]> {
  const [, rows] = await database.run(
    { userId: STRANGER },
    (db) => [
      db.select({ path: sql<string>`path` }).from(sql`(select ${sql.raw(PLAIN_NAMES)} as path) as plain`),
      db
        .select({
          kind: sql<string>`kind`,
          name: sql<string>`name`,
          says: sql<string>`says`,
          undo: sql<string | null>`undo`,
        })
        .from(sql`(${sql.raw(factsQuery(database.driver !== "embedded"))}) as facts`),
    ],
    { repeatable: true },
  );
  return rows;
}

export function inspectionStore(database: Database): Inspection {
  return {
    async workers() {
      // A beat in the future is one from before the clock stepped back: it does not prove that its worker runs.
      const sinceBeat = sql`clock_timestamp() - ${workers.beatAt}`;
      const beatMsAgo = sql<number>`(abs(extract(epoch from ${sinceBeat})) * 1000)::double precision`;
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({ name: workers.name, version: workers.version, beatMsAgo, settings: workers.settings })
            .from(workers),
        ],
        { repeatable: true },
      );
      return rows;
    },

    async troubles(userId, codes) {
      const { code, message } = deliveries;
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({
              code: sql<string>`${code}`,
              message: sql<string>`coalesce(${message}, '')`,
              posts: sql<number>`count(*)::integer`,
            })
            .from(deliveries)
            .where(
              and(
                eq(deliveries.userId, userId),
                inArray(deliveries.state, ["scheduled", "sending"]),
                inArray(code, [...codes]),
              ),
            )
            .groupBy(code, message)
            .orderBy(sql`count(*) desc`)
            .limit(MOST_TROUBLES),
        ],
        { repeatable: true },
      );
      return rows;
    },

    async late(userId) {
      const sinceDue = sql`clock_timestamp() - ${deliveries.dueAt}`;
      const lateMs = sql<number>`(extract(epoch from ${sinceDue}) * 1000)::double precision`;
      const [rows] = await database.run(
        { userId },
        (db) => [
          db
            .select({ id: deliveries.id, lateMs })
            .from(deliveries)
            .where(
              and(
                eq(deliveries.userId, userId),
                inArray(deliveries.state, ["scheduled", "claimed", "sending", "held"]),
                sql`${deliveries.dueAt} < now()`,
              ),
            )
            .orderBy(asc(deliveries.dueAt))
            .limit(1),
        ],
        { repeatable: true },
      );
      return rows[0];
    },

    async clockSkewMs() {
      let before = 0;
      const [rows] = await database.run(
        "service",
        (db) => {
          // Of the request whose answer comes.
          before = Date.now();
          return [
            db
              .select({ ms: sql<number>`ms` })
              .from(sql`(select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms) as clock`),
          ];
        },
        { repeatable: true },
      );
      const after = Date.now();
      return (rows[0]?.ms ?? after) - (before + after) / 2;
    },

    async durability() {
      const [rows] = await database.run(
        "service",
        (db) => [
          db
            .select({
              fsync: sql<boolean>`fsync`,
              fullPageWrites: sql<boolean>`full_page_writes`,
              asynchronousStandbys: sql<number>`standbys`,
            })
            .from(sql`(${DURABILITY}) as durability`),
        ],
        { repeatable: true },
      );
      // What comes in by Neon's doors is Neon's, also where its compute does not say so.
      if (!rows[0] || database.driver.startsWith("neon"))
        return { fsync: true, fullPageWrites: true, asynchronousStandbys: 0 };
      return rows[0];
    },

    differences: async () => differences(await factsOf(database)),

    async strangerSees() {
      const [seen] = await database.run(
        { userId: STRANGER },
        (db) => [
          // Every hub has a user, so that this proves something in an empty one too.
          db
            .select({ n: sql<number>`((select count(*) from ${users}) + (select count(*) from ${posts}))::integer` })
            .from(sql`(select) as one`),
        ],
        { repeatable: true },
      );
      return seen[0]?.n ?? 0;
    },

    async sealedByKey(userId) {
      const keyId = (column: typeof oauthTokens.accessToken | typeof apiKeys.value) =>
        sql<string>`split_part(${column}, '.', 2)`;
      const [tokens, keys] = await database.run(
        { userId },
        (db) => [
          db
            .select({ key: keyId(oauthTokens.accessToken), n: sql<number>`count(*)::integer` })
            .from(oauthTokens)
            .groupBy(keyId(oauthTokens.accessToken)),
          db
            .select({ key: keyId(apiKeys.value), n: sql<number>`count(*)::integer` })
            .from(apiKeys)
            .groupBy(keyId(apiKeys.value)),
        ],
        { repeatable: true },
      );
      const counts: Record<string, number> = {};
      for (const { key, n } of [...tokens, ...keys]) counts[key] = (counts[key] ?? 0) + n;
      return counts;
    },
  };
}
