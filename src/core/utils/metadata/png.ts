import { crc32 } from "node:zlib";
import { joined, latin1, unlessSame, viewOf } from "./bytes.ts";
import { exifOf, readExif } from "./exif.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/** Chunks that say how the picture is shown, beside the critical ones (PNG specification, third edition, 11.3). */
const SHOWN: ReadonlySet<string> = new Set(
  "tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV mDCv cLLI cLLi bKGD hIST pHYs sTER acTL fcTL fdAT".split(" "),
);
/** Texts whose names say nothing: programs put their data into them as they are. */
const RAW = /^Raw profile type|^XML:com/;

/** The same picture without the chunks that tell of it; undefined for a file whose chunks cannot be followed. */
export function cleanPng(bytes: Uint8Array): Cleaned | undefined {
  const view = viewOf(bytes);
  const taken = new Set<Taken>();
  const pieces: Uint8Array[] = [bytes.subarray(0, 8)];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return undefined;
    const type = latin1(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, end - 4);
    // A capital letter is a chunk without which nothing can be shown (5.4).
    if (/^[A-Z]/.test(type) || SHOWN.has(type)) pieces.push(bytes.subarray(at, end));
    else if (type === "eXIf") {
      const { shown, taken: found } = readExif(body);
      for (const one of found) taken.add(one);
      const exif = exifOf(shown);
      if (exif) pieces.push(chunk("eXIf", exif));
    } else for (const one of toldBy(type, latin1(body))) taken.add(one);
    if (type === "IEND") {
      if (end < bytes.length) taken.add("data behind the end");
      return { bytes: unlessSame(bytes, joined(pieces)), taken: ordered(taken) };
    }
    at = end;
  }
  return undefined;
}

/** A text chunk begins with its name and a NUL (11.3.3). */
function toldBy(type: string, body: string): Taken[] {
  if (type === "tIME") return ["camera data"];
  if (type !== "tEXt" && type !== "zTXt" && type !== "iTXt") return ["other metadata"];
  const [name = ""] = body.split("\0", 1);
  if (RAW.test(name)) return takenIn(body);
  // A text is a comment whatever it is called, unless its name says what else it is.
  const found = takenIn(name);
  return found[0] === "other metadata" ? ["comment"] : found;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(body.length, 0);
  numbers.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([numbers.subarray(0, 4), named, numbers.subarray(4)]);
}
