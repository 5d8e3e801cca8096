import { deflateSync, inflateSync } from "node:zlib";
import { defined } from "@psn/core/types/defined.ts";
import { type Edit, edited, hasContent, latin1 } from "./bytes.ts";
import { isShown, segmentsOf, told } from "./jpeg.ts";
import { contentStart, dictionaryEnd, objectsIn, type PdfObject, type PdfStream, streamsIn } from "./pdf-objects.ts";
import { type Cleaned, ordered, type Taken, takenIn } from "./taken.ts";

/*
 * PDF (ISO 32000-2): the information dictionary (14.3.3), XMP streams (14.3.2), and photographs kept as JPEG files. A
 * table says at which byte each object begins, so everything is overwritten in place. Earlier revisions, which stay in
 * a file that was saved by appending, are treated alike.
 */

/** What an information dictionary has; another dictionary is never blanked. */
const INFORMATION = /\/(Title|Author|Subject|Keywords|Creator|Producer|CreationDate|ModDate|Trapped)\b/;
const EMPTY_XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>';
/** Of one stream; more is not a document but an attack. */
const INFLATED_MOST = 64 * 1024 * 1024;
const SPACE = 0x20;

/** A text with objects in it: the file, or what an object stream holds. */
interface Room {
  readonly text: string;
  readonly objects: readonly PdfObject[];
  readonly edits: Edit[];
}

/**
 * The same pages without what tells of them; undefined for an encrypted document, and for one whose information is
 * compressed in a way that psn cannot write again. Throws RangeError for a table that reaches out of the file.
 */
