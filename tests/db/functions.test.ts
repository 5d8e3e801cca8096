import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { stepsTo } from "../../scripts/functions/compare.ts";
import { type FunctionSource, parseSource, readSources } from "../../scripts/functions/sources.ts";
import { type TestDatabase, testDatabases } from "../support/databases.ts";

/** The embedded one: every test puts back what it changes. */
let db: TestDatabase;
beforeAll(async () => {
  const [embedded] = testDatabases;
  if (!embedded) throw new Error("no such driver");
  db = await embedded.open();
});
afterAll(() => db.close());
afterEach(() => apply(SOURCES));

const SOURCES = readSources();
const edited = (name: string, edit: (text: string) => string): readonly FunctionSource[] =>
  SOURCES.map((source) => (source.name === name ? { ...source, definition: edit(source.definition) } : source));

/** Runs what the script would write into a migration. */
async function apply(sources: readonly FunctionSource[]): Promise<readonly string[]> {
  const { owner } = db;
  const { statements } = await stepsTo(sources, owner);
  if (statements.length === 0) return statements;
  await owner.asOwner?.(async (client) => {
    for (const statement of statements) await client.query(statement);
  });
  expect(await stepsTo(sources, owner)).toEqual({ changed: [], gone: [], statements: [] });
  return statements;
}

it("all migrations together give exactly the texts of core/db/functions", async () => {
  expect(await stepsTo(SOURCES, db.owner), "run: bun run functions").toEqual({
    changed: [],
    gone: [],
    statements: [],
  });
});

it("one space in a body is a difference, and the migration is its text alone", async () => {
  const sources = edited("has_parted", (text) => text.replace(/\$\$;$/, () => " $$;"));
  const [statement, ...others] = await apply(sources);
  expect(statement).toBe(sources.find(({ name }) => name === "has_parted")?.definition);
  expect(others).toEqual([]);
});

it("an attribute, an owner or a right is a difference too", async () => {
  const sources = edited("hub_users", (text) => text.replace(" STABLE ", " VOLATILE "));
  expect(await stepsTo(sources, db.owner)).toMatchObject({ changed: ["hub_users"], gone: [] });
  const open = SOURCES.map((source) =>
    source.name === "hub_users"
      ? { ...source, rights: [...source.rights, "GRANT EXECUTE ON FUNCTION psn.hub_users() TO psn_runtime;"] }
      : source,
  );
  expect(await apply(open)).toContain("GRANT EXECUTE ON FUNCTION psn.hub_users() TO psn_runtime;");
});

it("another result or other arguments need the old function dropped, and its rights given again", async () => {
  const result = edited("hub_users", (text) =>
    text.replace("(user_id uuid)", "(user_id uuid, again uuid)").replace("SELECT u.id", "SELECT u.id, u.id"),
  );
  const [drop, ...made] = await apply(result);
  expect(drop).toBe("DROP FUNCTION psn.hub_users();");
  expect(made).toContain("GRANT EXECUTE ON FUNCTION psn.hub_users() TO psn_service;");
  const more = edited("hub_users", (text) => text.replace("hub_users()", "hub_users(ignored integer)")).map((one) => ({
    ...one,
    rights: one.rights.map((right) => right.replace("hub_users()", "hub_users(integer)")),
  }));
  expect(await apply(more)).toContain("DROP FUNCTION psn.hub_users();");
});

it("a new file is a new function, and a file that is gone a dropped one", async () => {
  const text = `-- Says one.
CREATE OR REPLACE FUNCTION psn.one() RETURNS integer LANGUAGE sql STABLE SET search_path = '' AS $$ SELECT 1 $$;

REVOKE ALL ON FUNCTION psn.one() FROM PUBLIC;
ALTER FUNCTION psn.one() OWNER TO psn_definer;
`;
  expect(await apply([...SOURCES, parseSource("one", text)])).toHaveLength(5);
  expect(await apply(SOURCES)).toEqual(["DROP FUNCTION psn.one();"]);
});

it("a file that grants to everybody by saying nothing is refused", () => {
  const text = "CREATE OR REPLACE FUNCTION psn.one() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;\n";
  expect(() => parseSource("one", text)).toThrow("does not revoke");
  expect(() => parseSource("two", text)).toThrow("does not begin");
});
