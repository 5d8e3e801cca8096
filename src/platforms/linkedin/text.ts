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
const HASHTAG = /(?<![\p{L}\p{M}\p{N}_&])#([\p{L}\p{M}\p{N}_]+)/gu;

export interface Mention {
  readonly name: string;
  readonly urn: string;
}

/**
 * While a text is cut, a mention is a word as long as its name: noncharacters, which no text has (Unicode 23.7), so
 * that it is neither cut nor counted by its URN.
 */
const HEAD = "\uFDD0";
const TAIL = "\uFDD1";
const HELD = /\uFDD0\uFDD1*/g;
/** What is left of a mention that was longer than a whole piece. */
const CUT_OFF = /(?<![\uFDD0\uFDD1])\uFDD1+/g;
const NONCHARACTERS = /[\uFDD0-\uFDEF]/g;

/** The text with its mentions held, and the mentions in order. */
export function hold(text: string) {
  const mentions: Mention[] = [];
  const plain = text.toWellFormed().replace(NONCHARACTERS, "").trim();
  const held = plain.replace(MENTION, (_, name: string, urn: string) => {
    mentions.push({ name, urn });
    return `${HEAD}${TAIL.repeat(name.length - 1)}`;
  });
  return { held, mentions };
}

/** How many mentions a held text has. */
export const mentionsIn = (held: string): number => held.match(HELD)?.length ?? 0;

/** What a reader sees, the same in little text, and the first link. */
export function release(piece: string, mentions: readonly Mention[]) {
  const held = piece.replace(CUT_OFF, "");
  const names = [...held.matchAll(HELD)].map(({ index, 0: whole }, number) => {
    const { name, urn } = mentions[number] ?? { name: "", urn: "" };
    return { start: index, end: index + whole.length, to: name, written: `@[${escaped(name)}](${escaped(urn)})` };
  });
  // A mention ends a link, since it is held as noncharacters (domain/links.ts).
  const links = findLinks(held).map((span) => ({ ...span, to: held.slice(span.start, span.end) }));
  const marks = names.map((name) => ({ ...name, to: name.written }));
  const addresses = links.map((link) => ({ ...link, to: escaped(link.to) }));
  return {
    visible: edited(held, names),
    little: edited(held, inOrder([...marks, ...addresses]), tagged),
    link: links[0]?.to ?? null,
  };
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
