import { PsnError } from "@psn/core/errors.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import { readFrontMatter } from "./draft/front-matter.ts";
import { splitBody } from "./draft/parts.ts";

/*
 * From a file to what the author meant by it. The text is plain text: Markdown's signs go out as they were typed, and only `---`
 * between parts and the front matter mean something to psn.
 */

/** A media file the draft names; the path is as written, to be read from the draft's folder. */
export interface DraftMedia {
  readonly file: string;
  readonly alt?: string;
}

export interface DraftPart {
  readonly text: string;
  readonly media: readonly DraftMedia[];
}

export interface Draft {
  /** One part, or the parts of a thread in order; the front matter's media go with the first. */
  readonly parts: readonly [DraftPart, ...DraftPart[]];
  /** Other parts for one platform, by platform id; they carry the same media. */
  readonly overrides: Readonly<Record<string, readonly [DraftPart, ...DraftPart[]]>>;
  /** Names of accounts or platforms, as `--to` takes them. */
  readonly to?: readonly string[];
  /** As `--at` takes it. */
  readonly at?: string;
  readonly tz?: string;
  readonly visibility?: Visibility;
  readonly language?: string;
  readonly title?: string;
  readonly contentWarning?: string;
  /** `thread: true`: split what is too long. */
  readonly split: boolean;
  readonly numbered: boolean;
}

/**
 * The text in these bytes, without a byte order mark.
 *
 * @param name what to call the source in a message.
 * @throws PsnError POST_INVALID when they are not UTF-8, or hold a NUL, as no text does.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new PsnError("POST_INVALID", `${name} is not text in UTF-8`, { cause, hint: "save it as UTF-8; media go with --media" });
  }
  if (text.includes("\0")) throw new PsnError("POST_INVALID", `${name} is not text`, { hint: "media go with --media" });
  return text;
}

/** A text as it comes, one part: `---` means nothing in it. */
export function plainDraft(text: string): Draft {
  return { parts: [{ text: trimmed(text), media: [] }], overrides: {}, split: false, numbered: false };
}

/**
 * A Markdown file: front matter in YAML between two `---` lines, then the parts with `---` lines between them. A `---` in fenced code
 * separates nothing.
 *
 * @param file what to call the file in a message.
 * @param platforms ids under which the front matter may say something else for one platform: `bluesky: { text: … }`.
 * @throws PsnError POST_INVALID with the file and the line.
 */
export function parseDraft(text: string, file: string, platforms: readonly string[]): Draft {
  const lines = text.replaceAll(/\r\n?/g, "\n").split("\n");
  const { front, body, bodyLine } = cut(lines, file);
  const { media, overrides, thread = false, numbered = false, ...rest } = readFrontMatter(front, file, platforms);
  const parts = partsOf(body, file, bodyLine, media);
  const others = Object.entries(overrides).map(([id, own]) => [id, partsOf(own.split("\n"), `${file} (${id})`, 1, media)] as const);
  return { parts, overrides: Object.fromEntries(others), split: thread, numbered, ...rest };
}

function cut(lines: readonly string[], file: string) {
  const [first = "", ...rest] = lines;
  if (first.trimEnd() !== "---") return { front: "", body: lines, bodyLine: 1 };
  const end = rest.findIndex((line) => line.trimEnd() === "---");
  if (end < 0) {
    throw new PsnError("POST_INVALID", `${file}:1: the front matter that begins here does not end`, {
      hint: "end it with a line of three dashes: ---",
    });
  }
  return { front: rest.slice(0, end).join("\n"), body: rest.slice(end + 1), bodyLine: end + 3 };
}

function partsOf(
  lines: readonly string[],
  file: string,
  firstLine: number,
  media: readonly DraftMedia[],
): readonly [DraftPart, ...DraftPart[]] {
  const [first, ...others] = splitBody(lines);
  const part = (text: string, own: readonly DraftMedia[]): DraftPart => ({ text: trimmed(text), media: own });
  for (const { text, line } of others.length === 0 ? [] : [first, ...others]) {
    const isFirstWithMedia = line === first.line && media.length > 0;
    if (trimmed(text) === "" && !isFirstWithMedia) {
      throw new PsnError("POST_INVALID", `${file}:${firstLine + line}: there is nothing in this part of the thread`, {
        hint: "take out one of the --- lines around it",
      });
    }
  }
  return [part(first.text, media), ...others.map(({ text }) => part(text, []))];
}

/** Without the empty lines before the text and all blanks after it. */
function trimmed(text: string): string {
  return text.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();
}
