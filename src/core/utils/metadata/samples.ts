import { type Box, boxesIn, boxIn } from "./boxes.ts";
import { viewOf } from "./bytes.ts";

/*
 * Where the samples of a track lie in the file: by the tables of its sample table box (ISO/IEC 14496-12, 8.7), or by
 * the runs of its fragments (8.8).
 */

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A table's entries begin behind version, flags and count. */
const TABLE = 8;

/** Of a track that is not fragmented. Throws RangeError for tables that reach out of their boxes or out of the file. */
export function samplesOf(bytes: Uint8Array, stbl: Box): readonly Range[] {
  const view = viewOf(bytes);
  const boxes = boxesIn(bytes, stbl.body, stbl.end);
  const table = (...types: readonly string[]) => boxes.find(({ type }) => types.includes(type));
  const [toChunk, sizes, offsets] = [table("stsc"), table("stsz", "stz2"), table("stco", "co64")];
  if (!toChunk || !sizes || !offsets) return [];
  const chunks = view.getUint32(offsets.body + 4);
  const wide = offsets.type === "co64";
  const within = (box: Box, at: number, length: number) => {
    if (at + length > box.end) throw new RangeError("a table reaches out of its box");
    return at;
  };
  const offsetOf = (n: number) =>
    wide
      ? Number(view.getBigUint64(within(offsets, offsets.body + TABLE + n * 8, 8)))
      : view.getUint32(within(offsets, offsets.body + TABLE + n * 4, 4));
  const lengthOf = sizeReader(bytes, sizes);
  const runs = view.getUint32(toChunk.body + 4);
  const ranges: Range[] = [];
  let [run, sample] = [0, 0];
  const runAt = (n: number) => within(toChunk, toChunk.body + TABLE + n * 12, 12);
  for (let chunk = 0; chunk < chunks && runs > 0; chunk += 1) {
    if (run + 1 < runs && view.getUint32(runAt(run + 1)) <= chunk + 1) run += 1;
    const samples = view.getUint32(runAt(run) + 4);
    const start = offsetOf(chunk);
    ranges.push({ start, end: start + lengthOf(sample, samples) });
    sample += samples;
  }
  return ranges;
}

/** The bytes of so many samples from one on. */
function sizeReader(bytes: Uint8Array, box: Box): (from: number, samples: number) => number {
  const view = viewOf(bytes);
  const [same, count] = [box.type === "stsz" ? view.getUint32(box.body + 4) : 0, view.getUint32(box.body + 8)];
  if (same > 0) return (from, samples) => Math.max(0, Math.min(samples, count - from)) * same;
  const bits = box.type === "stsz" ? 32 : (bytes[box.body + 7] ?? 0);
  const size = (n: number) => {
    const at = box.body + 12 + (n * bits) / 8;
    if (at + bits / 8 > box.end) throw new RangeError("a table reaches out of its box");
    if (bits === 32) return view.getUint32(at);
    if (bits === 16) return view.getUint16(at);
    const byte = view.getUint8(Math.floor(at));
    return bits === 8 ? byte : n % 2 === 0 ? byte >> 4 : byte & 15;
  };
  return (from, samples) => {
    let sum = 0;
    for (let n = from; n < Math.min(from + samples, count); n += 1) sum += size(n);
    return sum;
  };
}

/** What a fragment takes for granted where it says nothing (`trex`, 8.8.3): bytes of a sample, by the track's id. */
export type Defaults = ReadonlyMap<number, number>;

/** The track a `traf` is of, and where its samples lie. */
export function fragmentOf(
  bytes: Uint8Array,
  { moof, traf, defaults }: { readonly moof: Box; readonly traf: Box; readonly defaults: Defaults },
): { readonly track: number; readonly ranges: readonly Range[] } {
  const view = viewOf(bytes);
  const tfhd = boxIn(bytes, traf, "tfhd");
  if (!tfhd) return { track: 0, ranges: [] };
  const flags = view.getUint32(tfhd.body) & 0xffffff;
  const track = view.getUint32(tfhd.body + 4);
  let at = tfhd.body + 8;
  const base = flags & 0x01 ? Number(view.getBigUint64(at)) : moof.start;
  at += (flags & 0x01 ? 8 : 0) + (flags & 0x02 ? 4 : 0) + (flags & 0x08 ? 4 : 0);
  const usual = flags & 0x10 ? view.getUint32(at) : (defaults.get(track) ?? 0);
  const ranges: Range[] = [];
  let next = base;
  for (const trun of boxesIn(bytes, traf.body, traf.end).filter(({ type }) => type === "trun")) {
    const run = view.getUint32(trun.body) & 0xffffff;
    const count = view.getUint32(trun.body + 4);
    const start = run & 0x01 ? base + view.getInt32(trun.body + 8) : next;
    const first = trun.body + 8 + (run & 0x01 ? 4 : 0) + (run & 0x04 ? 4 : 0);
    const before = run & 0x100 ? 4 : 0;
    const each = [0x100, 0x200, 0x400, 0x800].filter((flag) => run & flag).length * 4;
    if (first + count * each > trun.end) throw new RangeError("a run reaches out of its box");
    next = start;
    if (run & 0x200) for (let n = 0; n < count; n += 1) next += view.getUint32(first + n * each + before);
    else next += count * usual;
    ranges.push({ start, end: next });
  }
  return { track, ranges };
}
