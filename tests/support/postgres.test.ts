import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";
import { USUAL_VERSION } from "./postgres-binaries.ts";
import { freshDatabase, sharedPostgres } from "./shared-postgres.ts";
import { until } from "./until.ts";

const started: Postgres[] = [];
const start = async (options?: PostgresOptions) => {
  const server = await startPostgres(options);
  started.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

const alive = (pid: number | undefined): boolean => {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("startPostgres", () => {
  it("runs PostgreSQL on the loopback address with UTF-8 and GMT", async () => {
    const server = await start();
    expect(new URL(server.url).hostname).toBe("127.0.0.1");
    expect(await query(server.url, "SELECT current_setting('server_version_num')::int / 10000")).toEqual([
      USUAL_VERSION,
    ]);
    const wanted =
      "SELECT current_setting('listen_addresses'), current_setting('server_encoding'), current_setting('TimeZone')";
    expect(await query(server.url, wanted)).toEqual(["127.0.0.1", "UTF8", "GMT"]);
  });

  it("creates databases, and copies of databases with their rows", async () => {
    const server = await start();
    const original = await server.createDatabase("original");
    await query(original, "CREATE TABLE t AS SELECT 7 AS n");
    const copy = await server.createDatabase(undefined, "original");
    await query(original, "DELETE FROM t");
    expect(await query(copy, "SELECT n FROM t")).toEqual([7]);
    expect(await query(original, "SELECT n FROM t")).toEqual([]);
  });

  it("is another server than any before it, by the identifier that it has of its own", async () => {
    const identifier = "SELECT system_identifier::text FROM pg_control_system()";
    const [one, other] = await Promise.all([start(), start()]);
    const of = await Promise.all([one, other].map(({ url }) => query(url, identifier)));
    expect(of[0]).not.toEqual(of[1]);
    // It stays what it is, also when its log is read after a crash.
    await one.restart();
    expect(await query(one.url, identifier)).toEqual(of[0]);
  });

  it.each([true, false])("keeps committed rows and loses open transactions when killed (fast: %s)", async (fast) => {
    const server = await start({ fast });
    const url = await server.createDatabase();
    expect(await query(url, "SHOW fsync")).toEqual([fast ? "off" : "on"]);
    await query(url, "CREATE TABLE t (n int)");
    await query(url, "INSERT INTO t SELECT generate_series(1, 1000)");
    const open = new pg.Client({ connectionString: url });
    open.on("error", () => {});
    const cut = new Promise<void>((resolve) => open.once("end", resolve));
    await open.connect();
    await open.query("BEGIN");
    await open.query("INSERT INTO t VALUES (-1)");
    const before = await server.pid();
    await server.kill();
    expect(alive(before)).toBe(false);
    // Nobody cleaned up: an orderly end would have removed the lock file.
    expect(existsSync(`${server.folder}/data/postmaster.pid`)).toBe(true);
    await expect(query(url, "SELECT 1")).rejects.toThrow();
    await server.restart();
    await cut;
    expect(await server.pid()).not.toBe(before);
    expect(await query(url, "SELECT count(*)::int, min(n) FROM t")).toEqual([1000, 1]);
  });

  it("restarts a running server under the same address", async () => {
    const server = await start();
    const before = await server.pid();
    await server.restart();
    expect(alive(before)).toBe(false);
    expect(await query(server.url, "SELECT 1")).toEqual([1]);
  });

  it("asks for scram-sha-256 when told to, and refuses a wrong password", async () => {
    const server = await start({ auth: "scram-sha-256" });
    expect(await query(server.url, "SELECT 1")).toEqual([1]);
    const wrong = server.urlFor("postgres", { user: "postgres", password: "wrong" });
    await expect(query(wrong, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  });

  it("takes further settings, and says with the server's words why it does not start", async () => {
    const server = await start({ settings: { timezone: "Asia/Kathmandu" } });
    expect(await query(server.url, "SHOW timezone")).toEqual(["Asia/Kathmandu"]);
    await expect(start({ settings: { max_connections: "none" } })).rejects.toThrow(
      'invalid value for parameter "max_connections"',
    );
  });

  it("leaves no process and no folder behind, running or killed", async () => {
    for (const down of [false, true]) {
      const server = await start();
      const pid = await server.pid();
      expect(alive(pid)).toBe(true);
      expect(existsSync(server.folder)).toBe(true);
      if (down) await server.kill();
      await server.stop();
      await server.stop();
      expect(alive(pid)).toBe(false);
      expect(existsSync(server.folder)).toBe(false);
    }
  });

  it.each(["SIGKILL", "SIGINT", "exit"])("ends with the process that started it: %s", async (way) => {
    const script = `
      import { spawn } from "node:child_process";
      import { startPostgres } from ${JSON.stringify(new URL("./postgres.ts", import.meta.url).pathname)};
      const server = await startPostgres();
      const bystander = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
      console.log(JSON.stringify({ folder: server.folder, pid: await server.pid(), bystander: bystander.pid }));
      process.stdin.once("data", () => process.exit(1));
    `;
    const child = spawn(process.execPath, ["-e", script], {
      stdio: ["pipe", "pipe", "inherit"],
      cwd: new URL(".", import.meta.url).pathname,
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { folder, pid, bystander }: { folder: string; pid: number; bystander: number } = JSON.parse(
      (await lines.next()).value ?? "",
    );
    try {
      expect(alive(pid)).toBe(true);
      const gone = once(child, "exit");
      if (way === "exit") child.stdin.write("go\n");
      else child.kill(way as "SIGKILL" | "SIGINT");
      await gone;
      await until("it is gone with its folder", () => !alive(pid) && !existsSync(folder));
      // The pipe to the supervisor was not inherited: a process that outlives the test does not keep the server.
      expect(alive(bystander)).toBe(true);
    } finally {
      process.kill(bystander, "SIGKILL");
    }
  });

  it("leaves the installed package as it was", async () => {
    const server = await start();
    const maps =
      process.platform === "linux" ? readFileSync(`/proc/${await server.pid()}/maps`, "utf8") : "libicuuc.so.60";
    expect(maps).toContain("libicuuc.so.60");
    expect(maps).not.toContain(`${server.folder}/native/`);
  });
});

describe("sharedPostgres and freshDatabase", () => {
  it("is one server, and every database is the caller's own", async () => {
    expect(await sharedPostgres()).toBe(await sharedPostgres());
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    await query(one, "CREATE TABLE t (n int)");
    expect(await query(other, "SELECT to_regclass('t')::text")).toEqual([null]);
  });

  it("prepares a template once and copies it, also for many at once", async () => {
    let prepared = 0;
    const prepare = async (url: string) => {
      prepared += 1;
      await query(url, "CREATE TABLE t AS SELECT 1 AS n");
    };
    const urls = await Promise.all(Array.from({ length: 4 }, () => freshDatabase(prepare)));
    expect(prepared).toBe(1);
    expect(new Set(urls).size).toBe(4);
    await query(urls[0] ?? "", "INSERT INTO t VALUES (2)");
    expect(await query(urls[1] ?? "", "SELECT n FROM t")).toEqual([1]);
  });

  it("passes on why a template could not be prepared", async () => {
    const prepare = () => Promise.reject(new Error("no such migration"));
    await expect(freshDatabase(prepare)).rejects.toThrow("no such migration");
  });
});
