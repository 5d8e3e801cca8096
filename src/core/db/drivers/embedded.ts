import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { makePrivateFolder } from "@psn/core/utils/private-file.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import type { Builder, Database } from "../database.ts";
import type { FileWatch } from "./durable-files.ts";
import { forgiveLostConnections, sessionDatabase } from "./session.ts";
import {
  makeSocketFolder,
  noteSocketFolder,
  placeOf,
  removeLeftSocketFolder,
  removeSocketFolder,
  SOCKET_PORT,
  socketFolderOf,
  socketIn,
} from "./socket-folder.ts";

/*
 * PGlite is one process's database. Whoever holds the folder's lock runs it and serves it on a socket; everybody, the
 * holder too, comes in by that socket. So there is one way in, and no statement of one process can fall into the
 * transaction of another.
 */

/** How long to wait for a holder that is opening or closing, in milliseconds. */
const BUSY_TIMEOUT_MS = 20_000;
const RETRY_MS = 25;
/** How long a holder may take to answer a greeting, in milliseconds. */
const ANSWER_MS = 5_000;
/** How long a closing holder waits for other processes to finish their statements, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;
const POOL_SIZE = 4;
/** How many segments of the log, of 16 MB each, are written between two checkpoints. It bounds pg_wal and the time a recovery takes. */
const CHECKPOINT_SEGMENTS = 2;
/** How often the holder looks whether its socket is still there, in milliseconds: systems clear their temporary folder. */
const LOOK_MS = 1_000;

interface Access {
  /** Of the socket; a holder whose socket was removed has made another. */
  readonly socketFolder: string;
  /** Only the holder has these. */
  readonly holder?: {
    readonly onWake: (listener: () => void) => () => void;
    /** Makes another socket where the one it had is gone. */
    readonly mend: () => Promise<void>;
    readonly close: () => Promise<void>;
  };
}

/**
 * The embedded database in `folder`, made if it is not there. Throws DB_BUSY when another process keeps it closed. `watch` hears of
 * the files' writes and syncs while this process is the holder. `busyMs`: how long to wait for another one, in milliseconds.
 */
export async function openEmbedded(folder: string, watch: FileWatch = nothing, busyMs = BUSY_TIMEOUT_MS): Promise<Database> {
  // One that was there may be open to others, and PGlite lets everybody write its files.
  makePrivateFolder(folder);
  let access = await attach(folder, watch, busyMs);
  let pool = poolOf(access);
  let reached = access.socketFolder;
  const wakers = new Map<() => void, () => void>();

  // When the holder goes, its socket goes; then one of those who are left becomes the holder. Statements that find out at
  // the same time wait for the same new access.
  let attaching: Promise<void> | undefined;
  const reattach = async (lost: pg.Pool) => {
    if (!lost.ending) await lost.end();
    if (access.holder) await access.holder.mend();
    else access = await attach(folder, watch, busyMs);
    pool = poolOf(access);
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
      if (access.holder && tried === pool && existsSync(socketIn(reached))) throw error;
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
      return async () => {
        wakers.get(onWake)?.();
        wakers.delete(onWake);
      };
    },
    close: async () => {
      await pool.end();
      await access.holder?.close();
    },
  });
}

const nothing = () => undefined;

function poolOf({ socketFolder }: Access): pg.Pool {
  const pool = new pg.Pool({
    host: socketFolder,
    port: SOCKET_PORT,
    user: "postgres",
    database: "postgres",
    max: POOL_SIZE,
    // An idle connection would make a closing holder wait for nothing.
    idleTimeoutMillis: 1_000,
    connectionTimeoutMillis: BUSY_TIMEOUT_MS,
  });
  pool.on("error", nothing);
  forgiveLostConnections(pool);
  return pool;
}

/** Deletes the database in `folder` with everything in it. Throws DB_BUSY while a psn process has it open. */
export async function removeEmbedded(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const unlock = takeLock(join(folder, "lock"));
  if (!unlock)
    throw new PsnError("DB_BUSY", "a psn process has the embedded database open", { hint: "stop psn worker, then: psn destroy" });
  try {
    await rm(folder, { recursive: true, force: true });
  } finally {
    unlock();
  }
}

async function attach(folder: string, watch: FileWatch, busyMs: number): Promise<Access> {
  for (const began = performance.now(); performance.now() - began < busyMs; await sleep(RETRY_MS)) {
    const unlock = takeLock(join(folder, "lock"));
    if (unlock) return hold(folder, unlock, watch);
    const socketFolder = socketFolderOf(folder);
    if (socketFolder !== undefined && (await answers(socketFolder))) return { socketFolder };
  }
  throw new PsnError("DB_BUSY", "another psn process holds the embedded database and does not let go", {
    hint: "stop the other psn, or let it go on if it is suspended (fg), then try again",
  });
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
    return false;
  }
}

