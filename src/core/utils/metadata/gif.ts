import { joined, latin1, unlessSame } from "./bytes.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/*
 * GIF89a: blocks, each a label and sub-blocks with their lengths before them, up to a block of none.
 */

const [IMAGE, EXTENSION, TRAILER] = [0x2c, 0x21, 0x3b] as const;
const [PLAIN_TEXT, CONTROL, COMMENT, APPLICATION] = [0x01, 0xf9, 0xfe, 0xff] as const;
/** How often it repeats, and its colour profile. */
const SHOWN: ReadonlySet<string> = new Set(["NETSCAPE2.0", "ANIMEXTS1.0", "ICCRGBG1012"]);

/**
 * The same pictures in the same rhythm, without comments and what programs left; undefined where the blocks cannot be
 * followed.
 */
export function cleanGif(bytes: Uint8Array): Cleaned | undefined {
  const taken = new Set<Taken>();
  const colours = (flags = 0) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + colours(bytes[10]);
  const pieces: Uint8Array[] = [bytes.subarray(0, at)];
  /** Says how the next picture is shown, and goes where that goes. */
  let control: Uint8Array | undefined;
  while (at < bytes.length) {
    const start = at;
    const kind = bytes[at];
    if (kind === TRAILER) {
      pieces.push(bytes.subarray(at, at + 1));
      if (bytes.subarray(at + 1).some((byte) => byte !== 0)) taken.add("data behind the end");
      return { bytes: unlessSame(bytes, joined(pieces)), taken: ordered(taken) };
    }
    if (kind !== IMAGE && kind !== EXTENSION) return undefined;
    const end = endOf(bytes, kind === IMAGE ? at + 11 + colours(bytes[at + 9]) : at + 2);
    if (end === undefined) return undefined;
    at = end;
    const block = bytes.subarray(start, end);
    const label = kind === IMAGE ? undefined : bytes[start + 1];
    if (label === CONTROL) {
      control = block;
    } else if (label === undefined || (label === APPLICATION && SHOWN.has(latin1(block.subarray(3, 14))))) {
      if (label === undefined && control) pieces.push(control);
      if (label === undefined) control = undefined;
      pieces.push(block);
    } else {
      // No program draws a plain text, so it is a hidden one.
      if (label === PLAIN_TEXT) control = undefined;
      for (const one of label === COMMENT || label === PLAIN_TEXT ? (["comment"] as const) : takenIn(latin1(block)))
        taken.add(one);
    }
  }
  return undefined;
}

function endOf(bytes: Uint8Array, from: number): number | undefined {
  let at = from;
  for (let size = bytes[at]; size !== undefined; size = bytes[at]) {
    at += 1 + size;
    if (size === 0) return at;
  }
  return undefined;
}
