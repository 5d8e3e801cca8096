import { type Box, boxesIn, boxIn, freed, isFilled } from "./boxes.ts";
import { type Edit, edited, hasContent, joined, latin1, viewOf } from "./bytes.ts";
import { EMPTY_EXIF, exifOf, readExif } from "./exif.ts";
import { cleanBoxes, type Walk, walkOf } from "./movie.ts";
import type { Range } from "./samples.ts";
import { type Cleaned, ordered, takenIn } from "./taken.ts";

/*
 * AVIF, and HEIF altogether (ISO/IEC 23008-12): a `meta` box lists items, which lie anywhere in the file. EXIF and XMP
 * are items among them. An item stays where it is, and what it says is overwritten.
 */

/** What `meta` holds that shows the picture. */
const KEPT: ReadonlySet<string> = new Set("hdlr pitm iloc iinf iprp ipro idat iref grpl dinf".split(" "));
/** Properties that are texts about the picture: a name with tags, a description (6.5.20, 6.5.21). */
const TEXTS: ReadonlySet<string> = new Set(["udes", "altt"]);

/** The same picture without what tells of it. Throws RangeError for one whose boxes or items cannot be followed. */
export function cleanAvif(bytes: Uint8Array): Cleaned {
  const walk = walkOf(bytes);
  cleanBoxes(walk, { holder: "", boxes: walk.boxes, also: "meta" });
  for (const meta of walk.boxes.filter(({ type }) => type === "meta")) cleanItems(walk, meta);
  return { bytes: edited(bytes, walk.edits), taken: ordered(walk.taken) };
}

function cleanItems({ bytes, edits, taken }: Walk, meta: Box): void {
  // A full box: version and flags first.
  const boxes = boxesIn(bytes, meta.body + 4, meta.end);
  const idat = boxes.find(({ type }) => type === "idat");
  const iloc = boxes.find(({ type }) => type === "iloc");
  const iinf = boxes.find(({ type }) => type === "iinf");
  const iprp = boxes.find(({ type }) => type === "iprp");
  const ipco = iprp && boxIn(bytes, iprp, "ipco");
  const texts = ipco ? boxesIn(bytes, ipco.body, ipco.end).filter(({ type }) => TEXTS.has(type)) : [];
  for (const box of [...boxes.filter(({ type }) => !KEPT.has(type)), ...texts]) {
    if (!isFilled(bytes, box)) continue;
    for (const one of TEXTS.has(box.type) ? (["comment"] as const) : takenIn(latin1(bytes.subarray(box.body, box.end))))
      taken.add(one);
    edits.push(...freed(box));
  }
  const places = iloc ? locationsOf(bytes, iloc, idat) : new Map<number, readonly Range[]>();
  for (const { id, type } of iinf ? itemsOf(bytes, iinf) : []) {
    const ranges = places.get(id) ?? [];
    const content = joined(ranges.map(({ start, end }) => bytes.subarray(start, end)));
    if (!hasContent(content)) continue;
    if (type === "Exif") {
      // Before it stands how far on the TIFF header is (A.2.1).
      const read = readExif(content.subarray(4 + (content.length >= 4 ? viewOf(content).getUint32(0) : 0)));
      for (const one of read.taken) taken.add(one);
      const said = Buffer.concat([Buffer.alloc(4), exifOf(read.shown) ?? EMPTY_EXIF]);
      edits.push(...overwriting(ranges, said.length <= content.length ? said : new Uint8Array(), 0));
    } else if (type === "mime" || type === "uri ") {
      for (const one of takenIn(latin1(content))) taken.add(one);
      edits.push(...overwriting(ranges, new Uint8Array(), 0x20));
    }
  }
}

/** `said` over the first bytes of an item, `fill` over the others. */
function overwriting(ranges: readonly Range[], said: Uint8Array, fill: number): Edit[] {
  let written = 0;
  return ranges.map(({ start, end }) => {
    const put = said.subarray(written, written + end - start);
    written += put.length;
    return { start, end, put, fill };
  });
}

/** `iinf` (ISO/IEC 14496-12, 8.11.6): before version 2 an entry has no type, and is a `mime` item. */
function itemsOf(bytes: Uint8Array, iinf: Box): readonly { readonly id: number; readonly type: string }[] {
  const view = viewOf(bytes);
  const first = iinf.body + 4 + (bytes[iinf.body] === 0 ? 2 : 4);
  return boxesIn(bytes, first, iinf.end)
    .filter(({ type }) => type === "infe")
    .map(({ body }) => {
      const version = bytes[body] ?? 0;
      const wide = version >= 3 ? 4 : 2;
      const id = wide === 4 ? view.getUint32(body + 4) : view.getUint16(body + 4);
      return { id, type: version < 2 ? "mime" : latin1(bytes.subarray(body + 4 + wide + 2, body + 4 + wide + 6)) };
    });
}

/** `iloc` (8.11.3): where each item's bytes are, in the file or in `idat`. */
function locationsOf(bytes: Uint8Array, iloc: Box, idat: Box | undefined): ReadonlyMap<number, readonly Range[]> {
  const view = viewOf(bytes);
  let at = iloc.body;
  const number = (size: number) => {
    if (at + size > iloc.end) throw new RangeError("a table reaches out of its box");
    const value =
      size === 0
        ? 0
        : size === 2
          ? view.getUint16(at)
          : size === 4
            ? view.getUint32(at)
            : Number(view.getBigUint64(at));
    at += size;
    return value;
  };
  const version = bytes[at] ?? 0;
  at += 4;
  const sizes = number(2);
  const [offset, length, base, index] = [
    sizes >> 12,
    (sizes >> 8) & 15,
    (sizes >> 4) & 15,
    version > 0 ? sizes & 15 : 0,
  ];
  if ([offset, length, base, index].some((size) => size !== 0 && size !== 4 && size !== 8))
    throw new RangeError("no such width");
  const idSize = version < 2 ? 2 : 4;
  const found = new Map<number, readonly Range[]>();
  for (let left = number(idSize); left > 0; left -= 1) {
    const id = number(idSize);
    const method = version > 0 ? number(2) & 15 : 0;
    number(2);
    const from = number(base) + (method === 1 ? (idat?.body ?? 0) : 0);
    const ranges: Range[] = [];
    for (let extents = number(2); extents > 0; extents -= 1) {
      number(index);
      const start = from + number(offset);
      // No length is all that is left (8.11.3.1).
      const said = number(length);
      const end = said > 0 ? start + said : method === 1 ? (idat?.end ?? start) : bytes.length;
      ranges.push({ start, end });
    }
    // Of another item's bytes (method 2) nothing is known here.
    if (method < 2) found.set(id, ranges);
  }
  return found;
}
