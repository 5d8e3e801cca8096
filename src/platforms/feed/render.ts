import { defined } from "@psn/core/types/defined.ts";
import { isLanguage } from "@psn/domain/language.ts";
import { edited, findLinks } from "@psn/domain/links.ts";
import { shorten } from "@psn/domain/text.ts";
import { imagesOf, withImages } from "@psn/platforms/kit/html.ts";
import type { Entry, EntryMedia, Settings } from "./entries.ts";

/** How many entries a reader is shown; older ones stay in `entries/`. */
export const SHOWN = 100;
/** Longest title made from a text that has none, in UTF-16 units; readers show one line. */
const TITLE_LENGTH = 80;

/**
 * Renders until the entries are the ones it rendered. Of several processes the last to write a file looks at the
 * entries after that; whoever adds an entry later writes later still: so what is written last holds all entries,
 * without a lock.
 */
export async function renderUntilStill(
  list: () => Promise<readonly Entry[]>,
  write: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  let written: string | undefined;
  for (;;) {
    const entries = await list();
    const keys = entries.map(({ key }) => key).join();
    if (keys === written) return;
    await write(entries);
    written = keys;
  }
}

/** Newest first; of two at the same instant the one with the greater key. */
export function newest(entries: readonly Entry[]): readonly Entry[] {
  return entries.toSorted((a, b) => compare(b.published, a.published) || compare(b.key, a.key)).slice(0, SHOWN);
}

/** Stable across moves of the folder and of the site (RFC 4122, section 3). */
export function idOf(key: string): string {
  return `urn:uuid:${key}`;
}

/**
 * JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/, 2026-11). Without a public url it names none: a local path is
 * nobody's business.
 */
export function jsonFeed(settings: Settings, entries: readonly Entry[]): string {
  const { title, url } = settings;
  const items = entries.map((entry) => ({
    id: idOf(entry.key),
    ...defined({
      url: url ? `${url}#${entry.key}` : undefined,
      title: entry.title ? entry.title : undefined,
      summary: entry.contentWarning ? entry.contentWarning : undefined,
    }),
    content_html: content(entry, url),
    content_text: [...(entry.contentWarning ? [entry.contentWarning] : []), ...texts(entry)].join("\n\n"),
    date_published: entry.published,
    ...defined({ language: languageOf(entry) ? languageOf(entry) : undefined }),
    ...attachments(entry, url),
  }));
  const feed = {
    version: "https://jsonfeed.org/version/1.1",
    title,
    ...defined({ home_page_url: url ? url : undefined, feed_url: url ? `${url}feed.json` : undefined }),
    items,
  };
  return `${JSON.stringify(feed, null, 2)}\n`;
}

/** Atom (RFC 4287). */
export function atom(settings: Settings, entries: readonly Entry[]): string {
  const { url } = settings;
  const title = escaped(settings.title);
  const items = entries.map(
    (entry) => `  <entry${lang("xml:lang", entry)}>
    <id>${idOf(entry.key)}</id>
    <title>${escaped(titleOf(entry))}</title>
    <link rel="alternate" type="text/html" href="${escaped(url || "index.html")}#${entry.key}"/>
    <published>${entry.published}</published>
    <updated>${entry.published}</updated>
${entry.contentWarning ? `    <summary>${escaped(entry.contentWarning)}</summary>\n` : ""}\
    <content type="html">${escaped(content(entry, url))}</content>
  </entry>
`,
  );
  const self = url ? `\n  <link rel="self" type="application/atom+xml" href="${escaped(url)}atom.xml"/>` : "";
  return `<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <id>${idOf(settings.id)}</id>
  <title>${title}</title>
  <updated>${entries[0]?.published ?? settings.created}</updated>
  <author><name>${title}</name></author>
  <link rel="alternate" type="text/html" href="${escaped(url || "index.html")}"/>${self}
${items.join("")}</feed>
`;
}

