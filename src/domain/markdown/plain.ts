import type { Block, Content, Inline, Item } from "@psn/core/types/content.ts";
import type { Span } from "@psn/domain/links.ts";

/*
 * Markdown as plain text that reads well where there is no markup: headings and emphasis are words, a list has bullets,
 * a quote has ">", code stands as it is.
 */

/** A link whose address is not in the text. */
export interface Link extends Span {
  readonly url: string;
}

export interface Plain {
  readonly text: string;
  /** In order, and apart from each other. */
  readonly links: readonly Link[];
  /** Where code stands, in order: nothing in it is a tag or a mention. */
  readonly code: readonly Span[];
}

/** How links are written. */
export interface Written {
  /** Links are marked and have no address in the text; absent: the address follows the link's text. */
  readonly marks?: boolean;
  /** Links that stay as they are typed, since the network reads them so. */
  readonly keeps?: (url: string) => boolean;
}

const NONE: Plain = { text: "", links: [], code: [] };
const words = (text: string): Plain => ({ text, links: [], code: [] });

/** Well-formed, and without blanks at its ends and empty lines around it. */
export function plainOf(content: Content, written: Written = {}): Plain {
  return trimmed(blocks(content, written, "\n\n"));
}

function blocks(content: readonly Block[], written: Written, seam: string): Plain {
  return joined(
    content.map((one) => block(one, written)),
    seam,
  );
}

function block(one: Block, written: Written): Plain {
  switch (one.type) {
    case "paragraph":
    case "heading":
      return trimmed(line(one.children, written));
    case "code":
      return { ...words(one.text), code: [{ start: 0, end: one.text.length }] };
    case "quote":
      return prefixed(blocks(one.children, written, "\n\n"), "> ", "> ");
    case "list":
      return joined(
        one.items.map((item, index) => listItem(item, one.start === null ? "•" : `${one.start + index}.`, written)),
        "\n",
      );
    case "table":
      return joined(
        one.rows.map((cells) =>
          trimmed(
            joined(
              cells.map((cell) => trimmed(line(cell, written))),
              " | ",
              "kept",
            ),
          ),
        ),
        "\n",
      );
    case "rule":
      return words("* * *");
    case "footnotes":
      return joined(
        one.notes.map(({ number, children }) => joined([words(`[${number}]`), blocks(children, written, "\n\n")], " ")),
        "\n",
      );
  }
}

function listItem({ checked, children }: Item, bullet: string, written: Written): Plain {
  const mark = checked === null ? bullet : checked ? "☑" : "☐";
  // A list within an item follows it at once; paragraphs stand apart.
  const inner = children.reduce<Plain>(
    (before, child) => joined([before, block(child, written)], child.type === "paragraph" ? "\n\n" : "\n"),
    NONE,
  );
  return prefixed(inner, `${mark} `, "  ");
}

function line(nodes: readonly Inline[], written: Written): Plain {
  return joined(
    nodes.map((node) => inline(node, written)),
    "",
  );
}

function inline(node: Inline, written: Written): Plain {
  switch (node.type) {
    case "text":
      return words(node.text);
    case "code":
      return { ...words(node.text), code: [{ start: 0, end: node.text.length }] };
    case "break":
      return words("\n");
    case "reference":
      return words(`[${node.number}]`);
    case "image":
      return NONE;
    case "strong":
    case "emphasis":
      return line(node.children, written);
    case "delete":
      return joined([words("~~"), line(node.children, written), words("~~")], "");
    case "link":
      return link(node.url, trimmed(line(node.children, written)), written);
  }
}

function link(url: string, shown: Plain, { marks = false, keeps }: Written): Plain {
  if (keeps?.(url)) return words(`[${shown.text}](${url})`);
  const address = url.replace(/^mailto:/i, "");
  if (shown.text === "") return words(address);
  // An address that is its own text stands there once.
  if (isSame(shown.text, address)) return words(isWeb(url) && !isWeb(shown.text) ? url : shown.text);
  if (!isWeb(url)) return url.startsWith("urn:") ? shown : joined([shown, words(` (${address})`)], "");
  if (marks) return { ...shown, links: [{ start: 0, end: shown.text.length, url }] };
  return joined([shown, words(` (${url})`)], "");
}

const isWeb = (url: string) => /^https?:\/\//i.test(url);

/** `example.com` is the text of `https://example.com/`. */
function isSame(text: string, address: string): boolean {
  const plain = (one: string) => one.replace(/^https?:\/\//i, "").replace(/\/$/, "");
  return plain(text) === plain(address);
}

/** One after the other; what is empty takes no seam, but for the cells of a table. */
function joined(parts: readonly Plain[], seam: string, empty?: "kept"): Plain {
  const texts: string[] = [];
  const links: Link[] = [];
  const code: Span[] = [];
  let at = 0;
  for (const part of parts) {
    if (part.text === "" && empty !== "kept") continue;
    const from = at === 0 && texts.length === 0 ? 0 : at + seam.length;
    links.push(...part.links.map((one) => moved(one, from)));
    code.push(...part.code.map((one) => moved(one, from)));
    texts.push(part.text);
    at = from + part.text.length;
  }
  return { text: texts.join(seam), links, code };
}

const moved = <S extends Span>(span: S, by: number): S => ({ ...span, start: span.start + by, end: span.end + by });

/** Every line behind a mark: the first one behind its own. An empty line has none but that of a quote. */
function prefixed({ text, links, code }: Plain, first: string, others: string): Plain {
  const starts: number[] = [];
  const lines = text.split("\n");
  let at = 0;
  let added = 0;
  const out = lines.map((one, index) => {
    const mark = index === 0 ? first : one === "" ? others.trimEnd() : others;
    starts.push(at);
    at += one.length + 1;
    return `${mark}${one}`;
  });
  const marks = out.map((one, index) => {
    added += one.length - (lines[index]?.length ?? 0);
    return added;
  });
  /** How much longer the text has become before this place. */
  const shift = (place: number, isEnd: boolean) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      const start = starts[middle] ?? 0;
      if (start < place || (start === place && !isEnd)) low = middle;
      else high = middle;
    }
    return place + (marks[low] ?? 0);
  };
  const shifted = <S extends Span>(span: S): S => ({
    ...span,
    start: shift(span.start, false),
    end: shift(span.end, true),
  });
  return { text: out.join("\n"), links: links.map(shifted), code: code.map(shifted) };
}

/** Without space at its ends. */
function trimmed({ text, links, code }: Plain): Plain {
  const left = text.length - text.trimStart().length;
  const end = text.trimEnd().length;
  const kept = <S extends Span>(spans: readonly S[]) =>
    spans
      .map((span) => ({ ...span, start: Math.max(span.start, left) - left, end: Math.min(span.end, end) - left }))
      .filter((span) => span.end > span.start);
  return { text: text.trim(), links: kept(links), code: kept(code) };
}
