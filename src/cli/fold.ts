/*
 * Texts that are too long for a line and must not be cut: they go on in the next line, broken between words.
 */

/** Columns between two cells. */
const GAP = 2;
/** Fewer columns than this are not worth a column of their own. */
const LEAST = 20;

/** The lines of a text, none wider than `columns`; a longer word is broken. */
export function fold(text: string, columns: number): readonly string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    const joined = last === "" ? word : `${last} ${word}`;
    if (Bun.stringWidth(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(...broken(word, columns));
  }
  return lines.length > 1 && lines[0] === "" ? lines.slice(1) : lines;
}

function broken(word: string, columns: number): readonly string[] {
  if (Bun.stringWidth(word) <= columns) return [word];
  const pieces: string[] = [""];
  for (const { segment } of new Intl.Segmenter().segment(word)) {
    const longer = (pieces.at(-1) ?? "") + segment;
    if (Bun.stringWidth(longer) <= columns) pieces[pieces.length - 1] = longer;
    else pieces.push(segment);
  }
  return pieces;
}

/** Terms, and beside each what is said of it, within the screen; a term keeps its spaces. */
export function pairs(
  rows: readonly (readonly [string, string])[],
  screen = Number.POSITIVE_INFINITY,
): readonly string[] {
  const widest = Math.max(0, ...rows.map(([term]) => Bun.stringWidth(term))) + GAP;
  const room = screen - widest;
  return rows.flatMap(([term, said]) => {
    if (room < LEAST) return [term, ...fold(said, screen - 2 * GAP).map((line) => " ".repeat(2 * GAP) + line)];
    const lines = fold(said, room);
    return lines.map((line, at) => `${at === 0 ? padded(term, widest) : " ".repeat(widest)}${line}`.trimEnd());
  });
}

const padded = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
