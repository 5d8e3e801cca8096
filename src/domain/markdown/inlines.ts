import { PsnError } from "@psn/core/errors.ts";
import type { Inline } from "@psn/core/types/content.ts";
import { addressOf } from "./address.ts";
import { type Element, type Folded, foldTags } from "./fold-tags.ts";
import { storedImage } from "./images.ts";
import { attributeOf, meaningOf } from "./tags.ts";
import type { Phrasing } from "./tree.ts";

/** What a line needs to know of its text. */
export interface Inlines {
  /** The addresses that the text defines, by name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** The ids of the part's media. */
  readonly media: ReadonlySet<string>;
  /** The number of the footnote of this name. */
  readonly numberOf: (identifier: string) => number;
  readonly depth: number;
}

const DEEPEST = 100;
/** Written without spaces between words: a line may end there anywhere. */
const UNSPACED =
  "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}。、，．！？；：」』）】》";
const LINE_END = /[^\S\n]*\n[^\S\n]*/gu;
const BETWEEN_UNSPACED = new RegExp(`(?<=[${UNSPACED}])[^\\S\\n]*\\n[^\\S\\n]*(?=[${UNSPACED}])`, "gu");

/** What stands in a line. Throws DRAFT_INVALID where it is nested too deeply. */
export function inlinesOf(nodes: readonly Phrasing[], reading: Inlines): Inline[] {
  return foldTags(nodes).flatMap((node) => inlineOf(node, reading));
}

function inlineOf(node: Folded, reading: Inlines): Inline[] {
  const depth = reading.depth + 1;
  if (depth > DEEPEST)
    throw new PsnError("DRAFT_INVALID", `a line of the Markdown is nested more than ${DEEPEST} levels deep`, {
      hint: "use fewer levels, or write format: plain into the front matter",
    });
  const inner = (children: readonly Folded[]) => children.flatMap((child) => inlineOf(child, { ...reading, depth }));
  const folded = (children: readonly Phrasing[]) => inner(foldTags(children));
  switch (node.type) {
    case "element":
      return elementOf(node, inner(node.children));
    case "text":
      return [{ type: "text", text: node.value.replace(BETWEEN_UNSPACED, "").replace(LINE_END, " ") }];
    case "strong":
    case "emphasis":
    case "delete":
      return [{ type: node.type, children: folded(node.children) }];
    case "inlineCode":
      return [{ type: "code", text: node.value }];
    case "break":
      return [{ type: "break" }];
    case "link":
      return linked(node.url, folded(node.children));
    case "linkReference":
      return linked(reading.addresses.get(node.identifier) ?? "", folded(node.children));
    case "image":
      return image(node.url, node.alt ?? "", reading);
    case "imageReference":
      return image(reading.addresses.get(node.identifier) ?? "", node.alt ?? "", reading);
    case "footnoteReference":
      return [{ type: "reference", number: reading.numberOf(node.identifier) }];
    default:
      return [];
  }
}

/** A link within a link, as a picture's address can be, is words. */
function linked(url: string, children: readonly Inline[]): Inline[] {
  const address = addressOf(url);
  return address === undefined ? [...children] : [{ type: "link", url: address, children: withoutLinks(children) }];
}

function withoutLinks(nodes: readonly Inline[]): Inline[] {
  return nodes.flatMap((node): Inline[] => {
    if (node.type === "link") return [...node.children];
    return "children" in node ? [{ ...node, children: withoutLinks(node.children) }] : [node];
  });
}

/** A picture of the post; one from elsewhere is a link to it. */
function image(url: string, alt: string, { media }: Inlines): Inline[] {
  const id = storedImage(url);
  if (id !== undefined && media.has(id)) return [{ type: "image", media: id, alt }];
  return linked(url, [{ type: "text", text: alt === "" && addressOf(url) !== undefined ? url : alt }]);
}

function elementOf({ name, html }: Element, children: readonly Inline[]): Inline[] {
  const meaning = meaningOf(name);
  switch (meaning) {
    case "hidden":
      return [];
    case "break":
      return [{ type: "break" }];
    case "strong":
    case "emphasis":
    case "delete":
      return [{ type: meaning, children }];
    case "link":
      return linked(attributeOf(html, "href") ?? "", children);
    case "image": {
      const alt = attributeOf(html, "alt") ?? "";
      return linked(attributeOf(html, "src") ?? "", [{ type: "text", text: alt }]);
    }
    case "code":
      return children.every((one) => one.type === "text")
        ? [{ type: "code", text: children.map(({ text }) => text).join("") }]
        : [...children];
    case "words":
      return [...children];
  }
}
