import type { TextRule } from "@psn/core/types/capabilities.ts";
import { findLinks, inOrder } from "@psn/domain/links.ts";
import { fits, split } from "@psn/domain/text.ts";

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

interface Mention {
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

/**
 * Every part of a post as its pieces, like `splitParts` of domain/text, with another limit from the second piece on.
 */
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
  // One more digit leaves less room, which may make more pieces: widen until their number has as many digits as
  // planned.
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
  const found = findLinks(held);
  // A mention ends a link, since it is held as noncharacters (domain/links.ts).
  const spans = inOrder([
    ...found.map((span) => ({ ...span, mention: false })),
    ...[...held.matchAll(HELD)].map(({ index, 0: name }) => ({
      start: index,
      end: index + name.length,
      mention: true,
    })),
  ]);
  for (const { start, end, mention } of spans) {
    plain(held.slice(at, start));
    const { name = "", urn = "" } = mention ? (mentions[used++] ?? {}) : {};
    little += mention ? `@[${escaped(name)}](${escaped(urn)})` : escaped(held.slice(start, end));
    at = end;
  }
  plain(held.slice(at));
  let named = 0;
  const visible = held.replace(HELD, () => mentions[named++]?.name ?? "");
  const [first] = found;
  return { visible, little, mentions, link: first ? held.slice(first.start, first.end) : null };
}

function escaped(text: string): string {
  return text.replace(RESERVED, "\\$&");
}
