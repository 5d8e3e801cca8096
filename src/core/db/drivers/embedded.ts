import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Builder, Database } from "@psn/core/db/database.ts";
import { PsnError } from "@psn/core/errors.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { unwritable } from "@psn/core/utils/private-file.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { diskTrouble, heldByAnother, isLog, noteHolder, prepareDataFolder, whoHolds } from "./data-folder.ts";
import type { FileWatch } from "./durable-files.ts";
import { serveSocket, wakeOnNotification } from "./serve-socket.ts";
import { forgiveLostConnections, sessionDatabase } from "./session.ts";
import {
  makeSocketFolder,
  removeLeftSocketFolder,
  removeSocketFolder,
  SOCKET_PORT,
  socketFolderOf,
  socketIn,
} from "./socket-folder.ts";
import { statementTurns } from "./statement-turns.ts";

/*
 * PGlite is one process's database. The process that holds the folder's lock runs it and serves it on a socket;
 * everybody, the holder too, comes in by that socket. So there is one way in, and no statement of one process can fall
 * into the transaction of another.
 */

/** How long to wait for a holder that is opening or closing, in milliseconds. */
const BUSY_TIMEOUT_MS = 20_000;
const RETRY_MS = 25;
/** How long a holder may take to answer a greeting, in milliseconds. */
const ANSWER_MS = 5_000;
/** How long a suspended holder is waited for, in milliseconds: somebody may be about to let it go on. */
const SUSPENDED_MS = 3_000;
/** How long one statement may take, in milliseconds. Others wait behind a transaction, and an export is a long one. */
const STATEMENT_MS = 120_000;
/** How long a closing holder waits for other processes to finish their statements, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;
const POOL_SIZE = 4;
/** By it the holder knows the connections of one process. */
const PROCESS_NAME = `psn ${randomUUID()}`;
/**
 * How many segments of the log, of 16 MB each, are written between two checkpoints. It bounds pg_wal and the time a
 * recovery takes.
 */
const CHECKPOINT_SEGMENTS = 2;
/** How often those who wait for a holder look whether it is suspended, in milliseconds. */
const LOOK_MS = 1_000;

interface Access {
  /** Of the socket; a holder whose socket was removed has made another. */
  readonly socketFolder: string;
  /** Only the holder has these. */
  readonly holder?: {
    readonly onWake: (listener: () => void) => () => void;
    /** Makes another socket where the one it had is gone. */
    readonly mend: () => Promise<void>;
    /** The disk failed it: it serves nobody any more, and the database must be opened again. */
    readonly isBroken: () => boolean;
    readonly close: () => Promise<void>;
  };
}

/**
 * The embedded database in `folder`, made if it is not there. Throws DB_BUSY when another process keeps it closed.
 * `watch` hears of the files' writes and syncs while this process is the holder. `busyMs`: how long to wait for another
 * one, in milliseconds.
 */
export async function openEmbedded(
  folder: string,
  watch: FileWatch = nothing,
  busyMs = BUSY_TIMEOUT_MS,
): Promise<Database> {
  // One that was there may be open to others, and PGlite lets everybody write its files.
  prepareDataFolder(folder);
  let access = await attach(folder, watch, busyMs);
  let pool = poolOf(access, folder);
  let reached = access.socketFolder;
  const wakers = new Map<() => void, () => void>();

  // When the holder goes, its socket goes; then one of those who are left becomes the holder. Statements that find out
  // at the same time wait for the same new access.
  let attaching: Promise<void> | undefined;
  const reattach = async (lost: pg.Pool) => {
    if (!lost.ending) await lost.end();
    if (access.holder && !access.holder.isBroken()) await access.holder.mend();
    else access = await attach(folder, watch, busyMs);
    pool = poolOf(access, folder);
    reached = access.socketFolder;
    for (const listener of wakers.keys()) wakers.set(listener, access.holder?.onWake(listener) ?? nothing);
  };
  const connect = async (): Promise<pg.PoolClient> => {
    await attaching;
    const tried = pool;
    try {
      return await tried.connect();
    } catch (error) {
      // The holder's own socket is there as long as the process is, unless somebody has removed it.
      if (access.holder && !access.holder.isBroken() && tried === pool && existsSync(socketIn(reached))) throw error;
      if (tried === pool) {
        attaching ??= reattach(tried).finally(() => {
          attaching = undefined;
        });
      }
      await attaching;
      return pool.connect();
    }
  };

  return sessionDatabase({
    driver: "embedded",
    connect,
    builder: (client): Builder => drizzle(client),
    listen: async (onWake) => {
      wakers.set(onWake, access.holder?.onWake(onWake) ?? nothing);
      return {
        prove: async () => (access.holder ? "heard" : "served"),
        close: async () => {
          wakers.get(onWake)?.();
          wakers.delete(onWake);
        },
      };
    },
    close: async () => {
      if (!pool.ending) await pool.end();
      await access.holder?.close();
    },
  });
}

const nothing = () => undefined;

function poolOf({ socketFolder, holder }: Access, folder: string): pg.Pool {
  const pool = new pg.Pool({
    host: socketFolder,
    port: SOCKET_PORT,
    user: "postgres",
    database: "postgres",
    application_name: PROCESS_NAME,
    max: POOL_SIZE,
    // An idle connection would make a closing holder wait for nothing.
    idleTimeoutMillis: 1_000,
    // Who does not answer may be gone, and then another one is looked for.
    connectionTimeoutMillis: holder ? BUSY_TIMEOUT_MS : ANSWER_MS,
  });
  pool.on("error", nothing);
  forgiveLostConnections(pool);
  if (!holder) limitWaits(pool, folder);
  return pool;
}

