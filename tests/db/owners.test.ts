import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { PsnError } from "@psn/core/errors.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newName, newPassword } from "../support/databases.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";

/*
 * What the login that owns a hub must be allowed to do. PostgreSQL 16 changed who may grant a role: only whoever made
 * it, or has the ADMIN OPTION on it.
 */

const PASSWORD = "f00";

describe.each([14, 16, 18] as const)("an owner on PostgreSQL %i", (version) => {
  let server: Postgres;
  let root: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ version });
    root = new pg.Client({ connectionString: server.url });
    await root.connect();
    for (const name of ["first", "second"]) {
      await root.query(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD '${PASSWORD}'`);
      await root.query(`CREATE DATABASE ${name}_hub`);
      await root.query(`GRANT CREATE ON DATABASE ${name}_hub TO ${name}`);
    }
    await root.query(`CREATE ROLE plain LOGIN PASSWORD '${PASSWORD}'`);
    await root.query("CREATE DATABASE plain_hub");
  });
  afterAll(async () => {
    await root?.end();
    await server?.stop();
  });

  /** What `psn init` does with an owner's address. */
  async function init(owner: string, database: string): Promise<PsnError | number> {
    const opened = openPg(server.urlFor(database, { user: owner, password: PASSWORD }));
    try {
      const applied = await migrate(opened);
      await makeServiceLogin(opened, newName(), newPassword());
      return applied;
    } catch (error) {
      if (error instanceof PsnError) return error;
      throw error;
    } finally {
      await opened.close();
    }
  }

  it("who may not make a schema or roles is told which right is missing, and how to give it", async () => {
    expect(await init("plain", "plain_hub")).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("not allowed to create a schema"),
      hint: expect.stringContaining("GRANT CREATE ON DATABASE"),
    });
    await root.query("GRANT CREATE ON DATABASE plain_hub TO plain");
    expect(await init("plain", "plain_hub")).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("not allowed to create roles"),
      hint: expect.stringContaining("CREATEROLE"),
    });
  });

  it("the first owner makes a hub; a second one is told if it needs the ADMIN OPTION, and makes one", async () => {
    const all = knownMigrations().length;
    expect(await init("first", "first_hub")).toBe(all);
    if (version < 16) {
      expect(await init("second", "second_hub")).toBe(all);
      return;
    }
    const error = await init("second", "second_hub");
    expect(error).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("ADMIN OPTION"),
      details: { code: "42501" },
    });
    const [, grant = ""] =
      /(GRANT .*) TO login WITH ADMIN OPTION/.exec(error instanceof PsnError ? (error.hint ?? "") : "") ?? [];
    const first = new pg.Client({
      connectionString: server.urlFor("first_hub", { user: "first", password: PASSWORD }),
    });
    await first.connect();
    await first.query(`${grant} TO second WITH ADMIN OPTION`);
    await first.end();
    expect(await init("second", "second_hub")).toBe(all);
  });
});
