import { edited, findLinks, inOrder } from "@psn/domain/links.ts";

/*
 * Little text, the format of a post's commentary
 * (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format, 2026-11). An
 * unescaped reserved character ends the post there, without a word of LinkedIn's. Comments are plain text (a comment
 * shows every backslash: github.com/gitroomhq/postiz-app/issues/1847).
 */

const RESERVED = /[\\|{}@[\]()<>#*_~]/g;
/** As the author writes it, which is as the page above has it. */
const MENTION = /@\[([^[\]\n]{1,100})\]\((urn:li:(?:person|organization):[\w-]{1,64})\)/g;
/** Whether this is how LinkedIn names who is mentioned. */
export const isName = (url: string): boolean => /^urn:li:(?:person|organization):/.test(url);
const HASHTAG = /(?<![\p{L}\p{M}\p{N}_&])#([\p{L}\p{M}\p{N}_]+)/gu;

/** Noncharacters, which no text has (Unicode 23.7). */
const NONCHARACTERS = /[\uFDD0-\uFDEF]/g;

/** Well-formed, without noncharacters, trimmed. */
export const clean = (text: string): string => text.toWellFormed().replace(NONCHARACTERS, "").trim();

/** Who is mentioned, in order; `to` is the name, which is all that a reader sees of a mention and all that counts. */
export function mentionsIn(text: string) {
  return [...text.matchAll(MENTION)].map(({ index, 0: whole, 1: to = "", 2: urn = "" }) => ({
    start: index,
    end: index + whole.length,
    to,
    urn,
  }));
}

/** What a reader sees. */
export const visible = (text: string): string => edited(text, mentionsIn(text));

/** A text as little text, and its first link. */
export function littleOf(text: string) {
  const mentions = mentionsIn(text);
  // A mention ends a link, as a noncharacter does (domain/links.ts).
  const hidden = mentions.map(({ start, end }) => ({ start, end, to: "\uFDD0".repeat(end - start) }));
  const links = findLinks(edited(text, hidden)).map((link) => ({ ...link, to: text.slice(link.start, link.end) }));
  const marks = mentions.map((one) => ({ ...one, to: `@[${escaped(one.to)}](${escaped(one.urn)})` }));
  const addresses = links.map((link) => ({ ...link, to: escaped(link.to) }));
  return { little: edited(text, inOrder([...marks, ...addresses]), tagged), link: links[0]?.to ?? null };
}

/** Words without a link: their hashtags marked, all else escaped. */
function tagged(words: string): string {
  const tags = [...words.matchAll(HASHTAG)].filter(([, tag = ""]) => /\p{L}/u.test(tag));
  const marks = tags.map(({ index, 0: whole, 1: tag = "" }) => ({
    start: index,
    end: index + whole.length,
    to: `{hashtag|\\#|${escaped(tag)}}`,
  }));
  return edited(words, marks, escaped);
}

function escaped(text: string): string {
  return text.replace(RESERVED, "\\$&");
}
