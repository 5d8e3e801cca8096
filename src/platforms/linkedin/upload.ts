import { PsnError } from "@psn/core/errors.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media, MediaKind } from "@psn/core/types/post.ts";
import { call, concernsAll, parse, retryAfterMs, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { fetchCard } from "@psn/platforms/kit/linkcard.ts";
import { json, UPDATE } from "@psn/platforms/kit/refusals.ts";
import { prepareUploads, type Told, type Uploads } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, keyOf } from "./api.ts";
import { type Body, CAPABILITIES } from "./compose.ts";
import { refusalOf } from "./refusals.ts";

/** Most bytes of a card's picture: one to look at in small. */
const THUMB_BYTES = 5_000_000;

/** Longest that LinkedIn may work on a card's picture, in milliseconds: a card does without it. */
const THUMB_MOST_MS = 3 * 60_000;

const Urn = z.string().regex(/^urn:li:(?:image|document):[\w-]{1,100}$/);

/** What `prepare` resolves to and `publish` reads back. */
export const Prepared = z.object({
  media: z.array(Urn),
  card: z
    .object({ source: z.string(), title: z.string(), description: z.string(), thumbnail: Urn.nullable() })
    .nullable(),
});

/**
 * Uploads a unit's media and waits for a moment until LinkedIn has processed them, or makes the link's card: LinkedIn
 * makes none for what comes by the API. Nothing of it is shown to anybody. Throws PLATFORM_REJECTED for a file LinkedIn
 * cannot use, and see `prepareUploads`.
 */
export function prepare(request: PublishRequest<Body>, session: Session): Promise<Preparation> {
  const { body } = request.unit;
  if (body.kind === "post" && body.link !== null) return prepareCard(body.link, request.handle, session);
  const uploads: Uploads<Media, string> = {
    files: request.media,
    id: Urn,
    start: async (file) => upload(await file.open(), file, session),
    ask: (urn, file) => statusOf(urn, file.kind, session),
    finish: async (media) => ({ media: [...media], card: null }) satisfies z.input<typeof Prepared>,
    overdue: ({ kind }) => `LinkedIn is still processing the ${kind}`,
  };
  return prepareUploads(uploads, request.handle, session);
}

const placeOf = (kind: MediaKind) => (kind === "document" ? "/rest/documents" : "/rest/images");

/** Two requests, and afterwards questions: images-api (above) and documents-api beside it (2026-11). */
async function upload(file: Blob, { mime, kind }: Pick<Media, "mime" | "kind">, session: Session) {
  const place = placeOf(kind);
  const owner = { initializeUploadRequest: { owner: session.profile.subject } };
  const started = await api(session, `${place}?action=initializeUpload`, { ...json(owner), effect: "none" });
  const { value } = parse(
    started,
    z.object({ value: z.object({ uploadUrl: z.url(), image: Urn.optional(), document: Urn.optional() }) }),
  );
  const urn = value.image ?? value.document;
  const url = new URL(value.uploadUrl);
  // The token goes along, and to nobody but LinkedIn.
  if (urn === undefined || url.protocol !== "https:" || !/(^|\.)linkedin\.com$/.test(url.hostname))
    throw new PsnError("PLATFORM_CHANGED", "LinkedIn returned an upload address that psn does not expect", {
      details: { status: started.status },
    });
  await call(session, url, {
    method: "PUT",
    headers: { authorization: `Bearer ${session.credentials.access}`, "content-type": mime },
    body: file,
    effect: "none",
    timeoutMs: UPLOAD_TIMEOUT_MS,
    moved: () => UPDATE,
  });
  return { id: urn, told: { status: "working", checkAfterMs: 0 } as const };
}

/** A post with a file that is still PROCESSING may show nothing in its place. */
async function statusOf(urn: string, kind: MediaKind, session: Session): Promise<Told> {
  const answer = await api(session, `${placeOf(kind)}/${keyOf(urn)}`, { effect: "none", accept: [403, 404] });
  // An app that may upload and may not ask: LinkedIn takes the post all the same.
  if (answer.status === 403) return { status: "ready" };
  if (answer.status === 404) return { status: "lost", error: refusalOf(answer, session) };
  const { status } = parse(answer, z.object({ status: z.string() }));
  if (status === "AVAILABLE") return { status: "ready" };
  if (status === "PROCESSING_FAILED")
    throw new PsnError("PLATFORM_REJECTED", `LinkedIn cannot use the ${kind}`, {
      hint: kind === "document" ? "save it again as PDF, with at most 300 pages" : "save it again as JPEG or PNG",
    });
  const checkAfterMs = retryAfterMs(answer, session.now());
  return { status: "working", ...(checkAfterMs ? { checkAfterMs } : {}) };
}

/** A card whose picture LinkedIn works on: its words, and the picture's own handle. */
const CardHandle = z.object({ title: z.string(), description: z.string(), picture: z.json() });

/** Nothing about a card may keep a post from being published, but for a token that must be exchanged first. */
async function prepareCard(source: string, handle: PublishRequest["handle"], session: Session): Promise<Preparation> {
  session.signal.throwIfAborted();
  const kept = CardHandle.safeParse(handle).data;
  const { title, description, image } = kept
    ? { ...kept, image: undefined }
    : await fetchCard(source, session, THUMB_BYTES);
  const made = (thumbnail: string | null): Preparation => {
    const prepared: z.input<typeof Prepared> = { media: [], card: { source, title, description, thumbnail } };
    return { status: "prepared", prepared };
  };
  if (!kept && !(image && CAPABILITIES.images?.mimes.includes(image.type))) return made(null);
  const uploads: Uploads<Blob | undefined, string> = {
    files: [image],
    id: Urn,
    start: (file) => {
      if (!file) throw new PsnError("PLATFORM_REJECTED", "LinkedIn no longer has the link card's image");
      return upload(file, { mime: file.type, kind: "image" }, session);
    },
    ask: (urn) => statusOf(urn, "image", session),
    finish: async ([urn = null]) => urn,
    overdue: () => "LinkedIn is still processing the link card's image",
    workingMostMs: THUMB_MOST_MS,
    failuresMost: 0,
  };
  try {
    const came = await prepareUploads(uploads, kept?.picture, session);
    if (came.status === "pending") return { ...came, handle: { title, description, picture: came.handle } };
    return made(Urn.nullable().parse(came.prepared));
  } catch (error) {
    if (concernsAll(error, session)) throw error;
    return made(null);
  }
}
