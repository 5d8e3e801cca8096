import type { Capabilities } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Issue } from "@psn/core/types/platform.ts";
import type { Post } from "@psn/core/types/post.ts";
import { findLinksBy } from "@psn/domain/links.ts";
import { measure } from "@psn/domain/text.ts";
import { type Piece, type Shape, trimmed } from "@psn/platforms/kit/compose.ts";

/** What a container is made of, but for media and parent (…/reference/publishing, 2026-11; for `…/` see api.ts). */
export type Body = { readonly text?: string; readonly topic_tag?: string; readonly reply_control?: string };

/** More links fail with THREADS_API__LINK_LIMIT_EXCEEDED (…/create-posts/text-attachments, 2026-11). */
const LINKS_MOST = 5;
/** Longest topic, in characters (…/posts, 2026-11). */
const TOPIC_MOST = 50;
/** What pictures and videos have in common (same page, media specifications). */
const MEDIA = { max: 20, maxAspect: 10 };

export const CAPABILITIES: Capabilities = {
  // 500 characters, and emoji count as their bytes in UTF-8 (…/posts, 2026-11); so does every other character, as
  // refusals have shown (gitroomhq/postiz-app#1946).
  text: { max: 500, unit: "byte" },
  images: { ...MEDIA, maxBytes: 8_000_000, mimes: ["image/jpeg", "image/png"] },
  videos: {
    ...MEDIA,
    maxBytes: 1_000_000_000,
    mimes: ["video/mp4", "video/quicktime"],
    durationMs: { least: 0, most: 300_000 },
  },
  mixed: MEDIA.max,
  // …/reference/publishing (2026-11).
  altText: 1000,
  altUnit: "codepoint",
  thread: "reply-chain",
  visibilities: ["public"],
  contentWarning: false,
  // The key is the container, which becomes PUBLISHED and then expires no more (…/threads/troubleshooting, 2026-11).
  // That page does not say what a second publication of it does, so none is sent before the container has said, for a
  // minute, that it is not published.
  duplicates: "idempotency-key",
  concurrency: 2,
  mediaByLink: true,
  options: [
    {
      name: "topic",
      help: "the topic of the post, 1 to 50 characters without . and &; default: the first #tag in the text",
    },
    {
      name: "reply",
      help: "who may answer",
      values: ["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"],
    },
  ],
};

export const SHAPE: Shape<Body> = {
  id: "threads",
  name: "Threads",
  capabilities: CAPABILITIES,
  words: { visibility: "the account as a whole is public or private" },
  counted: " as Threads counts them, by bytes: an accent is 2, an emoji 4 or more",
  postIssues: topicIssues,
  textIssues: linkIssues,
  // The options are the first post's, since the others of a thread are answers to it. Every unit is prepared: its
  // container is made before it is published.
  unit: ({ text, post, isFirst }) => ({
    body: defined({ text: text || undefined, ...(isFirst && optionsOf(post)) }),
    prepare: true,
  }),
};

/** Every address once, as Threads counts them (page above). */
function linkIssues({ text }: Piece): Issue[] {
  const links = new Set(findLinksBy("www", text).map(({ start, end }) => text.slice(start, end)));
  if (links.size <= LINKS_MOST) return [];
  const message = `${links.size} links, and Threads accepts at most ${LINKS_MOST} in a post`;
  return [{ code: "text.too-many-links", message, hint: "move some of them to another part" }];
}

const optionsOf = ({ options: { topic, reply } = {} }: Post) => ({
  topic_tag: topic === undefined ? undefined : trimmed(topic).replace(/^#/, ""),
  reply_control: reply,
});

function topicIssues(post: Post): Issue[] {
  const { topic_tag: topic } = optionsOf(post);
  if (topic === undefined) return [];
  const length = measure(topic, { max: TOPIC_MOST, unit: "codepoint" });
  if (length >= 1 && length <= TOPIC_MOST && !/[.&]/.test(topic)) return [];
  const message = `a topic on Threads has 1 to ${TOPIC_MOST} characters, without . and &`;
  return [{ code: "option.topic", message, hint: "--option threads.topic=WORDS" }];
}
