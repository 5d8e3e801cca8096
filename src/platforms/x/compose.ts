import type { Limits, OptionRule } from "@psn/core/types/capabilities.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { measure } from "@psn/domain/text.ts";
import { clean, hasForbidden, splitWeighed, weigh } from "./text.ts";

/** What POST /2/tweets is sent, but for media and parent (https://docs.x.com/x-api/posts/create-post, 2026-11). */
export type Body = {
  readonly text?: string;
  readonly reply_settings?: string;
  readonly quote_tweet_id?: string;
};

/** Largest animated GIF, in bytes (https://docs.x.com/x-api/media/quickstart/best-practices, 2026-11). */
const GIF_MAX_BYTES = 15 * 1024 * 1024;
/** Shortest and longest video, in milliseconds; an account without Premium may post 20 minutes (same page). */
const VIDEO_MS = { least: 500, most: 125 * 60_000 };

const REPLY = ["following", "mentionedUsers", "subscribers", "verified"];

export const OPTIONS: readonly OptionRule[] = [
  { name: "reply", help: "who may answer, beside everybody", values: REPLY },
  {
    name: "quote",
    help: "URL or id of the post to quote; X keeps this for Enterprise plans, and it goes with no media",
  },
];

/** Pure. Turns a post into units, or says everything that is wrong with it. */
export function compose(post: Post, limits: Limits): Composed<Body> {
  const issues: Issue[] = [];
  const options = optionsOf(post, issues);
  issues.push(...postIssues(post));
  const texts = post.parts.map(({ text }) => clean(text));
  const { max } = limits.text;
  const pieces = splitWeighed(texts, max, { split: post.split ?? false, numbered: post.numbered ?? false });
  for (const [index, part] of post.parts.entries()) {
    const place = post.parts.length === 1 ? "" : `part ${index + 1}: `;
    if (texts[index] === "" && part.media.length === 0)
      issues.push({ code: "text.empty", message: `${place}there is neither text nor media` });
    if (hasForbidden(texts[index] ?? ""))
      issues.push({
        code: "text.characters",
        message: `${place}the text has a character X takes in no post (U+FEFF, U+FFFE or U+FFFF)`,
        hint: "type the text anew, or paste it without formatting",
      });
    const long = pieces[index]?.find((piece) => weigh(piece) > max);
    if (long !== undefined) {
      const hint = post.split
        ? "shorten the word that is too long for one post"
        : "shorten it, or make a thread of it: --split";
      issues.push({
        code: "text.too-long",
        message: `${place}${weigh(long)} of ${max} characters as X counts them`,
        hint,
      });
    }
    issues.push(...mediaIssues(part, limits, place));
  }
  const [issue, ...others] = issues;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const units = pieces.flatMap((part, index) =>
    part.map((text, piece) =>
      unitOf(text, piece === 0 ? (post.parts[index]?.media ?? []) : [], index + piece === 0 ? options : {}),
    ),
  );
  const [unit, ...following] = units;
  return unit
    ? { ok: true, units: [unit, ...following] }
    : { ok: false, issues: [{ code: "text.empty", message: "the post is empty" }] };
}

function unitOf(text: string, media: readonly MediaInfo[], options: Body): Unit<Body> {
  const body: Body = { ...(text === "" ? {} : { text }), ...options };
  return { body, text, length: weigh(text), media: media.map(({ id }) => id), prepare: media.length > 0 };
}

function postIssues({ visibility, contentWarning }: Post): Issue[] {
  const issues: Issue[] = [];
  if (visibility !== undefined && visibility !== "public")
    issues.push({
      code: "visibility",
      message: `X has no "${visibility}" posts: the account as a whole is public or protected`,
      hint: "leave the visibility out for X",
    });
  if (contentWarning !== undefined && contentWarning.trim() !== "")
    issues.push({
      code: "warning",
      message: "X has no content warnings",
      hint: "leave the content warning out, or leave X out",
    });
  return issues;
}

