import { PsnError } from "@psn/core/errors.ts";
import { FRONT_KEYS } from "./front.ts";
import { isKnownKey } from "./keys.ts";

/*
 * Where front matter is, and whether it is psn's kind. The rules, as `psn help files` says them: front matter stands
 * between two lines of three dashes, the first of them line 1, and has at least one line like `key: value`, or none at
 * all. Any other `---` separates parts. What looks like front matter of another kind, or in another place, is refused
 * and never published as text.
 */

export interface Cut {
  /** What stands between the two lines; it begins with line 2 of the file. */
  readonly front: string;
  readonly body: readonly string[];
  /** The body's first line, counted from 1 in the file. */
  readonly bodyLine: number;
}

const DASHES = "---";
const isDashes = (line: string) => line.trimEnd() === DASHES;
/**
 * YAML's own end of a document ends it too, as in Pandoc (https://pandoc.org/MANUAL.html#extension-yaml_metadata_block,
 * 2026-11).
 */
const isEnd = (line: string) => isDashes(line) || line.trimEnd() === "...";
const isBlank = (line: string) => line.trim() === "";

/** `key: value`, `"key": value`, `- key: value`, `key = value`; the key is the first group. `https://` is none. */
const KEY = /^\s*(?:[-?]\s+)?["']?([\p{L}_$][\p{L}\p{N}_.$-]*)["']?\s*(?::(?=\s|$)|=(?=\s|["'[\d]|true|false))/u;
const isKeyLine = (line: string) => KEY.test(line) || /^\s*(?:\?\s|\{)/.test(line);
const isKnownLine = (line: string) => {
  const [, key] = KEY.exec(line) ?? [];
  return key !== undefined && isKnownKey(key, FRONT_KEYS);
};
/** As a line of YAML that belongs to a key: a key, a comment, a list, something indented, or nothing. */
const isYamlLine = (line: string) => isBlank(line) || isKeyLine(line) || /^(?:\s|#|- )/.test(line);

/**
 * @throws PsnError DRAFT_INVALID with the line: front matter that does not end, of another kind, or in another place.
 */
export function cutFront(lines: readonly string[], file: string): Cut {
  const [first = "", ...rest] = lines;
  if (isDashes(first)) {
    const end = rest.findIndex(isEnd);
    const inside = rest.slice(0, end < 0 ? undefined : end);
    const [next = ""] = inside.filter((line) => !isBlank(line));
    if (end < 0 && (isKeyLine(next) || (next.startsWith("#") && inside.some(isKnownLine))))
      throw invalid(
        `${file}:1: the front matter that begins here does not end`,
        "end it with a line of three dashes: ---",
      );
    if (end >= 0 && next === "" && hasFront(rest.slice(end).join("\n")))
      throw elsewhere(file, { what: "behind an empty one", line: end + 2 });
    if (end >= 0 && (inside.some(isKeyLine) || next === ""))
      return { front: inside.join("\n"), body: rest.slice(end + 1), bodyLine: end + 3 };
  }
  const found = otherFront(lines);
  if (found) throw elsewhere(file, found);
  // A rule before the first part separates nothing.
  return isDashes(first) ? { front: "", body: rest, bodyLine: 2 } : { front: "", body: lines, bodyLine: 1 };
}

/**
 * Whether a text that is taken as it is begins with front matter of any kind. A text that is JSON and nothing else is
 * data.
 */
export function hasFront(text: string): boolean {
  if (text.trimStart().startsWith("{") && isJsonAlone(text)) return false;
  const lines = text.split("\n");
  const [first = "", ...rest] = lines;
  const end = rest.findIndex(isEnd);
  return (
    (isDashes(first) && rest.slice(0, end < 0 ? undefined : end).some(isKnownLine)) || otherFront(lines) !== undefined
  );
}

function isJsonAlone(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Found {
  readonly what: string;
  /** Counted from 1. */
  readonly line: number;
}

function otherFront(lines: readonly string[]): Found | undefined {
  const start = afterComments(lines);
  const first = lines[start.line] ?? "";
  const rest = lines.slice(start.line + 1);
  const [next = ""] = rest.filter((line) => !isBlank(line) && !line.trimStart().startsWith("#"));
  const known = isKnownLine(next);
  const what =
    (start.metadata && "in an HTML comment") ||
    (first.trim() === "+++" && /^\s*(?:["'\w.-]+\s*=|\[+[\w."' -]+\]|\+\+\+\s*$)/.test(next) && "in TOML") ||
    (first.trim() === ";;;" && /^\s*(?:\{|;;;\s*$|"?[\w.-]+"?\s*[:=])/.test(next) && "in JSON") ||
    (isJson(first, next) && "in JSON") ||
    (FENCE_WITH_NAME.test(first) && `in ${FENCE_WITH_NAME.exec(first)?.[1]}`) ||
    (/^---\s*#/.test(first) && known && "behind dashes with a comment in their line") ||
    (/^#\+\w+:/.test(first) && "of Org mode") ||
    (/^(?:[-+=*;%_:]{2,}|[–—-]+)$/u.test(first.trim()) &&
    first.trim() !== DASHES &&
    known &&
    rest.some((line) => line.trim() === first.trim())
      ? `between ${first.trim()} lines`
      : "") ||
    (isHeader(lines.slice(start.line)) && "without --- lines");
  if (what) return { what, line: start.metadata ? 1 : start.line + 1 };
  return lateFront(lines);
}

/** As gray-matter and Eleventy take it: the language behind the dashes. */
const FENCE_WITH_NAME =
  /^---\s*(toml|json5?|jsonc|js|javascript|cjs|mjs|ts|typescript|coffee|cson|ya?ml|ini|lua|edn|clj|md)\s*$/i;

/** An object that begins in the first line, with a key psn or a generator knows, as Hugo takes it. */
function isJson(first: string, next: string): boolean {
  const [, key] = /^\{\s*["']?([\w$.-]+)["']?\s*:/.exec(first.trim() === "{" ? `{${next}` : first) ?? [];
  return (
    key !== undefined &&
    isKnownKey(key, FRONT_KEYS) &&
    (first.trim() === "{" || /[{[,"}\]\d]\s*$|(?:true|false|null)\s*$/.test(first))
  );
}

const OWN_KEYS = "to|at|tz|contentWarning";
const GENERATORS_KEYS = "[Dd]raft|[Pp]ublished|[Ss]tatus|[Ss]lug|[Ll]ayout|[Pp]ermalink|[Tt]ags|[Cc]ategor(?:y|ies)";
/** Keys that no letter or review begins with: psn's own, and those of site generators. */
const TELLING = new RegExp(`^(?:${OWN_KEYS}|${GENERATORS_KEYS})$`);

/**
 * Lines of keys psn or a generator knows, then an empty one: Pelican, MultiMarkdown, Logseq, and authors who forgot the
 * dashes.
 */
function isHeader(lines: readonly string[]): boolean {
  const end = lines.findIndex(isBlank);
  const header = lines.slice(0, end < 0 ? undefined : end);
  const keys = header.flatMap((line) => /^([A-Za-z_-]+)::?\s/.exec(`${line} `)?.[1] ?? []);
  const all = keys.length === header.length && keys.every((key) => isKnownKey(key, FRONT_KEYS));
  return all && keys.length >= 2 && keys.some((key) => TELLING.test(key));
}

/** YAML between dashes behind empty lines, comments or a heading, or not in the first column. */
function lateFront(lines: readonly string[]): Found | undefined {
  const start = afterComments(lines).line;
  const open = lines.findIndex((line, i) => i >= start && line.trim() === DASHES);
  const line = lines[open];
  if (line === undefined || (open === 0 && isDashes(line))) return undefined;
  const before = lines.slice(start, open);
  const rest = lines.slice(open + 1);
  const end = rest.findIndex((one) => one.trim() === DASHES || one.trim() === "...");
  const inside = rest.slice(0, end < 0 ? undefined : end);
  const [next = ""] = inside.filter((one) => !isBlank(one));
  const isWhole = end >= 0 && inside.every(isYamlLine) && inside.some(isKnownLine);
  const isFirst = before.every(isBlank) && isKnownLine(next);
  const isHeaded = before.every((one) => isBlank(one) || /^#{1,6}\s/.test(one));
  if (!(isFirst || (isHeaded && isWhole))) return undefined;
  return { what: open === 0 ? "behind blanks" : `that begins in line ${open + 1}`, line: open + 1 };
}

/**
 * The first line that is neither empty nor in a comment, and whether these comments hold keys and nothing else, as
 * Nikola's do.
 */
function afterComments(lines: readonly string[]): { readonly line: number; readonly metadata: boolean } {
  let line = 0;
  let metadata = false;
  for (; line < lines.length; line += 1) {
    if (isBlank(lines[line] ?? "")) continue;
    if (!lines[line]?.trimStart().startsWith("<!--")) break;
    const begin = line;
    while (line < lines.length && !lines[line]?.includes("-->")) line += 1;
    if (line === lines.length) return { line: begin, metadata };
    const inside = lines
      .slice(begin, line + 1)
      .map((one) =>
        one
          .replace(/^\s*<!--/, "")
          .replace(/-->.*$/, "")
          .replace(/^\s*\.\.\s+/, ""),
      )
      .filter((one) => !isBlank(one));
    metadata ||= inside.length >= 2 && inside.every(isKnownLine);
  }
  return { line, metadata };
}

function elsewhere(file: string, { what, line }: Found): PsnError {
  return invalid(
    `${file}:${line}: this looks like front matter ${what}`,
    "psn reads YAML between two --- lines, from the first line on; if it is text: psn post --text",
  );
}

function invalid(message: string, hint: string): PsnError {
  return new PsnError("DRAFT_INVALID", message, { hint });
}
