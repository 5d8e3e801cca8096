import { PsnError } from "@psn/core/errors.ts";
import type { Database, OwnerClient } from "./connection.ts";
import { sqlStateOf } from "./drivers/failure.ts";
import { TABLE_MS } from "./migrate.ts";

/** Names psn gives to logins: safe inside a statement without any quoting rule. */
const LOGIN_NAME = /^[a-z_][a-z0-9_]{0,62}$/;
/** Random hex, made by psn; never what a person typed. */
const PASSWORD = /^[0-9a-f]{32,}$/;

/**
 * A login for running the program: unprivileged, under every row policy, able to act for any user of this hub and to
 * claim what is due. Made by SQL on purpose: a role made through Neon's console or API bypasses row-level security. Run
 * again with the same name it sets the new password.
 */
export function makeServiceLogin(owner: Database, name: string, password: string): Promise<void> {
  return makeLogin(owner, { name, password, group: "psn_service" });
}

/** Connections a member's login may have: one psn with its pool, and a command beside it. */
const MEMBER_CONNECTIONS = 16;
/**
 * What a session of a member's begins with, so that a mistake of theirs is no outage of the others; in milliseconds. A
 * login may change these for itself: nothing of psn's relies on them (ADR 18). `transaction_timeout` is there since
 * PostgreSQL 17.
 */
const MEMBER_LIMITS = {
  statement_timeout: 60_000,
  lock_timeout: 5_000,
  idle_in_transaction_session_timeout: 30_000,
  transaction_timeout: 300_000,
};

/**
 * A login that is one user and can be nobody else, whatever it sets. Where the owner may say so, nobody makes temporary
 * tables in this database any more who was not allowed to by name.
 */
export async function makeMemberLogin(
  owner: Database,
  { userId, name, password }: { readonly userId: string; readonly name: string; readonly password: string },
): Promise<void> {
  await makeLogin(owner, { name, password, group: "psn_runtime" });
  await owner.asOwner?.(async (client) => {
    await limitMember(client, name);
    await client.query("BEGIN");
    // The owner itself is under the policies; the definer is who may see every user.
    await client.query("GRANT UPDATE (login) ON psn.users TO psn_definer");
    await client.query("SET LOCAL ROLE psn_definer");
    const { rows } = await client.query("UPDATE psn.users SET login = $1 WHERE id = $2 RETURNING id", [name, userId]);
    await client.query("RESET ROLE");
    await client.query("REVOKE UPDATE (login) ON psn.users FROM psn_definer");
    await client.query("COMMIT");
    if (rows.length === 0) throw new PsnError("NOT_FOUND", "no such user in this hub");
  });
}

async function makeLogin(
  owner: Database,
  {
    name,
    password,
    group,
  }: { readonly name: string; readonly password: string; readonly group: "psn_service" | "psn_runtime" },
): Promise<void> {
  if (!LOGIN_NAME.test(name) || !PASSWORD.test(password))
    throw new PsnError("BUG", "a login needs a plain name and a password made by psn");
  if (!owner.asOwner) throw new PsnError("BUG", "logins are made over a session; not over HTTP");
  await owner.asOwner(async (client) => {
    const { rows } = await client.query(
      "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS privileged " +
        "FROM pg_catalog.pg_roles WHERE rolname = $1",
      [name],
    );
    const [found] = rows;
    if (found?.["privileged"] === true)
      throw new PsnError(
        "CHECK_FAILED",
        `the login ${name} already exists and has more rights than a login of psn may have`,
        {
          hint: "use another login",
        },
      );
    // Only a superuser may say NOSUPERUSER to a login that exists, even where it changes nothing.
    await client.query(
      found
        ? `ALTER ROLE ${name} LOGIN PASSWORD '${password}'`
        : `CREATE ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION PASSWORD ` +
            `'${password}'`,
    );
    await client.query(`GRANT ${group} TO ${name}`);
    await grantConnect(client, name);
  });
}

async function limitMember(client: OwnerClient, name: string): Promise<void> {
  await client.query(`ALTER ROLE ${name} CONNECTION LIMIT ${MEMBER_CONNECTIONS}`);
  const { rows } = await client.query("SELECT name FROM pg_catalog.pg_settings WHERE name = ANY ($1)", [
    Object.keys(MEMBER_LIMITS),
  ]);
  for (const [setting, ms] of Object.entries(MEMBER_LIMITS))
    if (rows.some((row) => row["name"] === setting)) await client.query(`ALTER ROLE ${name} SET ${setting} = ${ms}`);
  await client.query(`DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`);
}

