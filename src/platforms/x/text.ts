import type { Span } from "@psn/domain/links.ts";
import twitterText from "twitter-text";

/**
 * X's own rules, third version: what counts 1, in Unicode; all else counts 2, any emoji counts 2 and any link 23
 * (https://docs.x.com/fundamentals/counting-characters and twitter-text's config/v3.json, 2026-11).
 */
const RULES = {
  version: 3,
  scale: 100,
  defaultWeight: 200,
  emojiParsingEnabled: true,
  transformedURLLength: 23,
  ranges: [
    { start: 0, end: 4351, weight: 100 },
    { start: 8192, end: 8205, weight: 100 },
    { start: 8208, end: 8223, weight: 100 },
    { start: 8242, end: 8247, weight: 100 },
  ],
};

/** What X counts, in its weighted characters. */
export function weigh(text: string): number {
  return text === "" ? 0 : twitterText.parseTweet(text, { ...RULES, maxWeightedTweetLength: 280 }).weightedLength;
}

/** As X will have it: whole characters, composed (NFC), trimmed. */
export function clean(text: string): string {
  return text.toWellFormed().normalize("NFC").trim();
}

/** Whether there is a character that X takes in no post (twitter-text's `invalidChars`: U+FFFE, U+FEFF, U+FFFF). */
export function hasForbidden(text: string): boolean {
  return twitterText.hasInvalidCharacters(text) === true;
}

/** What X makes a link of: hosts without a scheme too. */
export function findXLinks(text: string): Span[] {
  return twitterText.extractUrlsWithIndices(text).map(({ indices: [start, end] }) => ({ start, end }));
}

/** A link without what X may change in it: scheme, case of the host, last slash. */
function plainUrl(url: string): string {
  const full = /^[a-z]+:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(full)) return url.toLowerCase();
  const { host, pathname, search, hash } = new URL(full);
  return `${host}${pathname.replace(/\/$/, "")}${search}${hash}`;
}

/** Two texts are the same when these are: links plain, no white space. */
export function plain(text: string): string {
  let out = "";
  let at = 0;
  const words = clean(text);
  for (const { url, indices } of twitterText.extractUrlsWithIndices(words, { extractUrlsWithoutProtocol: true })) {
    out += `${words.slice(at, indices[0])}${plainUrl(url)}`;
    at = indices[1];
  }
  return `${out}${words.slice(at)}`.replace(/\s+/g, "");
}
