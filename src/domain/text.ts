import type { TextRule } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import { type Edit, edited, findLinks, inOrder, type Span } from "./links.ts";
import { findOutside, findTokens } from "./tokens.ts";

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
const sentences = new Intl.Segmenter("und", { granularity: "sentence" });
const words = new Intl.Segmenter("und", { granularity: "word" });
const utf8 = new TextEncoder();

/** Which links count `urlCost`: every one psn finds, or those that one network finds. */
export type LinkFinder = (text: string) => readonly Span[];

/** What a network counts that a `TextRule` cannot say. */
export interface Counting {
  /** Its own links, which count `urlCost`; where they differ from psn's own, they are left whole too. */
  readonly links?: LinkFinder;
  /** The length of a text, where the network has a count of its own; `unit` and `urlCost` then only describe it. */
  readonly weigh?: (text: string) => number;
}

interface Splitting extends Counting {
  readonly numbered?: boolean;
  /** The rule from the second unit on, where it is another one (LinkedIn's comments). */
  readonly rest?: TextRule;
}

/** What Ruby, in which Mastodon is written, takes for the letter of a word. */
const WORD_CHARACTERS = String.raw`\p{L}\p{M}\p{Nd}\p{Pc}`;
/**
 * `@name` and `@name@server`, the server as the group: Mastodon's Account::MENTION_RE (app/models/account.rb, 2026-11).
 */
const MENTION = new RegExp(
  `(?<![=/${WORD_CHARACTERS}])@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*(@[${WORD_CHARACTERS}]+(?:[.-]+[${WORD_CHARACTERS}]+)*)?`,
  "giu",
);
/** Nor does Mastodon take for a mention what goes on like this (twitter-text's `endMentionMatch`). */
const NO_MENTION = /^(?:[@＠]|:\/\/|[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]|[\u0300-\u036f])/;
const SPACE = /^\s+$/u;
const OPENING = /[\p{Ps}\p{Pi}]$/u;

/** Least filling, as a share of the limit, at which a part may end before it is full. */
const AT_PARAGRAPH = 1 / 3;
const AT_SENTENCE = 1 / 2;

/**
 * The length a platform counts, in `rule.unit`. With `urlCost` every one of `links` counts that much; with `mention:
 * "local"` the server of `@name@server` counts nothing. Both work as on Mastodon: the text is rewritten, then counted
 * (app/validators/status_length_validator.rb, 2026-11).
 */
export function measure(text: string, rule: TextRule, { links = findLinks, weigh }: Counting = {}): number {
  if (weigh) return weigh(text);
  const counted = isRewritten(text, rule) ? rewrite(text, rule, links) : text;
  switch (rule.unit) {
    case "grapheme":
      return countGraphemes(counted);
    case "codepoint":
      return countCodePoints(counted);
    case "utf16":
      return counted.length;
    case "byte":
      return byteLength(counted);
  }
}

/** Whether a platform takes the text: within `max`, and within `maxBytes` of UTF-8 where there is such a bound. */
export function fits(text: string, rule: TextRule, counting: Counting = {}): boolean {
  return (
    (rule.maxBytes === undefined || byteLength(text) <= rule.maxBytes) && measure(text, rule, counting) <= rule.max
  );
}

/**
 * The text as parts of a thread, in order; `[text]` as it is when it fits.
 *
 * A part ends at a paragraph or a sentence when it is well filled by then, else between words, else (a word longer than
 * a part, or a script without spaces) inside a word, but never inside a grapheme, a link, a mention, a hashtag or a
 * cashtag. Nothing is lost but whitespace at a cut and at the two ends: the parts are found in the text one after the
 * other with only whitespace around them. No part is empty but for a text of nothing but whitespace.
 *
 * Every part fits, but for one that is a single URL or a single grapheme too long for the rule: there is nothing to
 * cut, so it is returned as it is and the caller must check with `fits`. A mention, a tag or a link without a scheme
 * that is longer than a part is cut as a word.
 *
 * `numbered` ends every part of several with ` (1/3)`, counted in the limit; where that leaves too little room (for a
 * URL, say) no part is numbered.
 */
