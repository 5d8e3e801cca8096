import { PsnError } from "@psn/core/errors.ts";
import { cleaned } from "@psn/domain/clean.ts";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import { z } from "zod";
import * as fields from "./fields.ts";
import { isKnownKey, keyHint } from "./keys.ts";

/*
 * Front matter: YAML to what it says, or to the one thing that is wrong with it, with its line.
 */

/**
 * Three times the longest text a platform takes, in UTF-16 units: what is longer is no front matter, and takes seconds
 * to read.
 */
const MOST_LETTERS = 300_000;
/** Thirty times as many as a long front matter has; data of this size are in the wrong file. */
const MOST_KEYS = 1_000;

const MEDIUM = "a path, or { file: path, alt: what is to be seen, part: 2 }";
const PART = "must be the number of a part, from 1";
const yes = z.boolean({ error: "must be true or false" });
const loose = z.preprocess((value) => fields.truth(value) ?? value, yes).exactOptional();
const medium = z.preprocess(
  (value) => (typeof value === "string" || value === null ? { file: value } : value),
  z.strictObject(
    {
      file: fields.mediaFile,
      alt: fields.alt.exactOptional(),
      part: z.int({ error: PART }).min(1, { error: PART }).default(1),
    },
    { error: `must be ${MEDIUM}` },
  ),
);
const OTHER = "{ text: … } or { parts: [ …, … ] }, and { options: { name: value } }";
const TEXTS = { error: "must be a list of texts" };
const other = z
  .strictObject(
    {
      text: fields.bodyText.exactOptional(),
      parts: z.array(fields.bodyText, TEXTS).min(1, TEXTS).exactOptional(),
      options: z
        .record(z.string(), z.coerce.string().pipe(fields.option), { error: "must be names with values" })
        .exactOptional(),
    },
    { error: `must be ${OTHER}` },
  )
  .refine(
    ({ text, parts, options }) =>
      (text === undefined || parts === undefined) && (text ?? parts ?? options) !== undefined,
    {
      error: `must be ${OTHER}`,
    },
  );

/** What front matter may say. */
const FRONT = z.strictObject({
  to: fields.accounts.exactOptional(),
  at: fields.when.exactOptional(),
  tz: fields.zone.exactOptional(),
  media: z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(medium)).exactOptional(),
  visibility: fields.visibility.exactOptional(),
  language: fields.language.exactOptional(),
  title: fields.title.exactOptional(),
  contentWarning: fields.contentWarning.exactOptional(),
  format: fields.format.exactOptional(),
  split: yes.exactOptional(),
  keepMetadata: yes.exactOptional(),
  numbered: yes.exactOptional(),
  draft: loose,
  published: loose,
  platforms: z
    .record(z.string(), other, { error: "must be platforms with what they get: bluesky: { text: … }" })
    .exactOptional(),
  parts: z.array(z.string(TEXTS).overwrite(cleaned), TEXTS).min(1, TEXTS).exactOptional(),
  verbatim: yes.exactOptional(),
});
export type Front = z.output<typeof FRONT>;
export type FrontMedia = z.output<typeof medium>;
const ALL_KEYS: readonly string[] = Object.keys(FRONT.shape);
/** Written by `psn edit` for posts that plain Markdown cannot hold; no text is taken for front matter by them. */
const EDIT_KEYS: readonly string[] = ["parts", "verbatim"];
export const FRONT_KEYS: readonly string[] = ALL_KEYS.filter((key) => !EDIT_KEYS.includes(key));

/**
 * @param yaml what stands between the two `---` lines; the first of its lines is line 2 of the file.
 * @throws PsnError DRAFT_INVALID with the line: it is no YAML, or too large; it says that this is not to be published;
 * it has a key twice, one psn does not know, or a value that is not of its key's form.
 */
export function readFront(yaml: string, file: string, platforms: readonly string[]): Front {
  if (yaml.length > MOST_LETTERS)
    throw invalid(
      `${file}:1: the front matter has more than ${MOST_LETTERS} characters`,
      "write the text below the front matter",
    );
  const counter = new LineCounter();
  // With `uniqueKeys` yaml compares every key with all others: 20,000 keys took ten seconds.
  const document = parseDocument(yaml, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const lineOf = (offset = 0) => counter.linePos(offset).line + 1;
  const at = (offset?: number) => `${file}:${lineOf(offset)}`;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem)
    throw invalid(
      `${at(problem.pos[0])}: the front matter is not valid YAML: ${problem.message}`,
      yamlHint(problem.code),
    );
  refuseRepeats(document, file, lineOf);
  if (document.contents === null) return {};
  if (!isMap(document.contents))
    throw invalid(`${file}:2: the front matter is not a list of keys and values`, "write it like: to: bluesky");
  refuseUnpublished(document, at);
  const top = keysOf(document.contents, document);
  // "Breaking: …" between two rules.
  const isText = !top.some(({ name }) => isKnownKey(name, FRONT_KEYS));
  const check = (node: unknown, known: readonly string[], more: readonly string[] = []) => {
    const unknown = keysOf(node, document).find(({ name }) => !known.includes(name) && !more.includes(name));
    if (!unknown) return;
    const hint = keyHint(unknown.name, known, platforms);
    throw invalid(
      `${at(unknown.offset)}: psn does not know the key "${unknown.name}"`,
      isText && hint.startsWith("it knows") ? `if it is text, take out the --- above it; ${hint}` : hint,
    );
  };
  check(document.contents, FRONT_KEYS, EDIT_KEYS);
  const media = resolved(document.get("media", true), document);
  for (const one of isSeq(media) ? media.items : [media]) check(one, ["file", "alt", "part"]);
  const others = resolved(document.get("platforms", true), document);
  check(others, platforms);
  for (const { value } of isMap(others) ? others.items : []) check(value, ["text", "parts", "options"]);

  const data = plain(document, file);
  const parsed = FRONT.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).filter((step) => typeof step !== "symbol");
  throw invalid(`${at(offsetOf(path, document))}: ${path.join(".")} ${issue?.message}`, valueHint(path, data));
}

