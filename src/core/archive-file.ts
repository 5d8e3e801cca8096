import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, link, open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { diskFull, PsnError } from "@psn/core/errors.ts";
import { syncFolder } from "@psn/core/utils/durable.ts";
import { removedAtExit } from "@psn/core/utils/leftover.ts";
import { armor, Decrypter, Encrypter } from "age-encryption";

/*
 * A file of lines, sealed with a passphrase in the age format (age-encryption.org/v1, scrypt recipient; c2sp.org/age,
 * 2026-11): `age --decrypt` opens it too. The format seals in pieces of 64 KiB and marks the last one, so that a file
 * that was cut shows.
 */

const MAGIC = "age-encryption.org/v1\n";
/** Its ASCII armor, as `age --armor` writes it (https://c2sp.org/age, ASCII armor, 2026-11). */
const ARMOR = "-----BEGIN AGE ENCRYPTED FILE-----";
/** An armored file is read as a whole; in bytes. */
const MOST_ARMORED = 512 * 1024 * 1024;
/** A passphrase is all there is between the file and its secrets. In characters. */
const PASSPHRASE_CHARS = 12;
const PIECE_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** Throws INPUT_INVALID for a passphrase that is too short to protect anything. */
export function checkPassphrase(passphrase: string): void {
  if ([...passphrase].length >= PASSPHRASE_CHARS) return;
  throw new PsnError("INPUT_INVALID", `the passphrase must have ${PASSPHRASE_CHARS} characters or more`, {
    hint: "five random words make a good passphrase",
  });
}

/**
 * Writes a new file, readable by its owner alone. Nothing stands under its name before it is whole and on the disk.
 *
 * @param whole the work that hands over the lines; the file gets its name when it has ended well.
 * @throws PsnError ALREADY_EXISTS when there is something of that name; FILE_UNWRITABLE when it cannot be written;
 * DB_FULL.
 */
export async function writeArchive<T>(
  path: string,
  passphrase: string,
  whole: (write: (lines: AsyncIterable<string>) => Promise<void>) => Promise<T>,
): Promise<T> {
  if (existsSync(path)) throw taken(path);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(temporary, "wx", 0o600).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  const remove = removedAtExit(temporary);
  let isOpen = true;
  try {
    const result = await whole(async (lines) => {
      // Here, since the code that passes the lines treats other failures as the database's.
      const full = (error: unknown) => Promise.reject(diskFull(path, error) ?? error);
      await seal(file, passphrase, lines).catch(full);
      await file.sync().catch(full);
      await file.close();
      isOpen = false;
    });
    await give(temporary, path);
    return result;
  } finally {
    if (isOpen) await file.close();
    remove();
  }
}

/** Unlike a rename a link takes no name that somebody else has meanwhile; but a memory stick may know no links. */
async function give(temporary: string, path: string): Promise<void> {
  await link(temporary, path)
    .catch(async (error: unknown) => {
      if (existsSync(path)) throw error;
      await rename(temporary, path);
    })
    .catch((cause: unknown) => {
      throw existsSync(path) ? taken(path) : unwritable(path, cause);
    });
  try {
    // The user may delete the old hub as soon as the command has ended.
    syncFolder(dirname(path));
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

async function seal(file: FileHandle, passphrase: string, lines: AsyncIterable<string>): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  const sealed = await encrypter.encrypt(streamOf(piecesOf(lines)));
  for await (const bytes of chunksOf(sealed)) await file.writeFile(bytes);
}

async function* piecesOf(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) {
    const bytes = Buffer.from(`${line}\n`);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }
}

/**
 * The lines of a file, one by one. What was read before a failure was sealed with the passphrase, but is not all.
 *
 * @throws PsnError FILE_UNREADABLE; PASSPHRASE_WRONG; ARCHIVE_INVALID for another kind of file, and for one that was
 * cut or changed.
 */
export async function* readArchive(path: string, passphrase: string): AsyncGenerator<string> {
  const file = await open(path).catch((cause: unknown) => {
    throw new PsnError("FILE_UNREADABLE", `${path} cannot be read`, { cause, hint: "check the path" });
  });
  try {
    const head = Buffer.alloc(512);
    const { bytesRead } = await file.read(head, 0, head.length, 0).catch((cause: unknown) => {
      throw new PsnError("FILE_UNREADABLE", `${path} cannot be read`, { cause, hint: "check the path" });
    });
    const start = head.toString("latin1", 0, bytesRead);
    const isArmored = start.trimStart().startsWith(ARMOR);
    if (!isArmored && !start.startsWith(MAGIC))
      throw new PsnError("ARCHIVE_INVALID", `${path} was not created by psn export`, { hint: "psn export FILE" });
    const decrypter = new Decrypter();
    decrypter.addPassphrase(passphrase);
    const opened = await decrypter
      .decrypt(streamOf(isArmored ? readArmored(file, path) : readPieces(file)))
      .catch((error: unknown) => {
        if (error instanceof Error && /no identity matched/i.test(error.message))
          throw new PsnError("PASSPHRASE_WRONG", `the passphrase for ${path} is wrong`, {
            hint: "try again",
          });
        throw error instanceof PsnError ? error : damaged(path);
      });
    yield* linesIn(opened, path);
  } finally {
    await file.close();
  }
}

async function* readArmored(file: FileHandle, path: string): AsyncGenerator<Uint8Array> {
  const { size } = await file.stat();
  if (size > MOST_ARMORED)
    throw new PsnError("ARCHIVE_INVALID", `${path} is armored and larger than ${MOST_ARMORED / 1024 / 1024} MB`, {
      hint: "remove the armor, which needs no passphrase: sed '1d;$d' FILE | base64 -d > hub.age",
    });
  const text = await file.readFile("latin1");
  try {
    yield armor.decode(text);
  } catch {
    throw damaged(path);
  }
}

async function* readPieces(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

async function* linesIn(stream: ReadableStream<Uint8Array>, path: string): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw damaged(path);
      });
      if (done) break;
      let from = 0;
      for (let at = value.indexOf(NEWLINE, from); at !== -1; at = value.indexOf(NEWLINE, from)) {
        yield Buffer.concat([...rest, value.subarray(from, at)]).toString("utf8");
        rest = [];
        from = at + 1;
      }
      if (from < value.length) rest.push(value.slice(from));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  if (rest.length > 0) throw damaged(path);
}

function streamOf(source: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => {
      await source.return(undefined);
    },
  });
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

const unwritable = (path: string, cause: unknown) =>
  diskFull(path, cause) ??
  new PsnError("FILE_UNWRITABLE", `${path} cannot be written`, { cause, hint: "check the folder" });
const taken = (path: string) =>
  new PsnError("ALREADY_EXISTS", `there is a file ${path} already`, {
    hint: "choose another name for the export, or move that file away",
  });
const damaged = (path: string) =>
  new PsnError("ARCHIVE_INVALID", `${path} is damaged or incomplete: not all of it can be decrypted`, {
    hint: "copy it again, or create it again: psn export FILE",
  });
