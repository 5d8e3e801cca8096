import { Database } from "bun:sqlite";

/**
 * An exclusive lock on a file, or undefined when another process has it. The lock is the kernel's (SQLite's fcntl lock),
 * so it ends with its process however that ends: no stale lock, no process id to guess about.
 */
export function takeLock(path: string): (() => void) | undefined {
  const file = new Database(path, { create: true });
  try {
    file.run("PRAGMA busy_timeout = 0");
    file.run("BEGIN EXCLUSIVE");
  } catch {
    file.close();
    return undefined;
  }
  return () => file.close();
}
