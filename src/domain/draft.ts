import { PsnError } from "@psn/core/errors.ts";
import type { Format } from "@psn/core/types/content.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import { cleaned } from "./clean.ts";
import { withoutComments } from "./draft/comments.ts";
import { type FrontMedia, readFront } from "./draft/front.ts";
import { cutFront } from "./draft/front-kinds.ts";
import { splitBody } from "./draft/parts.ts";

/*
 * From a file to what the author meant by it: the front matter, the parts between `---` lines, and no HTML comments.
 * What else a text in Markdown means is read in domain/markdown.
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

/** By platform id, then by name. */
export type Options = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type DraftParts = readonly [DraftPart, ...DraftPart[]];

export interface Draft {
  /** Absent: plain text, whose signs go out as they were typed. */
  readonly format?: Format;
  /** One part, or the parts of a thread in order; media go with the first part, or with the one they name. */
  readonly parts: DraftParts;
  /**
   * Other parts for one platform, by platform id; they carry the same media, on their last part where they have fewer.
   */
  readonly overrides: Readonly<Record<string, DraftParts>>;
  /** What only one platform knows, by platform id and by the names its adapter gives. */
  readonly options: Options;
  /** Names of accounts or platforms, as `--to` takes them. */
  readonly to?: readonly string[];
  /** As `--at` takes it. */
  readonly at?: string;
  readonly tz?: string;
  readonly visibility?: Visibility;
  /** BCP 47. */
  readonly language?: string;
  readonly title?: string;
  readonly contentWarning?: string;
  /** Split what is too long into a thread. */
  readonly split: boolean;
  readonly numbered: boolean;
  /** How many HTML comments were left out, where there were any. */
  readonly comments?: number;
  /** Position, serial numbers, names and comments stay in the media. */
  readonly keepMetadata?: boolean;
}

/**
 * The text in these bytes, without a byte order mark, its lines ended by LF alone.
 *
 * @param name what to call the source in a message.
 * @throws PsnError DRAFT_INVALID when they are not UTF-8, or hold a NUL, as no text does.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const is = /^(?:fffe|feff)/.test(bytes.subarray(0, 2).toHex()) ? ", but in UTF-16" : "";
    throw invalid(`${name} is not text in UTF-8${is}`, "save it as UTF-8; media go with --media", cause);
  }
  if (text.includes("\0")) throw invalid(`${name} is not text`, "media go with --media");
  return lf(text.replace(/^\ufeff+/, ""));
}

/** A text as it comes, plain and in one part: `---` means nothing in it. It may be empty, for a post of media alone. */
export function plainDraft(text: string): Draft {
  return { parts: [{ text: trimmed(text), media: [] }], overrides: {}, options: {}, split: false, numbered: false };
}

export interface FileRules {
  /**
   * Ids under which `platforms:` may say something else: `bluesky: { text: … }` or `bluesky: { parts: [ … ] }`, and
   * what only they know: `x: { options: { reply: following } }`.
   */
  readonly platforms: readonly string[];
  /** What the text is where its front matter does not say. */
  readonly format: Format;
}

/**
 * A text file: front matter in YAML between two `---` lines, then the parts with `---` lines between them. A `---`
 * in fenced code separates nothing.
 *
 * @param file what to call the file in a message.
 * @throws PsnError DRAFT_INVALID with the file and the line: nothing to post, an empty part, a comment without an end,
 * front matter of another kind or in another place, that is no YAML, that says it is a draft, that has a key psn does
 * not know, or a value that is not of its key's form.
 */
