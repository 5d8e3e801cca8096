import { randomUUID } from "node:crypto";
import { access, constants, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { diskFull, PsnError, toPsnError } from "@psn/core/errors.ts";

/** Holds the settings and what is being written; the rest of the folder is for the reader. */
export const OWN_FOLDER = ".feed";
/** A write lasts far shorter; what is older was left by a process that was stopped. */
const LEFTOVER_MS = 24 * 3_600_000;

/**
 * Replaces a file in one step: a reader and a crash see the old content or the new, never half of it.
 * The temporary file lies in the same file system, is written through to the disk, and then takes the name.
 */
export async function writeAtomically(root: string, path: string, content: string | Uint8Array): Promise<void> {
  const target = join(root, path);
  const own = join(root, OWN_FOLDER);
  const temporary = join(own, `${randomUUID()}.tmp`);
  try {
    // Not recursive: a folder that is gone, an unmounted disk, must not come back empty.
    for (const folder of [own, dirname(target)]) if (folder !== root) await makeFolder(folder);
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A file's text; undefined when there is none. */
export async function readText(root: string, path: string): Promise<string | undefined> {
  return readFile(join(root, path), "utf8").catch(ignore("ENOENT"));
}

export async function exists(root: string, path: string): Promise<boolean> {
  return (await stat(join(root, path)).catch(ignore("ENOENT"))) !== undefined;
}

/** What is gone already stays gone. */
export async function removeFile(root: string, path: string): Promise<void> {
  await rm(join(root, path), { force: true });
  await syncFolder(dirname(join(root, path))).catch(ignore("ENOENT"));
}

/** Takes away what stopped processes left behind. */
export async function sweep(root: string, now: Date): Promise<void> {
  const own = join(root, OWN_FOLDER);
  for (const name of (await readdir(own).catch(ignore("ENOENT"))) ?? []) {
    if (!name.endsWith(".tmp")) continue;
    const found = await stat(join(own, name)).catch(ignore("ENOENT"));
    if (found && now.getTime() - found.mtimeMs > LEFTOVER_MS) await rm(join(own, name), { force: true });
  }
}

/** Lets these kinds of failure pass as undefined. */
export function ignore(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (codes.includes(codeOf(error))) return undefined;
    throw error;
  };
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: "restore the folder, or connect the feed at its new place: psn connect feed",
  ENOTDIR: "a file has the folder's path; choose another folder: psn connect feed",
  EACCES: "give this user write permission for the folder",
  EPERM: "give this user write permission for the folder",
  EROFS: "the disk is mounted read-only: mount it writable",
};

/** With these the folder is there, and psn may not write to it. */
const READ_ONLY: readonly string[] = ["EACCES", "EPERM", "EROFS"];

/**
 * A failure of the disk is DB_FULL, FILE_UNWRITABLE or FILE_UNREADABLE, with what to do about it; everything else stays
 * what it is.
 */
export function unreachable(root: string, error: unknown): PsnError {
  const code = codeOf(error);
  if (error instanceof PsnError || code === "") return toPsnError(error);
  const full = diskFull(`the feed's folder ${basename(root)}`, error);
  if (full) return full;
  const hint = HINTS[code] ?? "psn doctor";
  return new PsnError(
    READ_ONLY.includes(code) ? "FILE_UNWRITABLE" : "FILE_UNREADABLE",
    `the feed's folder ${basename(root)} cannot be used (${code})`,
    { cause: error, hint },
  );
}

export function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" ? code : "";
}

/** Makes one folder, whose name is on the disk when this returns. */
async function makeFolder(path: string): Promise<void> {
  const isNew = await mkdir(path).then(() => true, ignore("EEXIST"));
  if (isNew) await syncFolder(dirname(path));
}

/** The same for a folder, an absolute path, and the parents it lacks. */
export async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** Throws what `makeFolders`, and the first write into the folder, would throw; makes nothing. */
export async function assertWritable(path: string): Promise<void> {
  const found = await stat(path).catch(ignore("ENOENT"));
  if (!found) return assertWritable(dirname(path));
  if (!found.isDirectory()) throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
  await access(path, constants.W_OK | constants.X_OK);
}

/** Writes a folder's own list of names through to the disk, where the system knows how. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder, and one that may be written need not be readable.
  const folder = await open(path, "r").catch(ignore("EISDIR", "EACCES"));
  if (!folder) return;
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
