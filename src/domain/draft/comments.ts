import { defined } from "@psn/core/types/defined.ts";
import { fenceAfter, type Line } from "./parts.ts";

/*
 * HTML comments are notes to oneself: they are taken out of a body, with the line breaks and blanks that stood there
 * for them. What is in code stays (CommonMark 0.31.2: HTML comments, code spans, fenced code blocks). `[//]: # (…)` is
 * how Markdown writes one.
 */

const LINK_COMMENT = /^ {0,3}\[(?:\/\/|comment)\]:\s*(?:#|<>)\s*(?:\(.*\)|".*"|'.*')?\s*$/i;

const TOKEN = /`+|\\[!-/:-@[-`{-~]|<!--(?:-?>)?|[^`\\<]+|./suy;
const RUN = /`+/g;

interface Uncommented {
  readonly lines: readonly Line[];
  readonly comments: number;
  /** The line in which a comment begins that does not end. */
  readonly unclosed?: number;
}

/** Linear in the text's length, whatever is in it. */
export function withoutComments(lines: readonly string[]): Uncommented {
  const kept: Line[] = [];
  let comments = 0;
  let fence: string | undefined;
  /** In a comment: where it begins. */
  let began: number | undefined;
  /** In a code span: how many backquotes end it. */
  let code = 0;
  let skipsBlank = false;
  const ends = spanEnds(lines);

  for (const [i, line] of lines.entries()) {
    const isFree = began === undefined && code === 0;
    if (isFree && (fence !== undefined || fenceAfter(line, undefined) !== undefined)) {
      fence = fenceAfter(line, fence);
      kept.push({ text: line, line: i });
      continue;
    }
    let text = "";
    let touched = false;
    if (isFree && LINK_COMMENT.test(line)) {
      comments += 1;
      touched = true;
    } else {
      for (let at = 0; at < line.length; ) {
        if (began !== undefined) {
          touched = true;
          const end = line.indexOf("-->", at);
          at = end < 0 ? line.length : end + 3;
          if (end >= 0) began = undefined;
          if (end >= 0 && /^(?:.*\s)?$/s.test(text)) at += /^[^\S\n]*/.exec(line.slice(at))?.[0].length ?? 0;
          continue;
        }
        TOKEN.lastIndex = at;
        const [sign = ""] = TOKEN.exec(line) ?? [];
        if (sign.startsWith("<!--") && code === 0) {
          comments += 1;
          touched = true;
          // `<!-->` and `<!--->` are whole comments.
          if (sign === "<!--") began = i;
          at += sign.length;
          continue;
        }
        if (sign.startsWith("`")) {
          if (code === sign.length) code = 0;
          else if (code === 0 && ends(i, at + sign.length, sign.length)) code = sign.length;
        }
        // A backslash means nothing within code.
        const taken = code > 0 && sign.startsWith("\\") ? "\\" : sign;
        text += taken;
        at += taken.length;
      }
      touched ||= began !== undefined;
    }
    const isBlank = (touched ? text : line).trim() === "";
    if (touched && isBlank) skipsBlank ||= (kept.at(-1)?.text ?? "").trim() === "";
    else if (skipsBlank && isBlank) skipsBlank = false;
    else {
      skipsBlank = false;
      kept.push({ text: touched ? text.trimEnd() : line, line: i });
    }
  }
  return { lines: kept, comments, ...defined({ unclosed: began }) };
}

/** Whether a code span that begins with so many backquotes has its end, in its paragraph. */
function spanEnds(lines: readonly string[]): (line: number, at: number, length: number) => boolean {
  /** By a number of backquotes: the line up to which none of that length is left. */
  const none = new Map<number, number>();
  return (line, at, length) => {
    if ((none.get(length) ?? -1) >= line) return false;
    let i = line;
    for (let text = lines[i]; text !== undefined; text = lines[i]) {
      const isOver =
        i > line && (text.trim() === "" || text.trimEnd() === "---" || fenceAfter(text, undefined) !== undefined);
      if (isOver) break;
      RUN.lastIndex = i === line ? at : 0;
      for (let run = RUN.exec(text); run; run = RUN.exec(text)) if (run[0].length === length) return true;
      i += 1;
    }
    none.set(length, i - 1);
    return false;
  };
}
