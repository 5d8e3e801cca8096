import { lstatSync, readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";

/*
 * Whose a file is. psn uses what belongs to the user it runs as, or to root; what somebody else has made may hold a
 * trap, also for root. Windows has no such owners: there everything passes.
 */

const GROUP_WRITES = 0o020;
const ALL_WRITE = 0o002;

/**
 * CONFIG_EXPOSED where this, or what it links to, belongs to another user; undefined where it does not, or there is
 * nothing.
 */
export function foreign(path: string): PsnError | undefined {
  const me = process.getuid?.();
  if (me === undefined) return undefined;
  const owner = [lstatOf(path), statOf(path)].find(
    (found) => found !== undefined && found.uid !== me && found.uid !== 0,
  )?.uid;
  if (owner === undefined) return undefined;
  return new PsnError("CONFIG_EXPOSED", `${path} belongs to another user (uid ${owner}), so psn does not use it`, {
    hint:
      me === 0
        ? `run psn as its owner: sudo -u '#${owner}' psn …`
        : `if it is yours: sudo chown -R ${me} ${quoted(path)}`,
  });
}

/** The same, and for a folder that other people may write to. */
export function exposedFolder(path: string): PsnError | undefined {
  const found = statOf(path);
  const stranger = foreign(path);
  if (stranger !== undefined || found === undefined || process.getuid === undefined) return stranger;
  if ((found.mode & ALL_WRITE) === 0 && ((found.mode & GROUP_WRITES) === 0 || isOwnGroup(found))) return undefined;
  return new PsnError("CONFIG_EXPOSED", `other people on this machine can change files in ${path}`, {
    hint: `chmod go-w ${quoted(path)}`,
  });
}

/** CONFIG_EXPOSED for the first entry of a folder that another user has put there. */
export function foreignEntry(folder: string): PsnError | undefined {
  for (const name of entriesOf(folder)) {
    const error = foreign(join(folder, name));
    if (error !== undefined) return error;
  }
  return undefined;
}

/**
 * Some systems give each user a group of the same number, and new folders are open to it: nobody else is in that group.
 */
const isOwnGroup = ({ gid, uid }: Stats): boolean => uid !== 0 && gid === uid;

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Opening a file in it fails with the reason.
    return [];
  }
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** As a shell takes it. */
export function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
