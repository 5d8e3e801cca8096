import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { type Draft, type DraftMedia, parseDraft } from "@psn/domain/draft.ts";
import { stringify } from "yaml";

/*
 * From a draft back to a Markdown file that means the same. What a file may mean is the parser's business alone: ways
 * to write the draft down are tried, the plainest first, and the first one counts that the parser reads as this draft.
 */

/** What such a file says of a post. Where and when it goes out is not in it. */
export type Written = Pick<
  Draft,
  | "format"
  | "parts"
  | "overrides"
  | "options"
  | "title"
  | "language"
  | "visibility"
  | "contentWarning"
  | "split"
  | "numbered"
>;

export interface WriteOptions {
  /** Ids under which `platforms:` may say something. */
  readonly platforms: readonly string[];
  /** What to say of a file behind its name, in a YAML comment. */
  readonly about?: (medium: DraftMedia) => string | undefined;
  /** Lines of comment above the keys. */
  readonly head?: readonly string[];
}

/** How to write it. */
interface Way {
  /** The parts stand in the front matter. */
  readonly listed: boolean;
  readonly verbatim: boolean;
  readonly quoted: boolean;
  readonly media: readonly (DraftMedia & { readonly part: number })[];
}

/**
 * The Markdown of a draft.
 *
 * @throws PsnError DRAFT_INVALID for a draft that no file can say: an override with other media than the post has.
 */
export function writeDraft(draft: Written, options: WriteOptions): string {
  for (const way of waysOf(draft)) {
    const text = written(draft, options, way);
    if (same(readBack(text, options.platforms), draft)) return text;
  }
  throw new PsnError("DRAFT_INVALID", "this post cannot be written down as Markdown: its platforms have other media", {
    hint: "psn edit ID --file post.md, which replaces all of it",
  });
}

function* waysOf(draft: Written): Generator<Way> {
  for (const quoted of [false, true])
    for (const verbatim of [false, true])
      for (const listed of [false, true])
        for (const media of mediaOrders(draft)) yield { listed, verbatim, quoted, media };
}

/** The list of media has one order, which a platform with fewer parts shows as it is. */
function mediaOrders({ parts, overrides }: Written): readonly Way["media"][] {
  const plain = parts.flatMap(({ media }, n) => media.map((one) => ({ ...one, part: n + 1 })));
  const like = Object.values(overrides).map((own) => {
    const order = own.flatMap(({ media }) => media.map(({ file }) => file));
    return plain.toSorted((a, b) => order.indexOf(a.file) - order.indexOf(b.file));
  });
  return [plain, ...like];
}

function written(draft: Written, { about, head = [] }: WriteOptions, way: Way): string {
  const { parts, overrides, options, split, numbered } = draft;
  const { title, language, visibility, contentWarning } = draft;
  const ids = [...new Set([...Object.keys(overrides), ...Object.keys(options)])].sort();
  const platforms = ids.map((id) => {
    const own = overrides[id]?.map(({ text }) => text);
    const words = own === undefined ? {} : own.length === 1 && !way.quoted ? { text: own[0] } : { parts: own };
    return [id, { ...words, ...defined({ options: options[id] ? options[id] : undefined }) }] as const;
  });
  const front = {
    ...defined({ format: draft.format === "markdown" ? undefined : "plain" }),
    ...defined({ title, language, visibility, contentWarning }),
    split,
    numbered,
    ...defined({
      verbatim: way.verbatim ? true : undefined,
      platforms: platforms.length > 0 ? Object.fromEntries(platforms) : undefined,
      parts: way.listed ? parts.map(({ text }) => text) : undefined,
    }),
  };
  const yaml = (value: unknown) =>
    stringify(value, {
      lineWidth: 0,
      ...defined({ defaultStringType: way.quoted ? ("QUOTE_DOUBLE" as const) : undefined }),
    });
  const files = way.media.map((medium) => {
    const said = about?.(medium);
    const { file, alt, part } = medium;
    const lines = yaml([{ file, ...defined({ alt, part: part === 1 ? undefined : part }) }]);
    return said === undefined ? lines : `# ${said}\n${lines}`;
  });
  const media = files.length === 0 ? "" : `media:\n${files.join("").replaceAll(/^(?=.)/gm, "  ")}`;
  const body = way.listed ? "" : `${parts.map(({ text }) => text).join("\n\n---\n\n")}\n`;
  return `---\n${head.map((line) => `# ${line}\n`).join("")}${yaml(front)}${media}---\n${body}`;
}

function readBack(text: string, platforms: readonly string[]): Draft | undefined {
  try {
    return parseDraft(text, "post.md", { platforms, format: "markdown" });
  } catch {
    return undefined;
  }
}

/** Whether a file says this and nothing else. */
function same(found: Draft | undefined, draft: Written): boolean {
  if (found === undefined || found.comments !== undefined) return false;
  return canonical(found) === canonical(draft);
}

/** What a draft says, in one spelling. */
export function canonical(draft: Written): string {
  const { parts, overrides, options, title, language, visibility, contentWarning, split, numbered } = draft;
  const { format = "plain" } = draft;
  const media = ({ file, alt }: DraftMedia) => (alt === undefined || alt === "" ? { file } : { file, alt });
  const clear = (some: Draft["parts"]) => some.map(({ text, media: all }) => ({ text, media: all.map(media) }));
  const sorted = <T>(of: Readonly<Record<string, T>>) =>
    Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return JSON.stringify([
    clear(parts),
    sorted(overrides).map(([id, own]) => [id, clear(own)]),
    sorted(options).flatMap(([id, own]) => (Object.keys(own).length === 0 ? [] : [[id, sorted(own)]])),
    [title ?? null, language ?? null, visibility ?? null, contentWarning ?? null, split, numbered, format],
  ]);
}
