import { edited, type Span } from "@psn/domain/links.ts";
import twitterText from "twitter-text";

/**
 * What X counts, by its own rules, third version: some characters of Unicode count 1, all else counts 2, any emoji
 * counts 2 and any link 23 (…/fundamentals/counting-characters, 2026-11; the library has the ranges).
 */
export const weigh = (text: string): number => (text === "" ? 0 : twitterText.parseTweet(text).weightedLength);

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
  const words = clean(text);
  const links = findXLinks(words).map((span) => ({ ...span, to: plainUrl(words.slice(span.start, span.end)) }));
  return edited(words, links).replace(/\s+/g, "");
}
