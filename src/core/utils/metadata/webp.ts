import { joined, latin1, unlessSame, viewOf } from "./bytes.ts";
import { exifOf, readExif } from "./exif.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/*
 * WebP (RFC 9649): chunks in a RIFF file, each padded to an even length; the frames of an animation hold chunks
 * themselves.
 */

const SHOWN: ReadonlySet<string> = new Set(["VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", "ICCP"]);
/** The bits of VP8X that say that there are EXIF and XMP (2.7.1). */
const [HAS_EXIF, HAS_XMP] = [0x08, 0x04] as const;
/** `RIFF`, the length and `WEBP` (2.4), in bytes. */
const HEAD = 12;
/** What stands in ANMF before the chunks of its frame. */
const FRAME_HEAD = 16;

interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
}

/**
 * The same picture or animation without EXIF, XMP and chunks psn does not know; undefined where its chunks cannot be
 * followed.
 */
export function cleanWebp(bytes: Uint8Array): Cleaned | undefined {
  if (bytes.length < HEAD || latin1(bytes.subarray(0, 4)) !== "RIFF" || latin1(bytes.subarray(8, HEAD)) !== "WEBP")
    return undefined;
  const end = viewOf(bytes).getUint32(4, true) + 8;
  const chunks = end >= HEAD && end <= bytes.length ? chunksOf(bytes.subarray(HEAD, end)) : undefined;
  if (!chunks) return undefined;
  const taken = new Set<Taken>();
  if (end < bytes.length) taken.add("data behind the end");
  let exif: Uint8Array | undefined;
  const kept: Chunk[] = [];
  for (const one of chunks) {
    const { type, body } = one;
    if (type === "EXIF") {
      // Some programs put JPEG's header before it.
      const read = readExif(latin1(body.subarray(0, 6)) === "Exif\0\0" ? body.subarray(6) : body);
      for (const found of read.taken) taken.add(found);
      exif ??= exifOf(read.shown);
    } else if (type === "ANMF") {
      const frame = chunksOf(body.subarray(FRAME_HEAD));
      if (!frame) return undefined;
      kept.push({
        type,
        body: joined([body.subarray(0, FRAME_HEAD), ...frame.filter((each) => isShown(each, taken)).map(written)]),
      });
    } else if (isShown(one, taken)) kept.push(one);
  }
  const shown = kept.map((one) =>
    one.type === "VP8X" ? { ...one, body: flagged(one.body, exif !== undefined) } : one,
  );
  const pieces = [...shown, ...(exif ? [{ type: "EXIF", body: exif }] : [])].map(written);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(4 + pieces.reduce((sum, { length }) => sum + length, 0));
  return {
    bytes: unlessSame(bytes, joined([bytes.subarray(0, 4), size, bytes.subarray(8, 12), ...pieces])),
    taken: ordered(taken),
  };
}

function isShown({ type, body }: Chunk, taken: Set<Taken>): boolean {
  if (SHOWN.has(type)) return true;
  for (const one of type === "XMP " ? takenIn(latin1(body)) : (["other metadata"] as const)) taken.add(one);
  return false;
}

function flagged(body: Uint8Array, hasExif: boolean): Uint8Array {
  const copy = body.slice();
  copy[0] = ((copy[0] ?? 0) & ~(HAS_EXIF | HAS_XMP)) | (hasExif ? HAS_EXIF : 0);
  return copy;
}

function chunksOf(bytes: Uint8Array): readonly Chunk[] | undefined {
  const view = viewOf(bytes);
  const chunks: Chunk[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const size = view.getUint32(at + 4, true);
    if (at + 8 + size > bytes.length) return undefined;
    chunks.push({ type: latin1(bytes.subarray(at, at + 4)), body: bytes.subarray(at + 8, at + 8 + size) });
    at += 8 + size + (size % 2);
  }
  return chunks;
}

function written({ type, body }: Chunk): Uint8Array {
  const chunk = Buffer.alloc(8 + body.length + (body.length % 2));
  chunk.write(type, "latin1");
  chunk.writeUInt32LE(body.length, 4);
  chunk.set(body, 8);
  return chunk;
}
