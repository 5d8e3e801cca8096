import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { Issue } from "@psn/core/types/platform.ts";
import { type Piece, type Shape, trimmed } from "@psn/platforms/kit/compose.ts";
import { clean, isName, littleOf, mentionsIn, visible } from "./text.ts";

/** The first unit is a post, what follows are the author's comments on it. */
export type Body = PostBody | CommentBody;

/** …/marketing/community-management/shares/posts-api (2026-11; for `…/` see api.ts), but for what is uploaded. */
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

/** Files: …/marketing/community-management/shares/images-api, documents-api and multiimage-post-api (2026-11). */
export const CAPABILITIES: Capabilities = {
  // What a reader sees is counted, not its escapes. Comments are shorter.
  text: { max: 3_000, unit: "utf16" },
  // The pages bound pixels and no bytes; 8 MB is what others found to be taken.
  images: {
    max: 20,
    maxBytes: 8 * 1024 * 1024,
    mimes: ["image/jpeg", "image/png", "image/gif"],
    maxPixels: 36_152_320,
  },
  // At most 300 pages.
  documents: { max: 1, maxBytes: 100 * 1024 * 1024, mimes: ["application/pdf"] },
  altText: 4_086,
  altUnit: "utf16",
  thread: "reply-chain",
  visibilities: ["public", "followers"],
  contentWarning: false,
  duplicates: "refused",
  // LinkedIn names no limit; two, so that on Trigger.dev one lost machine leaves a place (src/trigger/queues.ts).
  concurrency: 2,
};

const IN_COMMENTS = "every part after the first becomes a comment";
const MENTIONED: Issue = {
  code: "mention",
  message: `psn cannot mention people in a comment, and ${IN_COMMENTS}`,
  hint: "move the mention to the first part, or write only the name",
};

export const SHAPE: Shape<Body> = {
  id: "linkedin",
  name: "LinkedIn",
  capabilities: CAPABILITIES,
  words: {
    visibility: "they are for everybody or for your connections",
    hints: { "text.too-long": "shorten it, or add --split: what does not fit becomes the first comments" },
  },
  clean,
  keepsLink: isName,
  // A mention is never cut, and counts as much as its name.
  links: mentionsIn,
  weigh: (text) => visible(text).length,
  rest: {
    rule: (rule) => ({ ...rule, max: Math.min(COMMENT_MAX, rule.max) }),
    counted: ` of a comment: ${IN_COMMENTS}`,
    noMedia: `${IN_COMMENTS}, and comments are text alone`,
  },
  textIssues: ({ text, isFirst }) => (!isFirst && mentionsIn(text).length > 0 ? [MENTIONED] : []),
  unit: (piece) => (piece.isFirst ? postOf(piece) : { body: { kind: "comment", text: piece.text }, prepare: false }),
};

function postOf({ text, post: { visibility, title }, media }: Piece) {
  const { little, link } = littleOf(text);
  // Content is one thing: files or a card.
  const card = media.length > 0 ? null : link;
  const isDocument = media.some(({ kind }) => kind === "document");
  const body: PostBody = {
    kind: "post",
    commentary: little,
    visibility: visibility === "followers" ? "CONNECTIONS" : "PUBLIC",
    alts: media.map(({ alt = "" }) => trimmed(alt) || null),
    title: isDocument ? trimmed(title ?? "") || TITLE : null,
    link: card,
  };
  return { body, text: visible(text), prepare: media.length > 0 || card !== null };
}
