import { openPg } from "@psn/core/db/drivers/pg.ts";
import type { PsnError } from "@psn/core/errors.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PgBouncerOptions, pgBouncerFiles, startPgBouncer } from "../support/pgbouncer.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";

const files = await pgBouncerFiles();
const missing = "missing" in files ? files.missing : undefined;
if (missing !== undefined) console.warn(`pgbouncer's refusals are not tried: ${missing}`);

/**
 * What a real pgbouncer refuses, in psn's words. All of it is SQLSTATE 08P01, which to PostgreSQL is a connection's own
 * trouble.
 */
describe.skipIf(missing !== undefined)("pgbouncer", () => {
  let server: Postgres;
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    server = await startPostgres({ auth: "scram-sha-256" });
    const root = new pg.Client({ connectionString: server.url });
    await root.connect();
    await root.query("CREATE ROLE ada LOGIN PASSWORD 'f00'");
    await root.end();
  });
  afterAll(async () => {
    for (const close of closing.toReversed()) await close();
    await server?.stop();
  });

  async function pooler(options: Partial<PgBouncerOptions> = {}) {
    const started = await startPgBouncer("root" in files ? files.root : "", server.url, {
      mode: "transaction",
      ...options,
    });
    closing.push(started.stop);
    return (user = "ada", password = "f00", database = "postgres", query = "") =>
      `${started.urlFor(server.urlFor(database, { user, password }))}${query}`;
  }
  async function refusal(url: string): Promise<PsnError | undefined> {
    const database = openPg(url);
    try {
      // As every transaction of psn's begins and ends.
      await database.asOwner?.(async (client) => {
        await client.query("BEGIN; SELECT 1");
        await client.query("COMMIT");
      });
      return undefined;
    } catch (error) {
      return error as PsnError;
    } finally {
      await database.close();
    }
  }

  test("a wrong password, an unknown user and a login that the pooler does not know are no outage", async () => {
    const url = await pooler();
    expect(await refusal(url())).toBeUndefined();
    const known = await pooler({ strangers: false });
    for (const address of [url("ada", "wrong"), url("nobody"), known()]) {
      const error = await refusal(address);
      expect(error).toMatchObject({
        code: "DB_REFUSED",
        message: expect.stringContaining("wrong user or password"),
        details: { code: "08P01" },
      });
      expect(error?.hint).toContain("auth_query");
    }
  });

  test("an unknown database, a parameter it does not take, and statement mode have their own messages", async () => {
    const url = await pooler();
    expect(await refusal(url("ada", "f00", "postgres", "?options=-c%20geqo%3Doff"))).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("a parameter of the address"),
    });
    const one = await pooler({ databases: { postgres: "postgres" }, users: { ada: "f00" }, strangers: false });
    expect(await refusal(one())).toBeUndefined();
    expect(await refusal(one("ada", "f00", "nowhere"))).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("no database of the name"),
    });
    const statements = await pooler({ mode: "statement" });
    expect(await refusal(statements())).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("statement mode"),
    });
  });

  test("a pooler that is full, or does not reach its server, is waited for", async () => {
    const full = await pooler({ settings: { max_client_conn: "1" } });
    const kept = new pg.Client({ connectionString: full() });
    await kept.connect();
    expect(await refusal(full())).toMatchObject({
      code: "DB_UNREACHABLE",
      message: expect.stringContaining("accepts no more connections"),
    });
    await kept.end();
    const url = await pooler({ settings: { server_login_retry: "1", query_wait_timeout: "3" } });
    await server.kill();
    expect(await refusal(url())).toMatchObject({
      code: "DB_UNREACHABLE",
      message: expect.stringContaining("cannot reach the database server"),
      hint: expect.stringContaining("log"),
    });
    await server.restart();
  });
});
