import type { Limits, MediaRule, TextRule } from "@psn/core/types/capabilities.ts";
import type { Visibility } from "@psn/core/types/index.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { fits, measure, splitParts } from "@psn/domain/text.ts";
import { findCounted } from "./count.ts";

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

/** Pure. Turns a post into statuses, or says everything that is wrong with it. */
export function compose(post: Post, limits: Limits): Composed<Body> {
  const issues: Issue[] = [];
  const room = roomOf(post, limits.text, issues);
  const texts = textsOf(post, room, issues);
  for (const [index, part] of post.parts.entries()) issues.push(...mediaIssues(part, limits, placeOf(post, index)));
  const [issue, ...others] = issues;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const units = texts.flatMap((pieces, index) =>
    pieces.map((text, piece) => unitOf(post, text, piece === 0 ? (post.parts[index]?.media ?? []) : [], limits.text)),
  );
  const [unit, ...following] = units;
  return unit
    ? { ok: true, units: [unit, ...following] }
    : { ok: false, issues: [{ code: "text.empty", message: "the post is empty" }] };
}

/**
 * What the content warning leaves: it is counted with the text, and a URL in it counts in full (Mastodon's
 * StatusLengthValidator: app/validators/status_length_validator.rb, 2026-11).
 */
function roomOf(post: Post, rule: TextRule, issues: Issue[]): TextRule {
  const warning = warningOf(post);
  if (!warning) return rule;
  const max = rule.max - measure(warning, { max: rule.max, unit: rule.unit });
  if (max >= ROOM_LEAST) return { ...rule, max };
  issues.push({
    code: "warning.too-long",
    message: `the content warning leaves no room: it counts towards the ${rule.max} characters of a post`,
    hint: "shorten the content warning",
  });
  return rule;
}

/** Per part, its text in one piece or in several; a server trims them, and takes no half of a surrogate pair. */
function textsOf(post: Post, room: TextRule, issues: Issue[]): string[][] {
  const texts = post.parts.map(({ text }) => text.toWellFormed().trim());
  const pieces = splitParts(texts, room, {
    split: post.split ?? false,
    numbered: post.numbered ?? false,
    links: findCounted,
  });
  for (const [index, { media }] of post.parts.entries()) {
    const place = placeOf(post, index);
    if (texts[index] === "" && media.length === 0)
      issues.push({ code: "text.empty", message: `${place}there is neither text nor media` });
    const long = pieces[index]?.find((piece) => !fits(piece, room, findCounted));
    if (long === undefined) continue;
    const hint = post.split
      ? "shorten the link or word that is too long for one post"
      : "shorten it, or make a thread of it: --split";
    issues.push({
      code: "text.too-long",
      message: `${place}${measure(long, room, findCounted)} of ${room.max} characters`,
      hint,
    });
  }
  return pieces;
}

function mediaIssues({ media }: Part, limits: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const videos = media.filter(({ kind }) => kind === "video");
  const images = media.filter(({ kind }) => kind === "image");
  if (videos.length > 0 && images.length > 0) {
    issues.push({
      code: "media.mixed",
      message: `${place}Mastodon takes either images or a video in one post`,
      hint: "put the video in a part of its own",
    });
  }
  if (media.some(({ kind }) => kind === "document"))
    issues.push({
      code: "media.type",
      message: `${place}Mastodon takes no documents`,
      hint: "put it on the web and link to it",
    });
  for (const [files, rule, word] of [
    [images, limits.images, "images"],
    [videos, limits.videos, "videos"],
  ] as const) {
    if (files.length > (rule?.max ?? 0))
      issues.push({
        code: "media.too-many",
        message: `${place}${files.length} ${word}, and the server takes ${rule?.max ?? 0}`,
      });
    if (rule) issues.push(...files.flatMap((file) => fileIssues(file, rule, limits, place)));
  }
  return issues;
}

function fileIssues(file: MediaInfo, rule: MediaRule, { altText }: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  if (!rule.mimes.includes(file.mime))
    issues.push({
      code: "media.type",
      message: `${place}the server does not take ${file.mime}`,
      hint: `it takes ${rule.mimes.join(", ")}`,
    });
  if (file.bytes > rule.maxBytes)
    issues.push({
      code: "media.too-large",
      message: `${place}a ${file.kind} has ${file.bytes} bytes, and the server takes ${rule.maxBytes}`,
    });
  const { width = 0, height = 0, frameRate = 0 } = file;
  if (rule.maxPixels !== undefined && width * height > rule.maxPixels)
    issues.push({
      code: "media.dimensions",
      message: `${place}the ${file.kind} has ${width} x ${height} pixels, and the server takes ${rule.maxPixels} in all`,
      hint: `save it smaller, for example ${smaller(width, height, rule.maxPixels)}`,
    });
  if (rule.maxFrameRate !== undefined && frameRate > rule.maxFrameRate)
    issues.push({
      code: "media.frame-rate",
      message: `${place}the video has ${frameRate} frames a second, and the server takes ${rule.maxFrameRate}`,
      hint: `save it with ${rule.maxFrameRate} frames a second or fewer`,
    });
  // Counted as Ruby's String#length does, so by code points: MediaAttachment validates `description` with it.
  const length = measure(file.alt ?? "", { max: 0, unit: "codepoint" });
  if (altText !== false && length > altText)
    issues.push({ code: "alt.too-long", message: `${place}an alt text has ${length} of ${altText} characters` });
  return issues;
}

/** Of the same shape, and as large as the server takes it. */
function smaller(width: number, height: number, most: number): string {
  const scale = Math.sqrt(most / (width * height));
  return `${Math.floor(width * scale)} x ${Math.floor(height * scale)}`;
}

function unitOf(post: Post, text: string, media: readonly MediaInfo[], rule: TextRule): Unit<Body> {
  const warning = warningOf(post);
  const body: Body = {
    status: text,
    ...(post.visibility ? { visibility: VISIBILITY[post.visibility] } : {}),
    ...(post.language ? { language: post.language } : {}),
    ...(warning ? { spoiler_text: warning, sensitive: true } : {}),
  };
  return {
    body,
    text,
    length: measure(text, rule, findCounted),
    media: media.map(({ id }) => id),
    prepare: media.length > 0,
  };
}

/** A server trims a warning; one of nothing but space is none. */
function warningOf(post: Post): string {
  return post.contentWarning?.toWellFormed().trim() ?? "";
}

function placeOf(post: Post, index: number): string {
  return post.parts.length === 1 ? "" : `part ${index + 1}: `;
}
