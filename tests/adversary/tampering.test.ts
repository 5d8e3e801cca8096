import { type Check, examineHub } from "@psn/app/doctor.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { repair } from "@psn/core/db/repair.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testHub } from "../support/cli.ts";
import { newName, newPassword, serverDatabases, type TestDatabase } from "../support/databases.ts";

/*
 * Somebody who may change the database opens it a little. `psn doctor` must be red, say what was changed, and name SQL
 * that really undoes it.
 */

/** The hub's own login, and another one of the server. */
interface Names {
  readonly login: string;
  readonly other: string;
}

interface Tampering {
  readonly what: string;
  readonly does: (names: Names) => readonly string[];
  /** What a line of doctor must hold. */
  readonly says: RegExp | ((names: Names) => RegExp);
  /** The embedded database has no login of its own to tamper with. */
  readonly needsLogin?: true;
  /** What the tampering needed, and what no SQL is named for. */
  readonly after?: (names: Names) => readonly string[];
}

const SPY = "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$";
const NO_SPY = "DROP FUNCTION public.spy()";

const TAMPERINGS: readonly Tampering[] = [
  {
    what: "a policy that opens the tokens",
    does: () => ["CREATE POLICY spy ON psn.oauth_tokens FOR SELECT TO psn_runtime USING (true)"],
    says: /policy spy on psn\.oauth_tokens was added.*psn_runtime can access every row/,
  },
  {
    what: "a policy of psn's own that asks nothing any more",
    does: () => ["ALTER POLICY oauth_tokens_own ON psn.oauth_tokens USING (true)"],
    says: /policy oauth_tokens_own on psn\.oauth_tokens was changed.*psn_runtime can access every row/,
  },
  {
    what: "a policy that is for everybody",
    does: () => ["ALTER POLICY delivery_units_own ON psn.delivery_units TO PUBLIC"],
    says: /policy delivery_units_own on psn\.delivery_units was changed.*TO PUBLIC/,
  },
  {
    what: "a dropped policy",
    does: () => ["DROP POLICY posts_own ON psn.posts"],
    says: /policy posts_own on psn\.posts is missing/,
  },
  {
    what: "BYPASSRLS on the login",
    needsLogin: true,
    does: ({ login }) => [`ALTER ROLE ${login} BYPASSRLS`],
    says: ({ login }) => new RegExp(`login ${login} has more rights.*BYPASSRLS`),
  },
  {
    what: "CREATEROLE on the login",
    needsLogin: true,
    does: ({ login }) => [`ALTER ROLE ${login} CREATEROLE`],
    says: ({ login }) => new RegExp(`login ${login} has more rights.*CREATEROLE`),
  },
  {
    what: "the login in psn_definer",
    needsLogin: true,
    does: ({ login }) => [`GRANT psn_definer TO ${login}`],
    says: ({ login }) => new RegExp(`${login} was made a member of psn_definer`),
  },
  {
    what: "the login in a role that reads everything",
    needsLogin: true,
    does: ({ login }) => [`GRANT pg_read_all_data TO ${login}`],
    says: ({ login }) => new RegExp(`${login} was made a member of pg_read_all_data`),
  },
  {
    what: "a search_path on the login",
    needsLogin: true,
    does: ({ login }) => [`ALTER ROLE ${login} SET search_path = public, pg_catalog`],
    says: ({ login }) => new RegExp(`setting search_path of ${login} was added`),
  },
  {
    what: "the login lent to another login",
    needsLogin: true,
    does: ({ login, other }) => [`GRANT ${login} TO ${other}`],
    says: ({ login, other }) => new RegExp(`${other} was made a member of ${login}`),
  },
  {
    what: "psn_service for another login",
    does: ({ other }) => [`GRANT psn_service TO ${other}`],
    says: ({ other }) => new RegExp(`${other} was made a member of psn_service`),
  },
  {
    what: "psn_definer for another login",
    does: ({ other }) => [`GRANT psn_definer TO ${other}`],
    says: ({ other }) => new RegExp(`${other} was made a member of psn_definer`),
  },
  {
    what: "psn's own group in psn_definer",
    does: () => ["GRANT psn_definer TO psn_runtime"],
    says: /psn_runtime was made a member of psn_definer/,
  },
  {
    what: "a group that may bypass",
    does: () => ["ALTER ROLE psn_service BYPASSRLS"],
    says: /role psn_service was changed.*BYPASSRLS/,
  },
  {
    what: "an owner's view over the tokens",
    does: () => [
      "CREATE VIEW public.leak AS SELECT * FROM psn.oauth_tokens",
      "GRANT SELECT ON public.leak TO psn_runtime",
    ],
    says: /view public\.leak was added: reads psn\.oauth_tokens/,
  },
  {
    what: "a materialised view inside the schema",
    does: () => ["CREATE MATERIALIZED VIEW psn.copy AS SELECT text FROM psn.delivery_units"],
    says: /view psn\.copy was added: reads psn\.delivery_units/,
  },
  {
    what: "FORCE taken off",
    does: () => ["ALTER TABLE psn.accounts NO FORCE ROW LEVEL SECURITY"],
    says: /table psn\.accounts was changed.*not forced/,
  },
  {
    what: "row security switched off",
    does: () => ["ALTER TABLE psn.api_keys DISABLE ROW LEVEL SECURITY"],
    says: /table psn\.api_keys was changed.*not enabled/,
  },
  {
    what: "a table of another owner",
    does: ({ other }) => [`ALTER TABLE psn.media OWNER TO ${other}`],
    says: ({ other }) => new RegExp(`table psn\\.media was changed.*owned by ${other}`),
  },
  {
    what: "a new table without row security",
    does: () => ["CREATE TABLE psn.extra (secret text)"],
    says: /table psn\.extra was added.*row security not enabled/,
  },
  {
    what: "a parent that reads a table's rows",
    does: () => ["CREATE TABLE public.parent (LIKE psn.posts)", "ALTER TABLE psn.posts INHERIT public.parent"],
    says: /table psn\.posts was changed.*inherits public\.parent/,
    after: () => ["ALTER TABLE psn.posts NO INHERIT public.parent", "DROP TABLE public.parent"],
  },
  {
    what: "a column for everybody",
    does: () => ["GRANT SELECT (access_token) ON psn.oauth_tokens TO PUBLIC"],
    says: /grant TABLE psn\.oauth_tokens to PUBLIC was added: SELECT \(access_token\)/,
  },
  {
    what: "a right more for the program",
    does: () => ["GRANT UPDATE (login) ON psn.users TO psn_runtime"],
    says: /grant TABLE psn\.users to psn_runtime was changed.*UPDATE \(login\)/,
  },
  {
    what: "a right less for the program",
    does: () => ["REVOKE UPDATE ON psn.deliveries FROM psn_definer"],
    says: /grant TABLE psn\.deliveries to psn_definer was changed/,
  },
  {
    what: "CREATE on the schema",
    does: () => ["GRANT CREATE ON SCHEMA psn TO psn_runtime"],
    says: /grant SCHEMA psn to psn_runtime was changed.*CREATE/,
  },
  {
    what: "a grant on a sequence",
    does: () => ["GRANT UPDATE ON SEQUENCE psn.delivery_events_sequence_seq TO PUBLIC"],
    says: /grant SEQUENCE psn\.delivery_events_sequence_seq to PUBLIC was added/,
  },
  {
    what: "a function everybody may call",
    does: () => ["GRANT EXECUTE ON FUNCTION psn.stale_tokens(text[], double precision, double precision) TO PUBLIC"],
    says: /grant FUNCTION psn\.stale_tokens.* to PUBLIC was added/,
  },
  {
    what: "default privileges",
    does: () => ["ALTER DEFAULT PRIVILEGES IN SCHEMA psn GRANT SELECT ON TABLES TO PUBLIC"],
    says: /default privileges FOR ROLE owner IN SCHEMA psn ON TABLES were added: SELECT to PUBLIC/,
  },
  {
    what: "a function made SECURITY DEFINER with another search_path",
    does: () => ["ALTER FUNCTION psn.assert_schema(integer) SECURITY DEFINER SET search_path = public, pg_catalog"],
    says: /function psn\.assert_schema\(expected integer\) was changed.*SECURITY DEFINER/,
  },
  {
    what: "a function's body",
    does: () => [
      "CREATE OR REPLACE FUNCTION psn.current_user_id() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE " +
        "SECURITY DEFINER SET search_path = '' AS $$ BEGIN RETURN (SELECT u.id FROM psn.users u LIMIT 1); END $$",
    ],
    says: /function psn\.current_user_id\(\) was changed: its body differs/,
  },
  {
    what: "a function of another owner",
    does: () => ["ALTER FUNCTION psn.has_parted() OWNER TO CURRENT_USER"],
    says: /function psn\.has_parted\(\) was changed.*owned by owner/,
  },
  {
    what: "one more function in the schema",
    does: () => [
      "CREATE FUNCTION psn.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) " +
        "FROM psn.oauth_tokens'",
    ],
    says: /function psn\.peek\(\) was added/,
  },
  {
    what: "an owner's function elsewhere",
    does: () => [
      "CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) " +
        "FROM psn.oauth_tokens'",
    ],
    says: /function public\.peek\(\) was added.*reaches psn/,
  },
  {
    what: "an owner's function elsewhere whose body is no text",
    does: () => [
      "CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC " +
        "SELECT count(*) FROM psn.oauth_tokens; END",
    ],
    says: /function public\.peek\(\) was added.*reaches psn/,
  },
  {
    what: "an owner's function elsewhere that finds psn's tables by its search_path",
    does: () => [
      "CREATE FUNCTION public.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = psn AS " +
        "'SELECT count(*) FROM oauth_tokens'",
    ],
    says: /function public\.peek\(\) was added.*reaches psn/,
  },
  {
    what: "a trigger",
    does: () => [
      SPY,
      "CREATE TRIGGER spy BEFORE INSERT ON psn.oauth_tokens FOR EACH ROW EXECUTE FUNCTION public.spy()",
    ],
    says: /trigger spy on psn\.oauth_tokens was added/,
    after: () => [NO_SPY],
  },
  {
    what: "a trigger switched off",
    does: () => ["ALTER TABLE psn.deliveries DISABLE TRIGGER deliveries_wake"],
    says: /trigger deliveries_wake on psn\.deliveries was changed/,
  },
  {
    what: "foreign keys switched off",
    does: () => ["ALTER TABLE psn.accounts DISABLE TRIGGER ALL"],
    says: /foreign keys of psn\.accounts are not enforced/,
  },
  {
    what: "a rule",
    does: () => [
      "CREATE TABLE public.copies (text text)",
      "CREATE RULE spy AS ON INSERT TO psn.delivery_units DO ALSO INSERT INTO public.copies VALUES (NEW.text)",
    ],
    says: /rule spy on psn\.delivery_units was added/,
    after: () => ["DROP TABLE public.copies"],
  },
  {
    what: "an event trigger",
    does: () => [
      "CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
      "CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION public.on_ddl()",
    ],
    says: /event trigger spy was added/,
    after: () => ["DROP FUNCTION public.on_ddl()"],
  },
  {
    what: "a publication",
    does: () => ["CREATE PUBLICATION spy FOR TABLE psn.oauth_tokens"],
    says: /publication spy was added: sends oauth_tokens/,
  },
  {
    what: "a dropped constraint",
    does: () => ["ALTER TABLE psn.accounts DROP CONSTRAINT accounts_health"],
    says: /constraint accounts_health on psn\.accounts is missing/,
  },
  {
    what: "a dropped index",
    does: () => ["DROP INDEX psn.deliveries_open"],
    says: /index psn\.deliveries_open is missing/,
  },
  {
    what: "a column's default",
    does: () => ["ALTER TABLE psn.oauth_tokens ALTER COLUMN created_at SET DEFAULT clock_timestamp()"],
    says: /columns of psn\.oauth_tokens were changed.*clock_timestamp/,
    after: () => ["ALTER TABLE psn.oauth_tokens ALTER COLUMN created_at SET DEFAULT now()"],
  },
];

