import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { parse, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { api, MediaAttachment } from "./api.ts";

/** First pause before asking whether a file is processed, in milliseconds; it doubles up to `PAUSE_MOST_MS`. */
const PAUSE_FIRST_MS = 200;
const PAUSE_MOST_MS = 5_000;
/** Longest wait for one file, in milliseconds. A 99 MB video takes a small server minutes. */
const PROCESSING_MOST_MS = 4 * 60_000;

/**
 * Uploads a unit's media and waits until the server has processed them: it refuses a post with a file that is not ready.
 * Resolves to the media ids in order. Nothing of it is shown to anybody; a file that no post takes is discarded by the
 * server after about a day. Throws PLATFORM_DOWN when processing takes too long.
 */
export async function upload(request: PublishRequest, session: Session): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, media] of request.media.entries()) ids.push(await uploadOne(media, fileName(request.key, index, media), session));
  return ids;
}

/**
 * POST /api/v2/media answers 200 when ready, 202 while processing; v1 is the older form, ready at once
 * (https://docs.joinmastodon.org/methods/media/, 2026-11).
 */
async function uploadOne(media: Media, name: string, session: Session): Promise<string> {
  const send = async (path: string, accept: readonly number[]) => {
    const body = new FormData();
    body.append("file", new File([await media.open()], name, { type: media.mime }));
    if (media.alt) body.append("description", media.alt);
    return api(session, path, { method: "POST", body, effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS, accept });
  };
  let answer = await send("/api/v2/media", [404, 405]);
  if (answer.status === 404 || answer.status === 405) answer = await send("/api/v1/media", []);
  const { id } = parse(answer, MediaAttachment);
  if (answer.status === 202) await processed(id, session);
  return id;
}

/** GET /api/v1/media/:id answers 206 while processing, 200 when ready, 422 when the file cannot be processed. */
async function processed(id: string, session: Session): Promise<void> {
  let pause = PAUSE_FIRST_MS;
  for (let waited = 0; waited < PROCESSING_MOST_MS; waited += pause, pause = Math.min(pause * 2, PAUSE_MOST_MS)) {
    await sleep(pause, undefined, { signal: session.signal });
    const answer = await api(session, `/api/v1/media/${encodeURIComponent(id)}`, { effect: "none" });
    if (answer.status !== 206 && answer.status !== 202) return;
  }
  throw new PsnError("PLATFORM_DOWN", `${new URL(session.profile.home).host} is still processing a media file`, {
    retryAfterMs: PROCESSING_MOST_MS,
  });
}

/**
 * The same for a repeated upload, another for every other: snac derives a file's id from its name, so two files of one
 * name would overwrite each other, bytes and description.
 */
function fileName(key: string, index: number, media: Media): string {
  const extension = /^[a-z]+\/([a-z0-9]+)/.exec(media.mime)?.[1] ?? "bin";
  return `${createHash("sha256").update(`${key}/${index}/${media.id}`).digest("hex").slice(0, 32)}.${extension === "jpeg" ? "jpg" : extension}`;
}
