import { PsnError } from "@psn/core/errors.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media, MediaKind } from "@psn/core/types/post.ts";
import { call, dispensable, parse, retryAfterMs, UPLOAD_TIMEOUT_MS, unexpected } from "@psn/platforms/kit/http.ts";
import { type Card, fetchCard } from "@psn/platforms/kit/linkcard.ts";
import { json, UPDATE } from "@psn/platforms/kit/refusals.ts";
import { ASK_AT_ONCE, prepareUploads, READY, type Told, type Uploads, working } from "@psn/platforms/kit/uploads.ts";
import { z } from "zod";
import { api, keyOf, refusalOf } from "./api.ts";
import { type Body, CAPABILITIES } from "./compose.ts";

/** Most bytes of a card's picture: one to look at in small. */
const THUMB_BYTES = 5_000_000;
/** Longest that LinkedIn may work on a card's picture, in milliseconds: a card does without it. */
const THUMB_MOST_MS = 3 * 60_000;

const Urn = z.string().regex(/^urn:li:(?:image|document):[\w-]{1,100}$/);
const Article = z.object({ source: z.string(), title: z.string(), description: z.string(), thumbnail: Urn.nullable() });
/** What `prepare` resolves to and `publish` reads back. */
export const Prepared = z.object({ media: z.array(Urn), card: Article.nullable() });

type File = Pick<Media, "kind" | "mime" | "bytes" | "open">;

const uploadsOf = (files: readonly File[], session: Session): Uploads<File, string> => ({
  files,
  id: Urn,
  start: (file) => upload(file, session),
  ask: (urn, { kind }) => statusOf(urn, kind, session),
  overdue: ({ kind }) => `LinkedIn is still processing the ${kind}`,
});

/**
 * The URNs of a unit's media, in order, or the link's card: LinkedIn makes none for what comes by the API. Throws
 * PLATFORM_REJECTED for a file LinkedIn cannot use, and see `prepareUploads`.
 */
export function prepare({ unit, media, handle }: PublishRequest<Body>, session: Session): Promise<Preparation> {
  if (unit.body.kind === "post" && unit.body.link !== null) return prepareCard(unit.body.link, handle, session);
  const finish = async (urns: readonly string[]) => ({ media: [...urns], card: null });
  return prepareUploads({ ...uploadsOf(media, session), finish }, handle, session);
}

const placeOf = (kind: MediaKind) => (kind === "document" ? "/rest/documents" : "/rest/images");

const Started = z.object({ value: z.object({ uploadUrl: z.url(), image: Urn.optional(), document: Urn.optional() }) });

/** Two requests, and afterwards questions: images-api (compose.ts) and documents-api beside it (2026-11). */
async function upload(file: File, session: Session) {
  const body = await file.open();
  const place = placeOf(file.kind);
  const owner = json({ initializeUploadRequest: { owner: session.profile.subject } });
  const started = await api(session, `${place}?action=initializeUpload`, { ...owner, effect: "none" });
  const { uploadUrl, image, document } = parse(started, Started).value;
  const id = image ?? document;
  const { protocol, hostname } = new URL(uploadUrl);
  // The token goes along, and to nobody but LinkedIn.
  if (id === undefined || protocol !== "https:" || !/(^|\.)linkedin\.com$/.test(hostname))
    throw unexpected(started, "LinkedIn returned an upload address that psn does not expect");
  await call(session, uploadUrl, {
    method: "PUT",
    headers: { authorization: `Bearer ${session.credentials.access}`, "content-type": file.mime },
    body,
    effect: "none",
    timeoutMs: UPLOAD_TIMEOUT_MS,
    moved: () => UPDATE,
  });
  return { id, told: ASK_AT_ONCE };
}

/** A post with a file that is still PROCESSING may show nothing in its place. */
async function statusOf(urn: string, kind: MediaKind, session: Session): Promise<Told> {
  const answer = await api(session, `${placeOf(kind)}/${keyOf(urn)}`, { effect: "none", accept: [403, 404] });
  // An app that may upload and may not ask: LinkedIn takes the post all the same.
  if (answer.status === 403) return READY;
  if (answer.status === 404) return { status: "lost", error: refusalOf(answer, session) };
  const { status } = parse(answer, z.object({ status: z.string() }));
  if (status === "AVAILABLE") return READY;
  if (status !== "PROCESSING_FAILED") return working(retryAfterMs(answer, session.now()));
  const hint = kind === "document" ? "save it again as PDF, with at most 300 pages" : "save it again as JPEG or PNG";
  throw new PsnError("PLATFORM_REJECTED", `LinkedIn cannot use the ${kind}`, { hint });
}

/** A card whose picture LinkedIn works on: its words, and the picture's own handle. */
const CardHandle = z.object({ title: z.string(), description: z.string(), picture: z.json() });

/** Nothing about a card may keep a post from being published, but for a token that must be exchanged first. */
async function prepareCard(source: string, handle: PublishRequest["handle"], session: Session): Promise<Preparation> {
  const kept = CardHandle.safeParse(handle).data;
  const page: Card = kept ?? (await fetchCard(source, { net: session, imageBytes: THUMB_BYTES }));
  const { title, description, image } = page;
  const picture: File = {
    kind: "image",
    mime: image?.type ?? "",
    bytes: image?.size ?? 0,
    open: async () => {
      if (image) return image;
      throw new PsnError("PLATFORM_REJECTED", "LinkedIn no longer has the link card's image");
    },
  };
  const uploads = { ...uploadsOf([picture], session), workingMostMs: THUMB_MOST_MS, failuresMost: 0 };
  const isTaken = kept !== undefined || CAPABILITIES.images?.mimes.includes(picture.mime);
  const came = isTaken ? await dispensable(session, prepareUploads(uploads, kept?.picture, session)) : undefined;
  if (came?.status === "pending") return { ...came, handle: { title, description, picture: came.handle } };
  const [thumbnail = null] = came ? z.array(Urn).parse(came.prepared) : [];
  return { status: "prepared", prepared: { media: [], card: { source, title, description, thumbnail } } };
}
