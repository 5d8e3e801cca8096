import { setTimeout as sleep } from "node:timers/promises";
import { PsnError } from "@psn/core/errors.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { MediaKind } from "@psn/core/types/post.ts";
import { call, parse, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { type Card, fetchCard } from "@psn/platforms/kit/linkcard.ts";
import { z } from "zod";
import { api, json, keyOf } from "./api.ts";
import type { Body } from "./compose.ts";

/** What LinkedIn takes as an image (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/images-api, 2026-11). */
export const IMAGE_TYPES = ["image/jpeg", "image/png", "image/gif"];
/** Most bytes of a card's picture: one to look at in small. */
const THUMB_BYTES = 5_000_000;

/** Pauses before asking again whether a file is processed, in milliseconds: each is half as long again as the one before. */
const PAUSE_MS = { least: 200, most: 5_000 };
/** Longest wait for one file, in milliseconds. */
const PROCESSING_MOST_MS = 3 * 60_000;

const Urn = z.string().regex(/^urn:li:(?:image|document):[\w-]{1,100}$/);

/** What `prepare` resolves to and `publish` reads back. */
export const Prepared = z.object({
  media: z.array(Urn),
  card: z.object({ source: z.string(), title: z.string(), description: z.string(), thumbnail: Urn.nullable() }).nullable(),
});

/**
 * Uploads a unit's media and waits until LinkedIn has processed them, or makes the link's card: LinkedIn makes none for what comes by
 * the API. Nothing of it is shown to anybody. Throws PLATFORM_REJECTED for a file LinkedIn cannot use, PLATFORM_DOWN when it takes
 * too long.
 */
export async function prepare(request: PublishRequest<Body>, session: Session): Promise<Json> {
  session.signal.throwIfAborted();
  const { body } = request.unit;
  const media: string[] = [];
  for (const file of request.media) media.push(await upload(await file.open(), file.mime, file.kind, session));
  const link = body.kind === "post" ? body.link : null;
  return { media, card: link === null ? null : await cardOf(link, session) } satisfies z.input<typeof Prepared>;
}

/** Two requests and as many questions as it takes: images-api (above) and documents-api beside it (2026-11). */
async function upload(file: Blob, mime: string, kind: MediaKind, session: Session): Promise<string> {
  const place = kind === "document" ? "/rest/documents" : "/rest/images";
  const owner = { initializeUploadRequest: { owner: session.profile.subject } };
  const started = await api(session, `${place}?action=initializeUpload`, { ...json(owner), effect: "none" });
  const { value } = parse(started, z.object({ value: z.object({ uploadUrl: z.url(), image: Urn.optional(), document: Urn.optional() }) }));
  const urn = value.image ?? value.document;
  const url = new URL(value.uploadUrl);
  // The token goes along, and to nobody but LinkedIn.
  if (urn === undefined || url.protocol !== "https:" || !/(^|\.)linkedin\.com$/.test(url.hostname))
    throw new PsnError("PLATFORM_CHANGED", "LinkedIn named a place for an upload that psn does not know", {
      details: { status: started.status },
    });
  await call(session, url, {
    method: "PUT",
    headers: { authorization: `Bearer ${session.credentials.access}`, "content-type": mime },
    body: file,
    effect: "none",
    timeoutMs: UPLOAD_TIMEOUT_MS,
  });
  await processed(`${place}/${keyOf(urn)}`, kind, session);
  return urn;
}

/** A post with a file that is still PROCESSING may show nothing in its place. */
async function processed(path: string, kind: MediaKind, session: Session): Promise<void> {
  let pause = PAUSE_MS.least;
  for (let waited = 0; waited < PROCESSING_MOST_MS; waited += pause, pause = Math.min(pause * 1.5, PAUSE_MS.most)) {
    const answer = await api(session, path, { effect: "none", accept: [403] });
    // An app that may upload and may not ask: LinkedIn takes the post all the same.
    if (answer.status === 403) return;
    const { status } = parse(answer, z.object({ status: z.string() }));
    if (status === "AVAILABLE") return;
    if (status === "PROCESSING_FAILED")
      throw new PsnError("PLATFORM_REJECTED", `LinkedIn cannot use the ${kind}`, {
        hint: kind === "document" ? "save it anew as PDF, with at most 300 pages" : "save it anew as JPEG or PNG",
      });
    await sleep(pause, undefined, { signal: session.signal });
  }
  throw new PsnError("PLATFORM_DOWN", `LinkedIn is still processing the ${kind}`, { retryAfterMs: PROCESSING_MOST_MS });
}

async function cardOf(source: string, session: Session): Promise<z.input<typeof Prepared>["card"]> {
  const card = await fetchCard(source, session, THUMB_BYTES);
  return { source, title: card.title, description: card.description, thumbnail: await thumbnailOf(card, session) };
}

/** Nothing about a card may keep a post from being published, but for a token that must be exchanged first. */
async function thumbnailOf({ image }: Card, session: Session): Promise<string | null> {
  if (!image || !IMAGE_TYPES.includes(image.type)) return null;
  try {
    return await upload(image, image.type, "image", session);
  } catch (error) {
    if (session.signal.aborted || (error instanceof PsnError && error.retry === "refresh")) throw error;
    return null;
  }
}