async function doctor(database: Database): Promise<readonly Check[]> {
  const world = { stores: createStores(database), now: () => new Date() } as unknown as Parameters<
    typeof examineHub
  >[0];
  const user = { id: "00000000-0000-0000-0000-000000000000", handle: "nobody", timeZone: "UTC" };
  const options = {
    network: false,
    signal: new AbortController().signal,
    watchdogMinutes: 5,
    hears: async () => undefined,
  };
  return (await examineHub(world, user, options)).filter(({ name }) => name === "row security");
}

describe.each(serverDatabases)("doctor on $driver", ({ driver, open }) => {
  let db: TestDatabase;
  let names: Names;
  const run = (statements: readonly string[]) =>
    db.owner.asOwner?.(async (client) => {
      for (const statement of statements) await client.query(statement);
    });

  beforeAll(async () => {
    db = await open();
    const other = newName();
    await run([`CREATE ROLE ${other} LOGIN PASSWORD '${newPassword()}'`]);
    const [rows] = await db.database.run("service", (builder) => [
      builder.select({ name: sql<string>`name` }).from(sql`(select session_user::text as name) as login`),
    ]);
    names = { login: rows[0]?.name ?? "", other };
  });
  afterAll(() => db.close());

  it("finds nothing in a hub that nobody has touched", async () => {
    const [first, ...more] = await doctor(db.database);
    expect(first?.status).toBe("ok");
    // Other hubs of this test's server, which may enter this database as long as everybody may.
    for (const { status, said } of more)
      expect([status, said]).toEqual(["warn", expect.stringContaining("of another hub on this server")]);
  });

  it.each(TAMPERINGS.filter(({ needsLogin }) => !(needsLogin && driver === "embedded")))(
    "is red for $what",
    async ({ does, says, after }) => {
      const { inspection } = createStores(db.database);
      const severe = async () => (await inspection.differences()).filter((difference) => difference.severe);
      await run(does(names));
      try {
        const red = (await doctor(db.database)).filter(({ status }) => status === "fail").map(({ said }) => said);
        expect(red).toEqual(
          expect.arrayContaining([expect.stringMatching(typeof says === "function" ? says(names) : says)]),
        );
        for (const difference of await severe()) await run(difference.sql);
      } finally {
        await run(after?.(names) ?? []);
      }
      expect(await severe()).toEqual([]);
    },
  );

  it("has nothing to repair when nobody has touched it", async () => {
    expect(await repair(db.owner)).toEqual({ mended: [], left: [] });
  });

  it("warns of another hub's login until this database is closed to it", async () => {
    const { inspection } = createStores(db.database);
    for (const difference of await inspection.differences()) await run(difference.sql);
    expect(await inspection.differences()).toEqual([]);
  });
});

