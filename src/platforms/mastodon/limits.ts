import { isDeepStrictEqual } from "node:util";
import type { Limits, MediaRule, TextRule } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import { MEDIA_TYPES } from "@psn/core/types/post.ts";
import { z } from "zod";

/**
 * What a server says when it says nothing. Text, files and sizes: https://docs.joinmastodon.org/user/posting/
 * (2026-11); 23 per URL: https://docs.joinmastodon.org/entities/Instance/#characters_reserved_per_url (2026-11). Sizes
 * are Mastodon's binary megabytes (16 and 99). It takes HEIC and Ogg too, which psn does not read. Pixels and frames a
 * second have no usual value: a server that names none may have no such limit. 1,500 for a description is
 * MediaAttachment::MAX_DESCRIPTION_LENGTH of Mastodon 4.
 */
export const DEFAULTS = {
  text: { max: 500, unit: "grapheme", urlCost: 23, mention: "local" },
  images: {
    max: 4,
    maxBytes: 16 * 1024 * 1024,
    mimes: ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"],
  },
  videos: { max: 1, maxBytes: 99 * 1024 * 1024, mimes: ["video/mp4", "video/webm", "video/quicktime"] },
  altText: 1500,
} as const satisfies Limits;

/** A server may send nonsense for one number; that number is then as if it had said nothing. */
const Count = z.number().int().positive().optional().catch(undefined);

/** 0 where a link counts in full. */
const Reserved = z.number().int().nonnegative().optional().catch(undefined);

/**
 * The parts of https://docs.joinmastodon.org/entities/Instance/ and https://docs.joinmastodon.org/entities/V1_Instance/
 * (2026-11) that bound a post. `max_toot_chars` is what Pleroma, Akkoma and Mastodon forks call it, at the top.
 */
export const Instance = z.object({
  /** V2: the domain of handles. */
  domain: z.string().optional().catch(undefined),
  /** V1: the same; some servers send an origin. */
  uri: z.string().optional().catch(undefined),
  /** `4.5.0`, `4.5.0+glitch`, `2.7.2 (compatible; Akkoma 3.15.2)`: which program this is, as far as it says. */
  version: z.string().optional().catch(undefined),
  /** V2. GoToSocial names itself here alone (measured, 0.20). */
  source_url: z.string().optional().catch(undefined),
  max_toot_chars: Count,
  max_characters: Count,
  description_limit: Count,
  configuration: z
    .object({
      statuses: z
        .object({ max_characters: Count, max_media_attachments: Count, characters_reserved_per_url: Reserved })
        .optional()
        .catch(undefined),
      media_attachments: z
        .object({
          supported_mime_types: z.array(z.string()).optional().catch(undefined),
          image_size_limit: Count,
          image_matrix_limit: Count,
          video_size_limit: Count,
          video_matrix_limit: Count,
          video_frame_rate_limit: Count,
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
  const text = textOf(instance);
  const most = statuses?.max_media_attachments;
  const mimes = media?.supported_mime_types ?? [];
  const images = ruleOf(DEFAULTS.images, {
    kind: "image/",
    listed: mimes,
    max: most,
    maxBytes: media?.image_size_limit,
    maxPixels: media?.image_matrix_limit,
  });
  const videos = ruleOf(DEFAULTS.videos, {
    kind: "video/",
    listed: mimes,
    maxBytes: media?.video_size_limit,
    maxPixels: media?.video_matrix_limit,
    maxFrameRate: media?.video_frame_rate_limit,
  });
  const altText = media?.description_limit ?? instance.description_limit ?? DEFAULTS.altText;
  return {
    ...defined({
      text: isDeepStrictEqual(text, DEFAULTS.text) ? undefined : text,
      images,
      videos,
      altText: altText !== DEFAULTS.altText ? altText : undefined,
    }),
  };
}

/**
 * What servers count that do not count as Mastodon does, whatever they announce: links and mentions in full. GoToSocial
 * counts Go's runes (internal/processing/status, validateStatusContent; measured with 0.20, which announces 25 for a
 * link), Pleroma and Akkoma Elixir's String.length (lib/pleroma/web/common_api/utils.ex, validate_character_limit),
 * Pixelfed PHP's mb_strlen (a rule `max:` of Laravel). All 2026-11.
 */
const COUNTS: readonly (readonly [name: RegExp, unit: TextRule["unit"]])[] = [
  [/gotosocial/i, "codepoint"],
  [/\b(?:pleroma|akkoma)\b/i, "grapheme"],
  [/\bpixelfed\b/i, "codepoint"],
  // Others that only speak Mastodon's language, such as Misskey's forks: the strictest count, so that none of them
  // refuses.
  [/\(compatible;/i, "utf16"],
];

function textOf(instance: Instance): TextRule {
  const statuses = instance.configuration?.statuses;
  const max = statuses?.max_characters ?? instance.max_toot_chars ?? instance.max_characters ?? DEFAULTS.text.max;
  const urlCost = statuses?.characters_reserved_per_url ?? DEFAULTS.text.urlCost;
  const names = `${instance.version ?? ""} ${instance.source_url ?? ""}`;
  const unit = COUNTS.find(([name]) => name.test(names))?.[1];
  if (unit !== undefined || urlCost === 0) return { max, unit: unit ?? DEFAULTS.text.unit };
  return { ...DEFAULTS.text, max, urlCost };
}

/** What a server says of one kind of media; undefined where it says nothing. */
type Said = { readonly [name in Exclude<keyof MediaRule, "mimes">]?: number | undefined };

/** The server's rule for one kind of media; undefined when it is the usual one. */
function ruleOf(
  usual: MediaRule,
  {
    kind,
    listed,
    max = usual.max,
    maxBytes = usual.maxBytes,
    maxPixels,
    maxFrameRate,
  }: { readonly kind: "image/" | "video/"; readonly listed: readonly string[] } & Said,
): MediaRule | undefined {
  const named = MEDIA_TYPES.filter((mime) => mime.startsWith(kind) && listed.includes(mime));
  const mimes = named.length > 0 ? named : usual.mimes;
  const sameMimes = mimes.length === usual.mimes.length && mimes.every((mime) => usual.mimes.includes(mime));
  if (
    sameMimes &&
    max === usual.max &&
    maxBytes === usual.maxBytes &&
    maxPixels === undefined &&
    maxFrameRate === undefined
  )
    return undefined;
  return {
    max,
    maxBytes,
    mimes,
    ...defined({ maxPixels, maxFrameRate }),
  };
}
