/*
 * How Mastodon counts and renders, written anew from its own pages and not from src, so that a mistake there shows.
 */

const URL_PATTERN = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]/g;
const MENTION_PATTERN = /(?<![\w/])@(\w[\w.-]*)@([\w-]+(?:\.[\w-]+)*(?::\d+)?)/g;

/** Graphemes; a URL counts `urlCost`, a remote mention its local part (https://docs.joinmastodon.org/user/posting/#mentions, 2026-11). */
export function count(text: string, urlCost: number): number {
  const counted = text.replace(URL_PATTERN, "x".repeat(urlCost)).replace(MENTION_PATTERN, "@$1");
  return [...new Intl.Segmenter("und", { granularity: "grapheme" }).segment(counted)].length;
}

/**
 * The status as its HTML: paragraphs, `<br />`, links in three spans of which two are hidden, mentions cut to their local
 * part, hashtags as links (https://docs.joinmastodon.org/spec/activitypub/#sanitization and the example answers of
 * https://docs.joinmastodon.org/entities/Status/, 2026-11).
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
    return `<span class="h-card" translate="no"><a href="https://${server}/@${name}" class="u-url mention">@<span>${name}</span></a></span>`;
  }
  if (piece.startsWith("#"))
    return `<a href="https://mastodon.example/tags/${piece.slice(1).toLowerCase()}" class="mention hashtag" rel="tag">#<span>${piece.slice(1)}</span></a>`;
  const prefix = /^https?:\/\/(?:www\.)?/.exec(piece)?.[0] ?? "";
  const rest = piece.slice(prefix.length);
  const hidden = (part: string) => `<span class="invisible">${escaped(part)}</span>`;
  const shown = `<span class="${rest.length > 30 ? "ellipsis" : ""}">${escaped(rest.slice(0, 30))}</span>`;
  return `<a href="${escaped(piece)}" target="_blank" rel="nofollow noopener" translate="no">${hidden(prefix)}${shown}${hidden(rest.slice(30))}</a>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