/** A key that stands there twice: YAML has no rule for which one counts. */
function refuseRepeats(document: Document, file: string, lineOf: (offset: number | undefined) => number): void {
  let keys = 0;
  visit(document, {
    Map: (_, map) => {
      const seen = new Map<string, number | undefined>();
      for (const { name, offset } of keysOf(map, document)) {
        keys += 1;
        if (keys > MOST_KEYS)
          throw invalid(
            `${file}:1: the front matter has more than ${MOST_KEYS} keys`,
            `psn knows ${FRONT_KEYS.join(", ")}`,
          );
        if (seen.has(name))
          throw invalid(
            `${file}:${lineOf(offset)}: the key "${name}" is there twice; first in line ${lineOf(seen.get(name))}`,
            name === "to" || name === "media" ? `keep one, with a list: ${name}: [one, two]` : "keep one of them",
          );
        seen.set(name, offset);
      }
    },
  });
}

const DRAFT = new Set(["draft", "isdraft", "wip", "hidden", "private", "unlisted", "archived", "unpublished"]);
const PUBLISHED = new Set(["published", "publish", "ispublished", "dgpublish"]);
const STATE = new Set(["status", "state", "poststatus"]);
const OUT = new Set(["published", "publish", "public", "live", "final", "done", "ready"]);

/** Whatever says that it is not to be published is believed, in the words of any generator. */
function refuseUnpublished(document: Document, at: (offset: number | undefined) => string): void {
  for (const { name, offset, value } of keysOf(document.contents, document)) {
    const key = name.toLowerCase().replaceAll(/[\s_-]/g, "");
    const said = isScalar(value) ? value.value : undefined;
    const word = String(said).trim().toLowerCase();
    const isHeld =
      (DRAFT.has(key) && fields.truth(said) === true) ||
      (PUBLISHED.has(key) && fields.truth(said) === false) ||
      (STATE.has(key) && typeof said === "string" && !OUT.has(word));
    if (isHeld)
      throw invalid(
        `${at(offset)}: this is not to be published: the front matter says ${name}: ${word.slice(0, 20)}`,
        "when the post is ready, remove that line",
      );
  }
}

function keysOf(node: unknown, document: Document) {
  const map = resolved(node, document);
  if (!isMap(map)) return [];
  return map.items.filter(isPair).map(({ key, value }) => ({
    name: isScalar(key) ? String(key.value) : "",
    offset: isNode(key) ? key.range?.[0] : undefined,
    value: resolved(value, document),
  }));
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
    throw invalid(
      `${file}:2: the front matter refers to itself without end`,
      "write the values out instead of *names",
      cause,
    );
  }
}

function yamlHint(code: string): string {
  if (code === "TAB_AS_INDENT") return "indent with spaces: YAML does not allow tabs";
  if (code === "MULTILINE_IMPLICIT_KEY" || code === "MISSING_CHAR")
    return "write a value after every key, and close every quote and bracket";
  return "quote texts that hold : or #";
}

/** What helps, by what stands there. */
function valueHint(path: readonly (string | number)[], data: unknown): string {
  let value = data;
  let key = "";
  for (const step of path) {
    if (!isRecord(value)) break;
    // One medium may stand there without a list.
    if (typeof step === "string" || Array.isArray(value)) value = value[step];
    if (typeof step === "string") key = step;
  }
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0))
    return `write a value after ${key}:, or remove the line`;
  if (key === "split" || key === "keepMetadata" || key === "numbered" || key === "draft" || key === "published")
    return "write true or false, without quotes";
  if (fields.isAddress(value)) return "download the file and write its path; or write the address in the text";
  if (Array.isArray(value)) return `write one value: ${key}: …`;
  if (["number", "boolean", "bigint"].includes(typeof value)) return `put it in quotes: ${key}: "${String(value)}"`;
  return "correct the value and try again";
}

const isRecord = (value: unknown): value is Readonly<Record<string | number, unknown>> =>
  typeof value === "object" && value !== null;

function invalid(message: string, hint: string, cause?: unknown): PsnError {
  return new PsnError("DRAFT_INVALID", message, { hint, cause });
}
