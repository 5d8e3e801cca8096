import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import { type Environment, stateFolder } from "./env.ts";
import { takeLock } from "./lock.ts";
import { readTextFile, realTarget, unwritable, writeEnvFile } from "./private-file.ts";

/*
 * The notes a hub keeps beside its database (ADR 15): config/incarnation.json says which incarnation it is and in which
 * folder an embedded database lies; config/incarnation.seen and a file outside of the hub say how far that database has
 * come.
 */

const Place = z.object({ inode: z.string(), born: z.string() });
const Note = z.object({
  id: z.uuid().nullable(),
  next: z.uuid().optional(),
  folder: z.string(),
  before: z.array(z.string()).optional(),
  place: Place.optional(),
});
type Note = z.output<typeof Note>;
const Seen = z.object({ id: z.uuid(), hub: z.string(), seen: z.number().int().nonnegative() });

const LOCK_WAIT_MS = 20_000;
const LOCK_PAUSE_MS = 20;

export interface IncarnationFilesOptions {
  readonly hub: string;
  /** Of the embedded database; undefined where the hub has another one. */
  readonly data: string | undefined;
  readonly environment?: Environment | undefined;
}

/** The notes of a hub; see `NoteFiles` in core/ports. */
export function incarnationFiles({ hub, data, environment }: IncarnationFilesOptions) {
  const path = incarnationPath(hub);
  const beside = join(dirname(path), "incarnation.seen");
  const outside = stateFolder(environment);
  const remembered = (id: string) => (outside === undefined ? [beside] : [beside, join(outside, `${id}.json`)]);
  const pgdata = data === undefined ? undefined : join(data, "pgdata");
  return {
    embedded: data !== undefined,

    /** What cannot be read counts as missing. */
    read: () => {
      const note = parsed(Note, () => readTextFile(path));
      return {
        id: note?.id,
        next: note?.next,
        folder: note?.folder,
        moved: pgdata !== undefined && note?.place !== undefined && isElsewhere(pgdata, note.place),
        seen: Math.max(0, ...(note?.id ? remembered(note.id).map((file) => seenIn(file, note.id)) : [])),
      };
    },

    /** Where the hub was before it came to this folder. */
    before: () =>
      foldersBefore(
        parsed(Note, () => readTextFile(path)),
        hub,
      ),

    write: (id: string | null, next?: string) => {
      const before = foldersBefore(
        parsed(Note, () => readTextFile(path)),
        hub,
      );
      const note: Note = {
        id,
        folder: hub,
        ...defined({
          before: before.length === 0 ? undefined : before,
          next,
          place: pgdata === undefined ? undefined : placeOf(pgdata),
        }),
      };
      writeEnvFile(path, `${JSON.stringify(note, null, 2)}\n`);
    },

    noteSeen: (id: string, seen: number) => {
      for (const file of remembered(id)) {
        try {
          mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
          const temporary = `${file}.${process.pid}.tmp`;
          writeFileSync(temporary, `${JSON.stringify({ id, hub, seen })}\n`, { mode: 0o600 });
          renameSync(temporary, file);
        } catch {
          // A home that cannot be written to remembers nothing.
        }
      }
    },

    alone: async <T>(work: () => Promise<T>): Promise<T> => {
      const lock = join(dirname(path), ".incarnation.lock");
      for (const began = performance.now(); ; await sleep(LOCK_PAUSE_MS)) {
        const unlock = lockOf(lock);
        if (unlock) {
          try {
            return await work();
          } finally {
            unlock();
          }
        }
        if (performance.now() - began > LOCK_WAIT_MS)
          throw new PsnError("HUB_BUSY", "another psn process is checking whether this hub was copied", {
            hint: "try again when it is done; if it is suspended (Ctrl-Z), resume it: fg",
          });
      }
    },
  };
}

/** More of them nobody remembers. */
const MOST_FOLDERS = 20;

function foldersBefore(note: Note | undefined, hub: string): string[] {
  const folders = new Set([...(note?.before ?? []), ...(note === undefined ? [] : [note.folder])]);
  folders.delete(hub);
  return [...folders].slice(-MOST_FOLDERS);
}

/** Where a hub's incarnation is noted. */
export function incarnationPath(hub: string): string {
  return join(hub, "config", "incarnation.json");
}

/**
 * Takes away all notes and locks of a hub, here and outside of it, but what its original has noted. hub.env and
 * keys.env stay.
 */
export function removeNotes(hub: string, environment?: Environment): void {
  const config = dirname(incarnationPath(hub));
  const idIn = (folder: string) => parsed(Note, () => readTextFile(incarnationPath(folder)))?.id;
  const id = idIn(hub);
  const outside = stateFolder(environment);
  if (outside !== undefined && id) {
    const file = join(outside, `${id}.json`);
    const owner = parsed(Seen, () => readFileSync(file, "utf8"))?.hub;
    // A copy has the id of its original, which still needs the note.
    if (owner === undefined || realTarget(owner) === realTarget(hub) || idIn(owner) !== id)
      rmSync(file, { force: true });
  }
  for (const name of ["incarnation.json", "incarnation.seen", ".incarnation.lock", ".rotate.lock"])
    rmSync(join(config, name), { force: true });
}

function lockOf(path: string): (() => void) | undefined {
  try {
    return takeLock(path);
  } catch (cause) {
    throw unwritable("CONFIG_UNWRITABLE", { path, error: cause });
  }
}

/**
 * A folder keeps these where it is moved to on its file system; a copy has others. A file system that tells no birth
 * says 0.
 */
function placeOf(folder: string): z.output<typeof Place> {
  const { ino, birthtimeNs, ctimeNs } = statSync(folder, { bigint: true });
  // Where there is none, some give the time of the last change in its place.
  return { inode: String(ino), born: String(birthtimeNs === ctimeNs ? 0n : birthtimeNs) };
}

function isElsewhere(folder: string, then: z.output<typeof Place>): boolean {
  try {
    const now = placeOf(folder);
    return now.inode !== then.inode || (now.born !== "0" && then.born !== "0" && now.born !== then.born);
  } catch {
    return true;
  }
}

function seenIn(file: string, id: string | null): number {
  const seen = parsed(Seen, () => readFileSync(file, "utf8"));
  return seen?.id === id ? seen.seen : 0;
}

function parsed<T extends z.ZodType>(schema: T, read: () => string | undefined): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(read() ?? "")).data;
  } catch {
    return undefined;
  }
}