export function cleanPdf(bytes: Uint8Array): Cleaned | undefined {
  const text = latin1(bytes);
  if (/\/Encrypt\s*(\d+\s+\d+\s+R|<<)/.test(text)) return undefined;
  const taken = new Set<Taken>();
  const file: Room = { text, objects: objectsIn(text), edits: [] };
  const packed: { readonly stream: PdfStream; readonly room: Room }[] = [];
  let closed = false;
  for (const stream of streamsIn(text, file.objects)) {
    const { dictionary, start, end } = stream;
    const content = bytes.subarray(start, end);
    if (/\/Type\s*\/ObjStm\b/.test(dictionary)) {
      const room = roomOf(dictionary, content);
      if (room) packed.push({ stream, room });
      else closed = true;
    } else if (/\/Type\s*\/Metadata\b/.test(dictionary)) file.edits.push(...withoutXmp(stream, content, taken));
    else if (/\/Filter\s*(\[\s*)?\/DCTDecode\b/.test(dictionary))
      file.edits.push(...withoutSegments(stream, content, taken));
  }
  const rooms = [file, ...packed.map(({ room }) => room)];
  // An object stream psn cannot read may hold it, and then it is unknown what stays.
  if (!blankInformation(rooms, taken) && closed) return undefined;
  for (const { stream, room } of packed) {
    if (room.edits.length === 0) continue;
    const changed = edited(new Uint8Array(Buffer.from(room.text, "latin1")), room.edits);
    const put = isDeflated(stream.dictionary) ? deflateSync(changed, { level: 9 }) : changed;
    if (put.length > stream.end - stream.start) return undefined;
    // Nulls behind the end of compressed data are read by nobody.
    file.edits.push({ start: stream.start, end: stream.end, put });
  }
  return { bytes: edited(bytes, file.edits), taken: ordered(taken) };
}

/** Blanks every information dictionary and the texts it points to. False where one is named and not found. */
function blankInformation(rooms: readonly Room[], taken: Set<Taken>): boolean {
  const named = rooms.flatMap(({ text }) =>
    [...text.matchAll(/\/Info\s+(\d+)\s+\d+\s+R\b/g)].map(([, number]) => Number(number)),
  );
  const wanted = new Set(named);
  const found = new Set<number>();
  const values = new Set<number>();
  const each = (numbers: ReadonlySet<number>, visit: (room: Room, object: PdfObject, at: number) => void) => {
    for (const room of rooms)
      for (const object of room.objects)
        if (numbers.has(object.number)) visit(room, object, contentStart(room.text, object));
  };
  const reached = new Map<Room, number>();
  each(wanted, (room, { number }, at) => {
    // What looks like an object within a title is none.
    if (at < (reached.get(room) ?? 0)) return;
    const { text, edits } = room;
    const end = dictionaryEnd(text, at);
    if (end === undefined) throw new RangeError("an information dictionary does not end");
    reached.set(room, end);
    found.add(number);
    const inner = text.slice(at + 2, end - 2);
    if (!INFORMATION.test(inner)) return;
    // Its /Creator is the program.
    for (const one of takenIn(keysOf(inner).replace(/\/Creator\b/, ""))) taken.add(one);
    for (const [, value] of inner.matchAll(/(?<!\d)(\d+)\s+\d+\s+R\b/g)) values.add(Number(value));
    edits.push({ start: at + 2, end: end - 2, fill: SPACE });
  });
  each(values, ({ text, edits }, { end }, at) => {
    // A string; anything else says nothing, or is somebody else's too.
    if (/^(\(|<(?!<))/.test(text.slice(at, at + 2)) && end - at >= 4)
      edits.push({ start: at, end, put: Buffer.from("null"), fill: SPACE });
  });
  return named.every((number) => found.has(number));
}

/** Names of the dictionary's own keys: what stands in strings is no key. */
const keysOf = (dictionary: string) =>
  (dictionary.replaceAll(/\((?:[^()\\]|\\.)*\)/gs, "").match(/\/\w+/g) ?? []).join(" ");

const isDeflated = (dictionary: string) => /\/Filter\s*(\[\s*)?\/(FlateDecode|Fl)\b/.test(dictionary);

/** What an object stream holds (7.5.7); undefined for one that is compressed otherwise, or damaged. */
function roomOf(dictionary: string, content: Uint8Array): Room | undefined {
  const first = Number(/\/First\s+(\d+)/.exec(dictionary)?.[1]);
  const inflated = plainOf(dictionary, content);
  if (inflated === undefined || !(first <= inflated.length)) return undefined;
  const numbers = (inflated.slice(0, first).match(/\d+/g) ?? []).map(Number);
  const starts = numbers.filter((_, n) => n % 2 === 1).map((offset) => first + offset);
  const objects = starts.map((start, n) => ({
    number: numbers[n * 2] ?? -1,
    start,
    end: starts[n + 1] ?? inflated.length,
  }));
  return { text: inflated, objects, edits: [] };
}

/**
 * A stream's content as Latin-1; undefined where it is filtered otherwise than by one Flate without a predictor, or
 * damaged.
 */
function plainOf(dictionary: string, content: Uint8Array): string | undefined {
  if (!/\/Filter\b/.test(dictionary)) return latin1(content);
  if (!isDeflated(dictionary) || /\/Filter\s*\[\s*\/\w+\s*\/|\/Predictor\s+(?!1\b)\d/.test(dictionary))
    return undefined;
  try {
    return latin1(inflateSync(content, { maxOutputLength: INFLATED_MOST }));
  } catch {
    return undefined;
  }
}

function withoutXmp({ dictionary, start, end }: PdfStream, content: Uint8Array, taken: Set<Taken>): Edit[] {
  const plain = plainOf(dictionary, content);
  if (plain?.trim() === "" || plain?.trim() === EMPTY_XMP) return [];
  for (const one of takenIn(plain ?? "")) taken.add(one);
  const empty = Buffer.from(EMPTY_XMP);
  if (!/\/Filter\b/.test(dictionary))
    return [{ start, end, fill: SPACE, ...defined({ put: empty.length <= end - start ? empty : undefined }) }];
  const [put] = [deflateSync(empty, { level: 9 }), deflateSync("")].filter(
    ({ length }) => plain !== undefined && length <= end - start,
  );
  return [{ start, end, ...defined({ put }) }];
}

/** A photograph in a document is a whole JPEG file; its segments are emptied, since it must stay as long. */
function withoutSegments({ start, end }: PdfStream, content: Uint8Array, taken: Set<Taken>): Edit[] {
  const segments = segmentsOf(content) ?? [];
  const last = segments.at(-1)?.end ?? content.length;
  const gone = segments.filter(
    (segment) => !isShown(content, segment) && hasContent(content.subarray(segment.start + 4, segment.end)),
  );
  for (const segment of gone) told(content, segment, taken);
  const behind = content.subarray(last).some((byte) => !/\s|\0/.test(String.fromCharCode(byte)));
  if (behind) taken.add("data behind the end");
  return [
    ...gone.map((segment) => ({ start: start + segment.start + 4, end: start + segment.end })),
    ...(behind ? [{ start: start + last, end }] : []),
  ];
}
