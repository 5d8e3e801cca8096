import { existsSync, fdatasyncSync, fsyncSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { PsnError } from "@psn/core/errors.ts";
import { FILES } from "@psn/core/own-files.ts";
import { syncFolder, syncTree } from "@psn/core/utils/durable.ts";
import { isLog, SYNCED } from "./data-folder.ts";
import { compiledPostgres } from "./engine.ts";
import { unpackPrepared } from "./prepared-data.ts";

/*
 * PGlite keeps its files in the operating system's cache: it starts Postgres with -F (no fsync), its fdatasync is a
 * stub, and Emscripten's NODEFS has no fsync at all (0.5.16). Here Postgres syncs, and a sync reaches the disk.
 */

/** Hears of every write and sync of a database's files, in their order. `bytes` is 0 for a sync and for a rename. */
export type FileWatch = (what: "write" | "sync" | "rename", path: string, bytes: number) => void;

/**
 * Told once that the disk did not take a sync or a piece of the log. The database it belongs to answers nobody any
 * more.
 */
export type Broken = (error: unknown) => void;

/**
 * PGlite's own parameters (`PGlite.defaultStartParams`) without -F. Of the ways to sync the log only `fsync` is not a
 * stub. The log's old segments are kept for reuse up to `max_wal_size`; sizes are Postgres's own units of 1024 * 1024
 * bytes.
 *
 * Postgres touches all of its shared memory at its start, so every command waits for it and a worker keeps it. The
 * usual 128 MB of shared_buffers are for larger databases: what does not fit into 8 MB is in the operating system's
 * cache. There is one session, and tables of locks and processes grow with max_connections. A commit of a hub fits into
 * wal_buffers of 256 kB; its usual size is a thirty-second of shared_buffers.
 */
export const START_PARAMS: readonly string[] = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
  ...[
    "fsync=on",
    "full_page_writes=on",
    "wal_sync_method=fsync",
    "min_wal_size=32MB",
    "max_wal_size=64MB",
    "shared_buffers=8MB",
    "max_connections=5",
    "wal_buffers=256kB",
  ].flatMap((setting) => ["-c", setting]),
];

/**
 * Opens the database in this folder, and makes it if there is none. It is made under another name, synced, and then
 * renamed, so that a crash leaves all of it or none of it. What an earlier psn has made, and never synced, is synced
 * once.
 *
 * @throws PsnError DB_UNUSABLE when the folder holds files that are no database; and what PGlite throws.
 */
export async function openDurable(
  pgdata: string,
  watch: FileWatch,
  onBroken: Broken = () => undefined,
): Promise<PGlite> {
  if (!existsSync(join(pgdata, "PG_VERSION"))) await create(pgdata, watch);
  else if (!existsSync(join(pgdata, SYNCED))) syncAll(pgdata, watch);
  return start(pgdata, watch, onBroken);
}

async function start(pgdata: string, watch: FileWatch, onBroken: Broken): Promise<PGlite> {
  const db = new Engine({
    fs: new DurableFiles(pgdata, watch, onBroken),
    startParams: [...START_PARAMS],
    pgliteWasmModule: await compiledPostgres(),
    fsBundle: Bun.file(FILES.pgliteData),
  });
  await db.waitReady;
  return db;
}

/**
 * Everybody speaks Postgres's protocol with it, and none uses PGlite's own queries: it need not ask at its start which
 * types are arrays, which takes a fifteenth of an opening's processor time (PGlite 0.5.16).
 */
class Engine extends PGlite {
  override async _initArrayTypes(): Promise<void> {}
}

async function create(pgdata: string, watch: FileWatch): Promise<void> {
  if (existsSync(pgdata) && readdirSync(pgdata).length > 0)
    throw new PsnError("DB_UNUSABLE", `${pgdata} has files in it, but no PG_VERSION: it is not a complete database`, {
      hint: `move it away, then run psn init again: mv '${pgdata}' '${pgdata}.old'`,
    });
  const making = `${pgdata}.new`;
  rmSync(making, { recursive: true, force: true });
  await unpackPrepared(making, (path) => watch("sync", path, 0));
  noteSynced(making);
  rmSync(pgdata, { recursive: true, force: true });
  renameSync(making, pgdata);
  watch("rename", pgdata, 0);
  syncFolder(dirname(pgdata));
  watch("sync", dirname(pgdata), 0);
}

function syncAll(folder: string, watch: FileWatch): void {
  syncTree(folder, (path) => watch("sync", path, 0));
  noteSynced(folder);
}

function noteSynced(folder: string): void {
  writeFileSync(join(folder, SYNCED), "", { mode: 0o600 });
  syncFolder(folder);
}

/**
 * The part of an Emscripten stream that is needed here: `nfd` is the file descriptor, `path` begins with PGlite's own
 * folder.
 */
interface Stream {
  readonly nfd: number;
  readonly path: string;
  readonly node: { readonly mode: number };
}
/** As Emscripten calls it. */
type WriteCall = readonly [stream: Stream, buffer: Uint8Array, offset: number, length: number, position: number];
interface NodeFiles {
  readonly isWindows: boolean;
  readonly stream_ops: {
    write(...call: WriteCall): number;
    fsync?: (stream: Stream) => number;
  };
}

/** Where PGlite mounts a database's folder. */
const MOUNT = "/pglite/data";

class DurableFiles extends NodeFS {
  readonly #watch: FileWatch;
  readonly #onBroken: Broken;

  constructor(folder: string, watch: FileWatch, onBroken: Broken) {
    super(folder);
    this.#watch = watch;
    this.#onBroken = onBroken;
  }

  override async init(...[pg, options]: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(pg, options);
    const preRun = [...(emscriptenOpts.preRun ?? []), (module: object) => this.#syncs(module)];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }

  /**
   * Adds what NODEFS lacks. Emscripten's `fsync` calls `stream_ops.fsync` where there is one, and reports success where
   * not.
   */
  #syncs(module: object): void {
    const files: NodeFiles = Reflect.get(module, "NODEFS");
    const { write } = files.stream_ops;
    const at = ({ path }: Stream) => this.rootDir + path.slice(MOUNT.length);
    // Postgres ends itself where one of these fails (PANIC), and the one in WebAssembly turns in a circle then, deaf to
    // every signal. An error that is no errno leaves WebAssembly as an exception, and nothing calls this database
    // again.
    const vital = <T>(path: string, work: () => T): T => {
      try {
        return work();
      } catch (error) {
        this.#onBroken(error);
        throw new Error(`the disk could not write ${path}`, { cause: error });
      }
    };
    files.stream_ops.write = (...call) => {
      const path = at(call[0]);
      const take = () => write(...call);
      const written = isLog(path) ? vital(path, take) : take();
      this.#watch("write", path, written);
      return written;
    };
    files.stream_ops.fsync = (stream) => {
      // Windows has no sync of a folder, and Postgres would take its refusal for a broken disk.
      if (files.isWindows && isFolder(stream.node.mode)) return 0;
      const path = at(stream);
      vital(path, () => (isLog(path) ? syncLog : fsyncSync)(stream.nfd));
      this.#watch("sync", path, 0);
      return 0;
    };
  }
}

/**
 * A segment of the log has its full size from the beginning, so that its data alone need a sync at a commit: fdatasync
 * spares the file system's own journal, and is what Postgres takes on Linux.
 */
const syncLog = process.platform === "linux" ? fdatasyncSync : fsyncSync;

/** S_IFDIR of S_IFMT, the same numbers in Emscripten and in POSIX systems. */
const isFolder = (mode: number): boolean => (mode & 0o170000) === 0o040000;
