import type { Limits, OptionRule } from "@psn/core/types/capabilities.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { findBareLinks, findLinks } from "@psn/domain/links.ts";
import { fits, measure, splitParts } from "@psn/domain/text.ts";

/**
 * What a container is made of, but for media and parent
 * (https://developers.facebook.com/documentation/threads/reference/publishing, 2026-11).
 */
export type Body = {
  readonly text?: string;
  readonly topic_tag?: string;
  readonly reply_control?: string;
};

/** Most files in one post (https://developers.facebook.com/documentation/threads/posts, 2026-11). */
export const CAROUSEL_MOST = 20;
/** Longest video, in milliseconds, and widest picture, as width to height (same page, media specifications). */
const VIDEO_MOST_MS = 300_000;
const WIDEST = 10;
/**
 * More links fail with THREADS_API__LINK_LIMIT_EXCEEDED
 * (https://developers.facebook.com/documentation/threads/create-posts/text-attachments, 2026-11).
 */
const LINKS_MOST = 5;
/** Longest topic, in characters (https://developers.facebook.com/documentation/threads/posts, 2026-11). */
const TOPIC_MOST = 50;

/** https://developers.facebook.com/documentation/threads/reference/publishing (2026-11). */
const REPLY = ["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"];

export const OPTIONS: readonly OptionRule[] = [
  {
    name: "topic",
    help: "what the post is about, 1 to 50 characters without . and &; otherwise the first #tag in the text",
  },
  { name: "reply", help: "who may answer", values: REPLY },
];

/** Pure. Turns a post into units, or says everything that is wrong with it. */
export function compose(post: Post, limits: Limits): Composed<Body> {
  const issues: Issue[] = [];
  const options = optionsOf(post, issues);
  issues.push(...postIssues(post));
  const texts = post.parts.map(({ text }) => text.toWellFormed().trim());
  const pieces = splitParts(texts, limits.text, { split: post.split ?? false, numbered: post.numbered ?? false });
  for (const [index, part] of post.parts.entries()) {
    const place = post.parts.length === 1 ? "" : `part ${index + 1}: `;
    if (texts[index] === "" && part.media.length === 0)
      issues.push({ code: "text.empty", message: `${place}there is neither text nor media` });
    issues.push(...textIssues(pieces[index] ?? [], post, limits, place), ...mediaIssues(part, limits, place));
  }
  const [issue, ...others] = issues;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const units = pieces.flatMap((part, index) =>
    part.map((text, piece) =>
      unitOf(text, piece === 0 ? (post.parts[index]?.media ?? []) : [], index + piece === 0 ? options : {}, limits),
    ),
  );
  const [unit, ...following] = units;
  return unit
    ? { ok: true, units: [unit, ...following] }
    : { ok: false, issues: [{ code: "text.empty", message: "the post is empty" }] };
}

/** Every unit is prepared: its container is made before it is published. */
function unitOf(text: string, media: readonly MediaInfo[], options: Body, limits: Limits): Unit<Body> {
  const body: Body = { ...(text === "" ? {} : { text }), ...options };
  return { body, text, length: measure(text, limits.text), media: media.map(({ id }) => id), prepare: true };
}

function textIssues(pieces: readonly string[], { split }: Post, { text: rule }: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const long = pieces.find((piece) => !fits(piece, rule));
  if (long !== undefined) {
    const hint = split
      ? "shorten the link or word that is too long for one post"
      : "shorten it, or make a thread of it: --split";
    const length = measure(long, rule);
    const message =
      `${place}${length} of ${rule.max} characters as Threads counts them, by bytes: an accent is 2, an emoji 4 or ` +
      "more";
    issues.push({ code: "text.too-long", message, hint });
  }
  const most = Math.max(0, ...pieces.map((piece) => linksIn(piece).size));
  if (most > LINKS_MOST)
    issues.push({
      code: "text.too-many-links",
      message: `${place}${most} links, and Threads takes ${LINKS_MOST} in a post`,
      hint: "put some of them into a part of their own",
    });
  return issues;
}

/** Every address once, as Threads counts them (page above): written out, or from `www.` on. */
function linksIn(text: string): ReadonlySet<string> {
  const written = findLinks(text);
  const bare = findBareLinks(text, written).filter(({ start }) => /^www\./i.test(text.slice(start, start + 4)));
  return new Set([...written, ...bare].map(({ start, end }) => text.slice(start, end)));
}

