import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { diskFull, PsnError } from "@psn/core/errors.ts";
import { makeFolder, syncFolder } from "./durable.ts";
import { takeLock } from "./lock.ts";
import { exposedFolder, quoted } from "./ownership.ts";

/*
 * Files that hold secrets: read whole, replaced whole, for their owner's eyes alone.
 */

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
const DRAFT_END = ".tmp";
const DRAFT_NAME = /^[0-9a-f]{12}$/;
const LOCK_WAIT_MS = 5_000;
const LOCK_PAUSE_MS = 20;

/**
 * The text of a file, byte order mark included; undefined when there is none.
 *
 * @throws PsnError CONFIG_UNREADABLE when it may not be read or is no file; CONFIG_INVALID when it is not UTF-8.
 */
export function readTextFile(path: string): string | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    throw new PsnError("CONFIG_UNREADABLE", `${path} cannot be read${because(code)}.`, {
      cause: error,
      hint: cure(code, path),
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new PsnError("CONFIG_INVALID", `${path} is not UTF-8 text.`, { hint: "save it again as UTF-8" });
  }
}

/**
 * Replaces a file at once: a reader sees the old text or the new one, and so does a process that starts after a power
 * cut. The file is 0600, its folder is made or set to 0700. A symbolic link stays one, and what it points to is
 * replaced.
 *
 * @throws PsnError CONFIG_INVALID when the text is not well-formed Unicode; CONFIG_UNWRITABLE when it cannot be
 * written; DB_FULL; CONFIG_EXPOSED for a folder of another user.
 */
export function writeEnvFile(path: string, text: string): void {
  if (!text.isWellFormed())
    throw new PsnError("CONFIG_INVALID", `The new content of ${path} is not well-formed Unicode text.`);
  let temporary: string | undefined;
  try {
    makePrivateFolder(dirname(path));
    const target = realTarget(path);
    temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}${DRAFT_END}`);
    const file = openSync(temporary, "wx", FILE_MODE);
    try {
      fchmodSync(file, FILE_MODE); // The umask may have taken more away.
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
    temporary = undefined;
    syncFolder(dirname(target));
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    throw unwritable("CONFIG_UNWRITABLE", { path, error });
  }
}

/**
 * What a failed write is called. `code` is for all but a full disk, which is DB_FULL, and what is a PsnError already.
 */
export function unwritable(
  code: "CONFIG_UNWRITABLE" | "FILE_UNWRITABLE",
  { path, error, hint }: { readonly path: string; readonly error: unknown; readonly hint?: string | undefined },
): PsnError {
  if (error instanceof PsnError) return error;
  const why = codeOf(error);
  return (
    diskFull(path, error) ??
    new PsnError(code, `${path} cannot be written${because(why)}.`, { cause: error, hint: hint ?? cure(why, path) })
  );
}

/**
 * Changes a file under a lock, so that no two changes at once lose one: a hub key lost that way could not be restored.
 * The new text is checked before it replaces the old one.
 *
 * @param change given the text, empty when there is no file yet. Throws to leave everything as it is.
 * @returns the new text.
 * @throws PsnError HUB_BUSY when another process holds the lock and does not release it; and what writeEnvFile
 * throws.
 */
export function changeEnvFile(path: string, change: (text: string) => string): string {
  return locked(path, () => {
    removeDrafts(path);
    const before = readTextFile(path);
    const after = change(before ?? "");
    if (after !== before || isExposed(path)) writeEnvFile(path, after);
    return after;
  });
}

/** What a writer of this file left that was killed before it renamed its draft: keys are in it. Asks for the lock. */
function removeDrafts(path: string): void {
  const target = realTarget(path);
  // Who comes by another link holds another lock, and may be writing now.
  if (dirname(target) !== realTarget(dirname(path))) return;
  const [start, end] = [`.${basename(target)}.`, DRAFT_END];
  let names: readonly string[];
  try {
    names = readdirSync(dirname(target));
  } catch {
    return; // Without the folder there is no draft; a folder that cannot be read is told of by the write.
  }
  for (const name of names)
    if (name.startsWith(start) && name.endsWith(end) && DRAFT_NAME.test(name.slice(start.length, -end.length)))
      rmSync(join(dirname(target), name), { force: true });
}

/**
 * Whether anybody but its owner may read or write the file; false when there is none, and on Windows, which has no such
 * modes.
 */
export function isExposed(path: string): boolean {
  if (process.platform === "win32") return false;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && (found.mode & OTHERS) !== 0;
}

/**
 * The kernel's lock: a process that is killed releases it. The file stays; to remove it would let two hold it at once.
 */
function locked<T>(path: string, run: () => T): T {
  const lock = join(dirname(path), ".lock");
  const began = performance.now();
  for (;;) {
    const unlock = lockIn(lock);
    if (unlock) {
      try {
        return run();
      } finally {
        unlock();
      }
    }
    if (performance.now() - began > LOCK_WAIT_MS)
      throw new PsnError("HUB_BUSY", `Another psn process is changing ${path}.`, {
        hint: "try again when it is done; if it is suspended (Ctrl-Z), resume it: fg",
      });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
  }
}

function lockIn(lock: string): (() => void) | undefined {
  try {
    makePrivateFolder(dirname(lock));
    closeSync(openSync(lock, "a", FILE_MODE));
    return takeLock(lock);
  } catch (error) {
    throw unwritable("CONFIG_UNWRITABLE", { path: lock, error });
  }
}

/**
 * A folder for its owner alone, made or set to 0700 whatever it was. One of root's that nobody else can write to stays
 * as it is.
 *
 * @throws PsnError CONFIG_EXPOSED for another user's; and what the file system throws.
 */
export function makePrivateFolder(folder: string): void {
  makeFolder(folder, FOLDER_MODE);
  if (process.platform === "win32") return;
  const { uid, mode } = statSync(folder);
  if (uid === process.getuid?.() && (mode & OTHERS) !== 0) chmodSync(folder, FOLDER_MODE);
  const error = exposedFolder(folder);
  if (error !== undefined) throw error;
}

/** What a path leads to, links followed; the path itself where nothing is there. */
export function realTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function because(code: string): string {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: ": your user has no permission",
    EPERM: ": your user has no permission",
    EISDIR: ": it is a folder",
    ENOTDIR: ": a part of its path is a file",
    ELOOP: ": it is a link to itself",
    EIO: ": the disk reports an error or is not available",
    SQLITE_CANTOPEN: ": the disk reports an error or is not available",
    EROFS: ": the disk is read-only",
  };
  return reasons[code] ?? (code === "" ? "" : ` (${code})`);
}

function cure(code: string, path: string): string {
  return code === "EACCES" || code === "EPERM"
    ? `see who owns it: ls -ld ${quoted(path)} ${quoted(dirname(path))}`
    : code === "EROFS"
      ? `mount the disk writable; to see which disk it is: df ${quoted(dirname(path))}`
      : `see what is there: ls -ld ${quoted(path)}`;
}
