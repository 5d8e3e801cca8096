import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import { makeFolder } from "@psn/core/utils/durable.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import type { Builder, Database } from "../database.ts";
import type { FileWatch } from "./durable-files.ts";
import { forgiveLostConnections, sessionDatabase } from "./session.ts";

/*
 * PGlite is one process's database. Whoever holds the folder's lock runs it and serves it on a socket; everybody, the
 * holder too, comes in by that socket. So there is one way in, and no statement of one process can fall into the
 * transaction of another.
 */

/** How long to wait for a holder that is opening or closing, in milliseconds. */
const BUSY_TIMEOUT_MS = 20_000;
const RETRY_MS = 25;
/** How long a closing holder waits for other processes to finish their statements, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;
const POOL_SIZE = 4;
/** How many segments of the log, of 16 MB each, are written between two checkpoints. It bounds pg_wal and the time a recovery takes. */
const CHECKPOINT_SEGMENTS = 2;

interface Access {
  readonly socketFolder: string;
  /** Only the holder has these. */
  readonly holder?: { readonly onWake: (listener: () => void) => () => void; readonly close: () => Promise<void> };
}

/**
 * The embedded database in `folder`, made if it is not there. Throws DB_BUSY when another process keeps it closed. `watch` hears of
 * the files' writes and syncs while this process is the holder.
 */
export async function openEmbedded(folder: string, watch: FileWatch = nothing): Promise<Database> {
  makeFolder(folder, 0o700);
  let access = await attach(folder, watch);
  let pool = poolOf(access);
  const wakers = new Map<() => void, () => void>();

  // When the holder goes, its socket goes; then one of those who are left becomes the holder. Statements that find out at
  // the same time wait for the same new access.
  let attaching: Promise<void> | undefined;
  const reattach = async (lost: pg.Pool) => {
    if (!lost.ending) await lost.end();
    access = await attach(folder, watch);
    pool = poolOf(access);
    for (const listener of wakers.keys()) wakers.set(listener, access.holder?.onWake(listener) ?? nothing);
  };
  const connect = async (): Promise<pg.PoolClient> => {
    await attaching;
    const tried = pool;
    try {
      return await tried.connect();
    } catch (error) {
      if (access.holder && tried === pool) throw error;
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

/** libpq's name for a socket is `.s.PGSQL.<port>` in a folder. */
const SOCKET_PORT = 5432;
const socketName = `.s.PGSQL.${SOCKET_PORT}`;

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

async function attach(folder: string, watch: FileWatch): Promise<Access> {
  const note = join(folder, "socket");
  for (const deadline = Date.now() + BUSY_TIMEOUT_MS; Date.now() < deadline; await sleep(RETRY_MS)) {
    const unlock = takeLock(join(folder, "lock"));
    if (unlock) return hold(folder, note, unlock, watch);
    const socketFolder = await readFile(note, "utf8").catch(() => "");
    if (socketFolder !== "" && (await answers(socketFolder))) return { socketFolder };
  }
  throw new PsnError("DB_BUSY", "another psn process holds the embedded database and does not let go", {
    hint: "stop the other psn, then try again",
  });
}

/** Whether somebody serves there, and has run the statement if one is given. */
async function answers(socketFolder: string, statement?: string): Promise<boolean> {
  const client = new pg.Client({ host: socketFolder, port: SOCKET_PORT, user: "postgres", database: "postgres" });
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

async function hold(folder: string, note: string, unlock: () => void, watch: FileWatch): Promise<Access> {
  try {
    const [files, { PGLiteSocketServer }] = await Promise.all([import("./durable-files.ts"), import("@electric-sql/pglite-socket")]);
    // What a killed holder left: its socket's folder outside the hub.
    const stale = await readFile(note, "utf8").catch(() => "");
    if (stale.startsWith(join(tmpdir(), "psn-"))) await rm(stale, { recursive: true, force: true });
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
    // Outside the hub, since the path of a socket may have no more than a hundred bytes; mkdtemp makes it 0700.
    const socketFolder = await mkdtemp(join(tmpdir(), "psn-"));
    const server = new PGLiteSocketServer({ db, path: join(socketFolder, socketName), maxConnections: 200 });
    const listeners = wakeOnNotification(server);
    await server.start();
    checkpoint = () => void answers(socketFolder, "CHECKPOINT");
    await writeFile(note, socketFolder, { mode: 0o600 });
    const close = async () => {
      await rm(note, { force: true });
      for (const deadline = Date.now() + DRAIN_TIMEOUT_MS; server.getStats().activeConnections > 0 && Date.now() < deadline; )
        await sleep(RETRY_MS);
      await server.stop();
      await db.close();
      await rm(socketFolder, { recursive: true, force: true });
      unlock();
    };
    const onWake = (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    return { socketFolder, holder: { onWake, close } };
  } catch (error) {
    unlock();
    throw error instanceof PsnError
      ? error
      : new PsnError("DB_FAILED", "the embedded database does not open", { cause: error, hint: "psn doctor" });
  }
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
