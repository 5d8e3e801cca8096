import type { Actor, Database } from "@psn/core/db/connection.ts";
import { PsnError } from "@psn/core/errors.ts";
import { sql } from "drizzle-orm";
import { asOwner, type TestDatabase } from "../support/databases.ts";

/*
 * Two walks over the live catalogue: what a table must have, and what happens to whoever tries. They know no table by
 * name but the three that belong to the hub and not to a user, so that a new table is walked without anybody thinking
 * of it.
 */

/**
 * Heartbeats are the service's, the incarnation is for functions alone; the ledger of migrations may be read by all.
 */
const HUB_TABLES: Readonly<Record<string, string>> = {
  workers: "psn_service",
  incarnation: "psn_definer",
  migrations: "",
};
/** May be executed by the service alone. */
const SERVICE_FUNCTIONS = [
  "claim_due",
  "claim_one",
  "next_wake",
  "wake_ups",
  "stale_tokens",
  "note_ending_tokens",
  "spent_media",
  "add_user",
  "see_incarnation",
  "incarnate",
  "part",
];

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly owned: string | null;
  /** A column that whoever runs the program may change, if there is one. */
  readonly changeable: string | null;
  readonly guarded: boolean;
}

async function tablesOf(db: TestDatabase): Promise<readonly Table[]> {
  return asOwner<Table>(
    db,
    `SELECT c.relname::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS guarded,
       (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> 'a') AS columns,
       CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'user_id') THEN 'user_id'
         WHEN c.relname = 'users' THEN 'id' END AS owned,
       (SELECT min(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         AND has_column_privilege('psn_runtime', c.oid, a.attnum, 'UPDATE')) AS changeable
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'psn' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`,
  );
}

/** What the catalogue lacks; empty when every table and function is guarded. */
export async function missingGuards(db: TestDatabase): Promise<readonly string[]> {
  const problems: string[] = [];
  const policies = await asOwner<{
    table: string;
    name: string;
    roles: string[];
    using: string | null;
    check: string | null;
  }>(
    db,
    `SELECT tablename::text AS table, policyname::text AS name, to_json(roles) AS roles,
       qual AS using, with_check AS check
     FROM pg_policies WHERE schemaname = 'psn'`,
  );
  for (const { name, owned, guarded } of await tablesOf(db)) {
    if (name === "migrations") continue;
    const own = policies.filter(({ table }) => table === name);
    if (!guarded) problems.push(`${name}: row-level security is not enabled and forced`);
    if (owned === null && HUB_TABLES[name] === undefined) problems.push(`${name}: has no user_id`);
    if (!own.some(({ roles }) => roles.includes(HUB_TABLES[name] ?? "psn_runtime")))
      problems.push(`${name}: no policy for those who run the program`);
    for (const { name: policy, roles, using, check } of own) {
      if (using === null || check === null) problems.push(`${name}: the policy ${policy} lacks USING or WITH CHECK`);
      if (roles.some((role) => !["psn_runtime", "psn_definer", HUB_TABLES[name]].includes(role)))
        problems.push(`${name}: the policy ${policy} is for others too`);
      const named = [using, check].every((words) => words?.includes("psn.current_user_id()"));
      if (roles.includes("psn_runtime") && !named)
        problems.push(`${name}: the policy ${policy} does not ask whose row it is`);
    }
  }
  const keys = await asOwner<{ name: string }>(
    db,
    `SELECT f.conname::text AS name FROM pg_constraint f JOIN pg_namespace n ON n.oid = f.connamespace
     WHERE n.nspname = 'psn' AND f.contype = 'f' AND f.confrelid <> 'psn.users'::regclass AND NOT EXISTS (
       SELECT FROM unnest(f.conkey, f.confkey) AS k(here, there)
       JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.here AND a.attname = 'user_id'
       JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.there AND b.attname = 'user_id')`,
  );
  for (const { name } of keys) problems.push(`${name}: the foreign key can point into another user's rows`);
  return [...problems, ...(await openFunctions(db))];
}

async function openFunctions(db: TestDatabase): Promise<readonly string[]> {
  const functions = await asOwner<{
    name: string;
    definer: boolean;
    pinned: boolean;
    public: boolean;
    runtime: boolean;
    login: boolean;
  }>(
    db,
    `SELECT p.proname::text AS name, p.prosecdef AS definer,
       coalesce('search_path=""' = ANY (p.proconfig), false) AS pinned,
       EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
         WHERE a.grantee = 0) AS public,
       has_function_privilege('psn_runtime', p.oid, 'EXECUTE') AS runtime,
       (SELECT r.rolcanlogin OR r.rolsuper FROM pg_roles r WHERE r.oid = p.proowner) AS login
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'psn'`,
  );
  const problems: string[] = [];
  for (const { name, definer, pinned, login, runtime, ...it } of functions) {
    if (!pinned) problems.push(`${name}(): its search_path is not pinned`);
    if (it.public) problems.push(`${name}(): everybody may execute it`);
    if (definer && login) problems.push(`${name}(): runs as somebody who can log in`);
    if (runtime && SERVICE_FUNCTIONS.includes(name)) problems.push(`${name}(): a member may execute it`);
  }
  for (const name of SERVICE_FUNCTIONS)
    if (!functions.some((each) => each.name === name)) problems.push(`${name}(): is not there`);
  return problems;
}

