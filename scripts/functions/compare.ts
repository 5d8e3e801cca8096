import type { Database, OwnerClient } from "@psn/core/db/database.ts";
import type { FunctionSource } from "./sources.ts";

/** What brings a database to the texts. */
export interface Steps {
  /** Functions whose text or rights are not those of their file; new ones too. */
  readonly changed: readonly string[];
  /** Functions without a file. */
  readonly gone: readonly string[];
  readonly statements: readonly string[];
}

interface Present {
  readonly name: string;
  readonly signature: string;
  readonly definition: string;
  readonly rights: string;
}

const PRESENT = `SELECT p.proname AS name, p.oid::regprocedure::text AS signature,
  pg_get_functiondef(p.oid) AS definition,
  format('%s; %s', p.proowner::regrole, (SELECT string_agg(format('%s %s', a.grantee::regrole, a.privilege_type), '; '
    ORDER BY a.grantee::regrole::text, a.privilege_type)
    FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee <> p.proowner)) AS rights
  FROM pg_proc p WHERE p.pronamespace = 'psn'::regnamespace ORDER BY p.proname COLLATE "C"`;

async function present(client: OwnerClient): Promise<ReadonlyMap<string, Present>> {
  const { rows } = await client.query(PRESENT);
  return new Map(rows.map((row) => [String(row["name"]), row as unknown as Present]));
}

/** PostgreSQL, Appendix A: CREATE OR REPLACE changes neither what a function returns nor its arguments' names. */
const INVALID_FUNCTION_DEFINITION = "42P13";

/**
 * What brings this database to the texts, found by making them in a transaction that is rolled back. Postgres decides
 * what is the same: `pg_get_functiondef`, owner and access list.
 */
export async function stepsTo(sources: readonly FunctionSource[], database: Database): Promise<Steps> {
  if (!database.asOwner) throw new Error("a database without a session cannot be compared");
  return database.asOwner(async (client) => {
    await client.query("BEGIN");
    try {
      // A function may call one that is made after it.
      await client.query("SET LOCAL check_function_bodies = off");
      const before = await present(client);
      const dropped = new Set<string>();
      for (const source of sources) if (await make(client, source, before.get(source.name))) dropped.add(source.name);
      const after = await present(client);
      return stepsOf({ sources, before, after, dropped });
    } finally {
      await client.query("ROLLBACK");
    }
  });
}

/** True where the function that is there had to be dropped first. */
async function make(client: OwnerClient, source: FunctionSource, was: Present | undefined): Promise<boolean> {
  const all = [source.definition, ...source.rights];
  await client.query("SAVEPOINT made");
  try {
    for (const statement of all) await client.query(statement);
    // An overload beside the old one is a function with other arguments.
    const { rows } = await client.query(
      "SELECT FROM pg_proc WHERE pronamespace = 'psn'::regnamespace AND proname = $1",
      [source.name],
    );
    if (rows.length === 1) return false;
  } catch (error) {
    if (!was || !isInvalidDefinition(error)) throw error;
  }
  await client.query("ROLLBACK TO SAVEPOINT made");
  for (const statement of [dropping(was), ...all]) await client.query(statement);
  return true;
}

function isInvalidDefinition(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && cause.code === INVALID_FUNCTION_DEFINITION) return true;
  const details = error instanceof Error && "details" in error ? error.details : undefined;
  return typeof details === "object" && details !== null && "code" in details && details.code === "42P13";
}

const dropping = (was: Present | undefined) => `DROP FUNCTION ${was?.signature};`;

interface Seen {
  readonly sources: readonly FunctionSource[];
  readonly before: ReadonlyMap<string, Present>;
  readonly after: ReadonlyMap<string, Present>;
  readonly dropped: ReadonlySet<string>;
}

/** Nobody but psn_definer's own members may make it own something, and only for as long as a migration takes. */
const MAY_OWN = "GRANT CREATE ON SCHEMA psn TO psn_definer;";
const MAY_OWN_NO_MORE = "REVOKE CREATE ON SCHEMA psn FROM psn_definer;";

function stepsOf({ sources, before, after, dropped }: Seen): Steps {
  const names = new Set(sources.map(({ name }) => name));
  const gone = [...before.values()].filter(({ name }) => !names.has(name));
  const changed = sources.filter(({ name }) => {
    const [was, is] = [before.get(name), after.get(name)];
    return was?.definition !== is?.definition || was?.rights !== is?.rights || dropped.has(name);
  });
  const isMade = ({ name }: FunctionSource) => !before.has(name) || dropped.has(name);
  const redoesRights = (source: FunctionSource) =>
    isMade(source) || before.get(source.name)?.rights !== after.get(source.name)?.rights;
  const rights = changed.filter(redoesRights).flatMap((source) => source.rights);
  return {
    changed: changed.map(({ name }) => name),
    gone: gone.map(({ name }) => name),
    statements: [
      ...gone.map(dropping),
      ...[...dropped].map((name) => dropping(before.get(name))),
      ...changed.map(({ definition }) => definition),
      ...(rights.length === 0 ? [] : [MAY_OWN, ...rights, MAY_OWN_NO_MORE]),
    ],
  };
}
