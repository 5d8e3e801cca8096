import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { type Answer, parse, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { api, Created, form, Id } from "./api.ts";
import type { Body } from "./compose.ts";
import { isMissing, QUOTA_PAUSE_MS, reasonOf, refusalOf } from "./refusals.ts";

/*
 * A post is made in two steps: a container, which nobody sees, and its publication
 * (https://developers.facebook.com/documentation/threads/posts, 2026-11).
 */

/** What `prepare` resolves to: the container, and when it was made, in epoch milliseconds. */
export const Prepared = z.object({ container: Id, madeAt: z.number() });
export type Prepared = z.output<typeof Prepared>;

/** How long Meta may fetch a file, in seconds: it does so while the container is made, which takes minutes. */
const LINK_SECONDS = 3_600;
/** Shortest and longest pause before asking again, in milliseconds. */
const PAUSE_MS = { least: 200, most: 30_000 };
/** "for no more than 5 minutes" (https://developers.facebook.com/documentation/threads/troubleshooting, 2026-11). */
const WAIT_MOST_MS = 5 * 60_000;

/** Makes the container of one unit and waits until it can be published. Throws MEDIA_INVALID without a bucket, RATE_LIMITED, PLATFORM_…. */
export async function prepare(request: PublishRequest<Body>, session: Session): Promise<Prepared> {
  const { unit, media, parent } = request;
  if (media.some(({ link }) => link === undefined))
    throw new PsnError("MEDIA_INVALID", "Threads fetches media from a public address, which a hub without a bucket cannot give", {
      hint: "psn config set S3_BUCKET",
    });
  await checkQuota(parent !== undefined, session);
  const body = { ...unit.body, ...(parent ? { reply_to_id: parent.id } : {}) };
  const [file, ...others] = media;
  const container =
    file && others.length > 0 ? await carousel(media, body, session) : await make({ ...(await fieldsOf(file)), ...body }, session);
  await ready(container, session);
  return { container, madeAt: session.now().getTime() };
}

/** Children first: each is a container of its own (https://developers.facebook.com/documentation/threads/posts, carousel posts). */
async function carousel(media: readonly Media[], body: Body, session: Session): Promise<string> {
  const children: string[] = [];
  for (const file of media) children.push(await make({ ...(await fieldsOf(file)), is_carousel_item: "true" }, session));
  for (const child of children) await ready(child, session);
  return make({ media_type: "CAROUSEL", children: children.join(","), ...body }, session);
}

async function fieldsOf(file: Media | undefined): Promise<Record<string, string>> {
  if (!file) return { media_type: "TEXT" };
  const alt = file.alt?.toWellFormed().trim() ?? "";
  const address = (await file.link?.(LINK_SECONDS)) ?? "";
  const source: Record<string, string> =
    file.kind === "video" ? { media_type: "VIDEO", video_url: address } : { media_type: "IMAGE", image_url: address };
  return { ...source, ...(alt === "" ? {} : { alt_text: alt }) };
}

/** The token's own account is `me`: an id that was kept can be refused (jeonghwanko/mimi-seed-sdk#15). */
async function make(fields: Readonly<Record<string, string>>, session: Session): Promise<string> {
  const answer = await api(session, "/me/threads", { ...form(fields), effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS });
  return parse(answer, Created).id;
}

const Count = z.coerce.number().min(0);
const Quota = z.object({ quota_total: Count }).nullish();
const Limit = z.object({
  data: z.array(
    z.object({
      quota_usage: Count.nullish(),
      config: Quota,
      reply_quota_usage: Count.nullish(),
      reply_config: Quota,
    }),
  ),
});

/** 250 posts and 1,000 answers in a moving day (https://developers.facebook.com/documentation/threads/overview, 2026-11). */
async function checkQuota(isReply: boolean, session: Session): Promise<void> {
  const fields = isReply ? "reply_quota_usage,reply_config" : "quota_usage,config";
  const answer = await api(session, `/me/threads_publishing_limit?fields=${fields}`, { effect: "none" });
  const [limit] = parse(answer, Limit).data;
  const used = (isReply ? limit?.reply_quota_usage : limit?.quota_usage) ?? 0;
  const total = (isReply ? limit?.reply_config : limit?.config)?.quota_total ?? Number.POSITIVE_INFINITY;
  if (used < total) return;
  throw new PsnError("RATE_LIMITED", `Threads takes ${total} ${isReply ? "answers" : "posts"} of an account in 24 hours`, {
    retryAfterMs: QUOTA_PAUSE_MS,
    details: { used, total },
  });
}

/**
 * https://developers.facebook.com/documentation/threads/troubleshooting (2026-11). `UNTOLD`: Graph does not know the container, yet
 * or any more.
 */
export type Status = "IN_PROGRESS" | "FINISHED" | "PUBLISHED" | "ERROR" | "EXPIRED" | "UNTOLD";

const Container = z.object({
  status: z.enum(["IN_PROGRESS", "FINISHED", "PUBLISHED", "ERROR", "EXPIRED"]),
  error_message: z.string().nullish(),
});

export interface Told {
  readonly status: Status;
  /** Meta's own word, for example FAILED_DOWNLOADING_VIDEO. */
  readonly reason: string;
  readonly answer: Answer;
}

/** Asks what became of a container. */
export async function ask(container: string, session: Session): Promise<Told> {
  const path = `/${encodeURIComponent(container)}?fields=status,error_message`;
  const answer = await api(session, path, { effect: "none", accept: [400, 404] });
  if (answer.status < 400) {
    const { status, error_message: words } = parse(answer, Container);
    return { status, reason: /^[A-Z_]{1,60}$/.test(words ?? "") ? (words ?? "") : "", answer };
  }
  const reason = reasonOf(answer);
  // A container that has become a post may have no status (exileum/meta-mcp#143).
  if (isMissing(reason) || /nonexisting field/i.test(reason?.message ?? "")) return { status: "UNTOLD", reason: "", answer };
  throw refusalOf(answer, session);
}

/** Waits as long as Threads works on it, or has not heard of it everywhere. */
async function ready(container: string, session: Session): Promise<void> {
  let pause = PAUSE_MS.least;
  for (let waited = 0; ; pause = Math.min(pause * 2, PAUSE_MS.most)) {
    const { status, reason } = await ask(container, session);
    if (status === "FINISHED" || status === "PUBLISHED") return;
    if (status === "ERROR") throw unusable(reason);
    if (status === "EXPIRED") throw new PsnError("PLATFORM_DOWN", "Threads dropped a container before it was ready");
    if (waited >= WAIT_MOST_MS) throw new PsnError("PLATFORM_DOWN", "Threads is still processing the post", { retryAfterMs: WAIT_MOST_MS });
    await sleep(pause, undefined, { signal: session.signal });
    waited += pause;
  }
}

/** Why a container came to nothing. */
export function unusable(reason: string): PsnError {
  if (reason === "" || reason === "UNKNOWN")
    return new PsnError("PLATFORM_DOWN", "Threads could not process the post and does not say why");
  const hint = reason.startsWith("FAILED_DOWNLOADING")
    ? "the bucket must be reachable from the Internet: psn doctor"
    : "save the video as H.264 with AAC in an MP4, at most 5 minutes and 1,920 pixels wide";
  return new PsnError("PLATFORM_REJECTED", `Threads cannot use a file: ${reason}`, { hint });
}
