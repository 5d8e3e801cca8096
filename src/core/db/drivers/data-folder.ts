import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { foreignEntry } from "@psn/core/utils/ownership.ts";
import { makePrivateFolder, unwritable } from "@psn/core/utils/private-file.ts";

/*
 * The folder of an embedded database: what in it is psn's, who holds it, and how it is made and removed.
 */

const PGDATA = "pgdata";
/**
 * All that psn makes in a data folder. The database is made in `pgdata.new`; SQLite may leave a journal of a lock;
 * `words` is for completion.
 */
const OWN = new Set([PGDATA, `${PGDATA}.new`, "lock", "lock-journal", "holder", "socket", "words", ".gitignore"]);
/**
 * What Postgres and psn have in a database's own folder (https://www.postgresql.org/docs/18/storage-file-layout.html,
 * 2026-11).
 */
const POSTGRES_OWN = [
  String.raw`base|global|pg_[\w.]+|PG_VERSION|postgresql\.(auto\.)?conf|postmaster\.(pid|opts)|psn_synced`,
  String.raw`current_logfiles|backup_\w+(\.old)?`,
];
const POSTGRES = new RegExp(`^(${POSTGRES_OWN.join("|")})$`);
/** Is in a database's folder once all of the folder has been synced; from then on Postgres syncs what it changes. */
export const SYNCED = "psn_synced";
const IGNORE_ALL = "*\n";

/** Whether a path is a segment of the write-ahead log, which has a name of 24 hexadecimal digits. */
export const isLog = (path: string): boolean =>
  basename(dirname(path)) === "pg_wal" && /^[0-9A-F]{24}$/.test(basename(path));

/**
 * The folder, made or set to 0700, and kept out of every repository.
 *
 * @throws PsnError CONFIG_EXPOSED for a folder, or something in it, that is another user's; FILE_UNWRITABLE; DB_FULL.
 */
export function prepareDataFolder(folder: string): void {
  try {
    makePrivateFolder(folder);
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", { path: folder, error });
  }
  const stranger = foreignEntry(folder);
  if (stranger !== undefined) throw stranger;
  const ignored = join(folder, ".gitignore");
  try {
    if (!existsSync(ignored)) writeFileSync(ignored, IGNORE_ALL, { flag: "wx", mode: 0o600, flush: true });
  } catch {
    // It keeps a repository clean; whether the disk takes anything is found out by the database.
  }
}

/** What lies in this folder that is not of a psn's embedded database; nothing where there is no such folder. */
export function strangersIn(folder: string): readonly string[] {
  return namesIn(folder).filter((name) => !isOwn(folder, name));
}

/** Whether a psn has made its database in this folder, or has begun to. */
export function holdsDatabase(folder: string): boolean {
  return (
    existsSync(join(folder, PGDATA, SYNCED)) ||
    existsSync(join(folder, `${PGDATA}.new`)) ||
    existsSync(join(folder, "lock"))
  );
}

function isOwn(folder: string, name: string): boolean {
  const path = join(folder, name);
  // A process that was killed while it wrote `words` leaves what it had.
  if (/^words\.\d+$/.test(name)) return true;
  if (!OWN.has(name)) return false;
  if (name === ".gitignore") return textIn(path) === IGNORE_ALL;
  if (name === PGDATA)
    return !existsSync(join(path, "PG_VERSION")) ? namesIn(path).length === 0 : existsSync(join(path, SYNCED));
  return true;
}

/**
 * Deletes the database in `folder` and what else psn has made there, name by name; the folder itself only where nothing
 * else is in it. Throws DB_BUSY while a psn process has it open.
 *
 * @returns the names of what is left.
 */
export function removeDataFolder(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  let unlock: (() => void) | undefined;
  try {
    unlock = takeLock(join(folder, "lock"));
  } catch (error) {
    throw unwritable("FILE_UNWRITABLE", { path: folder, error });
  }
  if (!unlock)
    throw new PsnError("DB_BUSY", `a psn process has the embedded database open${whoHolds(folder).said}`, {
      hint: "stop psn worker, then: psn destroy",
    });
  try {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      if (name === "lock" || !isOwn(folder, name)) continue;
      if (name.startsWith(PGDATA)) removePostgres(path);
      else unlinkSync(path);
    }
    rmSync(join(folder, "lock"), { force: true });
  } finally {
    unlock();
  }
  removeEmpty(folder);
  return namesIn(folder);
}

function removePostgres(pgdata: string): void {
  for (const name of namesIn(pgdata))
    if (POSTGRES.test(name)) rmSync(join(pgdata, name), { recursive: true, force: true });
  removeEmpty(pgdata);
}

/** A link to a folder is somebody's own, and so is the folder. */
function removeEmpty(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() && namesIn(folder).length === 0) rmdirSync(folder);
}

/** Writes who holds the database from now on. A full disk keeps nobody from it. */
export function noteHolder(folder: string): void {
  try {
    writeFileSync(join(folder, "holder"), `${process.pid}\n${new Date().toISOString()}\n`, { mode: 0o600 });
  } catch {
    // Then a waiting process cannot say which process it waits for.
  }
}

export interface Holder {
  /** For a message: ` (pid 123, since …)`, or nothing where nobody has noted it. */
  readonly said: string;
  readonly pid: number | undefined;
  /** By Ctrl-Z or SIGSTOP. */
  readonly suspended: boolean;
}

/** Who holds the database of this folder. Means something only while its lock is taken. */
export function whoHolds(folder: string): Holder {
  const [pid = "", since = ""] = (textIn(join(folder, "holder")) ?? "").split("\n");
  if (!/^[1-9]\d{0,9}$/.test(pid) || Number.isNaN(Date.parse(since)))
    return { said: "", pid: undefined, suspended: false };
  return { said: ` (pid ${pid}, since ${since})`, pid: Number(pid), suspended: isSuspended(Number(pid)) };
}

/**
 * By the state the kernel gives it: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (2026-11). `ps` says the
 * same elsewhere.
 */
function isSuspended(pid: number): boolean {
  if (process.platform === "win32") return false;
  if (process.platform !== "linux")
    return Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)])
      .stdout.toString()
      .startsWith("T");
  const stat = textIn(`/proc/${pid}/stat`) ?? "";
  return /^[Tt]$/.test(stat.slice(stat.lastIndexOf(")") + 2).split(" ", 1)[0] ?? "");
}

/** DB_BUSY, which says who holds the database and how that process goes on. */
export function heldByAnother(folder: string): PsnError {
  const { said, pid, suspended } = whoHolds(folder);
  if (suspended)
    return new PsnError("DB_BUSY", `another psn process has the embedded database open and is suspended${said}`, {
      hint: `resume it: fg in its terminal, or kill -CONT ${pid}`,
    });
  return new PsnError("DB_BUSY", `another psn process has the embedded database open and does not close it${said}`, {
    hint: "stop the other psn process, then try again",
  });
}

/**
 * Room below which a database does not open, in bytes: Postgres makes a segment of its log of 16 MB, and files beside
 * it.
 */
const LEAST_ROOM = 64 * 1024;

/** What keeps a database from being opened here, where it is the disk; undefined where it is something else. */
export function diskTrouble(folder: string): PsnError | undefined {
  const probe = join(folder, `.probe.${process.pid}.tmp`);
  try {
    writeFileSync(probe, new Uint8Array(LEAST_ROOM), { flag: "wx", mode: 0o600, flush: true });
    return undefined;
  } catch (error) {
    return unwritable("FILE_UNWRITABLE", { path: folder, error });
  } finally {
    rmSync(probe, { force: true });
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
