import type { Capabilities, TextRule } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import type { Issue } from "@psn/core/types/platform.ts";
import type { Post } from "@psn/core/types/post.ts";
import { measure } from "@psn/domain/text.ts";
import { type Shape, trimmed } from "@psn/platforms/kit/compose.ts";
import { findCounted } from "./count.ts";
import { DEFAULTS } from "./limits.ts";

/** What POST /api/v1/statuses is sent (https://docs.joinmastodon.org/methods/statuses/#create, 2026-11). */
export type Body = {
  readonly status: string;
  readonly visibility?: string;
  readonly language?: string;
  readonly spoiler_text?: string;
  readonly sensitive?: boolean;
};

/** https://docs.joinmastodon.org/entities/Status/#visibility (2026-11). */
const VISIBILITY = {
  public: "public",
  unlisted: "unlisted",
  followers: "private",
  direct: "direct",
} as const satisfies Record<Visibility, string>;

/** A thread is not split into parts smaller than this many characters; a content warning leaves too little then. */
const ROOM_LEAST = 20;

export const CAPABILITIES: Capabilities = {
  ...DEFAULTS,
  // MediaAttachment validates `description` with Ruby's String#length.
  altUnit: "codepoint",
  thread: "reply-chain",
  visibilities: ["public", "unlisted", "followers", "direct"],
  contentWarning: true,
  // Of three servers measured (snac, GoToSocial, Hollo) two ignore the key and one loses a race on it, so the post is
  // looked for first.
  duplicates: "idempotency-key",
  concurrency: 2,
};

export const SHAPE: Shape<Body> = {
  id: "mastodon",
  name: "Mastodon",
  capabilities: CAPABILITIES,
  words: { taker: "the server" },
  links: findCounted,
  room: roomOf,
  unit: ({ text, post }) => {
    const visibility = post.visibility && VISIBILITY[post.visibility];
    const warning = warningOf(post) || undefined;
    const more = { visibility, language: post.language || undefined, spoiler_text: warning };
    return { body: { status: text, ...defined(more), ...defined({ sensitive: warning ? true : undefined }) } };
  },
};

/**
 * What the content warning leaves: it is counted with the text, and a URL in it counts in full (Mastodon's
 * StatusLengthValidator: app/validators/status_length_validator.rb, 2026-11).
 */
function roomOf(post: Post, rule: TextRule): TextRule | Issue {
  const max = rule.max - measure(warningOf(post), { max: rule.max, unit: rule.unit });
  if (max === rule.max) return rule;
  if (max >= ROOM_LEAST) return { ...rule, max };
  return {
    code: "warning.too-long",
    message: `the content warning leaves no room for text: it counts towards the ${rule.max} characters of a post`,
    hint: "shorten the content warning",
  };
}

/** A server trims a warning; one of nothing but space is none. */
const warningOf = ({ contentWarning = "" }: Post): string => trimmed(contentWarning);
