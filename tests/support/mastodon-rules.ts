import twitterText from "twitter-text";

/*
 * How Mastodon counts and renders, written anew from its own pages and sources and not from src, so that a mistake
 * there shows.
 */

const { regexen } = twitterText;
const DOMAIN = new RegExp(`^(?:${regexen.validDomain.source})`, "i");
/** A sign before a link; the pattern also knows the beginning of a text. */
const BEFORE = new RegExp(`^(?:${regexen.validUrlPrecedingChars.source})$`, "i");
/**
 * Twitter::Regex of Mastodon (config/initializers/twitter_regex.rb, 2026-11), sign by sign instead of by one pattern.
 */
const IN_PATH = /[^\s<>()?]/;
const ENDS_PATH = /[^\s()?!*"'「」<>;:=,.$%[\]~&|@]/;
/** Brackets at the end of a path: there, twitter-text's own letters hold. */
const ENDS_BRACKET = /^\([a-z\u0400-\u04ff0-9!*';:=+,.$/%#[\]\p{Pd}_~&|@\u00c0-\u024f\u1e00-\u1eff()]+\)$/iu;
const IN_QUERY = /[a-z0-9!?*'();:&=+$/%#[\]\-_.,~|@^\u00a0-\uffef]/i;
const ENDS_QUERY = /[a-z0-9_&=#/\-\u00a0-\uffef]/i;
/** Ruby's `[[:word:]]`. */
const WORD = String.raw`\p{L}\p{M}\p{Nd}\p{Pc}`;
/** Account::MENTION_RE (app/models/account.rb, 2026-11). */
const MENTION_PATTERN = new RegExp(
  `(?<![=/${WORD}])@([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[${WORD}]+(?:[.-]+[${WORD}]+)*`,
  "giu",
);

/**
 * What StatusLengthValidator counts, in graphemes: a link of Mastodon's own extractor counts `urlCost`, a remote
 * mention its local part (app/validators/status_length_validator.rb, 2026-11).
 */
export function count(text: string, urlCost: number): number {
  let counted = "";
  let at = 0;
  for (const { index, 0: scheme } of text.matchAll(/(?:https?|dat|dweb|ipfs|ipns|ssb|gopher|gemini):\/\//gi)) {
    if (index < at || !(index === 0 || BEFORE.test(text[index - 1] ?? ""))) continue;
    const end = endOfLink(text, index + scheme.length);
    if (end === undefined) continue;
    counted += withoutServers(text.slice(at, index)) + "x".repeat(urlCost);
    at = end;
  }
  counted += withoutServers(text.slice(at));
  return [...new Intl.Segmenter("und", { granularity: "grapheme" }).segment(counted)].length;
}

const withoutServers = (text: string) => text.replace(MENTION_PATTERN, "@$1");

function endOfLink(text: string, from: number): number | undefined {
  const domain = DOMAIN.exec(text.slice(from))?.[0];
  if (domain === undefined) return undefined;
  let end = from + domain.length;
  end += /^:\d+/.exec(text.slice(end))?.[0].length ?? 0;
  if (text[end] === "/") end = endOfPath(text, end);
  if (text[end] === "?") end = endOfQuery(text, end);
  const short = /^t\.co\/([a-z0-9]+)/i.exec(text.slice(from, end));
  if (short) return (short[1]?.length ?? 0) > 40 ? undefined : from + short[0].length;
  return end - from > 4_096 - "https://".length ? undefined : end;
}

function endOfPath(text: string, slash: number): number {
  let end = slash + 1;
  let good = end;
  while (end < text.length) {
    const bracket = /^\((?:[^\s<>()?]|\([^\s<>()?]+\))+\)/.exec(text.slice(end))?.[0];
    if (bracket === undefined && !IN_PATH.test(text[end] ?? "")) break;
    const ends = bracket === undefined ? ENDS_PATH.test(text[end] ?? "") : ENDS_BRACKET.test(bracket);
    end += bracket?.length ?? 1;
    if (ends) good = end;
  }
  return good;
}

function endOfQuery(text: string, mark: number): number {
  let good = mark;
  for (let end = mark + 1; end < text.length && IN_QUERY.test(text[end] ?? ""); end += 1)
    if (ENDS_QUERY.test(text[end] ?? "")) good = end + 1;
  return good;
}

/**
 * GoToSocial: Go's runes, everything in full (internal/processing/status, validateStatusContent; measured with 0.20).
 */
export function countRunes(text: string): number {
  return [...text].length;
}

/** Pleroma and Akkoma: Elixir's String.length, everything in full (lib/pleroma/web/common_api/utils.ex, 2026-11). */
export function countInFull(text: string): number {
  return [...new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text)].length;
}

/**
 * The status as its HTML: paragraphs, `<br />`, links in three spans of which two are hidden, mentions cut to their
 * local part, hashtags as links (https://docs.joinmastodon.org/spec/activitypub/#sanitization and the example answers
 * of https://docs.joinmastodon.org/entities/Status/, 2026-11).
 */
export function render(text: string): string {
  if (text === "") return "";
  const inline = text
    .split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]|(?<![\w/])@\w[\w.-]*@[\w-]+(?:\.[\w-]+)*(?::\d+)?|(?<![\w&/])#\w+)/)
    .map((piece, index) => (index % 2 === 0 ? escaped(piece) : entity(piece)))
    .join("");
  return inline
    .replace(/\r\n?/g, "\n")
    .split(/\n{2,}/)
    .map((paragraph) => `<p>${paragraph.replaceAll("\n", "<br />")}</p>`)
    .join("");
}

function entity(piece: string): string {
  if (piece.startsWith("@")) {
    const [, name, server] = piece.split("@");
    return (
      `<span class="h-card" translate="no"><a href="https://${server}/@${name}" class="u-url ` +
      `mention">@<span>${name}</span></a></span>`
    );
  }
  if (piece.startsWith("#"))
    return (
      `<a href="https://mastodon.example/tags/${piece.slice(1).toLowerCase()}" class="mention hashtag" ` +
      `rel="tag">#<span>${piece.slice(1)}</span></a>`
    );
  const prefix = /^https?:\/\/(?:www\.)?/.exec(piece)?.[0] ?? "";
  const rest = piece.slice(prefix.length);
  const hidden = (part: string) => `<span class="invisible">${escaped(part)}</span>`;
  const shown = `<span class="${rest.length > 30 ? "ellipsis" : ""}">${escaped(rest.slice(0, 30))}</span>`;
  return (
    `<a href="${escaped(piece)}" target="_blank" rel="nofollow noopener" ` +
    `translate="no">${hidden(prefix)}${shown}${hidden(rest.slice(30))}</a>`
  );
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