async function attach(folder: string, watch: FileWatch, busyMs: number): Promise<Access> {
  const suspended = suspension(folder);
  for (const began = performance.now(); performance.now() - began < busyMs; await sleep(RETRY_MS)) {
    const unlock = lockOf(folder);
    if (unlock) return hold(folder, unlock, watch);
    const socketFolder = socketFolderOf(folder);
    if (socketFolder !== undefined && (await answers(socketFolder))) return { socketFolder };
    if (suspended()) break;
  }
  throw heldByAnother(folder);
}

function lockOf(folder: string): (() => void) | undefined {
  try {
    return takeLock(join(folder, "lock"));
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", { path: join(folder, "lock"), error });
  }
}

/** Asked again and again whether the holder has been suspended for as long as it is waited for. */
function suspension(folder: string): () => boolean {
  let looked = performance.now();
  let since = whoHolds(folder).suspended ? looked : undefined;
  return () => {
    const now = performance.now();
    if (now - looked < LOOK_MS) return false;
    looked = now;
    since = whoHolds(folder).suspended ? (since ?? now) : undefined;
    return since !== undefined && now - since >= SUSPENDED_MS;
  };
}

/**
 * Ends what waits for a holder that is suspended, or that takes too long for one statement: neither may keep a command
 * forever.
 */
function limitWaits(pool: pg.Pool, folder: string): void {
  const timers = new WeakMap<pg.PoolClient, ReturnType<typeof setInterval>>();
  pool.on("acquire", (client) => {
    const suspended = suspension(folder);
    let [asked, since]: [unknown, number] = [undefined, 0];
    const look = () => {
      const asking: unknown = Reflect.get(client, "_activeQuery");
      if (asking !== asked) [asked, since] = [asking, performance.now()];
      const isLong = asking !== undefined && asking !== null && performance.now() - since > STATEMENT_MS;
      if (!suspended() && !isLong) return;
      const connection: unknown = Reflect.get(client, "connection");
      if (!(connection instanceof pg.Connection)) return;
      connection.stream.destroy(heldByAnother(folder));
    };
    timers.set(client, setInterval(look, LOOK_MS));
  });
  pool.on("release", (_error, client) => clearInterval(timers.get(client)));
}

/** Whether somebody serves there, and has run the statement if one is given. */
async function answers(socketFolder: string, statement?: string): Promise<boolean> {
  // A holder that is suspended takes the connection and says nothing.
  const client = new pg.Client({
    host: socketFolder,
    port: SOCKET_PORT,
    user: "postgres",
    database: "postgres",
    connectionTimeoutMillis: ANSWER_MS,
  });
  client.on("error", nothing);
  try {
    await client.connect();
    if (statement !== undefined) await client.query(statement);
    await client.end();
    return true;
  } catch {
    // It may never answer this either.
    void client.end().catch(nothing);
    return false;
  }
}

async function hold(folder: string, unlock: () => void, watch: FileWatch): Promise<Access> {
  try {
    noteHolder(folder);
    const [files, { PGLiteSocketServer }] = await Promise.all([
      import("./durable-files.ts"),
      import("@electric-sql/pglite-socket"),
    ]);
    removeLeftSocketFolder(folder);
    // Postgres in one process makes no checkpoint by itself, and its log would grow for as long as a worker runs.
    let [segment, segments, checkpoint] = ["", 0, () => {}];
    const onWrite: FileWatch = (what, path, bytes) => {
      watch(what, path, bytes);
      if (what !== "write" || path === segment || !isLog(path)) return;
      segment = path;
      segments += 1;
      if (segments % CHECKPOINT_SEGMENTS === 0) checkpoint();
    };
    let abandon = nothing;
    const onBroken = () => setImmediate(() => abandon());
    const db = statementTurns(await files.openDurable(join(folder, "pgdata"), onWrite, onBroken));
    await db.exec("LISTEN psn_wake");
    const server = new PGLiteSocketServer({ db, path: socketIn(await makeSocketFolder()), maxConnections: 200 });
    const listeners = wakeOnNotification(server);
    await server.start();
    const served = await serveSocket(folder, server);
    checkpoint = () => void answers(served.folder(), "CHECKPOINT");
    let broken = false;
    abandon = () => {
      if (broken) return;
      broken = true;
      served.cut();
      unlock();
    };
    const close = async () => {
      if (broken) return;
      await served.stop();
      await Promise.all(["socket", "holder"].map((name) => rm(join(folder, name), { force: true })));
      for (
        const began = performance.now();
        server.getStats().activeConnections > 0 && performance.now() - began < DRAIN_TIMEOUT_MS;
      )
        await sleep(RETRY_MS);
      await server.stop();
      await db.close();
      removeSocketFolder(served.folder());
      unlock();
    };
    const onWake = (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    return {
      get socketFolder() {
        return served.folder();
      },
      holder: { onWake, mend: served.mend, isBroken: () => broken, close },
    };
  } catch (error) {
    unlock();
    if (error instanceof PsnError) throw error;
    throw (
      diskTrouble(folder) ??
      new PsnError("DB_UNUSABLE", "the embedded database cannot be opened", { cause: error, hint: "psn doctor" })
    );
  }
}
