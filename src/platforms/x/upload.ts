import { PsnError } from "@psn/core/errors.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { parse, pauseWithin, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { json } from "@psn/platforms/kit/refusals.ts";
import { prepareUploads, READY, type Told, type Uploads, working } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, Id, refusalOf } from "./api.ts";
import { SEGMENT } from "./compose.ts";
import { clean } from "./text.ts";

/** What X does with a file. Numbers may come as text. */
const Processing = z.object({
  state: z.string(),
  check_after_secs: z.coerce.number().min(0).optional().catch(undefined),
  error: z.object({ name: z.string().optional() }).optional().catch(undefined),
});
const Upload = z.object({ data: z.object({ id: Id, processing_info: Processing.nullish() }) });

/**
 * The media ids of a unit, in order, with their alt texts. X bills uploads, so that each file is uploaded once, unless
 * X has forgotten it, as it does after a day with what no post takes. Throws PLATFORM_REJECTED for a file X cannot use,
 * and see `prepareUploads`.
 */
export function upload({ media, handle }: PublishRequest, session: Session): Promise<Preparation> {
  const uploads: Uploads<Media, string> = {
    files: media,
    id: Id,
    start: (file) => uploadOne(file, session),
    ask: (id, file) => statusOf(id, file, session),
    describe: (id, file) => describe(id, file, session),
    overdue: ({ kind }) => `X is still processing the ${kind}`,
  };
  return prepareUploads(uploads, handle, session);
}

/** …/x-api/media/initialize-media-upload, …/append-media-upload and …/finalize-media-upload (2026-11). */
async function uploadOne(media: Media, session: Session) {
  const step = { method: "POST", effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS } as const;
  const file = await media.open();
  const begun = json({ media_type: media.mime, total_bytes: file.size, media_category: categoryOf(media) });
  const started = await api(session, "/2/media/upload/initialize", { ...begun, effect: "none" });
  const { id } = parse(started, Upload).data;
  for (let index = 0; index * SEGMENT.bytes < file.size; index += 1) {
    const body = new FormData();
    body.append("segment_index", String(index));
    // The platform's own name for a file of no type: what it is was said above.
    const segment = file.slice(index * SEGMENT.bytes, (index + 1) * SEGMENT.bytes, "application/octet-stream");
    body.append("media", segment, "media");
    await api(session, `/2/media/upload/${id}/append`, { ...step, body });
  }
  const finished = await api(session, `/2/media/upload/${id}/finalize`, step);
  return { id, told: told(parse(finished, Upload), media) };
}

/** What the file may be used for (…/x-api/media/quickstart/best-practices, 2026-11). */
function categoryOf({ kind, mime }: Media): string {
  if (kind === "video") return "tweet_video";
  return mime === "image/gif" ? "tweet_gif" : "tweet_image";
}

/** …/x-api/media/get-media-upload-status (2026-11). X no longer knows what it refuses to speak of. */
async function statusOf(id: string, media: Media, session: Session): Promise<Told> {
  const path = `/2/media/upload?command=STATUS&media_id=${id}`;
  const answer = await api(session, path, { effect: "none", accept: [400, 404] });
  if (answer.status >= 400) return { status: "lost", error: refusalOf(answer, session) };
  return told(parse(answer, Upload), media);
}

/** What X says it does with a file, and when to ask again. */
function told({ data: { processing_info: info } }: z.output<typeof Upload>, { kind, mime }: Media): Told {
  if (!info || info.state === "succeeded") return READY;
  if (info.state !== "failed") return working(pauseWithin((info.check_after_secs ?? 0) * 1000));
  const { name = "" } = info.error ?? {};
  const said = /^\w{1,40}$/.test(name) ? `: ${name}` : "";
  const hint = kind === "video" ? "save it as H.264 with AAC in an MP4" : "save it again, smaller";
  throw new PsnError("PLATFORM_REJECTED", `X cannot use the ${kind} (${mime})${said}`, { hint });
}

/** POST /2/media/metadata, for images and GIFs only (…/x-api/media/create-media-metadata, 2026-11). */
async function describe(id: string, { kind, alt = "" }: Media, session: Session): Promise<void> {
  const text = clean(alt);
  if (kind !== "image" || text === "") return;
  await api(session, "/2/media/metadata", { ...json({ id, metadata: { alt_text: { text } } }), effect: "none" });
}
