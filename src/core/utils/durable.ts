import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/*
 * What must survive a power cut is synced twice: the file, and the folder that holds its name. A rename without a sync
 * of the folder can be undone by the cut, and so can a new folder without a sync of its parent (man 2 fsync).
 */

/** Makes the folder and the parents it lacks. Their names are on the disk when this returns. Throws as `mkdirSync`. */
export function makeFolder(folder: string, mode: number): void {
  const first = mkdirSync(folder, { recursive: true, mode });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(folder)); ; at = dirname(at)) {
    syncFolder(at);
    if (at === top || at === dirname(at)) return;
  }
}

/**
 * Writes a folder's list of names to the disk, where the system can: Windows cannot open a folder, some file systems
 * cannot sync one, and one that may be written need not be readable. Postgres leaves it at that too (fsync_fname_ext in
 * fd.c of 18).
 */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  try {
    syncPath(folder, "r");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EINVAL")))
      throw error;
  }
}

/** Writes everything below a folder to the disk, files before the folders that name them. `synced` hears each path. */
export function syncTree(folder: string, synced: (path: string) => void): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncTree(path, synced);
    else if (entry.isFile()) {
      // Windows syncs only what is open for writing.
      syncPath(path, "r+");
      synced(path);
    }
  }
  syncFolder(folder);
  synced(folder);
}

function syncPath(path: string, flags: "r" | "r+"): void {
  const opened = openSync(path, flags);
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