/** They are the first post's: who may answer is settled for a whole thread by its beginning. */
function optionsOf(post: Post, issues: Issue[]): Body {
  const { reply, quote, ...unknown } = post.options ?? {};
  for (const name of Object.keys(unknown))
    issues.push({
      code: "option",
      message: `X knows no option "${name}"`,
      hint: `it knows ${OPTIONS.map((one) => one.name).join(", ")}`,
    });
  if (reply !== undefined && !REPLY.includes(reply))
    issues.push({
      code: "option.reply",
      message: `"${reply}" is not who may answer on X`,
      hint: `--option x.reply=${REPLY.join("|")}`,
    });
  const quoted = quote === undefined ? undefined : postIdOf(quote);
  if (quote !== undefined && quoted === undefined)
    issues.push({
      code: "option.quote",
      message: "the post to quote is neither the URL nor the id of a post on X",
      hint: "--option x.quote=https://x.com/NAME/status/ID",
    });
  if (quote !== undefined && (post.parts[0].media.length ?? 0) > 0)
    issues.push({
      code: "option.quote",
      message: "X takes either media or a quoted post, not both",
      hint: "leave the media out of the first part, or put the link into the text",
    });
  return {
    ...(reply === undefined ? {} : { reply_settings: reply }),
    ...(quoted === undefined ? {} : { quote_tweet_id: quoted }),
  };
}

/** The id in the URL of a post, or the id itself. */
export function postIdOf(typed: string): string | undefined {
  const text = typed.trim();
  if (/^\d{1,19}$/.test(text)) return text;
  return /^https?:\/\/(?:www\.|mobile\.)?(?:x|twitter)\.com\/(?:\w+|i\/web)\/status(?:es)?\/(\d{1,19})(?:[/?#]|$)/i.exec(
    text,
  )?.[1];
}

const isGif = ({ mime }: MediaInfo) => mime === "image/gif";

/** Up to four images, or one GIF, or one video (https://docs.x.com/x-api/posts/create-post, 2026-11). */
function mediaIssues({ media }: Part, limits: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const gifs = media.filter((file) => file.kind === "image" && isGif(file));
  const images = media.filter((file) => file.kind === "image" && !isGif(file));
  const videos = media.filter(({ kind }) => kind === "video");
  if ([gifs, images, videos].filter(({ length }) => length > 0).length > 1)
    issues.push({
      code: "media.mixed",
      message: `${place}X takes images, or one GIF, or one video in a post`,
      hint: "put each kind into a part of its own",
    });
  for (const [files, most, word] of [
    [images, limits.images?.max ?? 0, "images"],
    [gifs, Math.min(1, limits.images?.max ?? 0), "GIFs"],
    [videos, limits.videos?.max ?? 0, "videos"],
  ] as const)
    if (files.length > most)
      issues.push({ code: "media.too-many", message: `${place}${files.length} ${word}, and a post takes ${most}` });
  return [...issues, ...media.flatMap((file) => fileIssues(file, limits, place))];
}

function fileIssues(file: MediaInfo, { images, videos, altText }: Limits, place: string): Issue[] {
  const issues: Issue[] = [];
  const rule = file.kind === "image" ? images : file.kind === "video" ? videos : undefined;
  const mimes = rule?.mimes ?? [];
  if (!mimes.includes(file.mime))
    issues.push({
      code: "media.type",
      message: `${place}X does not take ${file.mime || "files of an unknown type"} as ${file.kind}`,
      hint: `it takes ${[...(images?.mimes ?? []), ...(videos?.mimes ?? [])].join(", ")}`,
    });
  const most = isGif(file) ? GIF_MAX_BYTES : (rule?.maxBytes ?? 0);
  if (rule && file.bytes > most)
    issues.push({
      code: "media.too-large",
      message: `${place}the ${file.kind} has ${file.bytes} bytes, and X takes ${most}`,
    });
  const { durationMs } = file;
  if (file.kind === "video" && durationMs !== undefined && (durationMs < VIDEO_MS.least || durationMs > VIDEO_MS.most))
    issues.push({
      code: "media.duration",
      message: `${place}the video plays ${Math.round(durationMs / 100) / 10} s, and X takes 0.5 s to 125 minutes`,
      hint: "an account without Premium may post 20 minutes",
    });
  const length = measure((file.alt ?? "").toWellFormed().normalize("NFC"), { max: 0, unit: "codepoint" });
  if (altText !== false && length > altText)
    issues.push({ code: "alt.too-long", message: `${place}an alt text has ${length} of ${altText} characters` });
  return issues;
}
