/*
 * The one way for what an author wrote into a post: no control characters. Nobody sees them, XML and HTML forbid them,
 * networks refuse or drop them, and a terminal obeys them. They come from coloured output, from word processors and
 * from damaged files.
 */

/**
 * What a terminal eats: a colour or another control sequence, and a command with its text, such as a window's title
 * (ECMA-48, 5.4, 5.6).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are taken out
const SEQUENCE = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)/g;
/**
 * Line ends of Windows and old Macs, of word processors (VT, FF), and NEL (Unicode 17, section 5.8). U+2028 and U+2029
 * are no controls.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are taken out
const LINE_END = /\r\n|[\r\u000b\u000c\u0085]/g;
/** C0 without tab and line feed, DEL, C1, and what Unicode promises never to be a character. */
const CONTROL = /[[\p{Cc}\p{Noncharacter_Code_Point}]--[\t\n]]/gv;

/**
 * The text as it goes out: line ends are LF, control characters and noncharacters are gone, half a surrogate pair is
 * U+FFFD.
 */
export function cleaned(text: string): string {
  return text.replaceAll(SEQUENCE, "").replaceAll(LINE_END, "\n").replaceAll(CONTROL, "").toWellFormed();
}

/** The same on one line, without blanks at its ends: a title. */
export function cleanedLine(text: string): string {
  return cleaned(text)
    .replaceAll(/\s*[\n\u2028\u2029]\s*/g, " ")
    .trim();
}
