import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { crc32 } from "node:zlib";
import { PsnError } from "@psn/core/errors.ts";
import type { MediaKind, MediaType } from "@psn/core/types/post.ts";
import { imageSize } from "image-size";
import { type ImageType, imageTypeOf, isHeic, isWhole } from "./image-type.ts";
import { withoutMetadata } from "./metadata/index.ts";
import type { Taken } from "./metadata/taken.ts";
import { looksLikeVideo, readVideo } from "./video.ts";

const MB = 1024 * 1024;
/**
 * A file is read whole and kept with its post. As much as the platforms here take at most: an image anywhere, a
 * document at LinkedIn (https://learn.microsoft.com/linkedin/marketing/community-management/shares/documents-api,
 * 2026-11), a video at X (https://docs.x.com/x-api/media/quickstart/best-practices, 2026-11).
 */
const MOST_BYTES: Readonly<Record<MediaKind, number>> = { image: 20 * MB, document: 100 * MB, video: 512 * MB };

export interface MediaFile {
  readonly bytes: Uint8Array;
  readonly kind: MediaKind;
  readonly mime: MediaType;
  /** Pixels, as the picture is shown: a photograph taken upright is higher than wide. A document has none. */
  readonly width?: number;
  readonly height?: number;
  /** Of a video, in milliseconds. */
  readonly durationMs?: number;
  /** Of a video, frames a second. */
  readonly frameRate?: number;
  /** SHA-256 of the bytes, in hex. */
  readonly sha256: string;
  /** What was taken out of the file: `bytes` are what is left. Empty where there was nothing. */
  readonly taken: readonly Taken[];
}

export interface ReadOptions {
  /** Position, serial numbers, names and comments stay in the file. */
  readonly keepMetadata?: boolean;
}

/**
 * Reads an image, a video or a PDF, finds out what it is by its bytes, not by its name, and takes out what tells where,
 * by whom and with which camera it was made. This is the one place where it happens: whatever is stored, uploaded,
 * linked or written to a folder is this.
 *
 * @throws PsnError FILE_UNREADABLE when there is no such file or it may not be read; MEDIA_INVALID when it is empty,
 * too large, cut off, damaged, none of JPEG, PNG, GIF, WebP, AVIF, MP4, QuickTime, WebM and PDF, or one of which psn
 * does not see what it tells.
 */
export async function readMedia(path: string, { keepMetadata = false }: ReadOptions = {}): Promise<MediaFile> {
  const bytes = await readAll(path);
  const found = await identify(path, bytes);
  const most = MOST_BYTES[found.kind];
  if (bytes.length > most)
    throw invalid(
      `${path} has ${megabytes(bytes.length)} MB; psn accepts at most ${most / MB} MB for ${article(found.kind)}`,
      `make the ${found.kind} smaller`,
    );
  const clean = keepMetadata ? { bytes, taken: [] } : await cleaned(path, bytes, found);
  return {
    bytes: clean.bytes,
    ...found,
    sha256: createHash("sha256").update(clean.bytes).digest("hex"),
    taken: clean.taken,
  };
}

/** What is left is looked at once more: a file must come out as it went in, but for what it tells. */
async function cleaned(path: string, bytes: Uint8Array, found: Found) {
  const clean = withoutMetadata(bytes, found.mime);
  const isSame =
    clean &&
    (clean.bytes === bytes || isDeepStrictEqual(await identify(path, clean.bytes).catch(() => undefined), found));
  if (clean && isSame) return clean;
  throw invalid(
    `psn cannot search ${path} for a position, names and other personal metadata, because of its structure`,
    found.kind === "document"
      ? "save it without a password, or publish it unchanged: --keep-metadata"
      : "save it again with another program, or publish it unchanged: --keep-metadata",
  );
}

type Found = Omit<MediaFile, "bytes" | "sha256" | "taken">;

async function identify(path: string, bytes: Uint8Array): Promise<Found> {
  const damaged = (like: string) =>
    invalid(`${path} begins like ${like} but is incomplete or damaged`, "save or download the file again");
  const mime = imageTypeOf(bytes);
  if (mime !== undefined) {
    const size = sizeOf(bytes);
    if (size === undefined || !isWhole(bytes, mime) || !isSound(bytes, mime)) throw damaged(mime);
    return { kind: "image", mime, ...size };
  }
  if (looksLikeVideo(bytes)) {
    const video = await readVideo(bytes);
    if (video === undefined) throw damaged("a video");
    return { kind: "video", ...video };
  }
  if (looksLikePdf(bytes)) {
    if (!hasPdfEnd(bytes)) throw damaged("a PDF");
    return { kind: "document", mime: "application/pdf" };
  }
  if (isHeic(bytes)) throw invalid(`${path} is HEIC, which psn cannot read`, "export it as JPEG, and attach that");
  throw invalid(
    `${path} is not an image, a video or a PDF that psn can publish`,
    "convert it to JPEG, PNG, GIF, WebP, AVIF, MP4 or PDF",
  );
}