export function split(text: string, rule: TextRule, options: Splitting = {}): string[] {
  return splitParts([text], rule, { split: true, ...options }).flat();
}

/**
 * Every part of a post as the texts of its units: `split` for each part, with numbers that run through the whole
 * thread. Without `split` a part stays one text, and the caller must check that it still `fits` with its number.
 */
export function splitParts(
  texts: readonly string[],
  rule: TextRule,
  options: Splitting & { readonly split?: boolean } = {},
): string[][] {
  const { rest = rule } = options;
  const piecesIn = (less: number) =>
    texts.map((text, index) => {
      if (options.split !== true) return [text];
      const following = lessened(rest, less);
      return cutInto(text, { first: index === 0 ? lessened(rule, less) : following, following, counting: options });
    });
  const plain = piecesIn(0);
  if (options.numbered !== true || plain.flat().length < 2) return plain;
  const smallest = Math.min(...[rule, rest].flatMap(({ max, maxBytes = max }) => [max, maxBytes]));
  // One more digit leaves less room, which may make more parts: widen until the number of parts has as many digits as
  // planned.
  for (let digits = String(plain.flat().length).length; ; digits += 1) {
    const room = " (/)".length + 2 * digits;
    if (room >= smallest) return plain;
    const pieces = piecesIn(room);
    const total = pieces.flat().length;
    if (String(total).length > digits) continue;
    let number = 0;
    const numbered = pieces.map((part) => part.map((piece) => `${piece} (${++number}/${total})`.trimStart()));
    const allFit = numbered.flat().every((piece, index) => fits(piece, index === 0 ? rule : rest, options));
    return options.split !== true || allFit ? numbered : plain;
  }
}

/** The rule with so much less room. */
function lessened(rule: TextRule, less: number): TextRule {
  if (less === 0) return rule;
  return {
    ...rule,
    max: rule.max - less,
    ...defined({ maxBytes: rule.maxBytes === undefined ? undefined : rule.maxBytes - less }),
  };
}

/** The text as pieces, the first by another rule than those that follow. */
function cutInto(
  text: string,
  {
    first,
    following,
    counting,
  }: { readonly first: TextRule; readonly following: TextRule; readonly counting: Counting },
): string[] {
  if (fits(text, first, counting)) return [text];
  const pieces = cut(text, first, counting);
  const [head = ""] = pieces;
  if (first === following || pieces.length < 2) return pieces;
  const start = text.indexOf(head) + head.length;
  return [head, ...cutInto(text.slice(start).trim(), { first: following, following, counting })];
}

/** What a line must not hold: the control characters of C0 and C1, among them NUL, which a database refuses. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are taken out
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;
/** How far to look past a cut for the end of a grapheme, in UTF-16 units: longer than any emoji. */
const LOOKAHEAD = 64;

/**
 * The text as one well-formed line of at most `most` UTF-16 units, for messages, titles and lists: where it is longer
 * it ends with `…` after a whole grapheme. Control characters become spaces.
 */
export function shorten(text: string, most: number): string {
  const line = text
    .slice(0, most + LOOKAHEAD)
    .replace(CONTROLS, " ")
    .toWellFormed();
  if (text.length <= most) return line;
  let end = 0;
  for (const { segment, index } of graphemes.segment(line)) {
    if (index + segment.length > most - 1) break;
    end = index + segment.length;
  }
  return `${line.slice(0, end)}…`;
}

function byteLength(text: string): number {
  return utf8.encode(text).length;
}

