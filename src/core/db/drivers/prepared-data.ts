import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { FILES } from "@psn/core/own-files.ts";
import { syncFolder } from "@psn/core/utils/durable.ts";
import { isLog } from "./data-folder.ts";

/*
 * The folder that initdb makes, prepared: initdb inside WebAssembly takes seconds and most of a gigabyte of memory, and
 * makes the same files each time, but for what tells one database from another.
 */

/** The first line of drizzle/pgdata.zst, as JSON; behind it come the files' contents. `bun run prepared` makes it. */
export interface Listing {
  /** Of the PGlite whose initdb has made it. */
  readonly version: string;
  /** Each folder behind the one that it is in. */
  readonly folders: readonly string[];
  /** In the order of their contents. `bytes` are stored; from there to `size` the file holds zeros. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly size: number }[];
}

export interface Prepared {
  readonly listing: Listing;
  /** Path and whole content of each file. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What is prepared, unpacked in memory: some 25 MB. */
export function readPrepared(packed: Uint8Array = readFileSync(FILES.pgdata)): Prepared {
  const all = zstdDecompressSync(packed);
  const end = all.indexOf("\n");
  const listing = JSON.parse(all.toString("utf8", 0, end)) as Listing;
  const files = new Map<string, Uint8Array>();
  let at = end + 1;
  for (const { path, bytes, size } of listing.files) {
    const content = new Uint8Array(size);
    content.set(all.subarray(at, at + bytes));
    files.set(path, content);
    at += bytes;
  }
  return { listing, files };
}

/**
 * Writes a new database into a folder that does not exist yet. All of it is on the disk when this ends; `synced` hears
 * each path. Throws as node:fs does.
 */
export async function unpackPrepared(folder: string, synced: (path: string) => void): Promise<void> {
  const { listing, files } = readPrepared();
  renewIdentity(files);
  const folders = ["", ...listing.folders].map((path) => join(folder, path));
  for (const path of folders) mkdirSync(path, { mode: 0o700 });
  // Syncs that are under way together share the disk's work.
  await Promise.all(
    [...files].map(async ([name, content]) => {
      const path = join(folder, name);
      await writeFile(path, content, { mode: 0o600, flush: true });
      synced(path);
    }),
  );
  for (const path of folders.toReversed()) {
    syncFolder(path);
    synced(path);
  }
}

/*
 * The layout of pg_control is ControlFileData in src/include/catalog/pg_control.h of PostgreSQL 18, as PGlite 0.5.16
 * has it; the first page of a segment begins with XLogLongPageHeaderData (src/include/access/xlog_internal.h).
 */
const CONTROL = "global/pg_control";
const NONCE = { at: 257, bytes: 32 };
const CONTROL_CRC = 292;
const LOG_IDENTITY = 24;

/**
 * Makes the database another one than all that are from the same files, as initdb does: psn tells databases apart by
 * the system identifier. It also is in the first page of each segment of the log, and must be the same there. Postgres
 * makes it of the time and a process id; here it is random. `random` returns that many bytes.
 */
export function renewIdentity(
  files: ReadonlyMap<string, Uint8Array>,
  random: (bytes: number) => Buffer = randomBytes,
): void {
  // SQL shows it as a bigint, which has a sign.
  const identity = random(8).readBigUInt64LE() >> 1n;
  for (const [path, content] of files) {
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    if (isLog(path)) view.setBigUint64(LOG_IDENTITY, identity, true);
    if (path !== CONTROL) continue;
    view.setBigUint64(0, identity, true);
    content.set(random(NONCE.bytes), NONCE.at);
    view.setUint32(CONTROL_CRC, crc32c(content.subarray(0, CONTROL_CRC)), true);
  }
}

/** CRC-32C, as Postgres computes it (src/port/pg_crc32c_sb8.c): polynomial 0x1EDC6F41, reflected. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
