import { PsnError } from "@psn/core/errors.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { type Answer, parse, pauseWithin, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { json } from "@psn/platforms/kit/refusals.ts";
import { prepareUploads, type Told, type Uploads } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, Id } from "./api.ts";
import { SEGMENT } from "./compose.ts";
import { refusalOf } from "./refusals.ts";

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
 * Uploads a unit's media, waits for a moment until X has processed them and gives them their alt texts: the media ids,
 * in order, or a handle to go on from. X bills uploads, so that each file is uploaded once, unless X has forgotten it.
 * Nothing of it is shown to anybody; X forgets what no post takes after a day. Throws PLATFORM_REJECTED for a file X
 * cannot use, and see `prepareUploads`.
 */
export function upload({ media, handle }: PublishRequest, session: Session): Promise<Preparation> {
  const uploads: Uploads<Media, string> = {
    files: media,
    id: Id,
    start: (file) => uploadOne(file, session),
    ask: (id, file) => statusOf(id, file, session),
    describe: (id, file) => describe(id, file, session),
    finish: async (ids) => [...ids],
    overdue: ({ kind }) => `X is still processing the ${kind}`,
  };
  return prepareUploads(uploads, handle, session);
}

/**
 * https://docs.x.com/x-api/media/initialize-media-upload, …/append-media-upload and …/finalize-media-upload (2026-11).
 */
async function uploadOne(media: Media, session: Session): Promise<{ readonly id: string; readonly told: Told }> {
  const file = await media.open();
  const started = await api(session, "/2/media/upload/initialize", {
    ...json({ media_type: media.mime, total_bytes: file.size, media_category: categoryOf(media) }),
    effect: "none",
  });
  const { id } = read(started);
  for (let index = 0; index * SEGMENT.bytes < file.size; index += 1) {
    const body = new FormData();
    body.append("segment_index", String(index));
    // The platform's own name for a file of no type: what it is was said above.
    const segment = file.slice(index * SEGMENT.bytes, (index + 1) * SEGMENT.bytes, "application/octet-stream");
    body.append("media", segment, "media");
    await api(session, `/2/media/upload/${id}/append`, {
      method: "POST",
      body,
      effect: "none",
      timeoutMs: UPLOAD_TIMEOUT_MS,
    });
  }
  const finished = await api(session, `/2/media/upload/${id}/finalize`, {
    method: "POST",
    effect: "none",
    timeoutMs: UPLOAD_TIMEOUT_MS,
  });
  return { id, told: told(read(finished), media) };
}

/**
 * https://docs.x.com/x-api/media/quickstart/best-practices (2026-11): the category decides what the file may be used
 * for.
 */
function categoryOf({ kind, mime }: Media): string {
  if (kind === "video") return "tweet_video";
  return mime === "image/gif" ? "tweet_gif" : "tweet_image";
}

/** https://docs.x.com/x-api/media/get-media-upload-status (2026-11). X no longer knows what it refuses to speak of. */
async function statusOf(id: string, media: Media, session: Session): Promise<Told> {
  const answer = await api(session, `/2/media/upload?command=STATUS&media_id=${id}`, {
    effect: "none",
    accept: [400, 404],
  });
  return answer.status >= 400 ? { status: "lost", error: refusalOf(answer, session) } : told(read(answer), media);
}

/** What X says it does with a file, and when to ask again. */
function told({ processing_info: info }: Upload, media: Media): Told {
  if (!info || info.state === "succeeded") return { status: "ready" };
  if (info.state === "failed") throw unusable(media, info.error?.name);
  return {
    status: "working",
    ...(info.check_after_secs ? { checkAfterMs: pauseWithin(info.check_after_secs * 1000) } : {}),
  };
}

function unusable({ kind, mime }: Media, name = ""): PsnError {
  const said = /^\w{1,40}$/.test(name) ? `: ${name}` : "";
  return new PsnError("PLATFORM_REJECTED", `X cannot use the ${kind} (${mime})${said}`, {
    hint: kind === "video" ? "save it as H.264 with AAC in an MP4" : "save it again, smaller",
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