describe("a hub that was tampered with", () => {
  it("is told by doctor also where it does not open, and psn db migrate --repair restores it", async () => {
    const hub = await testHub();
    const before = await hub.state();
    for (const statement of [
      "DROP POLICY users_own ON psn.users",
      "ALTER TABLE psn.oauth_tokens NO FORCE ROW LEVEL SECURITY",
      "GRANT UPDATE (login) ON psn.users TO psn_runtime",
      "ALTER FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[], uuid[]) OWNER TO CURRENT_USER",
      "ALTER FUNCTION psn.claim_due(text, integer, integer, jsonb, uuid[], uuid[]) RESET ALL",
      "CREATE VIEW public.leak AS SELECT * FROM psn.oauth_tokens",
    ])
      await hub.rows(statement);
    const red = await hub.psn(["doctor", "--offline"]);
    expect(red.code).toBe(1);
    expect(red.stdout).toMatch(/the policy users_own on psn\.users is missing\tpsn db migrate --repair/);
    const repaired = await hub.psn(["db", "migrate", "--repair"]);
    expect(repaired.code).toBe(1);
    expect(repaired.stdout).toContain("put back: the policy users_own on psn.users is missing");
    expect(repaired.stderr).toContain("not put back: the view public.leak was added");
    const still = await hub.psn(["doctor", "--offline"]);
    expect(still.stdout.match(/^fail\t.*$/gm)).toEqual([
      expect.stringMatching(/view public\.leak .*DROP VIEW public\.leak/),
    ]);
    await hub.rows("DROP VIEW public.leak");
    expect((await hub.psn(["db", "migrate", "--repair"])).stdout).toContain("nothing to do");
    expect((await hub.psn(["doctor", "--offline"])).code).toBe(0);
    expect(await hub.state()).toBe(before);
  });
});
