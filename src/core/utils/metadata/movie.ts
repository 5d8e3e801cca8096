import { type Box, boxesIn, boxIn, freed, isFilled } from "./boxes.ts";
import { type Edit, edited, latin1, viewOf } from "./bytes.ts";
import { type Defaults, fragmentOf, samplesOf } from "./samples.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/*
 * MP4 and QuickTime: what tells of the film lies in `udta`, `meta` and `uuid` boxes at any depth, and in tracks that
 * hold neither picture nor sound: where each second was recorded (GoPro's gpmd, camm, DJI, Sony's rtmd, Apple's mebx).
 */

/** What is kept, by the box that holds it ("" is the file): what shows the film. Any other box there goes. */
const KEPT: Readonly<Record<string, ReadonlySet<string>>> = {
  "": new Set("ftyp styp pdin moov moof mdat mfra sidx ssix wide".split(" ")),
  moov: new Set("mvhd trak mvex iods ctab cmov rmra pssh".split(" ")),
  trak: new Set("tkhd edts tref mdia load matt clip imap tapt trgr txas ludt".split(" ")),
  mdia: new Set("mdhd hdlr minf elng".split(" ")),
  minf: new Set("vmhd smhd gmhd nmhd sthd hmhd hdlr dinf stbl".split(" ")),
  mvex: new Set("mehd trex leva".split(" ")),
  moof: new Set("mfhd traf pssh".split(" ")),
};
/** Picture, sound, what is read along with them, and the time code: kinds of tracks (`hdlr`). */
const SHOWN: ReadonlySet<string> = new Set("vide soun subt sbtl text clcp auxv pict tmcd".split(" "));
/** How a film all around is projected, as text (Spherical Video V1); players show it wrongly without it. */
const SPHERICAL = "ffcc8263f8554a938814587a02521fdd";
/** Samples that say where each moment was recorded, by the name of their format. */
const TRAIL = /gpmd|camm|djmd|dbgi|rtmd|gps|location/i;

/** The same film without what tells of it. Throws RangeError for one whose boxes or tables cannot be followed. */
export function cleanMovie(bytes: Uint8Array): Cleaned {
  const walk = walkOf(bytes);
  cleanBoxes(walk, { holder: "", boxes: walk.boxes });
  return { bytes: edited(bytes, walk.edits), taken: ordered(walk.taken) };
}

export interface Walk {
  readonly bytes: Uint8Array;
  readonly boxes: readonly Box[];
  readonly edits: Edit[];
  readonly taken: Set<Taken>;
  /** Ids of tracks that go. */
  readonly gone: ReadonlySet<number>;
  readonly defaults: Defaults;
}

/** Which tracks go is known first: a movie box may stand behind its fragments. */
export function walkOf(bytes: Uint8Array): Walk {
  const boxes = boxesIn(bytes, 0, bytes.length);
  const inMovie = boxes.filter(({ type }) => type === "moov").flatMap(({ body, end }) => boxesIn(bytes, body, end));
  const gone = new Set(
    inMovie
      .filter(({ type }) => type === "trak")
      .filter((trak) => !isShown(bytes, trak))
      .map((trak) => trackId(bytes, trak)),
  );
  const trex = inMovie.filter(({ type }) => type === "mvex").flatMap(({ body, end }) => boxesIn(bytes, body, end));
  const defaults = trex
    .filter(({ type }) => type === "trex")
    .map(({ body }) => [viewOf(bytes).getUint32(body + 4), viewOf(bytes).getUint32(body + 16)] as const);
  return { bytes, boxes, edits: [], taken: new Set(), gone, defaults: new Map(defaults) };
}

/**
 * Notes what is to go of the boxes within one named `holder`; a box of type `also` stays, and is left to the caller.
 */
export function cleanBoxes(
  walk: Walk,
  {
    holder,
    boxes,
    also,
  }: { readonly holder: string; readonly boxes: readonly Box[]; readonly also?: string | undefined },
): void {
  const { bytes, edits, gone } = walk;
  for (const box of boxes) {
    const { type, body, end } = box;
    if (type === also || (holder === "trak" && isSpherical(bytes, box))) continue;
    if (!KEPT[holder]?.has(type)) take(walk, box);
    else if (type === "trak" && !isShown(bytes, box)) takeTrack(walk, box);
    else if (type === "moof") for (const traf of boxesIn(bytes, body, end)) cleanFragment(walk, box, traf);
    else if (type === "trex" && gone.has(viewOf(bytes).getUint32(body + 4))) edits.push(...freed(box));
    else if (type === "tref") {
      for (const one of boxesIn(bytes, body, end))
        if (idsIn(bytes, one).every((id) => gone.has(id))) edits.push(...freed(one));
    } else if (type === "hdlr") cleanHandler(walk, box);
    else if (KEPT[type]) cleanBoxes(walk, { holder: type, boxes: boxesIn(bytes, body, end) });
  }
}

function take({ bytes, edits, taken }: Walk, box: Box): void {
  if (!isFilled(bytes, box)) return;
  for (const one of takenIn(latin1(bytes.subarray(box.start + 4, box.end)))) taken.add(one);
  edits.push(...freed(box));
}

function takeTrack({ bytes, edits, taken }: Walk, trak: Box): void {
  const stbl = within(bytes, trak, "mdia", "minf", "stbl");
  const stsd = stbl && boxIn(bytes, stbl, "stsd");
  taken.add(stsd && TRAIL.test(latin1(bytes.subarray(stsd.body, stsd.end))) ? "position" : "other metadata");
  if (stbl) edits.push(...samplesOf(bytes, stbl));
  edits.push(...freed(trak));
}

function cleanFragment({ bytes, edits, gone, defaults }: Walk, moof: Box, traf: Box): void {
  if (traf.type !== "traf") return;
  const { track, ranges } = fragmentOf(bytes, { moof, traf, defaults });
  if (gone.has(track)) edits.push(...ranges, ...freed(traf));
}

/** A handler's name is free text, and some programs write the path of what they made the track from. */
function cleanHandler({ bytes, edits, taken }: Walk, { body, end }: Box): void {
  const start = Math.min(body + 24, end);
  if (!/[\\/@]/.test(latin1(bytes.subarray(start, end)))) return;
  taken.add("other metadata");
  edits.push({ start, end });
}

function isShown(bytes: Uint8Array, trak: Box): boolean {
  const hdlr = within(bytes, trak, "mdia", "hdlr");
  return hdlr !== undefined && SHOWN.has(latin1(bytes.subarray(hdlr.body + 8, hdlr.body + 12)));
}

function within(bytes: Uint8Array, box: Box, ...path: readonly string[]): Box | undefined {
  return path.reduce<Box | undefined>((inner, type) => inner && boxIn(bytes, inner, type), box);
}

/** Behind two times, which are wider in version 1 (8.3.2). */
function trackId(bytes: Uint8Array, trak: Box): number {
  const tkhd = boxIn(bytes, trak, "tkhd");
  return tkhd ? viewOf(bytes).getUint32(tkhd.body + (bytes[tkhd.body] === 1 ? 20 : 12)) : 0;
}

function idsIn(bytes: Uint8Array, { body, end }: Box): number[] {
  const ids: number[] = [];
  for (let at = body; at + 4 <= end; at += 4) ids.push(viewOf(bytes).getUint32(at));
  return ids;
}

function isSpherical(bytes: Uint8Array, { type, body }: Box): boolean {
  return type === "uuid" && Buffer.from(bytes.subarray(body, body + 16)).toString("hex") === SPHERICAL;
}
