import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { trimmed } from "@psn/platforms/kit/compose.ts";
import { type Answer, parse, retryAfterMs, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { notHeardOfYet } from "@psn/platforms/kit/parent.ts";
import { EXPLAINED, form } from "@psn/platforms/kit/refusals.ts";
import { ASK_AT_ONCE, prepareUploads, READY, type Told, type Uploads, working } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, Id, isMissing, NOT_FETCHED, NOT_FETCHED_HINT, QUOTA_PAUSE_MS, refusalOf, says } from "./api.ts";
import type { Body } from "./compose.ts";

/* A post is made in two steps: a container, which nobody sees, and its publication (…/posts, 2026-11). */

/** What `prepare` resolves to: the container, and when it was made, in epoch milliseconds. */
export const Prepared = z.object({ container: Id, madeAt: z.number() });

/** How long Meta may fetch a file, in seconds: it does so while the container is made, which takes minutes. */
const LINK_SECONDS = 3_600;
/** Longest that Graph's servers may need to hear of a container, in milliseconds. */
export const SPREADING_MS = 10 * 60_000;

/**
 * Makes the container of one unit and waits for a moment until it can be published; of a carousel the children first,
 * each a container of its own (…/posts, carousel posts). Throws BUCKET_MISSING without a bucket, what the bucket says
 * (VENDOR_…) where Threads could not fetch a file from it, RATE_LIMITED, PLATFORM_…; see `prepareUploads`.
 */
export async function prepare(request: PublishRequest<Body>, session: Session): Promise<Preparation> {
  const { unit, media, parent } = request;
  if (media.some(({ link }) => link === undefined))
    // The hub's trouble and not the post's: tasks that were deployed before the hub had a bucket know of none.
    throw new PsnError(
      "BUCKET_MISSING",
      "Threads fetches media from a public address, which requires a bucket, and this hub has none",
      { hint: "psn config set S3_BUCKET; if the hub uses Trigger.dev, then: psn deploy" },
    );
  if ((request.handle ?? null) === null) await checkQuota(parent !== undefined, session);
  const body = { ...unit.body, ...defined({ reply_to_id: parent?.id }) };
  const isCarousel = media.length > 1;
  const filesOf = (child: Media | undefined) => (child ? [child] : media);
  const fields = async (child: Media | undefined, ids: readonly string[]) => {
    if (child) return { ...(await fieldsOf(child)), is_carousel_item: "true" };
    const content = isCarousel ? { media_type: "CAROUSEL", children: ids.join(",") } : await fieldsOf(media[0]);
    return { ...content, ...body };
  };
  const uploads: Uploads<Media | undefined, string> = {
    files: [...(isCarousel ? media : []), undefined],
    id: Id,
    start: async (child, _index, ids) => {
      // The token's own account is `me`: an id that was kept can be refused (jeonghwanko/mimi-seed-sdk#15).
      const creation = { ...form(await fields(child, ids)), timeoutMs: UPLOAD_TIMEOUT_MS };
      const answer = await api(session, "/me/threads", { ...creation, effect: "none", accept: EXPLAINED });
      if (says(answer, NOT_FETCHED)) await assertReadable(filesOf(child));
      if (answer.status >= 400) throw refusedContainer(answer, request, session);
      return { id: parse(answer, z.object({ id: Id })).id, told: ASK_AT_ONCE };
    },
    lastWaits: true,
    ask: (container, child, ageMs) => statusOf(container, { ageMs, files: filesOf(child), session }),
    finish: async (ids) => ({ container: ids.at(-1) ?? "", madeAt: session.now().getTime() }),
    overdue: () => "Threads is still processing the post",
  };
  return prepareUploads(uploads, request.handle, session);
}

/**
 * Where Threads could not fetch a file, psn reads it: what the bucket refuses psn, or a bucket that is away, is the
 * hub's trouble, for which a post waits. Throws VENDOR_…, BUCKET_MISSING, MEDIA_GONE.
 */
async function assertReadable(files: readonly Media[]): Promise<void> {
  for (const file of files) await file.open();
}

async function fieldsOf(file: Media | undefined): Promise<Readonly<Record<string, string>>> {
  if (!file) return { media_type: "TEXT" };
  const address = (await file.link?.(LINK_SECONDS)) ?? "";
  const [media_type, field] = file.kind === "video" ? ["VIDEO", "video_url"] : ["IMAGE", "image_url"];
  const alt = trimmed(file.alt ?? "");
  return { media_type, [field]: address, ...defined({ alt_text: alt === "" ? undefined : alt }) };
}

