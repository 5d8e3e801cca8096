import type { Limits, MediaRule, TextRule } from "@psn/core/types/capabilities.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { measure } from "@psn/domain/text.ts";
import { type Piece, piecesOf } from "./text.ts";

/** The first unit is a post, what follows are the author's comments on it. */
export type Body = PostBody | CommentBody;

/**
 * https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api (2026-11), but for what is
 * uploaded.
 */
export type PostBody = {
  readonly kind: "post";
  /** Little text. */
  readonly commentary: string;
  readonly visibility: "PUBLIC" | "CONNECTIONS";
  /** Each file's alt text, in order. */
  readonly alts: readonly (string | null)[];
  /** A document's title. */
  readonly title: string | null;
  /** The link to make a card of. */
  readonly link: string | null;
};

export type CommentBody = { readonly kind: "comment"; readonly text: string };

/**
 * Longest comment, in characters: where the browser's own box ends. The API's pages name no number, neither for a
 * comment nor for a post, and no unit: UTF-16 is the count that is never below any other.
 */
const COMMENT_MAX = 1_250;
/** What a document is called that has no title: LinkedIn wants one. */
const TITLE = "Document";
/**
 * Most pixels of an image (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/images-api,
 * 2026-11).
 */
const PIXELS_MAX = 36_152_320;

/** Pure. Turns a post into units, or says everything that is wrong with it. */
export function compose(post: Post, limits: Limits): Composed<Body> {
  const issues: Issue[] = [...postIssues(post)];
  const comment: TextRule = { ...limits.text, max: Math.min(COMMENT_MAX, limits.text.max) };
  const pieces = piecesOf(
    post.parts.map(({ text }) => text),
    { post: limits.text, comment },
    { split: post.split ?? false, numbered: post.numbered ?? false },
  );
  for (const [index, part] of post.parts.entries()) {
    const place = post.parts.length === 1 ? "" : `part ${index + 1}: `;
    for (const [number, piece] of (pieces[index] ?? []).entries()) {
      const first = index + number === 0;
      issues.push(...pieceIssues(piece, first ? limits.text : comment, { place, first, split: post.split ?? false }));
    }
    const blank = part.text.trim() === "" || pieces[index]?.every(({ visible }) => visible === "");
    if (blank && part.media.length === 0)
      issues.push({ code: "text.empty", message: `${place}there is neither text nor media` });
    issues.push(...(index === 0 ? mediaIssues(part, limits, place) : commentMediaIssues(part, place)));
  }
  const [issue, ...others] = issues;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const [head, ...rest] = pieces.flat();
  if (!head) return { ok: false, issues: [{ code: "text.empty", message: "the post is empty" }] };
  return { ok: true, units: [postUnit(head, post, limits.text), ...rest.map((piece) => commentUnit(piece, comment))] };
}

function postUnit(
  { visible, little, link }: Piece,
  { parts, title, visibility }: Post,
  rule: TextRule,
): Unit<PostBody> {
  const [{ media }] = parts;
  const document = media.some(({ kind }) => kind === "document");
  // Content is one thing: files or a card.
  const card = media.length > 0 ? null : link;
  const body: PostBody = {
    kind: "post",
    commentary: little,
    visibility: visibility === "followers" ? "CONNECTIONS" : "PUBLIC",
    alts: media.map(({ alt }) => alt?.toWellFormed().trim() || null),
    title: document ? title?.toWellFormed().trim() || TITLE : null,
    link: card,
  };
  const prepare = media.length > 0 || card !== null;
  return { body, text: visible, length: measure(visible, rule), media: media.map(({ id }) => id), prepare };
}

function commentUnit({ visible }: Piece, rule: TextRule): Unit<CommentBody> {
  return {
    body: { kind: "comment", text: visible },
    text: visible,
    length: measure(visible, rule),
    media: [],
    prepare: false,
  };
}

