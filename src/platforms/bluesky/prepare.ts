import { PsnError } from "@psn/core/errors.ts";
import type { Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { dispensable, isRefused, parse, renamed, UPLOAD_TIMEOUT_MS } from "@psn/platforms/kit/http.ts";
import { type Card, fetchCard } from "@psn/platforms/kit/linkcard.ts";
import { prepareUploads, READY, type Uploads } from "@psn/platforms/kit/uploads.ts";
import { Writable } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import type { Body } from "./compose.ts";
import { type Facet, type Mention, mentionFacet } from "./facets.ts";
import { assertTaken } from "./image-limit.ts";
import { xrpc } from "./xrpc.ts";

/**
 * Most bytes of a card's picture: app.bsky.embed.external#external `thumb.maxSize` (lexicon in @atproto/api 0.21.0).
 */
const THUMB_BYTES = 1_000_000;

const Blobs = z.object({
  $type: z.literal("blob"),
  ref: z.object({ $link: Writable }),
  mimeType: Writable,
  size: z.number(),
});
type BlobRef = z.output<typeof Blobs>;

/** What `prepare` resolves to and `publish` reads back. */
export const Prepared = z.object({
  images: z.array(Blobs),
  mentions: z.array(
    z.object({
      index: z.object({ byteStart: z.number(), byteEnd: z.number() }),
      features: z.array(z.record(z.string(), z.string())),
    }),
  ),
  card: z.object({ uri: z.string(), title: z.string(), description: z.string(), thumb: Blobs.nullable() }).nullable(),
});

/**
 * Uploads the images, looks up who is mentioned, and makes the link's card. A blob no post refers to is seen by nobody.
 * Throws what `prepareUploads` throws, and PLATFORM_REJECTED for an image that is too large for the server.
 */
export async function prepare(request: PublishRequest<Body>, session: Session): Promise<Preparation> {
  const { body } = request.unit;
  await assertTaken(request.media, session);
  const uploads: Uploads<Media, BlobRef> = {
    files: request.media,
    id: Blobs,
    start: async (file) => ({ id: await upload(await file.open(), file.mime, session), told: READY }),
    finish: async (images) => {
      const mentions: Facet[] = [];
      for (const mention of body.mentions) mentions.push(...(await resolve(mention, session)));
      const card = body.link === null ? null : await cardOf(body.link, session);
      return { images: [...images], mentions, card };
    },
    overdue: () => "the server is still processing an image",
  };
  return prepareUploads(uploads, request.handle, session);
}

/** com.atproto.repo.uploadBlob (https://docs.bsky.app/docs/api/com-atproto-repo-upload-blob, 2026-11). */
async function upload(blob: Blob, type: string, session: Session): Promise<BlobRef> {
  const answer = await xrpc(session, {
    home: session.profile.home,
    method: "com.atproto.repo.uploadBlob",
    options: {
      body: blob,
      type,
      token: session.credentials.access,
      timeoutMs: UPLOAD_TIMEOUT_MS,
    },
  }).catch((error: unknown) => {
    // PDS_BLOB_UPLOAD_LIMIT, or a proxy in front of the server.
    if (!(error instanceof PsnError) || error.details["status"] !== 413) throw error;
    throw renamed(error.code, error, { hint: "save the image smaller" });
  });
  return parse(answer, z.object({ blob: Blobs })).blob;
}

/** A handle nobody has is no mention but plain text; a server that cannot tell just now is asked again later. */
async function resolve(mention: Mention, session: Session): Promise<Facet[]> {
  const { home } = session.profile;
  try {
    const answer = await xrpc(session, {
      home,
      method: "com.atproto.identity.resolveHandle",
      options: {
        query: { handle: mention.handle },
      },
    });
    return [mentionFacet(mention, parse(answer, z.object({ did: Writable.startsWith("did:") })).did)];
  } catch (error) {
    // A redirect is a refusal too, and says nothing of the handle.
    if (isRefused(error)) return [];
    throw error;
  }
}

async function cardOf(uri: string, session: Session): Promise<z.input<typeof Prepared>["card"]> {
  const card = await fetchCard(uri, { net: session, imageBytes: THUMB_BYTES });
  return { uri, title: card.title, description: card.description, thumb: await thumbOf(card, session) };
}

/** Nothing about a card may keep a post from being published, but for a token that must be exchanged first. */
async function thumbOf({ image }: Card, session: Session): Promise<BlobRef | null> {
  const blob = image && (await dispensable(session, upload(image, image.type, session)));
  // The server looks at the bytes, and would refuse a post whose picture is none.
  return blob?.mimeType.startsWith("image/") && blob.size <= THUMB_BYTES ? blob : null;
}
