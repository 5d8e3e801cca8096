import { PsnError } from "@psn/core/errors.ts";
import { VISIBILITIES, type Visibility } from "@psn/core/types/index.ts";
import { distance } from "fastest-levenshtein";
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
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

/** By platform id, then by name. */
export type Options = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type DraftParts = readonly [DraftPart, ...DraftPart[]];

export interface Draft {
  /** One part, or the parts of a thread in order; media go with the first part, or with the one they name. */
  readonly parts: DraftParts;
  /** Other parts for one platform, by platform id; they carry the same media, on their last part where they have fewer. */
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
}

/**
 * The text in these bytes, without a byte order mark, its lines ended by LF alone.
 *
 * @param name what to call the source in a message.
 * @throws PsnError POST_INVALID when they are not UTF-8, or hold a NUL, as no text does.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid(`${name} is not text in UTF-8`, "save it as UTF-8; media go with --media", cause);
  }
  if (text.includes("\0")) throw invalid(`${name} is not text`, "media go with --media");
  return lf(text);
}

/** A text as it comes, one part: `---` means nothing in it. It may be empty, for a post of media alone. */
export function plainDraft(text: string): Draft {
  return { parts: [{ text: trimmed(lf(text)), media: [] }], overrides: {}, options: {}, split: false, numbered: false };
}

/**
 * A Markdown file: front matter in YAML between two `---` lines, then the parts with `---` lines between them. A `---` in fenced code
 * separates nothing.
 *
 * @param file what to call the file in a message.
 * @param platforms ids under which `platforms:` may say something else: `bluesky: { text: … }` or `bluesky: { parts: [ … ] }`, and what only they know: `x: { options: { reply: following } }`.
 * @throws PsnError POST_INVALID with the file and the line: nothing to post, an empty part, front matter that is no YAML, that has a
 * key psn does not know, or a value that is not of its key's form.
 */
export function parseDraft(text: string, file: string, platforms: readonly string[]): Draft {
  const { front, body, bodyLine } = cut(lf(text).split("\n"), file);
  const { media = [], platforms: others = {}, split = false, numbered = false, ...rest } = readFront(front, file, platforms);
  const raw = splitBody(body).map((part) => ({ text: trimmed(part.text), at: `${file}:${bodyLine + part.line}` }));
  const late = media.findIndex(({ part }) => part > raw.length);
  if (late >= 0) {
    throw invalid(
      `${file}: media.${late} is for part ${media[late]?.part}, but there are ${raw.length}`,
      "parts count from 1, --- between them",
    );
  }
  if (media.length === 0 && raw.every((part) => part.text === "")) {
    throw invalid(`${file}: there is nothing to post`, "write the text below the front matter");
  }
  const options = Object.entries(others).flatMap(([id, own]) => (own.options ? [[id, own.options] as const] : []));
  const overrides = Object.entries(others).flatMap(([id, own]) => {
    if (own.parts === undefined && own.text === undefined) return [];
    const texts = own.parts ?? splitBody(lf(own.text ?? "").split("\n")).map((part) => part.text);
    return [
      [
        id,
        partsOf(
          texts.map((one) => ({ text: trimmed(lf(one)), at: `${file}: platforms.${id}` })),
          media,
        ),
      ] as const,
    ];
  });
  return {
    parts: partsOf(raw, media),
    overrides: Object.fromEntries(overrides),
    options: Object.fromEntries(options),
    split,
    numbered,
    ...rest,
  };
}

function cut(lines: readonly string[], file: string) {
  const [first = "", ...rest] = lines;
  if (first.trimEnd() !== "---") return { front: "", body: lines, bodyLine: 1 };
  const end = rest.findIndex((line) => line.trimEnd() === "---");
  if (end < 0) throw invalid(`${file}:1: the front matter that begins here does not end`, "end it with a line of three dashes: ---");
  return { front: rest.slice(0, end).join("\n"), body: rest.slice(end + 1), bodyLine: end + 3 };
}

function partsOf(raw: readonly { readonly text: string; readonly at: string }[], media: readonly FrontMedia[]): DraftParts {
  const parts = raw.map(({ text, at }, i): DraftPart => {
    const own = media.filter(({ part }) => Math.min(part, raw.length) === i + 1).map(({ part: _part, ...one }) => one);
    if (text === "" && own.length === 0)
      throw invalid(`${at}: there is nothing in this part of the thread`, "take out one of the --- lines around it");
    return { text, media: own };
  });
  const [first = { text: "", media: [] }, ...others] = parts;
  return [first, ...others];
}

const MEDIUM = "a path, or { file: path, alt: what is to be seen, part: 2 }";
const said = (what: string) => z.string({ error: `must be ${what}` }).regex(/\S/, { error: `must be ${what}` });
const yes = z.boolean({ error: "must be true or false" });
const medium = z.preprocess(
  (value) => (typeof value === "string" ? { file: value } : value),
  z.strictObject(
    {
      file: said("a path"),
      alt: said("a description").exactOptional(),
      part: z.int({ error: "must be the number of a part, from 1" }).min(1, { error: "must be the number of a part, from 1" }).default(1),
    },
    { error: `must be ${MEDIUM}` },
  ),
);
const OTHER = "{ text: … } or { parts: [ …, … ] }, and { options: { name: value } }";
const other = z
  .strictObject(
    {
      text: said("a text").exactOptional(),
      parts: z.array(said("a text"), { error: "must be a list of texts" }).min(1, { error: "must be a list of texts" }).exactOptional(),
      options: z
        .record(z.string(), z.coerce.string().regex(/\S/, { error: "must be a value" }), { error: "must be names with values" })
        .exactOptional(),
    },
    { error: `must be ${OTHER}` },
  )
  .refine(({ text, parts, options }) => (text === undefined || parts === undefined) && (text ?? parts ?? options) !== undefined, {
    error: `must be ${OTHER}`,
  });
