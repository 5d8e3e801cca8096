import { joined, latin1, unlessSame, viewOf } from "./bytes.ts";
import { exifOf, readExif } from "./exif.ts";
import { type Cleaned, ordered, type Taken, takenIn, takenInIptc } from "./taken.ts";

/*
 * JPEG (ITU-T T.81, annex B): segments that begin with a marker, and the compressed picture between them.
 */

const [SOI, EOI, SOS, COM, APP0, APP1, APP2, APP13, APP14, APP15] = [
  0xd8, 0xd9, 0xda, 0xfe, 0xe0, 0xe1, 0xe2, 0xed, 0xee, 0xef,
] as const;

export interface Segment {
  readonly marker: number;
  /** From its FF to its end; of a scan, with the compressed data behind it. */
  readonly start: number;
  readonly end: number;
}

/** All segments from the first to EOI; undefined where the file does not follow T.81. */
export function segmentsOf(bytes: Uint8Array): readonly Segment[] | undefined {
  const view = viewOf(bytes);
  const found: Segment[] = [];
  let at = 2;
  while (at + 2 <= bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === EOI) return [...found, { marker, start: at, end: at + 2 }];
    if (marker === 0 || marker === SOI || at + 4 > bytes.length) return undefined;
    // TEM and a restart marker that is astray have no length.
    const standsAlone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    let end = standsAlone ? at + 2 : at + 2 + view.getUint16(at + 2);
    if (end > bytes.length || (!standsAlone && end < at + 4)) return undefined;
    if (marker === SOS || standsAlone) end = scanEnd(bytes, end);
    found.push({ marker, start: at, end });
    at = end;
  }
  return undefined;
}

/** The next marker that is neither a stuffed byte nor a restart. */
function scanEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1] ?? 0;
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return bytes.length;
}

const ICC = "ICC_PROFILE\0";
const EXIF = "Exif\0";

/** What a segment holds behind its length. */
export const bodyOf = (bytes: Uint8Array, { start, end }: Segment) => bytes.subarray(start + 4, end);

/**
 * Whether a decoder needs it, or shows the picture otherwise without it: all but comments and the segments of
 * applications.
 */
export function isShown(bytes: Uint8Array, segment: Segment): boolean {
  const { marker } = segment;
  if (marker === COM) return false;
  if (marker < APP0 || marker > APP15) return true;
  const head = latin1(bodyOf(bytes, segment).subarray(0, 12));
  if (marker === APP0) return head.startsWith("JFIF\0");
  if (marker === APP2) return head === ICC;
  // It says which colours the components are.
  return marker === APP14 && head.startsWith("Adobe");
}

/** The same picture without what its segments tell; undefined for a file that does not follow T.81. */
export function cleanJpeg(bytes: Uint8Array): Cleaned | undefined {
  const segments = segmentsOf(bytes);
  if (!segments) return undefined;
  const taken = new Set<Taken>();
  const pieces: Uint8Array[] = [bytes.subarray(0, 2)];
  let exif: Uint8Array | undefined;
  for (const segment of segments) {
    if (isShown(bytes, segment))
      pieces.push(segment.marker === APP0 ? withoutPreview(bytes, segment, taken) : piece(bytes, segment));
    else {
      const kept = told(bytes, segment, taken);
      exif ??= kept;
    }
  }
  if (exif) pieces.splice(1, 0, segmentFor(exif));
  if ((segments.at(-1)?.end ?? 0) < bytes.length) taken.add("data behind the end");
  return { bytes: unlessSame(bytes, joined(pieces)), taken: ordered(taken) };
}

const piece = (bytes: Uint8Array, { start, end }: Segment) => bytes.subarray(start, end);

/** Says what goes with this segment, and gives back what of EXIF must stay. */
export function told(bytes: Uint8Array, segment: Segment, taken: Set<Taken>): Uint8Array | undefined {
  const body = bodyOf(bytes, segment);
  const head = latin1(body.subarray(0, 30));
  const add = (some: Iterable<Taken>) => {
    for (const one of some) taken.add(one);
  };
  if (segment.marker === COM) taken.add("comment");
  else if (segment.marker === APP1 && head.startsWith(EXIF)) {
    const read = readExif(body.subarray(6));
    add(read.taken);
    return exifOf(read.shown);
  } else if (segment.marker === APP1 && head.startsWith("http://ns.adobe.com/")) add(takenIn(latin1(body)));
  else if (segment.marker === APP13) add(takenInIptc(body));
  else if (segment.marker === APP0 || (segment.marker === APP2 && head.startsWith("MPF\0")))
    taken.add("preview picture");
  else taken.add("other metadata");
  return undefined;
}

/** JFIF holds a small picture, too (JFIF 1.02): it may show what was cut away since. */
function withoutPreview(bytes: Uint8Array, segment: Segment, taken: Set<Taken>): Uint8Array {
  const whole = piece(bytes, segment);
  if (whole.length <= 18) return whole;
  taken.add("preview picture");
  return Uint8Array.of(0xff, APP0, 0, 16, ...whole.subarray(4, 16), 0, 0);
}

function segmentFor(exif: Uint8Array): Uint8Array {
  const length = 2 + 6 + exif.length;
  return Uint8Array.of(0xff, APP1, length >> 8, length & 255, ...Buffer.from(`${EXIF}\0`, "latin1"), ...exif);
}
