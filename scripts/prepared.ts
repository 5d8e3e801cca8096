import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { isLog } from "@psn/core/db/drivers/data-folder.ts";
import { START_PARAMS } from "@psn/core/db/drivers/durable-files.ts";
import { type Listing, readPrepared, renewIdentity } from "@psn/core/db/drivers/prepared-data.ts";
import { FILES } from "@psn/core/own-files.ts";
import { PGLITE_VERSION } from "../tests/support/pglite-version.ts";

/*
 * Writes drizzle/pgdata.zst, the folder that initdb makes, from which every new embedded database is unpacked.
 *
 *   bun run prepared [--check]
 *
 * Two runs give the same bytes. After another version of PGlite it is made again; --check writes nothing, and fails
 * where the files are not those that this PGlite makes.
 */

/** 2026-01-01T00:00:00Z: what Postgres takes for the time, so that its log and its control file are the same again. */
const NOW_MS = 1_767_225_600_000;
/** From 1 to 22. */
const LEVEL = 19;

const folder = mkdtempSync(join(tmpdir(), "psn-prepared-"));
try {
  const segment = await makeDatabase(folder);
  const packed = pack(folder, segment);
  if (!process.argv.includes("--check")) writeFileSync(FILES.pgdata, packed);
  else if (!isSame(packed)) throw new Error("drizzle/pgdata.zst is not what this PGlite makes; run: bun run prepared");
  console.log(`drizzle/pgdata.zst: ${packed.length} bytes, ${readPrepared(packed).files.size} files`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Makes a database with what psn uses of it; returns the name of the one segment of the log that its start reads. */
async function makeDatabase(folder: string): Promise<string> {
  const now = Date.now;
  Date.now = () => NOW_MS;
  try {
    const db = await PGlite.create({ fs: new NodeFS(folder), startParams: [...START_PARAMS] });
    // The two databases that others are copied from: a hub has one database, and each is 300 files to write and sync.
    await db.exec("UPDATE pg_database SET datistemplate = false WHERE datname <> current_database()");
    for (const name of ["template0", "template1"]) await db.exec(`DROP DATABASE ${name}`);
    // A segment of its own for the last checkpoint, with zeros behind it.
    await db.exec("SELECT pg_switch_wal()");
    await db.exec("CHECKPOINT");
    const { rows } = await db.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
    await db.close();
    return String(rows[0]?.name);
  } finally {
    Date.now = now;
  }
}

function pack(folder: string, segment: string): Uint8Array {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => ({
    path: join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll("\\", "/"),
    isFolder: entry.isDirectory(),
  }));
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  // Postgres removes pg_internal.init at each start.
  const isKept = (path: string) => (isLog(path) ? path.endsWith(segment) : !path.endsWith("pg_internal.init"));
  const paths = sorted.filter(({ path, isFolder }) => !isFolder && isKept(path)).map(({ path }) => path);
  const files = new Map(paths.map((path): [string, Uint8Array] => [path, readFileSync(join(folder, path))]));
  renewIdentity(files, (bytes) => Buffer.alloc(bytes));
  const stored = [...files].map(([path, all]) => ({ path, all, bytes: all.findLastIndex((byte) => byte !== 0) + 1 }));
  const listing: Listing = {
    version: PGLITE_VERSION,
    folders: sorted.filter(({ isFolder }) => isFolder).map(({ path }) => path),
    files: stored.map(({ path, all, bytes }) => ({ path, bytes, size: all.length })),
  };
  const head = Buffer.from(`${JSON.stringify(listing)}\n`);
  const contents = stored.map(({ all, bytes }) => all.subarray(0, bytes));
  return zstdCompressSync(Buffer.concat([head, ...contents]), {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  });
}

/** Compares what is inside: another version of the compressor may write other bytes. */
function isSame(packed: Uint8Array): boolean {
  const [made, kept] = [readPrepared(packed), readPrepared()];
  return (
    JSON.stringify(made.listing) === JSON.stringify(kept.listing) &&
    [...made.files].every(([path, content]) => Buffer.compare(content, kept.files.get(path) ?? new Uint8Array()) === 0)
  );
}