const names = { error: "must be a name or a list of names" };

/** What front matter may say. */
const FRONT = z.strictObject({
  to: z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").flatMap((name) => name.trim() || []) : value),
      z.array(said("a name"), names).min(1, names),
    )
    .exactOptional(),
  at: said("a time, such as 2026-12-01 09:00").exactOptional(),
  tz: said("a time zone, such as Europe/Berlin").exactOptional(),
  media: z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(medium)).exactOptional(),
  visibility: z.enum(VISIBILITIES, { error: `must be one of ${VISIBILITIES.join(", ")}` }).exactOptional(),
  language: said("a language, such as en or pt-BR")
    .refine(isLanguage, { error: "must be a language, such as en or pt-BR" })
    .exactOptional(),
  title: said("a text; a number or a date goes in quotes").exactOptional(),
  contentWarning: said("a text; a number or a date goes in quotes").exactOptional(),
  split: yes.exactOptional(),
  numbered: yes.exactOptional(),
  platforms: z.record(z.string(), other, { error: "must be platforms with what they get: bluesky: { text: … }" }).exactOptional(),
});
type Front = z.output<typeof FRONT>;
type FrontMedia = z.output<typeof medium>;

/** Words of other programs for ours. */
const MEANT: Readonly<Record<string, string>> = {
  cw: "contentWarning",
  spoiler: "contentWarning",
  lang: "language",
  zone: "tz",
  timezone: "tz",
  images: "media",
  date: "at",
  thread: "split",
  path: "file",
};

/** @param yaml what stands between the two `---` lines; the first of its lines is line 2 of the file. */
function readFront(yaml: string, file: string, platforms: readonly string[]): Front {
  const counter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: counter, prettyErrors: false });
  const at = (offset = 0) => `${file}:${counter.linePos(offset).line + 1}`;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw invalid(`${at(problem.pos[0])}: the front matter is no YAML: ${problem.message}`, "quote texts that hold : or #");
  if (document.contents === null) return {};
  if (!isMap(document.contents)) throw invalid(`${file}:2: the front matter is no list of keys and values`, "write it like: to: bluesky");
  const check = (node: unknown, known: readonly string[]) => {
    const unknown = keysOf(node, document).find(({ name }) => !known.includes(name));
    if (unknown) {
      throw invalid(`${at(unknown.offset)}: psn does not know the key "${unknown.name}"`, nearHint(unknown.name, known, platforms));
    }
  };
  check(document.contents, Object.keys(FRONT.shape));
  const media = resolved(document.get("media", true), document);
  for (const one of isSeq(media) ? media.items : [media]) check(one, ["file", "alt", "part"]);
  const others = resolved(document.get("platforms", true), document);
  check(others, platforms);
  for (const { value } of isMap(others) ? others.items : []) check(value, ["text", "parts", "options"]);

  const parsed = FRONT.safeParse(plain(document, file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).filter((step) => typeof step !== "symbol");
  throw invalid(`${at(offsetOf(path, document))}: ${path.join(".")} ${issue?.message}`, "put the value right and try again");
}

function keysOf(node: unknown, document: Document): readonly { readonly name: string; readonly offset: number | undefined }[] {
  const map = resolved(node, document);
  if (!isMap(map)) return [];
  return map.items.map(({ key }) => ({ name: isScalar(key) ? String(key.value) : "", offset: isNode(key) ? key.range?.[0] : undefined }));
}

const resolved = (node: unknown, document: Document) => (isAlias(node) ? node.resolve(document) : node);

/** Where this value stands, or the nearest one around it. */
function offsetOf(path: readonly (string | number)[], document: Document): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return undefined;
}

function plain(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw invalid(`${file}:2: the front matter repeats itself without end`, "write the values out instead of *names", cause);
  }
}

function nearHint(name: string, known: readonly string[], platforms: readonly string[]): string {
  const wanted = name.toLowerCase();
  const near = (words: readonly string[]) =>
    words
      .map((word) => ({ word, steps: distance(wanted, word.toLowerCase()) }))
      .toSorted((a, b) => a.steps - b.steps)
      .find(({ word, steps }) => steps <= Math.max(Math.min(2, word.length - 1), Math.floor(word.length / 3)))?.word;
  const meant = MEANT[wanted];
  const word = meant !== undefined && known.includes(meant) ? meant : near(known);
  if (word !== undefined) return `did you mean ${word}?`;
  const platform = known.includes("platforms") ? near(platforms) : undefined;
  return platform === undefined ? `it knows ${known.join(", ")}` : `write it below platforms: platforms: { ${platform}: { text: … } }`;
}

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** Without the empty lines before the text and all blanks after it. */
function trimmed(text: string): string {
  return text.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();
}

const lf = (text: string) => text.replaceAll(/\r\n?/g, "\n");

function invalid(message: string, hint: string, cause?: unknown): PsnError {
  return new PsnError("POST_INVALID", message, { hint, cause });
}
