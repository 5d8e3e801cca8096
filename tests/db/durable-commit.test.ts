import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examineHub } from "@psn/app/doctor.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { sql } from "drizzle-orm";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { asOwner, migrated, newName, newPassword, testDatabases, urlAs } from "../support/databases.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { prepareBinaries } from "../support/postgres-binaries.ts";
import { newUser } from "./stage.ts";

/*
 * A commit that psn relies on is on the disk of the server, whatever the server, the database or the login say.
 */

const ending: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ending.toReversed()) await end();
});

async function server(settings: Readonly<Record<string, string>> = {}, fast = false): Promise<Postgres> {
  const started = await startPostgres({ fast, settings });
  ending.push(() => started.stop());
  return started;
}
/** A hub on that server, as the program has it: by its own unprivileged login. */
async function hubOn(
  of: Postgres,
): Promise<{ readonly database: Database; readonly url: string; readonly login: string }> {
  const url = await of.createDatabase();
  await migrated(url);
  const [login, password] = [newName(), newPassword()];
  const owner = openPg(url);
  await makeServiceLogin(owner, login, password);
  await owner.close();
  const database = openPg(urlAs(url, login, password));
  ending.push(() => database.close());
  return { database, url, login };
}
async function statement(url: string, text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
const level = async (database: Database, actor: Parameters<Database["run"]>[0] = "service") => {
  const [rows] = await database.run(actor, (db) => [
    db.select({ level: sql<string>`level` }).from(sql`(select current_setting('synchronous_commit') as level) as s`),
  ]);
  return rows[0]?.level;
};

describe.each(testDatabases)("a transaction of psn on $driver", ({ open }) => {
  it("has synchronous_commit on though its database says off, in as many round trips as before", async () => {
    const db = await open();
    const [row] = await asOwner<{ name: string }>(db, "SELECT quote_ident(current_database()) AS name");
    await asOwner(db, `ALTER DATABASE ${row?.name} SET synchronous_commit = off`);
    // A session has its settings from when it began.
    await db.database.run("service", (builder) => [builder.execute(sql`set synchronous_commit = off`)]);
    const before = db.roundTrips();
    expect(await level(db.database)).toBe("on");
    expect(db.roundTrips()).toBe(before === undefined ? undefined : before + 1);
    const userId = await newUser(createStores(db.database));
    expect(await level(db.database, { userId })).toBe("on");
    expect(await level(db.database, { userId, service: true })).toBe("on");
    await db.close();
  });
});

describe("a server's own synchronous_commit", () => {
  it.each(["off", "local", "remote_write"])(
    "%s becomes on, where the server, the database or the login says so",
    async (value) => {
      const own = await server({ synchronous_commit: value }, true);
      expect(await level((await hubOn(own)).database)).toBe("on");
      await own.stop();
      const other = await server({}, true);
      const one = await hubOn(other);
      await statement(one.url, `ALTER ROLE ${one.login} SET synchronous_commit = ${value}`);
      expect(await level(one.database)).toBe("on");
      await other.stop();
    },
  );

  it("remote_apply, which is more than on, stays; and what psn sets ends with its transaction", async () => {
    const own = await server({ synchronous_commit: "remote_apply" }, true);
    const { database, url, login } = await hubOn(own);
    expect(await level(database)).toBe("remote_apply");
    await statement(url, `ALTER ROLE ${login} SET synchronous_commit = off`);
    await statement(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${login}'`);
    expect(await level(database)).toBe("on");
    const session = await database.asOwner?.((client) =>
      client.query("SELECT current_setting('synchronous_commit') AS level"),
    );
    expect(session?.rows).toEqual([{ level: "off" }]);
  });

  it("off does not lose what psn has committed when the server crashes", async () => {
    // The background writer would write the log within three times this, and hide the difference.
    const own = await server({ synchronous_commit: "off", wal_writer_delay: "10s" });
    const { database, url } = await hubOn(own);
    await statement(url, "CREATE TABLE control (n integer)");
    await statement(url, "CHECKPOINT");
    const id = await newUser(createStores(database));
    await statement(url, "INSERT INTO control VALUES (1)");
    await own.kill();
    await own.restart();
    expect(await createStores(database).users.get(id)).toBeDefined();
    // The same kill takes a commit that nobody waited for.
    expect(await statement(url, "SELECT n FROM control")).toEqual([]);
  });
});

describe("psn doctor on a server", () => {
  const durability = async (database: Database) => {
    const stores = createStores(database);
    const world = { stores, now: () => new Date() } as unknown as Parameters<typeof examineHub>[0];
    const user = { id: await newUser(stores), handle: "ada", timeZone: "UTC" };
    const options = {
      network: false,
      signal: new AbortController().signal,
      watchdogMinutes: 5,
      hears: async () => undefined,
    };
    return (await examineHub(world, user, options)).find(({ name }) => name === "durability");
  };

  it("that keeps what it commits has nothing to say", async () => {
    expect(await durability((await hubOn(await server())).database)).toMatchObject({ status: "ok", fix: null });
  });

  it("fails on fsync off and on full_page_writes off", async () => {
    const { database, url } = await hubOn(await server());
    const set = async (text: string) => {
      await statement(url, `ALTER SYSTEM SET ${text}`);
      await statement(url, "SELECT pg_reload_conf()");
      const [name = "", value] = text.split(" = ");
      await expect.poll(async () => (await statement(url, `SHOW ${name}`))[0]?.[name]).toBe(value);
    };
    await set("fsync = off");
    expect(await durability(database)).toMatchObject({
      status: "fail",
      said: expect.stringContaining("fsync off"),
      fix: expect.stringContaining("fsync = on"),
    });
    await set("fsync = on");
    await set("full_page_writes = off");
    expect(await durability(database)).toMatchObject({
      status: "fail",
      said: expect.stringContaining("full_page_writes off"),
    });
  });

  it("of Neon takes fsync off for what it is there, since its commits wait for the safekeepers", async () => {
    const { database, url } = await hubOn(await server({}, true));
    expect(await durability(database)).toMatchObject({ status: "fail" });
    const stores = createStores(database);
    await statement(url, "ALTER SYSTEM SET synchronous_standby_names = walproposer");
    await statement(url, "SELECT pg_reload_conf()");
    // Only reads from here: no standby of this name would ever confirm a commit.
    const all = { fsync: true, fullPageWrites: true, asynchronousStandbys: 0 };
    await expect.poll(() => stores.inspection.durability()).toEqual(all);
  });

  it("with an asynchronous standby warns that a failover loses commits; with a synchronous one does not", async () => {
    const primary = await server({ wal_level: "replica", max_wal_senders: "5" });
    const { database, url } = await hubOn(primary);
    await standbyOf(primary);
    await expect
      .poll(() => durability(database), { timeout: 20_000 })
      .toMatchObject({
        status: "warn",
        said: expect.stringContaining("standby is asynchronous"),
        fix: expect.stringContaining("synchronous_standby_names"),
      });
    await statement(url, "ALTER SYSTEM SET synchronous_standby_names = '*'");
    await statement(url, "SELECT pg_reload_conf()");
    await expect.poll(() => durability(database), { timeout: 20_000 }).toMatchObject({ status: "ok" });
  });
});

/** A second server that follows the first one, as its unprivileged standby on the same machine. */
async function standbyOf(primary: Postgres): Promise<void> {
  const folder = join(primary.folder, "standby");
  const binaries = await mkdtemp(join(tmpdir(), "psn-standby-"));
  ending.push(() => rm(binaries, { recursive: true, force: true }));
  const { bin, libraries, user } = await prepareBinaries(binaries);
  await chmod(binaries, 0o755);
  // pg_basebackup is not in the package; this is what it does.
  const client = new pg.Client({ connectionString: primary.url });
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', true)");
    run("cp", ["-Rp", join(primary.folder, "data"), folder]);
    const { rows } = await client.query("SELECT labelfile FROM pg_backup_stop(false)");
    await writeFile(join(folder, "backup_label"), String(rows[0]?.labelfile));
  } finally {
    await client.end();
  }
  const { hostname, port, username, password } = new URL(primary.url);
  const follows = `host=${hostname} port=${port} user=${username} password=${password} application_name=standby`;
  await writeFile(join(folder, "standby.signal"), "");
  await rm(join(folder, "postmaster.pid"), { force: true });
  if (user) run("chown", ["-R", `${user.uid}:${user.gid}`, folder]);
  const settings = {
    listen_addresses: "",
    unix_socket_directories: folder,
    primary_conninfo: follows,
    shared_buffers: "16MB",
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const standby = spawn(join(bin, "postgres"), ["-D", folder, ...args], {
    ...user,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", LD_LIBRARY_PATH: libraries },
    stdio: "ignore",
  });
  ending.push(async () => {
    const gone = once(standby, "exit");
    if (standby.exitCode === null && standby.kill("SIGQUIT")) await gone;
  });
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}
