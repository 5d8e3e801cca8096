import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { type Answer, parse, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { api, Id, json } from "./api.ts";

/** One segment, in bytes; 5 MB is the most (https://developer.x.com/en/docs/media/upload-media/api-reference/post-media-upload-append, 2026-11). */
export const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Most segments of one file: `segment_index` ends at 999 (https://docs.x.com/x-api/media/append-media-upload, 2026-11). */
export const SEGMENTS_MOST = 1_000;

/** Shortest and longest pause before asking again whether a file is processed, in milliseconds; X says how long in between. */
const PAUSE_MS = { least: 200, most: 15_000 };
/** Longest wait for one file, in milliseconds. */
const PROCESSING_MOST_MS = 10 * 60_000;

/** Numbers may come as text. */
const Upload = z.object({
  data: z.object({
    id: Id,
    processing_info: z
      .object({
        state: z.string(),
        check_after_secs: z.coerce.number().min(0).optional().catch(undefined),
        error: z.object({ name: z.string().optional() }).optional().catch(undefined),
      })
      .nullish(),
  }),
});
type Upload = z.output<typeof Upload>["data"];

/**
 * Uploads a unit's media, waits until X has processed them and gives them their alt texts. Resolves to the media ids in order.
 * Nothing of it is shown to anybody; X forgets what no post takes after a day. Throws PLATFORM_REJECTED for a file X cannot
 * use, PLATFORM_DOWN when processing takes too long.
 */
export async function upload(request: PublishRequest, session: Session): Promise<string[]> {
  const ids: string[] = [];
  for (const media of request.media) {
    const id = await uploadOne(media, session);
    await describe(id, media, session);
    ids.push(id);
  }
  return ids;
}

/** https://docs.x.com/x-api/media/initialize-media-upload, …/append-media-upload and …/finalize-media-upload (2026-11). */
async function uploadOne(media: Media, session: Session): Promise<string> {
  const file = await media.open();
  const started = await api(session, "/2/media/upload/initialize", {
    ...json({ media_type: media.mime, total_bytes: file.size, media_category: categoryOf(media) }),
    effect: "none",
  });
  const { id } = read(started);
  for (let index = 0; index * SEGMENT_BYTES < file.size; index += 1) {
    const body = new FormData();
    body.append("segment_index", String(index));
    // The platform's own name for a file of no type: what it is was said above.
    const segment = file.slice(index * SEGMENT_BYTES, (index + 1) * SEGMENT_BYTES, "application/octet-stream");
    body.append("media", segment, "media");
    await api(session, `/2/media/upload/${id}/append`, { method: "POST", body, effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS });
  }
  const finished = await api(session, `/2/media/upload/${id}/finalize`, { method: "POST", effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS });
  await processed(read(finished), media, session);
  return id;
}

/** https://docs.x.com/x-api/media/quickstart/best-practices (2026-11): the category decides what the file may be used for. */
function categoryOf({ kind, mime }: Media): string {
  if (kind === "video") return "tweet_video";
  return mime === "image/gif" ? "tweet_gif" : "tweet_image";
}

/** Waits as long as X says it works on the file (https://docs.x.com/x-api/media/get-media-upload-status, 2026-11). */
async function processed(finished: Upload, media: Media, session: Session): Promise<void> {
  let upload = finished;
  for (let waited = 0; waited < PROCESSING_MOST_MS; ) {
    const info = upload.processing_info;
    if (!info || info.state === "succeeded") return;
    if (info.state === "failed") throw unusable(media, info.error?.name);
    const pause = Math.min(Math.max((info.check_after_secs ?? 1) * 1000, PAUSE_MS.least), PAUSE_MS.most);
    await sleep(pause, undefined, { signal: session.signal });
    waited += pause;
    upload = read(await api(session, `/2/media/upload?command=STATUS&media_id=${upload.id}`, { effect: "none" }));
  }
  throw new PsnError("PLATFORM_DOWN", `X is still processing a ${media.kind}`, { retryAfterMs: PROCESSING_MOST_MS });
}

function unusable({ kind, mime }: Media, name = ""): PsnError {
  const said = /^\w{1,40}$/.test(name) ? `: ${name}` : "";
  return new PsnError("PLATFORM_REJECTED", `X cannot use the ${kind} (${mime})${said}`, {
    hint: kind === "video" ? "save it as H.264 with AAC in an MP4" : "save it anew, smaller",
  });
}

/** POST /2/media/metadata, for images and GIFs only (https://docs.x.com/x-api/media/create-media-metadata, 2026-11). */
async function describe(id: string, { kind, alt = "" }: Media, session: Session): Promise<void> {
  const text = alt.toWellFormed().normalize("NFC").trim();
  if (kind !== "image" || text === "") return;
  await api(session, "/2/media/metadata", { ...json({ id, metadata: { alt_text: { text } } }), effect: "none" });
}

function read(answer: Answer): Upload {
  return parse(answer, Upload).data;
}