/** A page with the microformats h-feed and h-entry (https://microformats.org/wiki/h-entry, 2026-11). No scripts. */
export function page(settings: Settings, entries: readonly Entry[]): string {
  const title = escaped(settings.title);
  const articles = entries.map(
    (entry) => `<article class="h-entry" id="${entry.key}"${lang("lang", entry)}>
${entry.title ? `<h2 class="p-name">${escaped(entry.title)}</h2>\n` : ""}\
<div class="e-content">${content(entry, "")}</div>
<footer><data class="u-uid" value="${idOf(entry.key)}"></data>\
<a class="u-url" href="${escaped(settings.url)}#${entry.key}">\
<time class="dt-published" datetime="${entry.published}">\
${entry.published.slice(0, 16).replace("T", " ")} UTC</time></a></footer>
</article>
`,
  );
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="alternate" type="application/feed+json" href="feed.json">
<link rel="alternate" type="application/atom+xml" href="atom.xml">
<style>${CSS}</style>
</head>
<body class="h-feed">
<h1 class="p-name">${title}</h1>
${articles.join("")}</body>
</html>
`;
}

const CSS = `
:root { color-scheme: light dark; }
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.6 system-ui, sans-serif; \
overflow-wrap: anywhere; }
article { padding: 1rem 0; border-top: 1px solid color-mix(in srgb, currentcolor 20%, transparent); }
article:target { border-top-width: 3px; }
h1, h2 { line-height: 1.2; }
img { display: block; max-width: 100%; height: auto; margin: .75rem 0; border-radius: .5rem; }
summary { cursor: pointer; font-weight: 600; }
footer a { color: inherit; font-size: .85rem; opacity: .7; }
`;

/** An entry's parts as HTML. `base` stands before the names of media files. */
function content(entry: Entry, base: string): string {
  const parts = entry.parts.map((part) => partOf(part, base)).join("\n\n");
  return entry.contentWarning
    ? `<details><summary>${escaped(entry.contentWarning)}</summary>${parts}</details>`
    : parts;
}

/** What was written in Markdown shows its images where they stand. */
function partOf({ text, html, media }: Entry["parts"][number], base: string): string {
  const shown = (some: readonly EntryMedia[]) => some.map((one) => image(one, base)).join("");
  if (html === undefined) return `${text === "" ? "" : paragraphs(text)}${shown(media)}`;
  const within = imagesOf(html);
  const placed = withImages(lowered(html), (file, alt) => {
    const same = media.filter((one) => one.file === file);
    const exact = same.filter((one) => escaped(one.alt ?? "") === alt);
    return shown([...exact, ...same].slice(0, 1));
  });
  return `${placed}${shown(media.filter(({ file }) => !within.has(file)))}`;
}

/** An entry's own headings stand below its title, which is of the second level. */
function lowered(html: string): string {
  return html.replace(
    /<(\/?)h([1-6])>/g,
    (_, slash: string, level: string) => `<${slash}h${Math.min(6, Number(level) + 2)}>`,
  );
}

/**
 * Every line break stays in the source too, so that a reader which drops all tags still shows the text as it was
 * written.
 */
function paragraphs(text: string): string {
  const html = linked(text.replace(/\r\n?/g, "\n")).replace(/\n+/g, (breaks) =>
    breaks === "\n" ? "<br>\n" : `</p>${breaks}<p>`,
  );
  return `<p>${html}</p>`;
}

function linked(text: string): string {
  const links = findLinks(text).map((span) => {
    const link = escaped(text.slice(span.start, span.end));
    return { ...span, to: `<a href="${link}">${link}</a>` };
  });
  return edited(text, links, escaped);
}

function image({ file, width, height, alt }: EntryMedia, base: string): string {
  const size = width && height ? ` width="${width}" height="${height}"` : "";
  return `<img class="u-photo" src="${escaped(base)}${file}" alt="${escaped(alt ?? "")}"${size} loading="lazy">`;
}

function attachments(entry: Entry, url: string) {
  const files = entry.parts.flatMap(({ media }) => media);
  // Must be a full URL (JSON Feed 1.1, "attachments"): without a public one there is none to give.
  if (!url || files.length === 0) return {};
  // Those with the same title are one thing in several forms, of which a reader shows one (the same section).
  const isOnly = (alt: string) => files.filter((one) => one.alt === alt).length === 1;
  return {
    attachments: files.map(({ file, mime, bytes, alt }) => ({
      url: `${url}${file}`,
      mime_type: mime,
      size_in_bytes: bytes,
      ...defined({ title: alt && isOnly(alt) ? alt : undefined }),
    })),
  };
}

function texts(entry: Entry): string[] {
  return entry.parts.map(({ text }) => text).filter((text) => text !== "");
}

/** Atom wants a title of every entry. A content warning hides the text here too. */
function titleOf(entry: Entry): string {
  const line =
    entry.title ??
    entry.contentWarning ??
    texts(entry)
      .join(" ")
      .trim()
      .split(/[\r\n]/)[0] ??
    "";
  const words = line.trim() || (entry.parts[0]?.media[0]?.alt ?? "").trim() || entry.published.slice(0, 10);
  return shorten(words, TITLE_LENGTH);
}

/** One wrong tag makes a whole Atom feed invalid (RFC 4287, section 2), and entries of an earlier psn may hold one. */
function languageOf({ language }: Entry): string | undefined {
  return language !== undefined && isLanguage(language) ? language : undefined;
}

function lang(attribute: string, entry: Entry): string {
  const language = languageOf(entry);
  return language ? ` ${attribute}="${escaped(language)}"` : "";
}

/** For text and for attributes, in XML and in HTML. What XML 1.0 cannot hold becomes U+FFFD (section 2.2, Char). */
function escaped(text: string): string {
  const clean = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
  return clean.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
