const TAG = /<\/?[a-z][^>]*>/gi;
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  hellip: "…",
};

/**
 * A status's HTML as the text it was made from, as far as HTML tells. Mastodon writes a link as `<a><span
 * class="invisible">https://</span><span class="ellipsis">example.com/the-first-30</span><span
 * class="invisible">…</span></a>`, so hidden parts belong to the text and the dots of an ellipsis, which CSS adds, do
 * not (https://docs.joinmastodon.org/spec/activitypub/#sanitization, and Mastodon's TextFormatter, 2026-11).
 */
export function htmlToText(html: string): string {
  return decode(
    html
      .replace(/<(?:script|style)\b[^>]*>[\s\S]*?<\/(?:script|style)>/gi, "")
      // Mastodon puts a quoted post's link in front for servers that know no quotes; the author did not write it.
      .replace(/<(p|span) class="quote-inline">[\s\S]*?<\/\1>/gi, "")
      .replace(/\r?\n/g, " ")
      .replace(/<br\s*\/?>/gi, "\n")
      .replace(/<\/(?:p|blockquote|pre|ul|ol|h[1-6])>/gi, "\n\n")
      .replace(/<\/li>/gi, "\n")
      .replace(TAG, ""),
  )
    .replace(/[ \t]*\n[ \t]*/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function decode(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name) return ENTITIES[name.toLowerCase()] ?? whole;
      const code = decimal ? Number(decimal) : Number.parseInt(hex ?? "", 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/**
 * Two texts are the same when these are, one as written and one as read back. A server may shorten a mention to its
 * local part, and read Markdown or HTML where none was meant (snac does both), so neither domains of mentions, nor
 * space, nor Markdown's marks, nor tags count.
 */
export function shown(text: string): string {
  const words = text
    .normalize("NFC")
    .replace(TAG, "")
    .replace(/(^|[^\w/])@([\w.-]*\w)@[\w.-]*\w(?::\d+)?/g, "$1@$2")
    .replace(/[\s*_`~>#\\-]+/g, "");
  // A text of nothing but marks must not look like no text.
  return words === "" ? text.trim() : words;
}
