import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import { isLanguage } from "@psn/domain/language.ts";
import type { Shape } from "@psn/platforms/kit/compose.ts";
import { type Facet, findFacets, type Mention } from "./facets.ts";
import { IMAGES } from "./image-limit.ts";

export type Image = {
  readonly alt: string;
  readonly mime: string;
  readonly aspectRatio: { readonly width: number; readonly height: number } | null;
};

/** All of an app.bsky.feed.post that is known before it is sent. */
export type Body = {
  readonly text: string;
  readonly langs: readonly string[];
  readonly facets: readonly Facet[];
  readonly mentions: readonly Mention[];
  readonly images: readonly Image[];
  /** The link to make a card of. */
  readonly link: string | null;
};

export const CAPABILITIES: Capabilities = {
  // app.bsky.feed.post#text: maxGraphemes and maxLength (lexicon in @atproto/api 0.21.0).
  text: { max: 300, unit: "grapheme", maxBytes: 3000 },
  // A GIF stands still.
  images: IMAGES,
  // The lexicon has no bound; this is the app's own (bluesky-social/social-app src/lib/constants.ts MAX_ALT_TEXT,
  // 2026-11).
  altText: 2000,
  thread: "reply-chain",
  // A facet has an address and any words (app.bsky.richtext.facet).
  markup: "links",
  visibilities: ["public"],
  // Self-labels blur images and name four kinds of them; they do not hide a text, and have no words of the author's.
  contentWarning: false,
  duplicates: "client-id",
  concurrency: 4,
};

export const SHAPE: Shape<Body> = {
  id: "bluesky",
  name: "Bluesky",
  capabilities: CAPABILITIES,
  words: { visibility: "every post is public" },
  postIssues: ({ language }) =>
    language === undefined || isLanguage(language)
      ? []
      : [{ code: "language", message: "the language is not a BCP 47 tag", hint: "for example en or pt-BR" }],
  unit: ({ text, links, code, post: { language }, media }) => {
    const { facets, mentions, link } = findFacets(text, { links, code });
    // An embed is one thing: images or a card.
    const card = media.length > 0 ? null : link;
    const langs = language === undefined ? [] : [language];
    return {
      body: { text, langs, facets, mentions, images: media.map(imageOf), link: card },
      prepare: media.length > 0 || mentions.length > 0 || card !== null,
    };
  },
};

function imageOf({ alt = "", mime, width = 0, height = 0 }: MediaInfo): Image {
  const isKnown = [width, height].every((pixels) => Number.isSafeInteger(pixels) && pixels > 0);
  return { alt: alt.toWellFormed(), mime, aspectRatio: isKnown ? { width, height } : null };
}
