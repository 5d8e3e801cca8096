import type { TextRule } from "@psn/core/types/capabilities.ts";
import { fits, split } from "@psn/domain/text.ts";
import { LinkifyIt } from "linkify-it";

/*
 * Little text, the format of a post's commentary
 * (https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format, 2026-11). An unescaped reserved
 * character ends the post there, without a word of LinkedIn's. Comments are plain text (a comment shows every backslash:
 * github.com/gitroomhq/postiz-app/issues/1847).
 */

const RESERVED = /[\\|{}@[\]()<>#*_~]/g;
/** As the author writes it, which is as the page above has it. */
const MENTION = /@\[([^[\]\n]{1,100})\]\((urn:li:(?:person|organization):[\w-]{1,64})\)/g;
const HASHTAG = /(?<![\p{L}\p{M}\p{N}_&])#([\p{L}\p{M}\p{N}_]+)/gu;

/** Only links with `http:` or `https:` written out, as in domain/text. */
const links = new LinkifyIt({ fuzzyLink: false, fuzzyEmail: false }).add("ftp:", null).add("//", null).add("mailto:", null);

interface Mention {
  readonly name: string;
  readonly urn: string;
}

/**
 * While a text is cut, a mention is a word as long as its name: noncharacters, which no text has (Unicode 23.7), so that it is
 * neither cut nor counted by its URN.
 */
const HEAD = "\uFDD0";
const TAIL = "\uFDD1";
const HELD = /\uFDD0\uFDD1*/g;
/** What is left of a mention that was longer than a whole piece. */
const CUT_OFF = /(?<![\uFDD0\uFDD1])\uFDD1+/g;
const NONCHARACTERS = /[\uFDD0-\uFDEF]/g;

/** One unit's text, before it is known how it will be sent. */
export interface Piece {
  /** What a reader will see. */
  readonly visible: string;
  /** The same in little text. */
  readonly little: string;
  readonly mentions: readonly Mention[];
  /** The first link. */
  readonly link: string | null;
}

/** How long the first unit may be and how long those that follow it, which are comments. */
export interface Rules {
  readonly post: TextRule;
  readonly comment: TextRule;
}

/** Every part of a post as its pieces, like `splitParts` of domain/text, with another limit from the second piece on. */
export function piecesOf(
  parts: readonly string[],
  rules: Rules,
  options: { readonly split: boolean; readonly numbered: boolean },
): Piece[][] {
  const mentions: Mention[] = [];
  const texts = parts.map((part) =>
    part
      .toWellFormed()
      .replace(NONCHARACTERS, "")
      .trim()
      .replace(MENTION, (_, name: string, urn: string) => {
        mentions.push({ name, urn });
        return `${HEAD}${TAIL.repeat(name.length - 1)}`;
      }),
  );
  let next = 0;
  return numberedPieces(texts, rules, options).map((pieces) =>
    pieces.map((piece) => {
      const held = piece.replace(CUT_OFF, "");
      const count = held.match(HELD)?.length ?? 0;
      next += count;
      return pieceOf(held, mentions.slice(next - count, next));
    }),
  );
}

function numberedPieces(
  texts: readonly string[],
  rules: Rules,
  options: { readonly split: boolean; readonly numbered: boolean },
): string[][] {
  const piecesIn = (less: number) => {
    const comment = { ...rules.comment, max: rules.comment.max - less };
    const post = { ...rules.post, max: rules.post.max - less };
    return texts.map((text, index) => (options.split ? cut(text, index === 0 ? post : comment, comment) : [text]));
  };
  const plain = piecesIn(0);
  if (!options.numbered || plain.flat().length < 2) return plain;
  // One more digit leaves less room, which may make more pieces: widen until their number has as many digits as planned.
  for (let digits = String(plain.flat().length).length; ; digits += 1) {
    const less = " (/)".length + 2 * digits;
    if (less >= Math.min(rules.post.max, rules.comment.max)) return plain;
    const pieces = piecesIn(less);
    const total = pieces.flat().length;
    if (String(total).length > digits) continue;
    let number = 0;
    return pieces.map((part) => part.map((piece) => `${piece} (${++number}/${total})`.trimStart()));
  }
}

function cut(text: string, first: TextRule, rest: TextRule): string[] {
  if (fits(text, first)) return [text];
  const [head = text] = split(text, first);
  const tail = text.slice(head.length).trim();
  return tail === "" ? [head] : [head, ...split(tail, rest)];
}

function pieceOf(held: string, mentions: readonly Mention[]): Piece {
  let little = "";
  let at = 0;
  let used = 0;
  const plain = (words: string) => {
    let from = 0;
    for (const found of words.matchAll(HASHTAG)) {
      const [whole, tag = ""] = found;
      if (!/\p{L}/u.test(tag)) continue;
      little += `${escaped(words.slice(from, found.index))}{hashtag|\\#|${escaped(tag)}}`;
      from = found.index + whole.length;
    }
    little += escaped(words.slice(from));
  };
  const found = held.includes("://") ? (links.match(held) ?? []) : [];
  const spans = [
    ...found.map(({ index, lastIndex }) => ({ start: index, end: lastIndex, mention: false })),
    ...[...held.matchAll(HELD)].map((match) => ({ start: match.index, end: match.index + match[0].length, mention: true })),
  ].sort((a, b) => a.start - b.start);
  for (const { start, end, mention } of spans) {
    // A mention glued to a link is part of what linkify takes for the link; the link ends there.
    if (start < at) continue;
    const stop = mention ? end : Math.min(end, ...spans.filter((one) => one.mention && one.start >= start).map((one) => one.start));
    plain(held.slice(at, start));
    const { name = "", urn = "" } = mention ? (mentions[used++] ?? {}) : {};
    little += mention ? `@[${escaped(name)}](${escaped(urn)})` : escaped(held.slice(start, stop));
    at = stop;
  }
  plain(held.slice(at));
  let named = 0;
  const visible = held.replace(HELD, () => mentions[named++]?.name ?? "");
  const url = found[0]?.url.split(HEAD)[0];
  return { visible, little, mentions, link: url !== undefined && isLink(url) ? url : null };
}

function escaped(text: string): string {
  return text.replace(RESERVED, "\\$&");
}

function isLink(url: string): boolean {
  return /^https?:\/\/[^\s/]/i.test(url) && URL.canParse(url);
}
