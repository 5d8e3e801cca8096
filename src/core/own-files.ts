// Made by `bun run own-files` (scripts/own-files.ts), never by hand.

import { resolve } from "node:path";
import manifest from "../../drizzle/manifest.txt" with { type: "text" };
import sql0 from "../../drizzle/migrations/0000_ground.sql" with { type: "text" };
import sql1 from "../../drizzle/migrations/0001_tables.sql" with { type: "text" };
import sql2 from "../../drizzle/migrations/0002_functions.sql" with { type: "text" };
import sql3 from "../../drizzle/migrations/0003_media_in_a_bucket.sql" with { type: "text" };
import sql4 from "../../drizzle/migrations/0004_tasks.sql" with { type: "text" };
import sql5 from "../../drizzle/migrations/0005_late_policy.sql" with { type: "text" };
import sql6 from "../../drizzle/migrations/0006_by_index.sql" with { type: "text" };
import sql7 from "../../drizzle/migrations/0007_ending_tokens.sql" with { type: "text" };
import sql8 from "../../drizzle/migrations/0008_refresh_rest.sql" with { type: "text" };
import sql9 from "../../drizzle/migrations/0009_unknown_is_not_in_flight.sql" with { type: "text" };
import sql10 from "../../drizzle/migrations/0010_mastodon_ids_are_a_servers_own.sql" with { type: "text" };
import sql11 from "../../drizzle/migrations/0011_answers_after_disconnecting.sql" with { type: "text" };
import sql12 from "../../drizzle/migrations/0012_media_before_sending.sql" with { type: "text" };
import sql13 from "../../drizzle/migrations/0013_incarnations.sql" with { type: "text" };
import sql14 from "../../drizzle/migrations/0014_engine_columns.sql" with { type: "text" };
import sql15 from "../../drizzle/migrations/0015_bound_tokens.sql" with { type: "text" };
import sql16 from "../../drizzle/migrations/0016_step_back.sql" with { type: "text" };
import sql17 from "../../drizzle/migrations/0017_bucket.sql" with { type: "text" };
import sql18 from "../../drizzle/migrations/0018_webhook.sql" with { type: "text" };
import sql19 from "../../drizzle/migrations/0019_own_trouble.sql" with { type: "text" };
import sql20 from "../../drizzle/migrations/0020_pause_is_over.sql" with { type: "text" };
import sql21 from "../../drizzle/migrations/0021_removals.sql" with { type: "text" };
import sql22 from "../../drizzle/migrations/0022_source.sql" with { type: "text" };
import sql23 from "../../drizzle/migrations/0023_claim_plans.sql" with { type: "text" };
import pgdata from "../../drizzle/pgdata.zst" with { type: "file" };
import pgliteData from "../../node_modules/@electric-sql/pglite/dist/pglite.data" with { type: "file" };
import pgliteWasm from "../../node_modules/@electric-sql/pglite/dist/pglite.wasm" with { type: "file" };

/** What the migrations make of an empty database (`bun run manifest`). */
export const MANIFEST: string = manifest;

/** The texts of the migrations, in order. */
export const MIGRATIONS: readonly string[] = [
  sql0,
  sql1,
  sql2,
  sql3,
  sql4,
  sql5,
  sql6,
  sql7,
  sql8,
  sql9,
  sql10,
  sql11,
  sql12,
  sql13,
  sql14,
  sql15,
  sql16,
  sql17,
  sql18,
  sql19,
  sql20,
  sql21,
  sql22,
  sql23,
];

/** A bundle names a file as it lies beside the bundle; all others name it whole. */
const at = (path: string): string => resolve(import.meta.dirname, path);

/** Paths of files, each of which may lie inside a compiled program. */
export const FILES = { pgdata: at(pgdata), pgliteData: at(pgliteData), pgliteWasm: at(pgliteWasm) };