/** A parent that Graph does not know yet is "does not exist" as one that is gone. */
function refusedContainer(answer: Answer, request: PublishRequest<Body>, session: Session): PsnError {
  const error = refusalOf(answer, session);
  const missing = isMissing(answer) || says(answer, { codes: [100], words: /reply_to_id/ });
  if (error.code !== "PLATFORM_REJECTED" || !missing) return error;
  return notHeardOfYet(error, request, session) ?? error;
}

const Count = z.coerce.number().min(0);
const Quota = z.object({ quota_total: Count }).nullish();
const Limit = z.object({
  quota_usage: Count.nullish(),
  config: Quota,
  reply_quota_usage: Count.nullish(),
  reply_config: Quota,
});

/** 250 posts and 1,000 answers in a moving day (…/overview, 2026-11). */
async function checkQuota(isReply: boolean, session: Session): Promise<void> {
  const fields = isReply ? "reply_quota_usage,reply_config" : "quota_usage,config";
  const answer = await api(session, `/me/threads_publishing_limit?fields=${fields}`, { effect: "none" });
  const [limit] = parse(answer, z.object({ data: z.array(Limit) })).data;
  const used = (isReply ? limit?.reply_quota_usage : limit?.quota_usage) ?? 0;
  const total = (isReply ? limit?.reply_config : limit?.config)?.quota_total ?? Number.POSITIVE_INFINITY;
  if (used < total) return;
  const says = `Threads accepts at most ${total} ${isReply ? "replies" : "posts"} of an account in 24 hours`;
  throw new PsnError("RATE_LIMITED", says, { retryAfterMs: QUOTA_PAUSE_MS, details: { used, total } });
}

const Container = z.object({
  status: z.enum(["IN_PROGRESS", "FINISHED", "PUBLISHED", "ERROR", "EXPIRED"]),
  error_message: z.string().nullish(),
});

/**
 * Asks what became of a container (…/troubleshooting, 2026-11). `UNTOLD`: Graph does not know it, yet or any more.
 * `reason` is Meta's own word, for example FAILED_DOWNLOADING_VIDEO.
 */
export async function ask(container: string, session: Session) {
  const path = `/${encodeURIComponent(container)}?fields=status,error_message`;
  const answer = await api(session, path, { effect: "none", accept: [400, 404] });
  if (answer.status < 400) {
    const { status, error_message: words } = parse(answer, Container);
    return { status, reason: /^[A-Z_]{1,60}$/.exec(words ?? "")?.[0] ?? "", answer };
  }
  // A container that has become a post may have no status (exileum/meta-mcp#143).
  if (isMissing(answer) || says(answer, { words: /nonexisting field/i }))
    return { status: "UNTOLD" as const, reason: "", answer };
  throw refusalOf(answer, session);
}

/** Not heard of everywhere is as good as worked on, for as long as that may take. */
async function statusOf(
  container: string,
  { ageMs, files, session }: { readonly ageMs: number; readonly files: readonly Media[]; readonly session: Session },
): Promise<Told> {
  const { status, reason, answer } = await ask(container, session);
  if (status === "FINISHED" || status === "PUBLISHED") return READY;
  if (status === "EXPIRED" || (status === "UNTOLD" && ageMs > SPREADING_MS))
    return { status: "lost", error: new PsnError("PLATFORM_DOWN", "Threads deleted a container before it was ready") };
  if (status !== "ERROR") return working(retryAfterMs(answer, session.now()));
  const error = unusable(reason);
  if (reason.startsWith(NOT_DOWNLOADED)) await assertReadable(files);
  // The same container would fail the same way; another one may not.
  if (error.retry === "never") throw error;
  return { status: "lost", error };
}

const NOT_DOWNLOADED = "FAILED_DOWNLOADING";

/** Why a container came to nothing. */
export function unusable(reason: string): PsnError {
  if (reason === "" || reason === "UNKNOWN")
    return new PsnError("PLATFORM_DOWN", "Threads could not process the post and gives no reason");
  // It may have been the bucket, or the line between the two: another container may get the file.
  if (reason.startsWith(NOT_DOWNLOADED))
    return new PsnError("PLATFORM_DOWN", `Threads could not fetch a file: ${reason}`, { hint: NOT_FETCHED_HINT });
  const hint = "save the video as H.264 with AAC in an MP4, at most 5 minutes and 1,920 pixels wide";
  return new PsnError("PLATFORM_REJECTED", `Threads cannot use a file: ${reason}`, { hint });
}
