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

/** Every object that is not within an object stream; of one that was changed, all its revisions. */
export function objectsIn(text: string): readonly PdfObject[] {
  return [...text.matchAll(/(?<!\d)(\d{1,10})\s+\d{1,5}\s+obj\b/g)].map(({ 0: head, 1: number, index }) => {
    const start = index + head.length;
    const end = text.indexOf("endobj", start);
    return { number: Number(number), start, end: end < 0 ? text.length : end };
  });
}

/** Where the dictionary that begins here ends, behind its `>>`; undefined where none begins, or where it does not end. */
export function dictionaryEnd(text: string, start: number): number | undefined {
  if (!text.startsWith("<<", start)) return undefined;
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const sign = text[at];
    if (sign === "(") at = stringEnd(text, at);
    else if (sign === "%") at = lineEnd(text, at);
    else if (text.startsWith("<<", at) || text.startsWith(">>", at)) {
      depth += sign === "<" ? 1 : -1;
      at += 2;
      if (depth === 0) return at;
    } else at += 1;
  }
  return undefined;
}

/** Brackets nest in a string, unless a backslash stands before them (7.3.4.2). */
function stringEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += text[at] === "\\" ? 2 : 1) {
    if (text[at] === "(") depth += 1;
    if (text[at] === ")") depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function lineEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) if (text[at] === "\r" || text[at] === "\n") return at;
  return text.length;
}

/** The first sign of an object that is no white space. */
export function contentStart(text: string, { start, end }: Pick<PdfObject, "start" | "end">): number {
  let at = start;
  while (at < end && /\s|\0/.test(text[at] ?? "")) at += 1;
  return at;
}

/** The stream that an object is; undefined for every other object. */
export function streamOf(text: string, object: PdfObject): PdfStream | undefined {
  const from = contentStart(text, object);
  const to = dictionaryEnd(text, from);
  if (to === undefined) return undefined;
  const opening = /\s*stream(\r\n|\n|\r)/y;
  opening.lastIndex = to;
  const opened = opening.exec(text);
  if (!opened) return undefined;
  const dictionary = text.slice(from, to);
  const start = to + opened[0].length;
  const said = /\/Length\s+(\d+)(?!\s*\d*\s+\d+\s+R)/.exec(dictionary)?.[1];
  const end = said === undefined ? -1 : start + Number(said);
  if (end >= start && /^\s{0,2}endstream/.test(text.slice(end, end + 12))) return { dictionary, start, end };
  const found = text.indexOf("endstream", start);
  if (found < 0) return undefined;
  // The line break before the word is not the stream's (7.3.8.1).
  return {
    dictionary,
    start,
    end: found - (/\r\n$/.test(text.slice(start, found).slice(-2)) ? 2 : /[\r\n]$/.test(text[found - 1] ?? "") ? 1 : 0),
  };
}
