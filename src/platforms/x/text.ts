import type { TextRule } from "@psn/core/types/capabilities.ts";
import type { Span } from "@psn/domain/links.ts";
import { measure, split } from "@psn/domain/text.ts";
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

/**
 * Every part of a post as the texts of its units, like `splitParts` of domain/text, but weighed as X does: where to cut
 * is domain/text's, how far is X's.
 */
export function splitWeighed(
  texts: readonly string[],
  max: number,
  options: { readonly split?: boolean; readonly numbered?: boolean },
): string[][] {
  const piecesIn = (room: number) =>
    texts.map((text) => (options.split !== true || weigh(text) <= room ? [text] : cut(text, room)));
  const plain = piecesIn(max);
  if (options.numbered !== true || plain.flat().length < 2) return plain;
  // One more digit leaves less room, which may make more parts: widen until the number of parts has as many digits as
  // planned.
  for (let digits = String(plain.flat().length).length; ; digits += 1) {
    const room = max - " (/)".length - 2 * digits;
    if (room <= 0) return plain;
    const pieces = piecesIn(room);
    const total = pieces.flat().length;
    if (String(total).length > digits) continue;
    let number = 0;
    const numbered = pieces.map((part) => part.map((piece) => `${piece} (${++number}/${total})`.trimStart()));
    return options.split !== true || numbered.flat().every((piece) => weigh(piece) <= max) ? numbered : plain;
  }
}

/**
 * Code points looked at for one piece: more than X's limit can hold, whose lightest emoji has ten code points for 2.
 */
const WINDOW = 2_000;
/** Longest link twitter-text sees, and so the furthest that a window must reach to hold it whole. */
const URL_MOST = 4_096;

function cut(text: string, room: number): string[] {
  const pieces: string[] = [];
  for (let rest = text.trim(); rest !== ""; ) {
    const piece = weigh(windowOf(rest)) <= room && windowOf(rest) === rest ? rest : first(windowOf(rest), room);
    pieces.push(piece);
    rest = rest.slice(piece.length).trimStart();
  }
  return pieces.length === 0 ? [""] : pieces;
}

/**
 * The longest beginning that weighs no more than `room` and ends where a part may end; one unbreakable thing may weigh
 * more.
 */
function first(text: string, room: number): string {
  const rule: TextRule = { max: room, unit: "codepoint", urlCost: RULES.transformedURLLength };
  const { validRangeEnd } = twitterText.parseTweet(text, { ...RULES, maxWeightedTweetLength: room });
  // A token that fits by weight may have more code points than the text before the cut.
  const options = { links: findXLinks, isWhole: (token: string) => weigh(token) <= room };
  for (let max = Math.max(1, measure(text.slice(0, validRangeEnd + 1), rule, findXLinks)); ; ) {
    const [piece = text] = split(text, { ...rule, max }, options);
    const over = weigh(piece) - room;
    if (over <= 0 || max === 1) return piece;
    max = Math.max(1, max - Math.ceil(over / 2));
  }
}

function findXLinks(text: string): Span[] {
  return twitterText.extractUrlsWithIndices(text).map(({ indices: [start, end] }) => ({ start, end }));
}

/** As much of the text as one piece can come from, no link cut. */
function windowOf(text: string): string {
  if (text.length <= WINDOW) return text;
  const near = text.slice(0, WINDOW + URL_MOST);
  const run = /\S*$/.exec(near.slice(0, WINDOW))?.[0] ?? "";
  const end = run.includes("://") ? WINDOW + (/^\S*/.exec(near.slice(WINDOW))?.[0].length ?? 0) : WINDOW;
  return near.slice(0, end).toWellFormed() === near.slice(0, end) ? near.slice(0, end) : near.slice(0, end - 1);
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