function postIssues({ visibility, contentWarning, options }: Post): Issue[] {
  const issues: Issue[] = [];
  if (visibility === "unlisted" || visibility === "direct")
    issues.push({
      code: "visibility",
      message: `LinkedIn has no "${visibility}" posts: they are for everybody or for your connections`,
      hint: "--visibility public or --visibility followers",
    });
  if (contentWarning !== undefined && contentWarning.trim() !== "")
    issues.push({
      code: "warning",
      message: "LinkedIn has no content warnings",
      hint: "leave the content warning out, or leave LinkedIn out",
    });
  for (const name of Object.keys(options ?? {}))
    issues.push({ code: "option", message: `LinkedIn knows no option "${name}"` });
  return issues;
}

function pieceIssues(
  { visible, mentions }: Piece,
  rule: TextRule,
  { place, first, split }: { readonly place: string; readonly first: boolean; readonly split: boolean },
): Issue[] {
  const issues: Issue[] = [];
  const length = measure(visible, rule);
  const cut = split ? "shorten the word that is too long for one piece" : "shorten it, or split it";
  const hint = first ? `${cut}: what does not fit becomes the first comments` : cut;
  const what = first ? "" : " of a comment, which every part after the first becomes";
  if (length > rule.max)
    issues.push({ code: "text.too-long", message: `${place}${length} of ${rule.max} characters${what}`, hint });
  if (!first && mentions.length > 0)
    issues.push({
      code: "mention",
      message: `${place}psn mentions nobody in a comment, which every part after the first becomes`,
      hint: "put the mention into the first part, or write the name alone",
    });
  return issues;
}

function commentMediaIssues({ media }: Part, place: string): Issue[] {
  if (media.length === 0) return [];
  const message = `${place}every part after the first becomes a comment, and comments are text alone`;
  return [{ code: "media.comment", message, hint: "put the media into the first part" }];
}

/**
 * Up to 20 images or one document
 * (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/multiimage-post-api, 2026-11).
 */
function mediaIssues({ media }: Part, limits: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const images = media.filter(({ kind }) => kind === "image");
  const documents = media.filter(({ kind }) => kind === "document");
  if (images.length > 0 && documents.length > 0)
    issues.push({
      code: "media.mixed",
      message: `${place}LinkedIn takes images or one document in a post`,
      hint: "leave one of them out",
    });
  for (const [files, rule, word] of [
    [images, limits.images, "images"],
    [documents, limits.documents, "documents"],
  ] as const)
    if (files.length > (rule?.max ?? 0))
      issues.push({
        code: "media.too-many",
        message: `${place}${files.length} ${word}, and a post takes ${rule?.max ?? 0}`,
      });
  return [...issues, ...media.flatMap((file) => fileIssues(file, limits, place))];
}

function fileIssues(file: MediaInfo, { images, documents, altText }: Limits, place: string): Issue[] {
  const { kind, mime, bytes, width = 0, height = 0, alt = "" } = file;
  const rule: MediaRule | undefined = kind === "image" ? images : kind === "document" ? documents : undefined;
  const issues: Issue[] = [];
  if (!rule?.mimes.includes(mime))
    issues.push({
      code: "media.type",
      message: `${place}psn does not post ${mime || "files of an unknown type"} to LinkedIn as ${kind}`,
      hint: `it takes ${[...(images?.mimes ?? []), ...(documents?.mimes ?? [])].join(", ")}`,
    });
  if (rule && bytes > rule.maxBytes)
    issues.push({
      code: "media.too-large",
      message: `${place}the ${kind} has ${bytes} bytes, and LinkedIn takes ${rule.maxBytes}`,
    });
  if (kind === "image" && width * height > PIXELS_MAX)
    issues.push({
      code: "media.dimensions",
      message: `${place}the image has ${width} x ${height} pixels, and LinkedIn takes ${PIXELS_MAX} in all`,
      hint: "save it smaller",
    });
  if (altText === false || kind !== "image") return issues;
  const length = measure(alt, { max: altText, unit: "utf16" });
  if (length > altText)
    issues.push({ code: "alt.too-long", message: `${place}an alt text has ${length} of ${altText} characters` });
  return issues;
}