const megabytes = (bytes: number) => (bytes / MB).toFixed(1);
const article = (kind: MediaKind) => (kind === "image" ? "an image" : `a ${kind}`);

/** Readers look for both within a kilobyte of the ends (PDF Reference 1.7, appendix H, notes 13 and 18). */
const NEAR_BYTES = 1024;
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
const looksLikePdf = (bytes: Uint8Array) => latin1(bytes.subarray(0, NEAR_BYTES)).includes("%PDF-");
const hasPdfEnd = (bytes: Uint8Array) => latin1(bytes.subarray(-NEAR_BYTES)).includes("%%EOF");

async function readAll(path: string): Promise<Uint8Array> {
  try {
    // Asked before it is opened: opening a pipe waits for somebody to write to it.
    const found = await stat(path);
    if (found.isDirectory()) throw unreadable(`${path} is a folder`, "name the file in it");
    if (!found.isFile()) throw unreadable(`${path} is not a file`, "save it as a file first");
    if (found.size === 0) throw invalid(`${path} is empty`, "save or download the file again");
    if (found.size > MOST_BYTES.video)
      throw invalid(
        `${path} has ${megabytes(found.size)} MB; psn accepts at most ${MOST_BYTES.video / MB} MB`,
        "make the file smaller",
      );
    const { buffer, byteOffset, byteLength } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw error instanceof PsnError ? error : explained(path, error);
  }
}

function explained(path: string, cause: unknown): PsnError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR")
    return unreadable(`${path} does not exist`, "check the path; it is relative to this folder", cause);
  if (code === "EACCES" || code === "EPERM")
    return unreadable(`psn has no permission to read ${path}`, "check who may read it: ls -l", cause);
  if (code === "EISDIR") return unreadable(`${path} is a folder`, "name the file in it", cause);
  return unreadable(`${path} cannot be read`, "check the file", cause);
}

/** EXIF orientations 5 to 8 lie on their side (CIPA DC-008, 4.6.4.A): what is stored as width is shown as height. */
function sizeOf(bytes: Uint8Array): { readonly width: number; readonly height: number } | undefined {
  try {
    const { width, height, orientation = 1 } = imageSize(bytes);
    if (!(width > 0 && height > 0)) return undefined;
    return orientation >= 5 && orientation <= 8 ? { width: height, height: width } : { width, height };
  } catch {
    return undefined;
  }
}

/** What lies between beginning and end, for the formats that let it be checked without decoding. */
function isSound(bytes: Uint8Array, mime: ImageType): boolean {
  if (mime === "image/png") return hasSoundChunks(bytes);
  if (mime === "image/gif") return hasSoundBlocks(bytes);
  return mime !== "image/avif" || hasPictureBox(bytes);
}

/**
 * A file cut between two boxes has its description and no picture: that is in `mdat`, or in `idat` within `meta`
 * (ISO/IEC 14496-12, 8.1.1 and 8.11.11).
 */
function hasPictureBox(bytes: Uint8Array): boolean {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= all.length; ) {
    const short = all.readUInt32BE(at);
    const [header, size] =
      short === 1 && at + 16 <= all.length ? [16, Number(all.readBigUInt64BE(at + 8))] : [8, short || all.length - at];
    const name = all.toString("latin1", at + 4, at + 8);
    if (name === "mdat" && size > header) return true;
    if (name === "meta" && all.subarray(at, at + size).includes("idat")) return true;
    if (size < header) return false;
    at += size;
  }
  return false;
}

/** Every chunk up to IEND against its CRC-32 over name and data (PNG specification, third edition, 5.3 and 5.5). */
function hasSoundChunks(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length || crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) return false;
    if (view.getUint32(at + 4) === IEND) return true;
    at = end + 4;
  }
  return false;
}
const IEND = 0x49454e44;

/**
 * Block after block from the header to the trailer, at least one of them a picture (GIF89a specification, 15 to 27).
 */
function hasSoundBlocks(bytes: Uint8Array): boolean {
  const colours = (flags = 0) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let hasPicture = false;
  let at = 13 + colours(bytes[10]);
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === 0x3b) return hasPicture;
    if (kind === 0x2c) {
      hasPicture = true;
      // The descriptor, its colours, and the code size before the data.
      at += 11 + colours(bytes[at + 9]);
    } else if (kind === 0x21) at += 2;
    else return false;
    for (let size = bytes[at]; size !== 0; size = bytes[at]) {
      if (size === undefined) return false;
      at += 1 + size;
    }
    at += 1;
  }
  return false;
}

function unreadable(message: string, hint: string, cause?: unknown): PsnError {
  return new PsnError("FILE_UNREADABLE", message, { hint, cause });
}

function invalid(message: string, hint: string): PsnError {
  return new PsnError("MEDIA_INVALID", message, { hint });
}
