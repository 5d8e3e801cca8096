/** A comment, or the text of a string or template. */
export type Kind = "comment" | "string";

/** Comments, strings and regular expressions; a template is taken whole and its holes are blanked below. */
const PIECES = new RegExp(
  [
    /(?<comment>\/\*[\s\S]*?\*\/|\/\/[^\n]*)/,
    /(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)/,
    /(?<=[(,=:[!&|?{};\n>]\s*|return )\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

const blank = (text: string) => text.replaceAll(/[^\n]/g, " ");

/** A string without what fills its holes; nothing where it is one word, as a name or a path is. */
const said = (piece: string) => (/\s/.test(piece) ? piece.replaceAll(/\$\{[^{}]*(?:\}|$)/g, blank) : blank(piece));

/** A page of Markdown without its code: `names`, and what stands between lines of ```. */
export const pageOf = (markdown: string) => markdown.replaceAll(/^```[\s\S]*?^```|`[^`\n]+`/gm, blank);

/**
 * A TypeScript source with everything blanked but its texts of these kinds; lines stay where they are. A template
 * within a hole of another template is not read.
 */
export function proseOf(source: string, kinds: readonly Kind[]): string {
  let prose = "";
  let at = 0;
  for (const { 0: piece, index, groups } of source.matchAll(PIECES)) {
    const kind: Kind | undefined = groups?.["comment"] ? "comment" : groups?.["string"] ? "string" : undefined;
    prose += blank(source.slice(at, index));
    const text = kind === "string" ? said(piece) : piece;
    prose += kind !== undefined && kinds.includes(kind) ? text : blank(piece);
    at = index + piece.length;
  }
  return prose + blank(source.slice(at));
}
