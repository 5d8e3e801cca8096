/*
 * Just enough of PDF's syntax (ISO 32000-2, 7.3) to find its objects in a file read as Latin-1, one letter a byte.
 */

export interface PdfObject {
  readonly number: number;
  /** Behind `obj`, and before `endobj`. */
  readonly start: number;
  readonly end: number;
}

export interface PdfStream {
  readonly dictionary: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Every object that is not within an object stream; of one that was changed, all its revisions. Each is looked through
 * up to the next one at most, so that a file of nothing but beginnings takes no longer than another.
 */
export function objectsIn(text: string): readonly PdfObject[] {
  const heads = [...text.matchAll(/(?<!\d)(\d{1,10})\s{1,20}\d{1,5}\s{1,20}obj\b/g)];
  return heads.map(({ 0: head, 1: number, index }, n) => {
    const start = index + head.length;
    const next = heads[n + 1]?.index ?? text.length;
    const length = text.slice(start, next).indexOf("endobj");
    return { number: Number(number), start, end: length < 0 ? next : start + length };
  });
}

/**
 * Where the dictionary that begins here ends, behind its `>>`; undefined where none begins, or where it does not end
 * before `limit`.
 */
export function dictionaryEnd(text: string, start: number, limit = text.length): number | undefined {
  if (!text.startsWith("<<", start)) return undefined;
  let depth = 0;
  for (let at = start; at < limit; ) {
    const sign = text[at];
    if (sign === "(") at = stringEnd(text, at, limit);
    else if (sign === "%") at = lineEnd(text, at, limit);
    else if (text.startsWith("<<", at) || text.startsWith(">>", at)) {
      depth += sign === "<" ? 1 : -1;
      at += 2;
      if (depth === 0) return at;
    } else at += 1;
  }
  return undefined;
}

/** Brackets nest in a string, unless a backslash stands before them (7.3.4.2). */
function stringEnd(text: string, start: number, limit: number): number {
  let depth = 0;
  for (let at = start; at < limit; at += text[at] === "\\" ? 2 : 1) {
    if (text[at] === "(") depth += 1;
    if (text[at] === ")") depth -= 1;
    if (depth === 0) return at + 1;
  }
  return limit;
}

function lineEnd(text: string, start: number, limit: number): number {
  for (let at = start; at < limit; at += 1) if (text[at] === "\r" || text[at] === "\n") return at;
  return limit;
}

/** The first sign of an object that is no white space. */
export function contentStart(text: string, { start, end }: Pick<PdfObject, "start" | "end">): number {
  let at = start;
  while (at < end && /\s|\0/.test(text[at] ?? "")) at += 1;
  return at;
}

/** Every stream, with the object that it is. */
export function streamsIn(text: string, objects: readonly PdfObject[]): readonly PdfStream[] {
  const streams: PdfStream[] = [];
  // The next end from any place up to it; each part of the file is looked through once.
  let ending = 0;
  for (const object of objects) {
    const from = contentStart(text, object);
    const to = dictionaryEnd(text, from, object.end);
    if (to === undefined) continue;
    const opening = /\s{0,20}stream(\r\n|\n|\r)/y;
    opening.lastIndex = to;
    const opened = opening.exec(text);
    if (!opened) continue;
    const dictionary = text.slice(from, to);
    const start = to + opened[0].length;
    const said = /\/Length\s+(\d+)(?!\s*\d*\s+\d+\s+R)/.exec(dictionary)?.[1];
    const end = said === undefined ? -1 : start + Number(said);
    if (end >= start && /^\s{0,2}endstream/.test(text.slice(end, end + 12))) {
      streams.push({ dictionary, start, end });
      continue;
    }
    if (ending >= 0 && ending < start) ending = text.indexOf("endstream", start);
    if (ending < 0) break;
    // The line break before the word is not the stream's (7.3.8.1).
    const breaks = /(\r\n|\r|\n)?$/.exec(text.slice(Math.max(start, ending - 2), ending))?.[0].length ?? 0;
    streams.push({ dictionary, start, end: ending - breaks });
  }
  return streams;
}
