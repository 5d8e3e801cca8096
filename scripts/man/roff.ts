/*
 * roff, as man(7) has it (https://man7.org/linux/man-pages/man7/groff_man.7.html, 2026-11).
 */

/** How long a line of a source is, in bytes; mandoc's lint complains of more than 80. */
const LINE = 78;

const SIGNS: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  '"': "\\(dq",
};

/** Words as they are: nothing in them steers roff. */
export function escaped(words: string): string {
  const plain = words.replaceAll(/[\\\-'`^~"]/g, (sign) => SIGNS[sign] ?? sign);
  const ascii = plain.replaceAll(/[^\0-\x7f]/gu, (sign) => `\\[u${hex(sign)}]`);
  return ascii.startsWith(".") ? `\\&${ascii}` : ascii;
}

const hex = (sign: string): string => (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

export const bold = (words: string): string => `\\fB${escaped(words)}\\fR`;
export const italic = (words: string): string => `\\fI${escaped(words)}\\fR`;

/** A request with its arguments. */
export const macro = (name: string, ...words: readonly string[]): string =>
  [name, ...words.map((word) => `"${escaped(word)}"`)].join(" ");

/** A paragraph's lines. */
export function text(words: string): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(/\s+/).map(escaped)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A term, and indented below what is said of it. */
export const tagged = (term: string, words: string): readonly string[] => [".TP", term, ...text(words)];
