import { existsSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import {
  makeSocketFolder,
  noteSocketFolder,
  placeOf,
  removeSocketFolder,
  socketFolderOf,
  socketIn,
} from "./socket-folder.ts";

/*
 * The socket by which everybody comes into the embedded database.
 */

/** How long a transaction may be silent while others wait behind it, in milliseconds: its process may be suspended. */
const SILENT_MS = 15_000;
/**
 * How often the holder looks whether its socket is still there, in milliseconds: systems clear their temporary folder.
 */
const LOOK_MS = 1_000;

/**
 * Keeps a socket there for as long as the database is held: clearing the temporary folder must not cut a worker off
 * permanently.
 */
export async function serveSocket(data: string, server: PGLiteSocketServer) {
  const place = placeOf(data);
  let folder = dirname(server.getServerConn());
  let again: Server | undefined;
  const sockets = new Set<Socket>();
  const first = server["server"];
  const remember = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  first?.on("connection", remember);
  noteSocketFolder(data, folder);
  const mend = async () => {
    if (existsSync(socketIn(folder)) && socketFolderOf(data) === folder) return;
    // A folder that was put in place of this one has a holder of its own, or will have.
    if (placeOf(data) !== place) return;
    if (!existsSync(socketIn(folder))) {
      const made = await makeSocketFolder();
      // What is connected by the old socket stays so.
      const next = createServer((socket) => setImmediate(() => void server["handleConnection"](socket)));
      next.on("connection", remember);
      await new Promise<void>((resolve, reject) => next.once("error", reject).listen(socketIn(made), resolve));
      again?.close();
      again = next;
      removeSocketFolder(folder);
      folder = made;
    }
    noteSocketFolder(data, folder);
  };
  let mending = Promise.resolve();
  const oneAtATime = () => {
    mending = mending.then(mend).catch(() => undefined);
    return mending;
  };
  const endSilent = silenceWatch(server);
  const timer = setInterval(() => {
    endSilent();
    void oneAtATime();
  }, LOOK_MS);
  timer.unref();
  return {
    folder: () => folder,
    mend: oneAtATime,
    stop: async () => {
      clearInterval(timer);
      await mending;
      again?.close();
    },
    /** Leaves everybody who waits for an answer without one. */
    cut: () => {
      clearInterval(timer);
      for (const one of [first, again]) one?.close();
      for (const socket of sockets) socket.destroy();
      removeSocketFolder(folder);
    },
  };
}

/**
 * A process that is suspended within a transaction keeps everybody out: its connections are ended, and with them the
 * transaction. All of them are, as the next one's BEGIN may wait behind the first one's transaction. The transaction
 * of a connection that is gone is rolled back here.
 */
function silenceWatch(server: PGLiteSocketServer): () => void {
  const queue = server["queryQueue"];
  const names = namesOfClients(server);
  let [last, since] = ["", 0];
  return () => {
    const handlers = [...server["handlers"]];
    for (const id of names.keys()) if (!handlers.some(({ handlerId }) => handlerId === id)) names.delete(id);
    if (!server.db.isInTransaction()) return;
    const id = queue["lastHandlerId"];
    const holding = handlers.find(({ handlerId }) => handlerId === id);
    // The wall clock says what was active last, and not for how long: it can step.
    const active = `${id} ${holding?.["lastActivityTime"]}`;
    if (active !== last) [last, since] = [active, performance.now()];
    if (queue.getQueueLength() === 0 || performance.now() - since <= SILENT_MS) return;
    if (holding === undefined) void (id !== null && queue.clearTransactionIfNeeded(id));
    const isSame = (handlerId: number) => handlerId === id || (id !== null && names.get(handlerId) === names.get(id));
    for (const handler of handlers) if (isSame(handler.handlerId)) handler["socket"]?.destroy();
  };
}

/**
 * The name each connection has given of its process (`application_name`), by the handler's id:
 * https://www.postgresql.org/docs/18/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE (2026-11).
 */
function namesOfClients(server: PGLiteSocketServer): Map<number, string> {
  const names = new Map<number, string>();
  const queue = server["queryQueue"];
  const enqueue = queue.enqueue.bind(queue);
  queue.enqueue = (handler: number, message: Uint8Array, onData: (data: Uint8Array) => void) => {
    if (!names.has(handler)) {
      const words = new TextDecoder().decode(message.subarray(STARTUP_HEAD)).split("\0");
      const at = words.indexOf("application_name");
      names.set(handler, (at === -1 ? undefined : words[at + 1]) ?? `unnamed ${handler}`);
    }
    return enqueue(handler, message, onData);
  };
  return names;
}
/** The length and the protocol's version, in bytes; a startup message is the first of each connection. */
const STARTUP_HEAD = 8;

/**
 * The embedded Postgres is one session, so a notification arrives among the answers to the session that caused it, and
 * no other client hears it (measured, pglite-socket 0.2.17). The holder hears it here.
 */
export function wakeOnNotification(server: PGLiteSocketServer): Set<() => void> {
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
