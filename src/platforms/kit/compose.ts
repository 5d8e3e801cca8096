import type { Capabilities, Limits, TextRule } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Composed, Issue, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import type { Span } from "@psn/domain/links.ts";
import { cutPlain } from "@psn/domain/markdown/cut.ts";
import { type Link, type Plain, plainOf } from "@psn/domain/markdown/plain.ts";
import { type Counting, fits, measure, splitParts } from "@psn/domain/text.ts";
import { type About, mediaIssues, postIssues } from "./issues.ts";

/** One unit's text, and where it comes from. */
export interface Piece {
  readonly text: string;
  /** Where its Markdown has links whose address is not in `text`, and code; in order. */
  readonly links: readonly Link[];
  readonly code: readonly Span[];
  readonly post: Post;
  /** The part's media where it is the part's first piece; none behind that. */
  readonly media: readonly MediaInfo[];
  /** Whether it is the post's first piece: what a network keeps for a whole thread is said there. */
  readonly isFirst: boolean;
}

/** How one platform shapes a post into a thread of units: what data cannot say. */
export interface Shape<Body extends Json> extends About, Counting {
  readonly capabilities: Capabilities;
  /** Links of Markdown that stay as they are typed, since the network reads them so. */
  readonly keepsLink?: (url: string) => boolean;
  /** A part's text as the network will have it; absent: well-formed and trimmed. */
  readonly clean?: (text: string) => string;
  /** Behind the number of characters in a message: ` as X counts them`. */
  readonly counted?: string;
  /** What is left of the limit for the text; an issue where that is too little. */
  readonly room?: (post: Post, rule: TextRule) => TextRule | Issue;
  /** Where units after the first are something else than posts: their rule for the text, and no media. */
  readonly rest?: { readonly rule: (rule: TextRule) => TextRule; readonly counted: string; readonly noMedia: string };
  /** What is wrong with a post beside its parts. */
  readonly postIssues?: (post: Post) => readonly Issue[];
  /** What is wrong with one piece beside its length. */
  readonly textIssues?: (piece: Piece) => readonly Issue[];
  /** What the adapter sends. `text` and `prepare` where they are not the piece's text and "when it has media". */
  readonly unit: (piece: Piece) => Pick<Unit<Body>, "body"> & Partial<Pick<Unit<Body>, "text" | "prepare">>;
}

/** Well-formed, and without space at its ends: no network takes half of a surrogate pair, and each trims. */
export const trimmed = (text: string): string => text.toWellFormed().trim();

/** What a platform's shape says of it. */
export const shaped = <Body extends Json>(shape: Shape<Body>) => ({
  id: shape.id,
  name: shape.name,
  capabilities: shape.capabilities,
  compose: (post: Post, limits: Limits): Composed<Body> => composeThread(shape, post, limits),
});

/** Pure. Turns a post into units, or says everything that is wrong with it. */
function composeThread<Body extends Json>(shape: Shape<Body>, post: Post, limits: Limits): Composed<Body> {
  const { clean = trimmed } = shape;
  const shown = post.parts.map((part) => shownOf(part, shape));
  const texts = shown.map(({ text }) => clean(text));
  const room = shape.room?.(post, limits.text) ?? limits.text;
  const first = "code" in room ? limits.text : room;
  const rest = shape.rest?.rule(first) ?? first;
  const { split = false, numbered = false } = post;
  const pieces = splitParts(texts, first, { split, numbered, rest, ...countingOf(shape) }).map((part, index) =>
    cutPlain(shown[index], part).map((piece, number): Piece => {
      const media = number === 0 ? (post.parts[index]?.media ?? []) : [];
      return { ...piece, post, media, isFirst: index + number === 0 };
    }),
  );
  const found = [
    ...postIssues(post, shape),
    ...(shape.postIssues?.(post) ?? []),
    ...("code" in room ? [room] : []),
    ...post.parts.flatMap((part, index) => {
      const place = post.parts.length === 1 ? "" : `part ${index + 1}: `;
      const text = textIssues(pieces[index] ?? [], shape, (piece) => (piece.isFirst ? first : rest));
      const empty = texts[index] === "" && part.media.length === 0 ? [EMPTY] : [];
      const files =
        shape.rest && index > 0
          ? restMedia(part, shape.rest.noMedia)
          : mediaIssues(part.media, { limits, about: shape });
      return [...text, ...empty, ...files].map((issue) => ({ ...issue, message: `${place}${issue.message}` }));
    }),
  ];
  const [issue, ...others] = found;
  if (issue) return { ok: false, issues: [issue, ...others] };
  const [unit, ...following] = pieces.flat().map((piece) => unitOf(piece, shape, limits.text));
  return unit ? { ok: true, units: [unit, ...following] } : { ok: false, issues: [EMPTY] };
}

/** A part as the network's readers see it. */
function shownOf<Body extends Json>({ text, content }: Part, { capabilities, keepsLink }: Shape<Body>): Plain {
  if (!content) return { text, links: [], code: [] };
  return plainOf(content, { marks: capabilities.markup === "links", ...defined({ keeps: keepsLink }) });
}

const EMPTY: Issue = { code: "text.empty", message: "the post has neither text nor media" };

const countingOf = ({ links, weigh }: Counting): Counting => defined({ links, weigh });

function unitOf<Body extends Json>(piece: Piece, shape: Shape<Body>, rule: TextRule): Unit<Body> {
  const { body, text = piece.text, prepare = piece.media.length > 0 } = shape.unit(piece);
  const length = measure(text, rule, countingOf(shape));
  const media = piece.media.map(({ id }) => id);
  const links = piece.links.map(({ start, end, url }) => ({ text: piece.text.slice(start, end), url }));
  return { body, text, length, media, prepare, ...defined({ links: links.length > 0 ? links : undefined }) };
}

/** The first piece of a part that is too long, and what the platform says of each. */
function textIssues<Body extends Json>(
  pieces: readonly Piece[],
  shape: Shape<Body>,
  ruleOf: (piece: Piece) => TextRule,
): Issue[] {
  const counting = countingOf(shape);
  const long = pieces.find((piece) => !fits(piece.text, ruleOf(piece), counting));
  const also = pieces.flatMap((piece) => shape.textIssues?.(piece) ?? []);
  const said = also.filter(({ code }, index) => also.findIndex((one) => one.code === code) === index);
  if (!long) return said;
  const rule = ruleOf(long);
  const length = measure(long.text, rule, counting);
  const counted = long.isFirst || !shape.rest ? shape.counted : shape.rest.counted;
  const message =
    length > rule.max
      ? `${length} of ${rule.max} characters${counted ?? ""}`
      : `${Buffer.byteLength(long.text)} of ${rule.maxBytes} bytes of text`;
  const hint = long.post.split
    ? "shorten the link or word that is too long for one post"
    : (shape.words?.hints?.["text.too-long"] ?? "shorten it, or split it into a thread: --split");
  return [{ code: "text.too-long", message, hint }, ...said];
}

function restMedia({ media }: Part, message: string): Issue[] {
  return media.length === 0 ? [] : [{ code: "media.comment", message, hint: "move the media to the first part" }];
}
