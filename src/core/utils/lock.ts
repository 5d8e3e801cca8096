import { Database } from "bun:sqlite";
import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";

/**
 * An exclusive lock on a file, or undefined when another process has it. The lock is the kernel's (SQLite's fcntl
 * lock), so it ends with its process however that ends: no stale lock, no process id to guess about. It needs no room
 * on the disk.
 *
 * @throws what SQLite and the file system throw where the file cannot be made or written.
 */
export function takeLock(path: string): (() => void) | undefined {
  const file = opened(path);
  try {
    // SQLite takes a file that it may only read too, and then its lock keeps nobody away.
    accessSync(path, constants.W_OK);
    file.run("PRAGMA busy_timeout = 0");
    // Nothing is ever written, and a journal beside the file would need room on the disk.
    file.run("PRAGMA journal_mode = MEMORY");
    file.run("BEGIN EXCLUSIVE");
  } catch (error) {
    file.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) return undefined;
    throw error;
  }
  return () => file.close();
}

function opened(path: string): Database {
  try {
    return new Database(path, { create: true });
  } catch (error) {
    // SQLite does not say why; the folder may.
    accessSync(dirname(path), constants.W_OK);
    throw error;
  }
}
