import { lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";

/*
 * Where the holder of an embedded database serves it: a socket in a folder of its own below the system's temporary
 * folder, since the path of a socket may have no more than a hundred bytes. `data/socket` says which folder that is,
 * and for which data folder: a copy of a hub brings the note along, and must neither use nor remove what is the
 * original's.
 */

/** libpq's name for a socket is `.s.PGSQL.<port>` in a folder. */
export const SOCKET_PORT = 5432;
const SOCKET = `.s.PGSQL.${SOCKET_PORT}`;
/** What mkdtemp makes of `psn-`. */
const NAME = /^psn-[A-Za-z0-9]{6}$/;
const OTHERS = 0o077;

/** The path of the socket in this folder. */
export const socketIn = (folder: string): string => join(folder, SOCKET);

/** A new folder for a socket, 0700. */
export const makeSocketFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "psn-"));

/** Writes which folder serves this data folder. Throws what the file system throws. */
export function noteSocketFolder(data: string, socketFolder: string): void {
  writeFileSync(join(data, "socket"), `${socketFolder}\n${placeOf(data)}\n`, { mode: 0o600 });
}

/**
 * The socket's folder that serves this data folder; undefined for a note that is missing, names another data folder, or
 * is not to be trusted.
 */
export function socketFolderOf(data: string): string | undefined {
  try {
    const [path = "", place] = readFileSync(join(data, "socket"), "utf8").split("\n");
    return place === placeOf(data) && isSocketFolder(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the socket's folder that a killed holder of this data folder left. The caller has the lock. */
export function removeLeftSocketFolder(data: string): void {
  const left = socketFolderOf(data);
  // Another temporary folder is another process's to clear.
  if (left !== undefined && dirname(left) === normalize(tmpdir())) removeSocketFolder(left);
}

/** Removes the socket and its folder, and never anything else that lies there. */
export function removeSocketFolder(folder: string): void {
  try {
    if (!readdirSync(folder).every((name) => name === SOCKET)) return;
    rmSync(socketIn(folder), { force: true });
    rmdirSync(folder);
  } catch {
    // It is gone already.
  }
}

/** Which folder this is, wherever it is moved to on its file system. A copy is another one. */
export function placeOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `${dev}:${ino}`;
}

/** A folder as `makeSocketFolder` makes it, no link, and nobody else's. */
function isSocketFolder(path: string): boolean {
  if (!isAbsolute(path) || normalize(path) !== path || !NAME.test(basename(path))) return false;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return false;
  const me = process.getuid?.();
  return me === undefined || ((found.mode & OTHERS) === 0 && found.uid === me);
}
