/** The image types psn reads, by IANA name. */
export type ImageType = "image/jpeg" | "image/png" | "image/gif" | "image/webp" | "image/avif";

const text = (bytes: Uint8Array, start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** By the first bytes (WHATWG MIME Sniffing, 6.1, 2026-11; AVIF: its specification, 8); undefined for anything else. */
export function imageTypeOf(bytes: Uint8Array): ImageType | undefined {
  const head = text(bytes, 0, 12);
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (/^GIF8[79]a/.test(head)) return "image/gif";
  if (head.startsWith("RIFF") && head.endsWith("WEBP")) return "image/webp";
  return head.slice(4, 8) === "ftyp" && isAvif(bytes) ? "image/avif" : undefined;
}

function isAvif(bytes: Uint8Array): boolean {
  if (bytes.length < 16) return false;
  const end = Math.min(view(bytes).getUint32(0), bytes.length, 256);
  for (let at = 8; at + 4 <= end; at += 4) if (at !== 12 && /^avi[fs]$/.test(text(bytes, at, at + 4))) return true;
  return false;
}

/**
 * True for HEIC and HEIF, as telephones save photographs: by the brands of ISO/IEC 23008-12, annex B, of which none is
 * AVIF's. `mif1` and `msf1` stand for any coding of the picture.
 */
export function isHeic(bytes: Uint8Array): boolean {
  return /^ftyp(he[iv][cmsx]|mif[12]|msf1)/.test(text(bytes, 4, 12)) && imageTypeOf(bytes) === undefined;
}

/** False when the end that each format has is not there: a download that broke off, a disk that was full. */
export function isWhole(bytes: Uint8Array, type: ImageType): boolean {
  switch (type) {
    case "image/jpeg":
      return hasJpegEnd(bytes);
    case "image/png":
      return hasPngEnd(bytes);
    case "image/gif":
      return bytes.subarray(13).includes(0x3b) && bytes.at(lastByte(bytes)) === 0x3b;
    case "image/webp":
      return bytes.length >= 20 && view(bytes).getUint32(4, true) + 8 <= bytes.length;
    case "image/avif":
      return hasWholeBoxes(bytes);
  }
}

/** The last byte that is not padding. */
function lastByte(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at > 0 && bytes[at] === 0) at--;
  return at;
}

/** The end marker; cameras write more behind it, so anywhere after the first scan will do. */
function hasJpegEnd(bytes: Uint8Array): boolean {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) at += 1;
    else if (marker === 0xda)
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).lastIndexOf(Buffer.of(0xff, 0xd9)) > at;
    else at += 2 + view(bytes).getUint16(at + 2);
  }
  return false;
}

/** Chunk after chunk, each inside the file, up to IEND (PNG specification, third edition, 5.3). */
function hasPngEnd(bytes: Uint8Array): boolean {
  let hasData = false;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view(bytes).getUint32(at)) {
    const type = text(bytes, at + 4, at + 8);
    if (type === "IDAT") hasData = true;
    if (type === "IEND") return hasData;
  }
  return false;
}

/**
 * Box after box up to the very end (ISO/IEC 14496-12, 4.2): size 0 reaches to the end, size 1 has its real one behind
 * the name.
 */
export function hasWholeBoxes(bytes: Uint8Array): boolean {
  let at = 0;
  while (at + 8 <= bytes.length) {
    const size = view(bytes).getUint32(at);
    if (size === 0) return true;
    if (size === 1 && at + 16 > bytes.length) return false;
    const length = size === 1 ? Number(view(bytes).getBigUint64(at + 8)) : size;
    if (length < 8) return false;
    at += length;
  }
  return at === bytes.length;
}
