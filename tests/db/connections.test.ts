import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Database, openDatabase } from "@psn/core/db/connection.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { asOwner, newPassword, sharedGateway, type TestDatabase, testDatabases, urlAs } from "../support/databases.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";
import { newUser } from "./stage.ts";

/** Ends every session of this login on the server, as a restart or an administrator does. */
const terminate = (db: TestDatabase, login: string) =>
  asOwner(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [login]);

const loginOf = async ({ database }: TestDatabase): Promise<string> => {
  const [rows] = await database.run("service", (builder) => [
    builder.select({ name: sql<string>`name` }).from(sql`(select session_user::text as name) as s`),
  ]);
  return rows[0]?.name ?? "";
};
/**
 * The same, by another process while this one looks away: the pool has not seen a connection close when it is asked for
 * one.
 */
function terminateUnnoticed(url: string, login: string): void {
  const script = `import pg from "pg";
    const client = new pg.Client({ connectionString: process.argv[1] });
    await client.connect();
    const victims = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
    await client.query(victims, [process.argv[2]]); await client.end();`;
  const ran = spawnSync(process.execPath, ["-e", script, url, login], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
}

/** Fills the pool with connections. */
const busy = (database: Database) =>
  Promise.all(
    Array.from({ length: 12 }, () =>
      database.run("service", (builder) => [builder.execute(sql`select pg_sleep(0.02)`)]),
    ),
  );

const sessions = testDatabases.filter(({ driver }) => driver === "pg" || driver === "neon-ws");

describe.each(sessions)("lost connections on $driver", ({ driver, open }) => {
  it("a statement that is cut off fails as DB_UNREACHABLE, and the process lives", async () => {
    const db = await open();
    const login = await loginOf(db);
    const sleeping = db.database.run("service", (builder) => [builder.execute(sql`select pg_sleep(20)`)]);
    const failed = expect(sleeping).rejects.toMatchObject({ code: "DB_UNREACHABLE" });
    await Bun.sleep(100);
    await terminate(db, login);
    await failed;
    await newUser(createStores(db.database));
    await db.close();
  });

  it("connections that all died while idle are replaced without anybody noticing", async () => {
    const db = await open();
    const login = await loginOf(db);
    for (let round = 0; round < 3; round += 1) {
      await busy(db.database);
      if (driver === "neon-ws" && round === 1) (await sharedGateway()).faults.cutSockets();
      else terminateUnnoticed((await sharedPostgres()).url, login);
      const stores = createStores(db.database);
      await Promise.all(Array.from({ length: 12 }, () => newUser(stores)));
    }
    await db.close();
  });
});

describe("openDatabase", () => {
  const opened: Database[] = [];
  afterAll(async () => {
    for (const database of opened) await database.close();
  });
  const attempt = async (url: string, driver: "pg" | "neon-http" | "neon-ws") => {
    const database = await openDatabase({
      url,
      driver,
      dataFolder: "",
      use: driver === "neon-http" ? "once" : "session",
    });
    opened.push(database);
    expect(database.driver).toBe(driver);
    return createStores(database).inspection.clockSkewMs();
  };

  it("says DB_REFUSED for a wrong password and for a login without rights, and never the password", async () => {
    const url = await freshDatabase();
    const gateway = await sharedGateway();
    const password = newPassword();
    const wrong = urlAs(url, "postgres", password);
    for (const [driver, address] of [
      ["pg", wrong],
      ["neon-http", gateway.urlFor(wrong)],
      ["neon-ws", gateway.urlFor(wrong)],
    ] as const) {
      const error = await attempt(address, driver).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: "DB_REFUSED" });
      expect(Bun.inspect(error)).not.toContain(password);
    }
  });

  it("says DB_UNREACHABLE where nobody listens", async () => {
    await expect(attempt("postgres://psn:x@127.0.0.1:1/psn", "pg")).rejects.toMatchObject({ code: "DB_UNREACHABLE" });
  });
});
