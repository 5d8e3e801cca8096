import { createHash } from "node:crypto";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { type Answer, parse, refusal, retryAfterMs, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { prepareUploads, READY, type Told, type Uploads, working } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, MediaAttachment } from "./api.ts";

/**
 * Uploads a unit's media and waits for a moment until the server has processed them: it refuses a post with a file that
 * is not ready. The media ids, in order, or a handle to go on from. Nothing of it is shown to anybody; a file that no
 * post takes is discarded by the server after about a day. See `prepareUploads` for what it throws.
 */
export function upload({ media, key, handle }: PublishRequest, session: Session): Promise<Preparation> {
  const uploads: Uploads<Media, string> = {
    files: media,
    id: z.string(),
    start: (file, index) => uploadOne(file, fileName(key, index, file), session),
    ask: (id) => statusOf(id, session),
    overdue: () => `${new URL(session.profile.home).host} is still processing a media file`,
  };
  return prepareUploads(uploads, handle, session);
}

/**
 * POST /api/v2/media answers 200 when ready, 202 while processing; v1 is the older form, ready at once
 * (https://docs.joinmastodon.org/methods/media/, 2026-11).
 */
async function uploadOne(media: Media, name: string, session: Session) {
  const send = async (path: string, accept: readonly number[]) => {
    const body = new FormData();
    body.append("file", new File([await media.open()], name, { type: media.mime }));
    if (media.alt) body.append("description", media.alt);
    return api(session, path, { method: "POST", body, effect: "none", timeoutMs: UPLOAD_TIMEOUT_MS, accept });
  };
  let answer = await send("/api/v2/media", [404, 405]);
  if (answer.status === 404 || answer.status === 405) answer = await send("/api/v1/media", []);
  const { id } = parse(answer, MediaAttachment);
  return { id, told: told(answer, session) };
}

/** GET /api/v1/media/:id answers 206 while processing, 200 when ready, 422 when the file cannot be processed. */
async function statusOf(id: string, session: Session): Promise<Told> {
  const answer = await api(session, `/api/v1/media/${encodeURIComponent(id)}`, { effect: "none", accept: [404, 410] });
  return answer.status >= 400 ? { status: "lost", error: refusal(answer, session) } : told(answer, session);
}

/** Whether the server no longer has one of these uploads. False where it does not say. */
export async function isMediaGone(ids: readonly string[], session: Session): Promise<boolean> {
  const asked = ids.map((id) => statusOf(id, session).catch(() => undefined));
  return (await Promise.all(asked)).some((one) => one?.status === "lost");
}

function told(answer: Answer, { now }: Session): Told {
  return answer.status === 202 || answer.status === 206 ? working(retryAfterMs(answer, now())) : READY;
}

/**
 * The same for a repeated upload, another for every other: snac derives a file's id from its name, so two files of one
 * name would overwrite each other, bytes and description.
 */
function fileName(key: string, index: number, media: Media): string {
  const extension = /^[a-z]+\/([a-z0-9]+)/.exec(media.mime)?.[1] ?? "bin";
  const hash = createHash("sha256").update(`${key}/${index}/${media.id}`).digest("hex");
  return `${hash.slice(0, 32)}.${extension === "jpeg" ? "jpg" : extension}`;
}
