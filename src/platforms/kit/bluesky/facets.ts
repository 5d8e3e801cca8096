import { RichText } from "@atproto/api";

/** app.bsky.richtext.facet: a range in bytes of UTF-8, end exclusive, and what it means (lexicon in @atproto/api 0.21.0). */
export type Facet = {
  readonly index: { readonly byteStart: number; readonly byteEnd: number };
  readonly features: readonly { readonly [name: string]: string }[];
};

/** A mention whose handle is not yet a DID. */
export type Mention = { readonly handle: string; readonly byteStart: number; readonly byteEnd: number };

export interface Found {
  /** Links and tags, complete. */
  readonly facets: readonly Facet[];
  readonly mentions: readonly Mention[];
  /**
   * The first link that the author wrote out, with its scheme, for the card. `README.md` and `main.rs` are links too, since `.md` and
   * `.rs` are top-level domains; nobody means a page by them.
   */
  readonly link: string | null;
}

/** The lexicon's format `uri`, for links; the detection also finds `https://)` and `https:///x`, which a PDS refuses. */
const LINK = /^https?:\/\/[^\s/][^\s]*$/;
/** https://atproto.com/specs/handle (2026-11); asked for another, a PDS may answer 500 (measured, 0.4.217). */
const HANDLE = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i;
/** Most bytes of a link or a tag a PDS takes: format `uri` and facet#tag `maxLength` (lexicon in @atproto/api 0.21.0). */
const LINK_BYTES = 8 * 1024;
const TAG_BYTES = 640;

/** What the official app would mark in this text, found by its own library. */
export function findFacets(text: string): Found {
  const rich = new RichText({ text });
  rich.detectFacetsWithoutResolution();
  const facets: Facet[] = [];
  const mentions: Mention[] = [];
  let link: string | null = null;
  for (const { index, features } of rich.facets ?? []) {
    const { byteStart, byteEnd } = index;
    for (const feature of features) {
      if ("did" in feature && typeof feature.did === "string" && HANDLE.test(feature.did))
        mentions.push({ handle: feature.did, byteStart, byteEnd });
      if ("uri" in feature && typeof feature.uri === "string" && isLink(feature.uri)) {
        const { uri } = feature;
        facets.push({ index: { byteStart, byteEnd }, features: [{ $type: "app.bsky.richtext.facet#link", uri }] });
        if (/^https?:/.test(rich.unicodeText.slice(byteStart, byteEnd))) link ??= uri;
      }
      if ("tag" in feature && typeof feature.tag === "string" && Buffer.byteLength(feature.tag) <= TAG_BYTES) {
        facets.push({ index: { byteStart, byteEnd }, features: [{ $type: "app.bsky.richtext.facet#tag", tag: feature.tag }] });
      }
    }
  }
  return { facets, mentions, link };
}

export function mentionFacet({ byteStart, byteEnd }: Mention, did: string): Facet {
  return { index: { byteStart, byteEnd }, features: [{ $type: "app.bsky.richtext.facet#mention", did }] };
}

/** In the order of the text. */
export function sortFacets(facets: readonly Facet[]): Facet[] {
  return facets.toSorted((a, b) => a.index.byteStart - b.index.byteStart);
}

function isLink(uri: string): boolean {
  return LINK.test(uri) && URL.canParse(uri) && Buffer.byteLength(uri) <= LINK_BYTES;
}
