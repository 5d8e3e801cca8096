import { latin1, viewOf } from "./bytes.ts";
import type { Taken } from "./taken.ts";

/*
 * EXIF (CIPA DC-008-2023): a TIFF file without a picture, in a block of another file.
 */

/** What of it changes how a picture is shown. */
export interface Shown {
  /** 1 to 8. */
  readonly orientation?: number;
  /** 1 is sRGB, 65535 uncalibrated; with an interoperability index of R03 that means Adobe RGB (DCF 2.0). */
  readonly colorSpace?: number;
  readonly interoperability?: string;
}

const ORIENTATION = 0x0112;
const COLOR_SPACE = 0xa001;
const POINTERS = { exif: 0x8769, gps: 0x8825, interoperability: 0xa005 } as const;

const FIELDS: Readonly<Record<number, Taken>> = {
  270: "comment", // ImageDescription
  315: "owner name", // Artist
  33432: "owner name", // Copyright
  37510: "comment", // UserComment
  40091: "comment", // XPTitle
  40092: "comment", // XPComment
  40093: "owner name", // XPAuthor
  40094: "comment", // XPKeywords
  40095: "comment", // XPSubject
  42032: "owner name", // CameraOwnerName
  42033: "camera serial number", // BodySerialNumber
  42037: "camera serial number", // LensSerialNumber
  42038: "comment", // ImageTitle
  42039: "owner name", // Photographer
  42040: "owner name", // ImageEditor
  50735: "camera serial number", // CameraSerialNumber (DNG)
};
/** What psn keeps, what leads to other fields, and what says nothing of anybody: resolution, versions, sizes, YCbCr. */
const SILENT: ReadonlySet<number> = new Set([
  ORIENTATION,
  COLOR_SPACE,
  ...Object.values(POINTERS),
  0x011a,
  0x011b,
  0x0128,
  0x0213,
  0x9000,
  0x9101,
  0xa000,
  0xa002,
  0xa003,
]);

/** A file holds far fewer; a loop of directories ends here. */
const ENTRIES_MOST = 5_000;

/** What stands in an EXIF block, as far as it can be read. Never throws. */
export function readExif(tiff: Uint8Array): { readonly shown: Shown; readonly taken: ReadonlySet<Taken> } {
  const taken = new Set<Taken>();
  const shown: { orientation?: number; colorSpace?: number; interoperability?: string } = {};
  const view = viewOf(tiff);
  const little = latin1(tiff.subarray(0, 2)) === "II";
  const seen = new Set<number>();
  let left = ENTRIES_MOST;
  const read = (at: number, of: "image" | "preview" | "exif" | "gps" | "interoperability") => {
    if (at < 8 || seen.has(at)) return;
    seen.add(at);
    const count = view.getUint16(at, little);
    for (let n = 0; n < count && left > 0; n += 1, left -= 1) {
      const entry = at + 2 + n * 12;
      const tag = view.getUint16(entry, little);
      const short = view.getUint16(entry + 8, little);
      if (of === "preview") taken.add("preview picture");
      else if (of === "gps") {
        // GPSVersionID alone is no position.
        if (tag !== 0) taken.add("position");
      } else if (of === "interoperability") {
        if (tag === 1) shown.interoperability = latin1(tiff.subarray(entry + 8, entry + 11));
      } else if (tag === POINTERS.exif) read(view.getUint32(entry + 8, little), "exif");
      else if (tag === POINTERS.gps) read(view.getUint32(entry + 8, little), "gps");
      else if (tag === POINTERS.interoperability) read(view.getUint32(entry + 8, little), "interoperability");
      else if (tag === ORIENTATION && of === "image" && short >= 1 && short <= 8) shown.orientation ??= short;
      else if (tag === COLOR_SPACE) shown.colorSpace ??= short;
      else if (!SILENT.has(tag)) taken.add(FIELDS[tag] ?? "camera data");
    }
    if (of === "image" && left > 0 && at + 6 + count * 12 <= tiff.length)
      read(view.getUint32(at + 2 + count * 12, little), "preview");
  };
  try {
    read(view.getUint32(4, little), "image");
  } catch (error) {
    // It is cut off, or points out of itself: all of it goes.
    if (!(error instanceof RangeError)) throw error;
    taken.add("other metadata");
  }
  return { shown, taken };
}

/** EXIF that says how a picture is shown, and nothing else; undefined where there is nothing to say. */
export function exifOf({ orientation, colorSpace, interoperability }: Shown): Uint8Array | undefined {
  const inner = colorSpace !== undefined || interoperability !== undefined;
  if (orientation === undefined && !inner) return undefined;
  const short = (tag: number, value: number) =>
    entry(tag, { type: 3, count: 1, value: [value >> 8, value & 255, 0, 0] });
  const long = (tag: number, value: number) =>
    entry(tag, { type: 4, count: 1, value: [0, 0, value >> 8, value & 255] });
  const first = [...(orientation === undefined ? [] : [short(ORIENTATION, orientation)])];
  const second = [...(colorSpace === undefined ? [] : [short(COLOR_SPACE, colorSpace)])];
  const exifAt = 8 + sizeOf(first.length + 1);
  const thirdAt = exifAt + sizeOf(second.length + (interoperability === undefined ? 0 : 1));
  if (inner) first.push(long(POINTERS.exif, exifAt));
  if (interoperability !== undefined) second.push(long(POINTERS.interoperability, thirdAt));
  return Uint8Array.from([
    ...[0x4d, 0x4d, 0, 42, 0, 0, 0, 8],
    ...directory(first),
    ...(inner ? directory(second) : []),
    ...(interoperability === undefined
      ? []
      : directory([
          entry(1, { type: 2, count: 4, value: [...Buffer.from(interoperability.padEnd(4, "\0"), "latin1")] }),
        ])),
  ]);
}

/** A valid block that says nothing, for where one must stay. */
export const EMPTY_EXIF = Uint8Array.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0]);

const sizeOf = (entries: number) => 2 + entries * 12 + 4;
const entry = (
  tag: number,
  { type, count, value }: { readonly type: number; readonly count: number; readonly value: readonly number[] },
) => [tag >> 8, tag & 255, 0, type, 0, 0, 0, count, ...value];
const directory = (entries: readonly (readonly number[])[]) => [0, entries.length, ...entries.flat(), 0, 0, 0, 0];