async function hold(folder: string, unlock: () => void, watch: FileWatch): Promise<Access> {
  try {
    const [files, { PGLiteSocketServer }] = await Promise.all([import("./durable-files.ts"), import("@electric-sql/pglite-socket")]);
    removeLeftSocketFolder(folder);
    // Postgres in one process makes no checkpoint by itself, and its log would grow for as long as a worker runs.
    let [segment, segments, checkpoint] = ["", 0, () => {}];
    const db = await files.openDurable(join(folder, "pgdata"), (what, path, bytes) => {
      watch(what, path, bytes);
      if (what !== "write" || path === segment || !files.isLog(path)) return;
      segment = path;
      segments += 1;
      if (segments % CHECKPOINT_SEGMENTS === 0) checkpoint();
    });
    await db.exec("LISTEN psn_wake");
    const server = new PGLiteSocketServer({ db, path: socketIn(await makeSocketFolder()), maxConnections: 200 });
    const listeners = wakeOnNotification(server);
    await server.start();
    const served = await serveSocket(folder, server);
    checkpoint = () => void answers(served.folder(), "CHECKPOINT");
    const close = async () => {
      await served.stop();
      await rm(join(folder, "socket"), { force: true });
      for (const deadline = Date.now() + DRAIN_TIMEOUT_MS; server.getStats().activeConnections > 0 && Date.now() < deadline; )
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
      holder: { onWake, mend: served.mend, close },
    };
  } catch (error) {
    unlock();
    throw error instanceof PsnError
      ? error
      : new PsnError("DB_FAILED", "the embedded database does not open", { cause: error, hint: "psn doctor" });
  }
}

/** Keeps a socket there for as long as the database is held: whoever clears the temporary folder must not cut a worker off for good. */
async function serveSocket(data: string, server: import("@electric-sql/pglite-socket").PGLiteSocketServer) {
  const place = placeOf(data);
  let folder = dirname(server.getServerConn());
  let again: Server | undefined;
  noteSocketFolder(data, folder);
  const mend = async () => {
    if (existsSync(socketIn(folder)) && socketFolderOf(data) === folder) return;
    // A folder that was put in place of this one has a holder of its own, or will have.
    if (placeOf(data) !== place) return;
    if (!existsSync(socketIn(folder))) {
      const made = await makeSocketFolder();
      // What is connected by the old socket stays so.
      const next = createServer((socket) => setImmediate(() => void server["handleConnection"](socket)));
      await new Promise<void>((resolve, reject) => next.once("error", reject).listen(socketIn(made), resolve));
      again?.close();
      again = next;
      folder = made;
    }
    noteSocketFolder(data, folder);
  };
  let mending = Promise.resolve();
  const oneAtATime = () => {
    mending = mending.then(mend).catch(nothing);
    return mending;
  };
  const timer = setInterval(() => void oneAtATime(), LOOK_MS);
  timer.unref();
  return {
    folder: () => folder,
    mend: oneAtATime,
    stop: async () => {
      clearInterval(timer);
      await mending;
      again?.close();
    },
  };
}

/**
 * The embedded Postgres is one session, so a notification comes out among the answers to whoever caused it, and no other
 * client hears it (measured, pglite-socket 0.2.17). The holder hears it here.
 */
function wakeOnNotification(server: import("@electric-sql/pglite-socket").PGLiteSocketServer): Set<() => void> {
  const listeners = new Set<() => void>();
  const queue = server["queryQueue"];
  const enqueue = queue.enqueue.bind(queue);
  queue.enqueue = (handler: number, message: Uint8Array, onData: (data: Uint8Array) => void) =>
    enqueue(handler, message, (data: Uint8Array) => {
      if (hasNotification(data)) for (const listener of listeners) listener();
      onData(data);
    });
  return listeners;
}

/** NotificationResponse is `A`: https://www.postgresql.org/docs/18/protocol-message-formats.html (2026-11). */
const NOTIFICATION = 0x41;

/** Walks the messages of one answer by their lengths. */
export function hasNotification(data: Uint8Array): boolean {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at + 5 <= data.length; at += 1 + view.getUint32(at + 1)) if (data[at] === NOTIFICATION) return true;
  return false;
}
