export interface RawPart {
  readonly text: string;
  /** Its first line, counted from 0 in the body. */
  readonly line: number;
}

/** Up to three spaces, then at least three of one sign (CommonMark 0.31.2, fenced code blocks). */
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;

/** The body cut at its `---` lines, but for those in fenced code. */
export function splitBody(lines: readonly string[]): readonly [RawPart, ...RawPart[]] {
  const parts: { lines: string[]; line: number }[] = [];
  let current: { lines: string[]; line: number } = { lines: [], line: 0 };
  let fence: string | undefined;
  for (const [i, line] of lines.entries()) {
    if (fence === undefined && line.trimEnd() === "---") {
      parts.push(current);
      current = { lines: [], line: i + 1 };
      continue;
    }
    fence = fenceAfter(line, fence);
    current.lines.push(line);
  }
  const [first, ...others] = [...parts, current].map((part) => ({ text: part.lines.join("\n"), line: part.line }));
  return [first ?? { text: "", line: 0 }, ...others];
}

/** The sign that ends the code block we are in after this line; undefined outside of one. */
function fenceAfter(line: string, open: string | undefined): string | undefined {
  const [, sign, rest = ""] = FENCE.exec(line) ?? [];
  if (sign === undefined) return open;
  // A line of backquotes with another one behind them is code in a line of text.
  if (open === undefined) return sign.startsWith("`") && rest.includes("`") ? undefined : sign;
  return sign.startsWith(open) && rest.trim() === "" ? undefined : open;
}
