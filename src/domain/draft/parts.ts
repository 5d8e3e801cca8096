/** A line of a body. */
export interface Line {
  readonly text: string;
  /** Counted from 0 in the body as it is written. */
  readonly line: number;
}

export interface RawPart {
  readonly text: string;
  /** Its first line, counted from 0 in the body. */
  readonly line: number;
}

/** Up to three spaces, then at least three of one sign (CommonMark 0.31.2, fenced code blocks). */
const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;

/** The body cut at its `---` lines, but for those in fenced code. */
export function splitBody(lines: readonly Line[]): readonly [RawPart, ...RawPart[]] {
  const parts: { lines: string[]; line: number }[] = [];
  let current: { lines: string[]; line: number } = { lines: [], line: 0 };
  let fence: string | undefined;
  for (const { text, line } of lines) {
    if (fence === undefined && text.trimEnd() === "---") {
      parts.push(current);
      current = { lines: [], line: line + 1 };
      continue;
    }
    fence = fenceAfter(text, fence);
    current.lines.push(text);
  }
  const [first, ...others] = [...parts, current].map((part) => ({ text: part.lines.join("\n"), line: part.line }));
  return [first ?? { text: "", line: 0 }, ...others];
}

/** The sign that ends the code block we are in after this line; undefined outside of one. */
export function fenceAfter(line: string, open: string | undefined): string | undefined {
  const [, sign, rest = ""] = FENCE.exec(line) ?? [];
  if (sign === undefined) return open;
  // A line of backquotes with another one behind them is code in a line of text.
  if (open === undefined) return sign.startsWith("`") && rest.includes("`") ? undefined : sign;
  return sign.startsWith(open) && rest.trim() === "" ? undefined : open;
}
