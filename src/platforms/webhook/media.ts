import { createHash } from "node:crypto";
import type { Limits } from "@psn/core/types/capabilities.ts";
import type { Composed, Issue } from "@psn/core/types/platform.ts";
import type { Media, MediaInfo } from "@psn/core/types/post.ts";
import type { Merged } from "@psn/platforms/kit/merged.ts";

/*
 * How media travel: within the event, or by a link into the hub's bucket.
 */

/**
 * As base64 these are 20 kB: "usually smaller than 20kb", and larger ones by link (spec/standard-webhooks.md, Payload
 * size, 2026-11).
 */
export const INLINE_BYTES = 15_000;
/**
 * As base64 these are 10 MB, beyond which hosted receivers refuse a body, many of them far sooner (AWS API Gateway: 10
 * MB, 2026-11).
 */
export const INLINE_MOST_BYTES = 7_500_000;
/**
 * How long a link lasts, in seconds: longer than the retries, and the most that a presigned address can (AWS SigV4:
 * seven days).
 */
export const LINK_SECONDS = 7 * 24 * 3_600;

/** A post as it is stored, with word of how its media travel; absent: inline. */
export type Body = Merged & { readonly mediaBy?: "link" };

/**
 * Decides by the account's own setting, else by the size and by what the hub can give. Adds what is wrong with that.
 */
export function withMedia(
  composed: Composed<Merged>,
  media: readonly MediaInfo[],
  { mediaBy, links = false }: Limits,
): Composed<Body> {
  const bytes = media.reduce((sum, one) => sum + one.bytes, 0);
  if (media.length === 0) return composed;
  const linked = (mediaBy ?? (links && bytes > INLINE_BYTES ? "link" : "inline")) === "link";
  const wrong = linked ? linkIssue(links) : inlineIssue(bytes, mediaBy, links);
  if (wrong) return { ok: false, issues: composed.ok ? [wrong] : [...composed.issues, wrong] };
  if (!composed.ok || !linked) return composed;
  const [{ body, ...unit }] = composed.units;
  return { ok: true, units: [{ ...unit, body: { ...body, mediaBy: "link" }, linked: true }] };
}

const BUCKET = "psn config set S3_BUCKET";

function linkIssue(links: boolean): Issue | undefined {
  if (links) return undefined;
  return {
    code: "media.no-bucket",
    message: "this webhook gets its media by link, which requires a bucket, and this hub has none",
    hint: `${BUCKET}; or connect it again with --media inline`,
  };
}

function inlineIssue(bytes: number, mediaBy: Limits["mediaBy"], links: boolean): Issue | undefined {
  if (bytes <= INLINE_MOST_BYTES) return undefined;
  return {
    code: "media.too-large",
    message: `the media have ${bytes} bytes in total; a webhook request carries at most ${INLINE_MOST_BYTES}`,
    hint:
      mediaBy === "inline" && links ? "connect the webhook again with --media link" : `${BUCKET}, and psn sends links`,
  };
}

type Content = { readonly sha256: string } & (
  | { readonly data: string }
  | { readonly url: string; readonly expires: string }
);

/** One file as the event has it. Its bytes are read in any case: a link never leads to what is gone or was changed. */
export async function contentOf(file: Media, linked: boolean, now: Date): Promise<Content> {
  const content = Buffer.from(await (await file.open()).arrayBuffer());
  const sha256 = createHash("sha256").update(content).digest("hex");
  if (!linked || !file.link) return { sha256, data: content.toString("base64") };
  return {
    sha256,
    url: await file.link(LINK_SECONDS),
    expires: new Date(now.getTime() + LINK_SECONDS * 1000).toISOString(),
  };
}
