import type { Limits, MediaRule } from "@psn/core/types/capabilities.ts";
import { z } from "zod";

/**
 * What a server says when it says nothing. Text, files and sizes: https://docs.joinmastodon.org/user/posting/ (2026-11);
 * 23 per URL: https://docs.joinmastodon.org/entities/Instance/#characters_reserved_per_url (2026-11). Sizes are Mastodon's
 * binary megabytes (16 and 99). 1,500 for a description is MediaAttachment::MAX_DESCRIPTION_LENGTH of Mastodon 4.
 */
export const DEFAULTS = {
  text: { max: 500, unit: "grapheme", urlCost: 23, mention: "local" },
  images: {
    max: 4,
    maxBytes: 16 * 1024 * 1024,
    mimes: ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic", "image/heif"],
  },
  videos: { max: 1, maxBytes: 99 * 1024 * 1024, mimes: ["video/mp4", "video/webm", "video/quicktime", "video/ogg"] },
  altText: 1500,
} as const satisfies Limits;

/** A server may send nonsense for one number; that number is then as if it had said nothing. */
const Count = z.number().int().positive().optional().catch(undefined);

/**
 * The parts of https://docs.joinmastodon.org/entities/Instance/ and https://docs.joinmastodon.org/entities/V1_Instance/
 * (2026-11) that bound a post. `max_toot_chars` is what Pleroma, Akkoma and Mastodon forks call it, at the top.
 */
export const Instance = z.object({
  /** V2: the domain of handles. */
  domain: z.string().optional().catch(undefined),
  /** V1: the same; some servers send an origin. */
  uri: z.string().optional().catch(undefined),
  max_toot_chars: Count,
  max_characters: Count,
  description_limit: Count,
  configuration: z
    .object({
      statuses: z
        .object({ max_characters: Count, max_media_attachments: Count, characters_reserved_per_url: Count })
        .optional()
        .catch(undefined),
      media_attachments: z
        .object({
          supported_mime_types: z.array(z.string()).optional().catch(undefined),
          image_size_limit: Count,
          video_size_limit: Count,
          description_limit: Count,
        })
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});
export type Instance = z.output<typeof Instance>;

/** Only what differs from `DEFAULTS`; an empty object for a server that is like them or says nothing. */
export function limitsOf(instance: Instance): Partial<Limits> {
  const { statuses, media_attachments: media } = instance.configuration ?? {};
  const text = {
    ...DEFAULTS.text,
    max: statuses?.max_characters ?? instance.max_toot_chars ?? instance.max_characters ?? DEFAULTS.text.max,
    urlCost: statuses?.characters_reserved_per_url ?? DEFAULTS.text.urlCost,
  };
  const most = statuses?.max_media_attachments;
  const mimes = media?.supported_mime_types ?? [];
  const images = ruleOf(DEFAULTS.images, "image/", mimes, media?.image_size_limit, most);
  const videos = ruleOf(DEFAULTS.videos, "video/", mimes, media?.video_size_limit, undefined);
  const altText = media?.description_limit ?? instance.description_limit ?? DEFAULTS.altText;
  return {
    ...(text.max !== DEFAULTS.text.max || text.urlCost !== DEFAULTS.text.urlCost ? { text } : {}),
    ...(images ? { images } : {}),
    ...(videos ? { videos } : {}),
    ...(altText !== DEFAULTS.altText ? { altText } : {}),
  };
}

/** The server's rule for one kind of media; undefined when it is the usual one. */
function ruleOf(
  usual: MediaRule,
  kind: string,
  listed: readonly string[],
  bytes: number | undefined,
  most: number | undefined,
): MediaRule | undefined {
  const named = listed.filter((mime) => mime.startsWith(kind) && /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(mime));
  const mimes = named.length > 0 ? named : usual.mimes;
  const rule = { max: most ?? usual.max, maxBytes: bytes ?? usual.maxBytes, mimes };
  const sameMimes = mimes.length === usual.mimes.length && mimes.every((mime) => usual.mimes.includes(mime));
  return sameMimes && rule.max === usual.max && rule.maxBytes === usual.maxBytes ? undefined : rule;
}
