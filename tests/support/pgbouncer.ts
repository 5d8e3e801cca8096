import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianFiles } from "./debian.ts";

/*
 * A real pgbouncer, of Debian's, before a server of the tests. Supabase's port 6543, Neon's -pooler hosts and many
 * managed databases work as its transaction mode does.
 */

export interface PgBouncer {
  /** The same database by way of the pooler. */
  urlFor(url: string): string;
  /** What it has written to its log so far. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  readonly mode: "transaction" | "session" | "statement";
  /** Lines of its settings besides; they replace what is said here. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Names and passwords that it knows. Every other login is looked up in the server, unless `strangers` is false. */
  readonly users?: Readonly<Record<string, string>>;
  readonly strangers?: boolean;
  /** The databases it knows, by the names of the server's; without it all of them. */
  readonly databases?: Readonly<Record<string, string>>;
}

/** The folder of the program; or, in words, why it cannot be had here. */
export async function pgBouncerFiles(): Promise<{ readonly root: string } | { readonly missing: string }> {
  try {
    return { root: await debianFiles("pgbouncer", (suite) => ({ suite, packages: ["pgbouncer"], libraries: true })) };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** Starts one on 127.0.0.1, before the server that the superuser's address names. It asks for scram-sha-256. */
export async function startPgBouncer(root: string, target: string, options: PgBouncerOptions): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), "psn-pgbouncer-"));
  const server = new URL(target);
  const port = await freePort();
  const log = join(folder, "log");
  const settings: Record<string, string> = {
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    unix_socket_dir: "",
    pool_mode: options.mode,
    auth_type: "scram-sha-256",
    auth_file: join(folder, "users"),
    // A server that stores passwords as SCRAM lets nobody in by them; the tests' one stores them so that both ends can
    // use them.
    ...(options.strangers === false
      ? {}
      : { auth_user: "postgres", auth_query: "SELECT usename, passwd FROM pg_shadow WHERE usename = $1" }),
    default_pool_size: "5",
    logfile: log,
    ...options.settings,
  };
  const users = { postgres: decodeURIComponent(server.password), ...options.users };
  await writeFile(
    join(folder, "users"),
    Object.entries(users)
      .map(([name, password]) => `"${name}" "${password}"\n`)
      .join(""),
  );
  const databases = options.databases
    ? Object.entries(options.databases).map(([name, of]) => [name, ` dbname=${of}`])
    : [["*", ""]];
  const lines = [
    "[databases]",
    ...databases.map(([name, of]) => `${name} = host=${server.hostname} port=${server.port}${of}`),
    "[pgbouncer]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
  ];
  await writeFile(join(folder, "ini"), lines.map((line) => `${line}\n`).join(""));
  await writeFile(log, "");
  // It does not run as root.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  await Promise.all([chmod(folder, 0o755), chmod(log, 0o666)]);
  const libraries = ["usr/lib", "lib"]
    .flatMap((lib) => [join(root, lib), join(root, lib, `${arch()}-linux-gnu`)])
    .join(":");
  const child = spawn(join(root, "usr", "sbin", "pgbouncer"), [join(folder, "ini")], {
    ...user,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LD_LIBRARY_PATH: libraries },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const complaint = heard(child);
  const read = () => readFile(log, "utf8").catch(() => "");
  let gone = false;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve())).then(() => {
    gone = true;
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  while (!(await read()).includes("process up")) {
    if (gone) throw new Error(`pgbouncer does not start: ${complaint()}${await read()}`);
    await Bun.sleep(10);
  }
  return {
    urlFor: (url) => {
      const by = new URL(url);
      by.host = `127.0.0.1:${port}`;
      return by.href;
    },
    log: read,
    stop,
  };
}

const arch = () => (process.arch === "arm64" ? "aarch64" : "x86_64");

function heard(child: ChildProcess): () => string {
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  return () => said;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
