import type { Capabilities } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Issue } from "@psn/core/types/platform.ts";
import type { Post } from "@psn/core/types/post.ts";
import type { Shape } from "@psn/platforms/kit/compose.ts";
import { clean, findXLinks, hasForbidden, weigh } from "./text.ts";

/** What POST /2/tweets is sent, but for media and parent (…/x-api/posts/create-post, 2026-11). */
export type Body = { readonly text?: string; readonly reply_settings?: string; readonly quote_tweet_id?: string };

/**
 * One segment of an upload, in bytes, of at most 5 MB, and most segments of a file: `segment_index` ends at 999
 * (…/x-api/media/append-media-upload, 2026-11).
 */
export const SEGMENT = { bytes: 4 * 1024 * 1024, most: 1_000 };

/** Media: …/x-api/media/quickstart/best-practices and …/posts/create-post (2026-11). */
export const CAPABILITIES: Capabilities = {
  // Counted by twitter-text (`weigh`): this describes it.
  text: { max: 280, unit: "codepoint", urlCost: 23 },
  images: {
    max: 4,
    maxBytes: 5 * 1024 * 1024,
    mimes: ["image/jpeg", "image/png", "image/webp", "image/gif"],
    alone: { mime: "image/gif", maxBytes: 15 * 1024 * 1024 },
  },
  videos: {
    max: 1,
    // X takes 8 GB; what its segments hold is less.
    maxBytes: SEGMENT.bytes * SEGMENT.most,
    mimes: ["video/mp4", "video/quicktime"],
    durationMs: { least: 500, most: 125 * 60_000 },
  },
  // …/x-api/media/create-media-metadata (2026-11).
  altText: 1000,
  altUnit: "codepoint",
  thread: "reply-chain",
  visibilities: ["public"],
  contentWarning: false,
  // X refuses the same text twice, but posts with media escape it and for how long it holds is not written down.
  duplicates: "lookup",
  concurrency: 2,
  options: [
    {
      name: "reply",
      help: "who may reply; default: everyone",
      values: ["following", "mentionedUsers", "subscribers", "verified"],
    },
    {
      name: "quote",
      help: "URL or id of the post to quote; X allows this only for Enterprise plans, and not together with media",
    },
  ],
};

export const SHAPE: Shape<Body> = {
  id: "x",
  name: "X",
  capabilities: CAPABILITIES,
  words: {
    visibility: "the account as a whole is public or protected",
    hints: { "media.duration": "an account without Premium may post at most 20 minutes" },
  },
  clean,
  weigh,
  links: findXLinks,
  counted: " as X counts them",
  postIssues: quoteIssues,
  textIssues: ({ text }) => (hasForbidden(text) ? [FORBIDDEN] : []),
  // Who may answer is settled for a whole thread by its beginning.
  unit: ({ text, post, isFirst }) => ({ body: defined({ text: text || undefined, ...(isFirst && optionsOf(post)) }) }),
};

const FORBIDDEN: Issue = {
  code: "text.characters",
  message: "the text has a character that X does not accept (U+FEFF, U+FFFE or U+FFFF)",
  hint: "type the text again, or paste it without formatting",
};

function quoteIssues({ options, parts }: Post): Issue[] {
  const quote = options?.["quote"];
  const issues: Issue[] = [];
  if (quote !== undefined && postIdOf(quote) === undefined)
    issues.push({
      code: "option.quote",
      message: "the post to quote is neither the URL nor the id of a post on X",
      hint: "--option x.quote=https://x.com/NAME/status/ID",
    });
  if (quote !== undefined && parts[0].media.length > 0)
    issues.push({
      code: "option.quote",
      message: "X accepts either media or a quoted post, not both",
      hint: "remove the media from the first part, or put the link into the text",
    });
  return issues;
}

const optionsOf = ({ options: { reply, quote } = {} }: Post) => ({
  reply_settings: reply,
  quote_tweet_id: quote === undefined ? undefined : postIdOf(quote),
});

/** The id in the URL of a post, or the id itself. */
export function postIdOf(typed: string): string | undefined {
  const address =
    /^https?:\/\/(?:www\.|mobile\.)?(?:x|twitter)\.com\/(?:\w+|i\/web)\/status(?:es)?\/(\d{1,19})(?:[/?#]|$)/i;
  const text = typed.trim();
  return /^\d{1,19}$/.test(text) ? text : address.exec(text)?.[1];
}