export function parseDraft(text: string, file: string, { platforms, format: usual }: FileRules): Draft {
  const { front, body, bodyLine } = cutFront(lf(text).split("\n"), file);
  const said = readFront(front, file, platforms);
  const {
    media = [],
    platforms: others = {},
    split = false,
    numbered = false,
    draft: _draft,
    published: _published,
    parts: given,
    verbatim = false,
    format = usual,
    ...rest
  } = said;
  const below = bodyOf(body, (line) => `${file}:${bodyLine + line}`, { splits: true, verbatim });
  if (given && below.parts.some((part) => part.text !== ""))
    throw invalid(`${file}: the text stands in parts: and below the front matter`, "leave one of them out");
  const main = given
    ? { parts: given.map((one) => ({ text: trimmed(one), at: `${file}: parts` })), comments: 0 }
    : below;
  let { comments } = main;
  const raw = main.parts;
  const late = media.findIndex(({ part }) => part > raw.length);
  if (late >= 0) {
    throw invalid(
      `${file}: media.${late} is for part ${media[late]?.part}, but there are ${raw.length}`,
      "parts count from 1, --- between them",
    );
  }
  if (media.length === 0 && raw.every((part) => part.text === "")) {
    const but = main.comments > 0 ? " but comments" : "";
    throw invalid(`${file}: there is nothing to post${but}`, "write the text below the front matter");
  }
  const options = Object.entries(others).flatMap(([id, own]) => (own.options ? [[id, own.options] as const] : []));
  const overrides = Object.entries(others).flatMap(([id, own]) => {
    if (own.parts === undefined && own.text === undefined) return [];
    const at = () => `${file}: platforms.${id}`;
    // Each of `parts` is one part, whatever lines are in it.
    const bodies = own.parts?.map((one) => bodyOf(lf(one).split("\n"), at, { splits: false, verbatim })) ?? [
      bodyOf(lf(own.text ?? "").split("\n"), at, { splits: true, verbatim }),
    ];
    for (const one of bodies) comments += one.comments;
    const texts = bodies.flatMap(({ parts }) => parts);
    return [[id, partsOf(texts, media)] as const];
  });
  return {
    parts: partsOf(raw, media),
    overrides: Object.fromEntries(overrides),
    options: Object.fromEntries(options),
    split,
    numbered,
    ...defined({ format: format === "plain" ? undefined : format }),
    ...defined({ comments: comments > 0 ? comments : undefined }),
    ...rest,
  };
}

interface BodyRules {
  readonly splits: boolean;
  /** Comments stay. */
  readonly verbatim: boolean;
}

/** The parts in these lines, without comments. `at` tells where a line is, counted from 0. */
function bodyOf(lines: readonly string[], at: (line: number) => string, { splits, verbatim }: BodyRules) {
  const whole = { lines: lines.map((text, line) => ({ text, line })), comments: 0, unclosed: undefined };
  const { lines: kept, comments, unclosed } = verbatim ? whole : withoutComments(lines);
  if (unclosed !== undefined)
    throw invalid(
      `${at(unclosed)}: the HTML comment that begins here does not end`,
      "end it with -->; what is meant as text stands in `code`",
    );
  const parts = splits ? splitBody(kept) : [{ text: kept.map(({ text }) => text).join("\n"), line: 0 }];
  return { parts: parts.map(({ text, line }) => ({ text: trimmed(text), at: at(line) })), comments };
}

function partsOf(
  raw: readonly { readonly text: string; readonly at: string }[],
  media: readonly FrontMedia[],
): DraftParts {
  const parts = raw.map(({ text, at }, i): DraftPart => {
    const own = media.filter(({ part }) => Math.min(part, raw.length) === i + 1).map(({ part: _part, ...one }) => one);
    if (text === "" && own.length === 0)
      throw invalid(`${at}: this part of the thread is empty`, "remove one of the --- lines around it");
    return { text, media: own };
  });
  const [first = { text: "", media: [] }, ...others] = parts;
  return [first, ...others];
}

/** Clean, and without the empty lines before the text and all blanks after it. */
function trimmed(text: string): string {
  return cleaned(text)
    .replace(/^(?:[^\S\n]*\n)+/, "")
    .trimEnd();
}

const lf = (text: string) => text.replaceAll(/\r\n?/g, "\n");

function invalid(message: string, hint: string, cause?: unknown): PsnError {
  return new PsnError("DRAFT_INVALID", message, { hint, cause });
}