async function grantConnect(client: OwnerClient, name: string): Promise<void> {
  const { rows } = await client.query("SELECT quote_ident(current_database()) AS name");
  await client.query(`GRANT CONNECT ON DATABASE ${String(rows[0]?.["name"])} TO ${name}`);
}

/** What this login could do that a runtime login must not: empty when it is really unprivileged. */
export async function privilegesOf(database: Database): Promise<readonly string[]> {
  if (!database.asOwner) return [];
  return database.asOwner(async (client) => {
    const { rows } = await client.query(
      `SELECT rolsuper, rolbypassrls, rolcreaterole, EXISTS (SELECT FROM pg_catalog.pg_roles g
         WHERE g.rolname = 'neon_superuser' AND pg_catalog.pg_has_role(session_user, g.oid, 'MEMBER')) AS neon
       FROM pg_catalog.pg_roles WHERE rolname = session_user`,
    );
    const row = rows[0] ?? {};
    const names: Readonly<Record<string, string>> = {
      rolsuper: "superuser",
      rolbypassrls: "bypasses row-level security",
      rolcreaterole: "makes roles",
      neon: "created by Neon's console, so it bypasses row-level security",
    };
    return Object.entries(names).flatMap(([column, words]) => (row[column] === true ? [words] : []));
  });
}

/**
 * Takes psn's schema and this login out of a database that stays, and psn's group roles where no other database of the
 * server needs them. What is gone already is no error. Throws DB_LOCKED while a session uses a table of the schema.
 */
export async function dropHub(owner: Database, login?: string): Promise<void> {
  if (login !== undefined && !LOGIN_NAME.test(login)) throw new PsnError("BUG", "a login needs a plain name");
  if (!owner.asOwner) throw new PsnError("BUG", "a schema is dropped over a session; not over HTTP");
  await owner.asOwner(async (client) => {
    const has = async (name: string) =>
      (await client.query("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", [name])).rows.length > 0;
    await client.query(`SET lock_timeout = ${TABLE_MS}`);
    await client.query("DROP SCHEMA IF EXISTS psn CASCADE");
    // A migration took it away, for all schemas.
    await client.query("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC");
    for (const name of [...(login === undefined ? [] : [login]), "psn_service", "psn_definer", "psn_runtime"]) {
      if (!(await has(name))) continue;
      // Another hub on this server may need the groups.
      await dropRole(client, name).catch((error: unknown) => {
        if (name === login || !STAYS.test(sqlStateOf(error))) throw error;
      });
    }
  });
}

/** 2BP01: something belongs to it, here or in another database; 42501: another login made it. */
const STAYS = /^(2BP01|42501)$/;

/**
 * Drops the logins of one hub, whose names begin with `prefix`, but for the one it has now: earlier runs made them, and
 * their passwords are no longer known. Answers the names of those that cannot be dropped.
 */
export async function dropOtherLogins(owner: Database, prefix: string, kept = ""): Promise<readonly string[]> {
  if (!LOGIN_NAME.test(prefix)) throw new PsnError("BUG", "logins need a plain name");
  if (!owner.asOwner) throw new PsnError("BUG", "logins are dropped over a session; not over HTTP");
  return owner.asOwner(async (client) => {
    const { rows } = await client.query(
      "SELECT rolname::text AS name FROM pg_catalog.pg_roles " +
        "WHERE rolcanlogin AND starts_with(rolname::text, $1) AND rolname <> $2",
      [prefix, kept],
    );
    const left: string[] = [];
    for (const name of rows.map((row) => String(row["name"]))) {
      if (!LOGIN_NAME.test(name)) continue;
      const dropped = async () => {
        // One that stays must not act for the users of this hub.
        await client.query(`REVOKE psn_service FROM ${name}`);
        await dropRole(client, name);
      };
      await dropped().catch((error: unknown) => {
        if (!STAYS.test(sqlStateOf(error))) throw error;
        left.push(name);
      });
    }
    return left;
  });
}

async function dropRole(client: OwnerClient, name: string): Promise<void> {
  const { rows } = await client.query("SELECT quote_ident(current_database()) AS name");
  await client.query(`REVOKE ALL ON DATABASE ${String(rows[0]?.["name"])} FROM ${name}`);
  await client.query(`DROP ROLE ${name}`);
}
