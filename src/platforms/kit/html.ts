import type { Block, Content, Inline, Item } from "@psn/core/types/content.ts";
import { edited, findLinks } from "@psn/domain/links.ts";

/*
 * Markdown as HTML. It is made of psn's own tree and of nothing that an author typed as HTML, so no script is in it, no
 * style, and no address but of the web and of mail.
 */

/** What stands in the address of an image, before the id of its file (RFC 2392). */
export const CID = "cid:";
/** An image as `htmlOf` writes it; no text can hold the signs, since quotation marks in it are escaped. */
const IMAGE = /<img src="cid:([^"]+)" alt="([^"]*)">/g;

/** The tag of each image replaced: by its file's id, and by its description as an attribute holds it. */
export const withImages = (html: string, tag: (id: string, alt: string) => string): string =>
  html.replace(IMAGE, (_, id: string, alt: string) => tag(id, alt));

/** The ids of the files that stand within this HTML. */
export const imagesOf = (html: string): ReadonlySet<string> =>
  new Set([...html.matchAll(IMAGE)].flatMap(([, id]) => id ?? []));

export function htmlOf(content: Content): string {
  return content.map(block).join("\n");
}

function block(one: Block): string {
  switch (one.type) {
    case "paragraph":
      return `<p>${line(one.children)}</p>`;
    case "heading":
      return `<h${one.level}>${line(one.children)}</h${one.level}>`;
    case "quote":
      return `<blockquote>\n${htmlOf(one.children)}\n</blockquote>`;
    case "code": {
      const language = one.language === null ? "" : ` class="language-${escaped(one.language)}"`;
      return `<pre><code${language}>${escaped(one.text)}\n</code></pre>`;
    }
    case "list": {
      const items = one.items.map((item) => `<li>${itemOf(item)}</li>`).join("\n");
      if (one.start === null) return `<ul>\n${items}\n</ul>`;
      return `<ol${one.start === 1 ? "" : ` start="${one.start}"`}>\n${items}\n</ol>`;
    }
    case "table": {
      const [head = [], ...rows] = one.rows;
      const body = rows.map((cells) => row(cells, "td")).join("");
      return `<table>\n<thead>\n${row(head, "th")}</thead>\n${body === "" ? "" : `<tbody>\n${body}</tbody>\n`}</table>`;
    }
    case "rule":
      return "<hr>";
    case "footnotes": {
      const notes = one.notes.map(({ children }) => `<li>${itemOf({ checked: null, children })}</li>`);
      return `<hr>\n<ol>\n${notes.join("\n")}\n</ol>`;
    }
  }
}

const row = (cells: readonly (readonly Inline[])[], tag: "th" | "td"): string =>
  `<tr>${cells.map((cell) => `<${tag}>${line(cell)}</${tag}>`).join("")}</tr>\n`;

/** One paragraph in an item needs no tag of its own. */
function itemOf({ checked, children }: Item): string {
  const box = checked === null ? "" : checked ? "☑ " : "☐ ";
  const [first, ...others] = children;
  if (first?.type !== "paragraph") return `${box}${children.length === 0 ? "" : `\n${htmlOf(children)}\n`}`;
  if (others.some(({ type }) => type === "paragraph"))
    return `\n<p>${box}${line(first.children)}</p>\n${htmlOf(others)}\n`;
  return `${box}${line(first.children)}${others.length === 0 ? "" : `\n${htmlOf(others)}\n`}`;
}

const TAGS = { strong: "strong", emphasis: "em", delete: "del" } as const;

function line(nodes: readonly Inline[], within?: "link"): string {
  return nodes.map((node) => inline(node, within)).join("");
}

function inline(node: Inline, within?: "link"): string {
  switch (node.type) {
    case "text":
      return within ? escaped(node.text) : linked(node.text);
    case "code":
      return `<code>${escaped(node.text)}</code>`;
    case "break":
      return "<br>\n";
    case "reference":
      return `<sup>[${node.number}]</sup>`;
    case "image":
      return `<img src="${CID}${escaped(node.media)}" alt="${escaped(node.alt)}">`;
    case "strong":
    case "emphasis":
    case "delete":
      return `<${TAGS[node.type]}>${line(node.children, within)}</${TAGS[node.type]}>`;
    case "link":
      return link(node.url, line(node.children, "link"));
  }
}

function link(url: string, shown: string): string {
  // Somebody whom LinkedIn knows has no address.
  if (url.startsWith("urn:")) return shown;
  return `<a href="${escaped(url)}">${shown.trim() === "" ? escaped(url) : shown}</a>`;
}

/** Addresses that are written out in a text are links. */
function linked(text: string): string {
  const links = findLinks(text).map((span) => {
    const address = escaped(text.slice(span.start, span.end));
    return { ...span, to: `<a href="${address}">${address}</a>` };
  });
  return edited(text, links, escaped);
}

/** For text and for attributes, in HTML and in XML. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
