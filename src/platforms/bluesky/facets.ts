import { findLinks, findLinksBy, inOrder, type Span } from "@psn/domain/links.ts";
import type { Link } from "@psn/domain/markdown/plain.ts";
import tlds from "tlds" with { type: "json" };

/**
 * app.bsky.richtext.facet: a range in bytes of UTF-8, end exclusive, and what it means (lexicon in @atproto/api
 * 0.21.0).
 */
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
   * The first link that the author wrote out, with its scheme, for the card: nobody asks for a page by the word
   * `example.com`.
   */
  readonly link: string | null;
}

/*
 * What the official app marks (@atproto/api 0.21.0, dist/rich-text/detection.js), without what it misses and what it
 * takes too much of: links as in domain/links.ts, and marks after an opening bracket or quotation mark. `bun run
 * conformance` holds both beside each other.
 */

const OPENS = "^|[\\s\\p{Ps}\\p{Pi}\"'*_]";
const MENTION = /(?<![A-Za-z0-9@＠#＃$_./\\=&%+~-])@([a-zA-Z0-9.-]+)\b/g;
const INVISIBLE = "\\u00ad\\u2060\\u200a\\u200b\\u200c\\u200d\\u20e2";
const TAG = new RegExp(
  `(?<=${OPENS})[#＃](?!\\ufe0f)([^\\s${INVISIBLE}]*[^\\d\\s\\p{P}${INVISIBLE}]+[^\\s${INVISIBLE}]*)`,
  "gu",
);
const CASHTAG = new RegExp(`(?<=${OPENS})\\$([A-Za-z][A-Za-z0-9]{0,4})(?=$|[\\s.,;:!?)"'\\]}\\p{Pf}])`, "gu");

/** https://atproto.com/specs/handle (2026-11); asked for another, a PDS may answer 500 (measured, 0.4.217). */
const HANDLE = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const TLDS: ReadonlySet<string> = new Set([...tlds, "test"]);
/**
 * Most bytes of a link or a tag a PDS takes: format `uri` and facet#tag `maxLength` (lexicon in @atproto/api 0.21.0).
 */
const LINK_BYTES = 8 * 1024;
const TAG_BYTES = 640;
/** Longest tag the official app marks, in graphemes. */
const TAG_GRAPHEMES = 64;
const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** What the author marked in Markdown: `links` have their own words, and code has neither links, tags nor mentions. */
export interface Marked {
  readonly links: readonly Link[];
  readonly code: readonly Span[];
}

export function findFacets(text: string, { links: marked, code }: Marked = { links: [], code: [] }): Found {
  const indexOf = byteIndex(text);
  const taken = inOrder([...marked, ...code]);
  const found = findLinksBy("bare", text).filter(({ start, end }) => isFree(taken, start, end));
  const written = found.map((span) => ({ ...span, url: uriOf(text.slice(span.start, span.end)) }));
  const links = inOrder([...written, ...marked.filter(({ url }) => /^https?:/i.test(url))]);
  const facets = links.flatMap(({ start, end, url }) => {
    const uri = uriOf(url);
    return Buffer.byteLength(uri) > LINK_BYTES
      ? []
      : [facet(indexOf(start, end), { $type: "app.bsky.richtext.facet#link", uri })];
  });
  for (const { start, end, value } of [...tagsIn(text), ...cashtagsIn(text)]) {
    if (isFree(links, start, end) && isFree(taken, start, end) && Buffer.byteLength(value) <= TAG_BYTES)
      facets.push(facet(indexOf(start, end), { $type: "app.bsky.richtext.facet#tag", tag: value }));
  }
  const mentions = mentionsIn(text)
    .filter(({ start, end }) => isFree(links, start, end) && isFree(taken, start, end))
    .map(({ start, end, value: handle }) => ({ handle, ...indexOf(start, end) }));
  const addresses = findLinks(text).filter(({ start, end }) => isFree(taken, start, end));
  const card = inOrder([...addresses.map((span) => ({ ...span, url: text.slice(span.start, span.end) })), ...marked])
    .map(({ url }) => uriOf(url))
    .find((uri) => Buffer.byteLength(uri) <= LINK_BYTES);
  return { facets: sortFacets(facets), mentions, link: card ?? null };
}

export function mentionFacet({ byteStart, byteEnd }: Mention, did: string): Facet {
  return facet({ byteStart, byteEnd }, { $type: "app.bsky.richtext.facet#mention", did });
}

/** In the order of the text. */
export function sortFacets(facets: readonly Facet[]): Facet[] {
  return facets.toSorted((a, b) => a.index.byteStart - b.index.byteStart);
}

function facet(index: Facet["index"], feature: { readonly [name: string]: string }): Facet {
  return { index, features: [feature] };
}

/** Apps know `https:` in small letters only; a scheme means the same in any case (RFC 3986, section 3.1). */
function uriOf(link: string): string {
  const scheme = /^https?:\/\//i.exec(link)?.[0];
  return scheme === undefined ? `https://${link}` : `${scheme.toLowerCase()}${link.slice(scheme.length)}`;
}

interface Mark extends Span {
  readonly value: string;
}

function mentionsIn(text: string): Mark[] {
  return [...text.matchAll(MENTION)].flatMap(({ index, 1: handle = "" }) => {
    const tld = handle.slice(handle.lastIndexOf(".") + 1).toLowerCase();
    return HANDLE.test(handle) && TLDS.has(tld)
      ? [{ start: index, end: index + 1 + handle.length, value: handle }]
      : [];
  });
}

function tagsIn(text: string): Mark[] {
  return [...text.matchAll(TAG)].flatMap(({ index, 1: words = "" }) => {
    const tag = words.replace(/\p{P}+$/u, "");
    const short = tag.length <= TAG_GRAPHEMES || [...graphemes.segment(tag)].length <= TAG_GRAPHEMES;
    return tag !== "" && short ? [{ start: index, end: index + 1 + tag.length, value: tag }] : [];
  });
}

function cashtagsIn(text: string): Mark[] {
  return [...text.matchAll(CASHTAG)].map(({ index, 0: whole }) => ({
    start: index,
    end: index + whole.length,
    value: whole.toUpperCase(),
  }));
}

function isFree(links: readonly Span[], start: number, end: number): boolean {
  return !links.some((link) => link.start < end && start < link.end);
}

/** From UTF-16 units to bytes of UTF-8. */
function byteIndex(text: string): (start: number, end: number) => Facet["index"] {
  return (start, end) => {
    const byteStart = Buffer.byteLength(text.slice(0, start));
    return { byteStart, byteEnd: byteStart + Buffer.byteLength(text.slice(start, end)) };
  };
}