function countGraphemes(text: string): number {
  // Printable ASCII needs no segmenting, and most texts are that.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let count = 0;
  for (const _ of graphemes.segment(text)) count += 1;
  return count;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Whether there is anything to rewrite: looking for it costs more than asking first. */
function isRewritten(text: string, { urlCost, mention }: TextRule): boolean {
  return (
    (urlCost !== undefined && text.includes("://")) ||
    (mention === "local" && text.indexOf("@") !== text.lastIndexOf("@"))
  );
}

function rewrite(text: string, rule: TextRule, links: LinkFinder): string {
  const urls = links(text);
  const edits: Edit[] = [];
  const { urlCost } = rule;
  if (urlCost !== undefined) edits.push(...urls.map((span) => ({ ...span, to: "x".repeat(urlCost) })));
  if (rule.mention === "local") {
    for (const match of findOutside(text, MENTION, urls)) {
      const end = match.index + match[0].length;
      if (match[1] !== undefined && !NO_MENTION.test(text.slice(end, end + 3)))
        edits.push({ start: end - match[1].length, end, to: "" });
    }
  }
  return edited(text, inOrder(edits));
}

/** What is never cut: a grapheme, or a whole link, mention or tag. */
interface Piece extends Span {
  readonly cost: number;
  readonly bytes: number;
  readonly space: boolean;
}

function toPieces(text: string, rule: TextRule, counting: Counting): Piece[] {
  const whole = wholesIn(text, rule, counting);
  const costOf = graphemeCost(rule, counting);
  const pieces: Piece[] = [];
  let next = 0;
  let open = -1;
  for (const { segment, index } of graphemes.segment(text)) {
    const end = index + segment.length;
    while ((whole[next]?.end ?? Number.POSITIVE_INFINITY) <= index) next += 1;
    const span = whole[next];
    const start = open >= 0 ? open : index;
    // A combining mark may make a grapheme reach over a token's end: the piece then reaches as far.
    if (span !== undefined && span.start < end && span.end > end) {
      open = start;
      continue;
    }
    open = -1;
    const raw = text.slice(start, end);
    pieces.push({
      start,
      end,
      cost: start === index ? costOf(raw) : measure(raw, rule, counting),
      bytes: byteLength(raw),
      space: SPACE.test(raw),
    });
  }
  return pieces;
}

/** In order and apart from each other: every link with a scheme, and what else must stay whole and fits. */
function wholesIn(text: string, rule: TextRule, counting: Counting): Span[] {
  const { links = findLinks } = counting;
  const written = findLinks(text);
  const urls = links === findLinks ? written : inOrder([...written, ...links(text)]);
  const tokens = findTokens(text, written).filter(({ start, end }) => fits(text.slice(start, end), rule, counting));
  const whole: Span[] = [];
  for (const span of inOrder([...urls, ...tokens])) if (span.start >= (whole.at(-1)?.end ?? 0)) whole.push(span);
  return whole;
}

/** What one grapheme costs. A network's own count is asked once for each. */
function graphemeCost(rule: TextRule, { weigh }: Counting): (grapheme: string) => number {
  if (!weigh && rule.unit === "grapheme") return () => 1;
  const plain: TextRule = { max: rule.max, unit: rule.unit };
  if (!weigh) return (grapheme) => measure(grapheme, plain);
  const known = new Map<string, number>();
  return (grapheme) => {
    const cost = known.get(grapheme) ?? weigh(grapheme);
    known.set(grapheme, cost);
    return cost;
  };
}

/** How good it is to begin a part at a piece, from 0: inside a word. */
const WORD = 1;
const SPACED = 2;
const SENTENCE = 3;
const PARAGRAPH = 4;

function rankStarts(text: string, pieces: readonly Piece[]): Uint8Array {
  const wordStarts = new Set<number>();
  let before = "";
  for (const { segment, index, isWordLike } of words.segment(text)) {
    if ((isWordLike === true || OPENING.test(segment)) && !OPENING.test(before)) wordStarts.add(index);
    before = segment;
  }
  const sentenceStarts = new Set<number>();
  for (const { index } of sentences.segment(text)) sentenceStarts.add(index);
  const ranks = new Uint8Array(pieces.length + 1);
  let lines = 0;
  let spaced = false;
  for (const [index, piece] of pieces.entries()) {
    if (piece.space) {
      spaced = true;
      if (/[\n\r\u2028\u2029]/.test(text.slice(piece.start, piece.end))) lines += 1;
      continue;
    }
    if (lines > 1) ranks[index] = PARAGRAPH;
    else if (lines === 1 || sentenceStarts.has(piece.start)) ranks[index] = SENTENCE;
    else if (spaced) ranks[index] = SPACED;
    else if (wordStarts.has(piece.start)) ranks[index] = WORD;
    lines = 0;
    spaced = false;
  }
  return ranks;
}

function cut(text: string, rule: TextRule, counting: Counting): string[] {
  const pieces = toPieces(text, rule, counting);
  const ranks = rankStarts(text, pieces);
  const parts: string[] = [];
  const skipSpace = (from: number) => {
    let index = from;
    while (pieces[index]?.space === true) index += 1;
    return index;
  };
  for (let start = skipSpace(0); start < pieces.length; ) {
    let limit = fill(pieces, start, rule);
    for (;;) {
      const next = chooseCut(pieces, { ranks, start, limit, last: skipSpace(limit), rule });
      const part = sliceTrimmed(text, { pieces, from: start, to: next });
      // What looks like a URL can depend on what stands before it, and a cut changes that: count what will be sent.
      if (limit > start + 1 && !fits(part, rule, counting)) {
        limit = Math.max(start + 1, Math.min(limit, next) - 1);
        continue;
      }
      parts.push(part);
      start = next;
      break;
    }
  }
  return parts.length === 0 ? [""] : parts;
}

/** The first piece that no longer fits a part begun at `start`; at least one piece is in it. */
function fill(pieces: readonly Piece[], start: number, rule: TextRule): number {
  let cost = 0;
  let bytes = 0;
  let index = start;
  for (; index < pieces.length; index += 1) {
    const piece = pieces[index];
    if (piece === undefined) break;
    cost += piece.cost;
    bytes += piece.bytes;
    if (cost > rule.max || bytes > (rule.maxBytes ?? Number.POSITIVE_INFINITY)) break;
  }
  return Math.max(index, start + 1);
}

/** Where the next part begins: after `start`, at most at `last`, which is `limit` moved over whitespace. */
function chooseCut(
  pieces: readonly Piece[],
  {
    ranks,
    start,
    limit,
    last,
    rule,
  }: {
    readonly ranks: Uint8Array;
    readonly start: number;
    readonly limit: number;
    readonly last: number;
    readonly rule: TextRule;
  },
): number {
  if (last >= pieces.length) return last;
  const furthest = (rank: number, from: number) => {
    for (let index = last; index > from; index -= 1)
      if (ranks[index] === rank || (rank === SPACED && (ranks[index] ?? 0) > rank)) return index;
    return undefined;
  };
  const filled = (share: number) => start + Math.ceil((limit - start) * share);
  const good = furthest(PARAGRAPH, filled(AT_PARAGRAPH)) ?? furthest(SENTENCE, filled(AT_SENTENCE));
  if (good !== undefined) return good;
  const spaced = furthest(SPACED, start);
  if (spaced !== undefined && !isRunTooLong(pieces, spaced, rule)) return spaced;
  return furthest(WORD, Math.max(start, spaced ?? start)) ?? Math.max(limit, spaced ?? limit);
}

/** Whether what stands between `from` and the next whitespace is too long for a part, so that it is cut in any case. */
function isRunTooLong(pieces: readonly Piece[], from: number, rule: TextRule): boolean {
  const end = fill(pieces, from, rule);
  for (let index = from; index < end; index += 1) if (pieces[index]?.space === true) return false;
  return end < pieces.length && pieces[end]?.space === false;
}

function sliceTrimmed(
  text: string,
  { pieces, from, to }: { readonly pieces: readonly Piece[]; readonly from: number; readonly to: number },
): string {
  let last = to - 1;
  while (last > from && pieces[last]?.space === true) last -= 1;
  return text.slice(pieces[from]?.start ?? 0, pieces[last]?.end ?? 0);
}
