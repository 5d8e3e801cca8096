import type { Limits } from "@psn/core/types/capabilities.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { isLanguage } from "@psn/domain/language.ts";
import { fits, measure, splitParts } from "@psn/domain/text.ts";
import { type Facet, findFacets, type Mention } from "./facets.ts";

export type Image = {
  readonly alt: string;
  readonly mime: string;
  readonly aspectRatio: { readonly width: number; readonly height: number } | null;
};

/** All of an app.bsky.feed.post that is known before it is sent. */
export type Body = {
  readonly text: string;
  readonly langs: readonly string[];
  readonly facets: readonly Facet[];
  readonly mentions: readonly Mention[];
  readonly images: readonly Image[];
  /** The link to make a card of. */
  readonly link: string | null;
};

/** Pure. Turns a post into records, or says everything that is wrong with it. */
export function compose(post: Post, limits: Limits): Composed<Body> {
  const issues: Issue[] = [...postIssues(post)];
  // Half a surrogate pair is not a character and a PDS refuses it.
  const texts = post.parts.map(({ text }) => text.toWellFormed().trim());
  const pieces = splitParts(texts, limits.text, { split: post.split ?? false, numbered: post.numbered ?? false });
  for (const [index, part] of post.parts.entries()) {
    const place = post.parts.length === 1 ? "" : `part ${index + 1}: `;
    if (texts[index] === "" && part.media.length === 0)
      issues.push({ code: "text.empty", message: `${place}there is neither text nor an image` });
    for (const piece of pieces[index] ?? [])
      if (!fits(piece, limits.text)) issues.push(tooLong(piece, post, limits, place));
    issues.push(...mediaIssues(part, limits, place));
  }
  const [issue, ...others] = issues;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const units = pieces.flatMap((part, index) =>
    part.map((text, piece) => unitOf(post, text, piece === 0 ? (post.parts[index]?.media ?? []) : [], limits)),
  );
  const [unit, ...following] = units;
  return unit
    ? { ok: true, units: [unit, ...following] }
    : { ok: false, issues: [{ code: "text.empty", message: "the post is empty" }] };
}

function postIssues({ visibility, contentWarning, language }: Post): Issue[] {
  const issues: Issue[] = [];
  if (visibility !== undefined && visibility !== "public") {
    issues.push({
      code: "visibility",
      message: `Bluesky has no "${visibility}" posts: every post is public`,
      hint: "leave the visibility out for Bluesky",
    });
  }
  // Self-labels blur images and name four kinds of them; they do not hide a text, and have no words of the author's.
  if (contentWarning !== undefined && contentWarning.trim() !== "") {
    issues.push({
      code: "warning",
      message: "Bluesky has no content warnings",
      hint: "leave the content warning out, or leave Bluesky out",
    });
  }
  if (language !== undefined && !isLanguage(language)) {
    issues.push({ code: "language", message: "the language is not a BCP 47 tag", hint: "for example en or pt-BR" });
  }
  return issues;
}

function tooLong(text: string, post: Post, { text: rule }: Limits, place: string): Issue {
  const length = measure(text, rule);
  const hint = post.split
    ? "shorten the link or word that is too long for one post"
    : "shorten it, or make a thread of it: --split";
  const message =
    length > rule.max
      ? `${length} of ${rule.max} characters`
      : `${Buffer.byteLength(text)} of ${rule.maxBytes} bytes of text`;
  return { code: "text.too-long", message: `${place}${message}`, hint };
}

function mediaIssues({ media }: Part, { images: rule, altText }: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const mimes = rule?.mimes ?? [];
  const foreign = media.find(({ kind, mime }) => kind !== "image" || !mimes.includes(mime));
  if (foreign)
    issues.push({
      code: "media.type",
      message: `${place}psn does not post ${foreign.mime || "files of an unknown type"} to Bluesky`,
      hint: `it takes ${mimes.join(", ")}`,
    });
  if (rule && media.length > rule.max)
    issues.push({ code: "media.too-many", message: `${place}${media.length} images, and a post takes ${rule.max}` });
  const large = rule && media.find(({ bytes }) => bytes > rule.maxBytes);
  if (large)
    issues.push({
      code: "media.too-large",
      message: `${place}an image has ${large.bytes} bytes, and Bluesky takes ${rule.maxBytes}`,
      hint: "save it smaller, for example as JPEG",
    });
  if (altText === false) return issues;
  const longest = Math.max(0, ...media.map(({ alt }) => measure(alt ?? "", { max: altText, unit: "grapheme" })));
  if (longest > altText)
    issues.push({ code: "alt.too-long", message: `${place}an alt text has ${longest} of ${altText} characters` });
  return issues;
}

function unitOf(post: Post, text: string, media: readonly MediaInfo[], limits: Limits): Unit<Body> {
  const { facets, mentions, link } = findFacets(text);
  const images = media.map(imageOf);
  // An embed is one thing: images or a card.
  const card = images.length > 0 ? null : link;
  return {
    body: { text, langs: post.language === undefined ? [] : [post.language], facets, mentions, images, link: card },
    text,
    length: measure(text, limits.text),
    media: media.map(({ id }) => id),
    prepare: images.length > 0 || mentions.length > 0 || card !== null,
  };
}

function imageOf({ alt, mime, width, height }: MediaInfo): Image {
  const known =
    width !== undefined &&
    height !== undefined &&
    Number.isSafeInteger(width) &&
    Number.isSafeInteger(height) &&
    width > 0 &&
    height > 0;
  return { alt: (alt ?? "").toWellFormed(), mime, aspectRatio: known ? { width, height } : null };
}
