import { type Edit, edited, latin1 } from "./bytes.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/*
 * WebM (RFC 9559 over RFC 8794): elements of an id, a length and what they hold. Cues point to places in the file, so
 * what goes becomes a Void element of the same length.
 */

const [VOID, CRC, SEEK, SEEK_ID] = [0xec, 0xbf, 0x4dbb, 0x53ab] as const;
const [SEGMENT, INFO, TRACKS, TRACK, SEEK_HEAD] = [0x18538067, 0x1549a966, 0x1654ae6b, 0xae, 0x114d9b74] as const;
/** What holds elements that are looked into. */
const HOLDERS: ReadonlySet<number> = new Set([SEGMENT, INFO, TRACKS, TRACK, SEEK_HEAD]);
/** What goes: tags, attached files, the title, names of files, and names of tracks. */
const GONE: ReadonlyMap<number, readonly Taken[]> = new Map([
  [0x1254c367, []],
  [0x1941a469, ["other metadata"]],
  [0x7ba9, ["comment"]],
  [0x7384, ["other metadata"]],
  [0x3c83ab, ["other metadata"]],
  [0x3e83bb, ["other metadata"]],
  [0x536e, ["comment"]],
] satisfies [number, Taken[]][]);

interface Element {
  readonly id: number;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** The same film without what tells of it. Throws RangeError for one whose elements cannot be followed. */
export function cleanWebm(bytes: Uint8Array): Cleaned {
  const edits: Edit[] = [];
  const taken = new Set<Taken>();
  const clean = (start: number, end: number, holder: number) => {
    const before = edits.length;
    const elements = elementsIn(bytes, { start, end, holder });
    for (const one of elements) {
      const gone = GONE.get(one.id) ?? (one.id === SEEK && pointsToGone(bytes, one) ? [] : undefined);
      if (gone && one.end > one.body) {
        edits.push(...voided(one));
        if (one.id !== SEEK)
          for (const each of gone.length > 0 ? gone : takenIn(latin1(bytes.subarray(one.body, one.end))))
            taken.add(each);
      } else if (HOLDERS.has(one.id)) clean(one.body, one.end, one.id);
    }
    // What it is the sum of is another one now.
    const crc = elements.find(({ id }) => id === CRC);
    if (crc && edits.length > before) edits.push(...voided(crc));
  };
  clean(0, bytes.length, 0);
  return { bytes: edited(bytes, edits), taken: ordered(taken) };
}

function pointsToGone(bytes: Uint8Array, { body, end }: Element): boolean {
  const to = elementsIn(bytes, { start: body, end, holder: SEEK }).find(({ id }) => id === SEEK_ID);
  return to !== undefined && GONE.has(numberIn(bytes, to.body, to.end));
}

/** A length in one byte where it is small enough, else in eight. */
function voided({ start, end }: Element): Edit[] {
  const room = end - start;
  const head = Buffer.alloc(room - 2 < 127 ? 2 : 9);
  head[0] = VOID;
  if (head.length === 2) head[1] = 0x80 | (room - 2);
  else head.writeBigUInt64BE(0x0100_0000_0000_0000n | BigInt(room - 9), 1);
  return [{ start, end, put: head }];
}

/** Those of a segment of unknown length end with the file (RFC 8794, 6.2), and so does its last cluster. */
function elementsIn(
  bytes: Uint8Array,
  { start, end, holder }: { readonly start: number; readonly end: number; readonly holder: number },
): readonly Element[] {
  const elements: Element[] = [];
  for (let at = start; at < end; ) {
    const idLength = widthOf(bytes, at, 4);
    const body = at + idLength + widthOf(bytes, at + idLength, 8);
    if (body > end) throw new RangeError("an element reaches out of what holds it");
    const id = numberIn(bytes, at, at + idLength);
    const width = body - at - idLength;
    // Without the bit that says the width: together they may be more than a number holds exactly.
    const length =
      ((bytes[at + idLength] ?? 0) - 2 ** (8 - width)) * 256 ** (width - 1) + numberIn(bytes, at + idLength + 1, body);
    const unknown = length === 2 ** (7 * width) - 1;
    // Within a cluster of unknown length nothing is looked for, but what stands behind it in the segment must be found.
    const to = unknown ? (id === SEGMENT || holder === 0 ? end : body) : body + length;
    if (to > end) throw new RangeError("an element reaches out of what holds it");
    elements.push({ id, start: at, body, end: to });
    at = to;
  }
  return elements;
}

/** How many bytes a number has, by its first bit that is set (RFC 8794, 4). */
function widthOf(bytes: Uint8Array, at: number, most: number): number {
  const width = Math.clz32(bytes[at] ?? 0) - 23;
  if (at >= bytes.length || width > most) throw new RangeError("not a number of EBML");
  return width;
}

function numberIn(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) value = value * 256 + (bytes[at] ?? 0);
  return value;
}