function postIssues({ visibility, contentWarning }: Post): Issue[] {
  const issues: Issue[] = [];
  if (visibility !== undefined && visibility !== "public")
    issues.push({
      code: "visibility",
      message: `Threads has no "${visibility}" posts: the account as a whole is public or private`,
      hint: "leave the visibility out for Threads",
    });
  if (contentWarning !== undefined && contentWarning.trim() !== "")
    issues.push({
      code: "warning",
      message: "Threads has no content warnings",
      hint: "leave the content warning out, or leave Threads out",
    });
  return issues;
}

/** They are the first post's: the others of a thread are answers to it. */
function optionsOf(post: Post, issues: Issue[]): Body {
  const { reply, topic: typed, ...unknown } = post.options ?? {};
  for (const name of Object.keys(unknown))
    issues.push({
      code: "option",
      message: `Threads knows no option "${name}"`,
      hint: `it knows ${OPTIONS.map((one) => one.name).join(", ")}`,
    });
  if (reply !== undefined && !REPLY.includes(reply))
    issues.push({
      code: "option.reply",
      message: `"${reply}" is not who may answer on Threads`,
      hint: `--option threads.reply=${REPLY.join("|")}`,
    });
  const topic = typed?.toWellFormed().trim().replace(/^#/, "");
  const length = measure(topic ?? "", { max: 0, unit: "codepoint" });
  if (topic !== undefined && (length < 1 || length > TOPIC_MOST || /[.&]/.test(topic)))
    issues.push({
      code: "option.topic",
      message: `a topic on Threads has 1 to ${TOPIC_MOST} characters, and neither . nor &`,
      hint: "--option threads.topic=WORDS",
    });
  return {
    ...(topic === undefined ? {} : { topic_tag: topic }),
    ...(reply === undefined ? {} : { reply_control: reply }),
  };
}

/** Images and videos, alone or up to twenty together. */
function mediaIssues({ media }: Part, limits: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const images = media.filter(({ kind }) => kind === "image");
  const videos = media.filter(({ kind }) => kind === "video");
  for (const [files, most, word] of [
    [images, limits.images?.max ?? 0, "images"],
    [videos, limits.videos?.max ?? 0, "videos"],
  ] as const)
    if (files.length > most)
      issues.push({ code: "media.too-many", message: `${place}${files.length} ${word}, and a post takes ${most}` });
  if (issues.length === 0 && media.length > CAROUSEL_MOST)
    issues.push({
      code: "media.too-many",
      message: `${place}${media.length} files, and a post takes ${CAROUSEL_MOST}`,
    });
  return [...issues, ...media.flatMap((file) => fileIssues(file, limits, place))];
}

function fileIssues(file: MediaInfo, { images, videos, altText }: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const rule = file.kind === "image" ? images : file.kind === "video" ? videos : undefined;
  if (!rule?.mimes.includes(file.mime))
    issues.push({
      code: "media.type",
      message: `${place}Threads does not take ${file.mime || "files of an unknown type"} as ${file.kind}`,
      hint: `it takes ${[...(images?.mimes ?? []), ...(videos?.mimes ?? [])].join(", ")}`,
    });
  if (rule && file.bytes > rule.maxBytes)
    issues.push({
      code: "media.too-large",
      message: `${place}the ${file.kind} has ${file.bytes} bytes, and Threads takes ${rule.maxBytes}`,
    });
  if (file.kind === "video" && (file.durationMs ?? 0) > VIDEO_MOST_MS)
    issues.push({
      code: "media.too-long",
      message:
        `${place}the video plays ${Math.round((file.durationMs ?? 0) / 1000)} seconds, and Threads takes ` +
        `${VIDEO_MOST_MS / 1000}`,
    });
  const { width = 0, height = 0 } = file;
  if (height > 0 && width / height > WIDEST)
    issues.push({
      code: "media.shape",
      message: `${place}the ${file.kind} is more than ${WIDEST} times as wide as it is high`,
    });
  const length = measure(file.alt ?? "", { max: 0, unit: "codepoint" });
  if (altText !== false && length > altText)
    issues.push({ code: "alt.too-long", message: `${place}an alt text has ${length} of ${altText} characters` });
  return issues;
}
