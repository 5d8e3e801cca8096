import { spawn, spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Binaries, type PostgresVersion, prepareBinaries } from "./postgres-binaries.ts";

/*
 * What the tests' servers are copied from: initdb runs once in a worker for each kind of server, and takes most of a
 * second of the processor's time; a copy takes a moment.
 */

export interface Template {
  /** The programs of every server that is copied from it. */
  readonly binaries: Binaries;
  /** A data folder that no server has ever run on. */
  readonly data: string;
  /** The superuser's, of every copy. */
  readonly password: string;
}

export interface Kind {
  readonly version: PostgresVersion;
  readonly auth: "password" | "scram-sha-256";
}

/** Makes the folder, says so, and removes everything when the pipe ends: with this process, however that ends. */
const KEEPER = `
trap '' HUP INT TERM PIPE
dir=$1 bin=$2 auth=$3
# The builtin provider is there since 17. One round of hashing suits a password of the tests: a login costs less.
"$bin/initdb" --help | grep -q builtin-locale \\
  && since17="--locale-provider=builtin --builtin-locale=C.UTF-8 --set=scram_iterations=1" || since17=
if "$bin/initdb" --pgdata="$dir/data" --username=postgres --pwfile="$dir/password" --auth="$auth" \\
  --encoding=UTF8 --locale=C --wal-segsize=1 $since17 --no-sync --no-instructions >"$dir/log" 2>&1 </dev/null
then echo initdb; else echo failed; fi
while read -r word; do :; done
rm -rf "$dir"
`;

const templates = new Map<string, Promise<Template>>();

/** Throws with initdb's own words when it fails. */
export function templateOf({ version, auth }: Kind): Promise<Template> {
  const name = `${version} ${auth}`;
  const template = templates.get(name) ?? makeTemplate({ version, auth });
  templates.set(name, template);
  return template;
}

async function makeTemplate({ version, auth }: Kind): Promise<Template> {
  const folder = await mkdtemp(join(tmpdir(), "psn-postgres-template-"));
  const password = randomUUID();
  const binaries = await prepareBinaries(folder, version).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  await writeFile(join(folder, "password"), password, { mode: 0o600 });
  if (binaries.user) spawnSync("chown", ["-R", `${binaries.user.uid}:${binaries.user.gid}`, folder]);
  const child = spawn("/bin/sh", ["-c", KEEPER, "sh", folder, binaries.bin, auth], {
    ...binaries.user,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", LD_LIBRARY_PATH: binaries.libraries },
    stdio: ["pipe", "pipe", "ignore"],
    // Its own session: an interrupt typed at the terminal must not end it before it has cleaned up.
    detached: true,
  });
  child.stdin.on("error", () => {});
  child.unref();
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (value !== "initdb") {
    const text = await readFile(join(folder, "log"), "utf8").catch(() => "");
    child.stdin.end();
    await once(child, "exit");
    throw new Error(`initdb failed:\n${text.slice(-2000)}`);
  }
  // It says nothing more; an open pipe would keep a script that has ended alive.
  child.stdout.destroy();
  return { binaries, data: join(folder, "data"), password };
}

/** Marks the first page of a file of the log, which names the server that wrote it (XLP_LONG_HEADER). */
const LONG_HEADER = 2;

/**
 * Makes a copy another server than its template: psn tells servers apart by the identifier that initdb made up
 * (pg_control_system). It is in pg_control, first of all, and at the beginning of each file of the log
 * (XLogLongPageHeaderData, after 24 bytes). No server may run on the folder.
 */
export async function identify(data: string): Promise<void> {
  const identifier = randomBytes(8);
  // A number above 2^63 would be shown as a negative one.
  identifier[7] = (identifier[7] ?? 0) & 0x7f;
  const path = join(data, "global", "pg_control");
  const control = await readFile(path);
  const end = checksummed(control);
  identifier.copy(control);
  control.writeUInt32LE(crc32c(control.subarray(0, end)), end);
  await writeFile(path, control);
  const log = join(data, "pg_wal");
  for (const name of await readdir(log)) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue;
    const file = await open(join(log, name), "r+");
    try {
      const header = Buffer.alloc(32);
      await file.read(header, 0, header.length, 0);
      if (header.readUInt16LE(2) & LONG_HEADER) await file.write(identifier, 0, identifier.length, 24);
    } finally {
      await file.close();
    }
  }
}

/** How many bytes of pg_control its checksum is of, which follows them: each version has fields of its own. */
function checksummed(control: Buffer): number {
  for (let end = 200; end < 512; end += 4)
    if (crc32c(control.subarray(0, end)) === control.readUInt32LE(end)) return end;
  throw new Error("pg_control has no checksum where one was looked for");
}

/** CRC-32C (Castagnoli), as PostgreSQL has it (src/port/pg_crc32c_sb8.c). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