/** Somebody who tries; `setting` is what it sets app.current_user_id to after the driver has set it. */
export interface Intruder {
  readonly name: string;
  readonly database: Database;
  readonly actor: Actor;
  readonly setting?: string;
}

export const VERBS = ["select", "insert", "update", "delete"] as const;
type Verb = (typeof VERBS)[number];

/** Divides by zero exactly when a row was reached, which also takes the attempt back. */
const REACHED = "1 / (CASE WHEN count(*) > 0 THEN 0 ELSE 1 END)";
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

async function statementOf(db: TestDatabase, table: Table, verb: Verb, victim: string): Promise<string | undefined> {
  const { name, owned, columns, changeable } = table;
  const where = owned === null ? "true" : `${owned} = '${victim}'`;
  if (verb === "select") return `SELECT ${REACHED} FROM psn.${name} WHERE ${where}`;
  if (verb === "delete")
    return `WITH w AS (DELETE FROM psn.${name} WHERE ${where} RETURNING 1) SELECT ${REACHED} FROM w`;
  const column =
    owned === "user_id"
      ? (changeable ?? "user_id")
      : columns.find((each) => ["handle", "version", "hash", "reason"].includes(each));
  if (verb === "update")
    return (
      `WITH w AS (UPDATE psn.${name} SET ${column} = ${column} WHERE ${where} RETURNING 1) SELECT ` +
      `${REACHED} FROM w`
    );
  const [row] = await asOwner<{ row: string }>(
    db,
    `SELECT to_jsonb(t)::text AS row FROM psn.${name} t WHERE ${where} LIMIT 1`,
  );
  if (!row) return undefined;
  const list = columns.join(", ");
  return `WITH w AS (INSERT INTO psn.${name} (${list})
      SELECT ${list} FROM jsonb_populate_record(null::psn.${name}, ${literal(row.row)}) RETURNING 1)
    SELECT ${REACHED} FROM w`;
}

/** What became of an attempt: `reached` rows, or `nothing`, or the privilege to try was `refused`. */
async function attempt(
  { database, actor, setting }: Intruder,
  statement: string,
): Promise<"reached" | "nothing" | "refused" | string> {
  try {
    await database.run(actor, (db) => [
      db.execute(
        sql.raw(
          setting === undefined ? "SELECT 1" : `SELECT set_config('app.current_user_id', ${literal(setting)}, true)`,
        ),
      ),
      db.execute(sql.raw(statement)),
    ]);
    return "nothing";
  } catch (error) {
    const code = error instanceof PsnError ? error.details["code"] : undefined;
    // 22012 division_by_zero; 23505 unique_violation: a copy of the victim's row got past the policies.
    if (code === "22012" || code === "23505") return "reached";
    return code === "42501" ? "refused" : `failed with ${code}`;
  }
}

/**
 * Every verb on every table by every intruder, on the rows of `victim`; what got through, and what could not be tried.
 */
export async function leaks(
  db: TestDatabase,
  victim: string,
  intruders: readonly Intruder[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const table of await tablesOf(db)) {
    for (const verb of VERBS) {
      const statement = await statementOf(db, table, verb, victim);
      if (statement === undefined) {
        found.push(`${table.name}: the victim has no row to steal`);
        continue;
      }
      for (const intruder of intruders) {
        const outcome = await attempt(intruder, statement);
        const allowed = table.name === "migrations" && verb === "select" ? "reached" : "nothing";
        if (outcome !== allowed && outcome !== "refused")
          found.push(`${table.name}: ${verb} by ${intruder.name}: ${outcome}`);
      }
    }
  }
  return found;
}

/** Which verbs reach rows for this one, by table. */
export async function reaches(
  db: TestDatabase,
  victim: string,
  who: Intruder,
): Promise<Readonly<Record<string, string>>> {
  const reached: Record<string, string> = {};
  for (const table of await tablesOf(db)) {
    const verbs: string[] = [];
    for (const verb of VERBS) {
      const statement = await statementOf(db, table, verb, victim);
      if (statement !== undefined && (await attempt(who, statement)) === "reached") verbs.push(verb);
    }
    reached[table.name] = verbs.join(" ");
  }
  return reached;
}

/** A digest of every row of every table. */
export async function digest(db: TestDatabase): Promise<Readonly<Record<string, unknown>>> {
  const digests: Record<string, unknown> = {};
  for (const { name } of await tablesOf(db)) {
    const [row] = await asOwner(
      db,
      `SELECT count(*)::integer AS rows, md5(string_agg(t::text, ',' ORDER BY t::text)) AS md5 FROM psn.${name} t`,
    );
    digests[name] = row;
  }
  return digests;
}
