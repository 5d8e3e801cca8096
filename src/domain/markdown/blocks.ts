import { PsnError } from "@psn/core/errors.ts";
import type { Block, Inline } from "@psn/core/types/content.ts";
import { type Inlines, inlinesOf } from "./inlines.ts";
import { fragmentOf, type HtmlNode, isBlockTag, meaningOf } from "./tags.ts";
import type { Node } from "./tree.ts";

export type Reading = Omit<Inlines, "depth">;

/** Deeper than any text is meant; a bound keeps the work small. */
const DEEPEST = 50;

/** Markdown's blocks as psn's own, but for what shows nothing. Throws DRAFT_INVALID where they nest too deeply. */
export function blocksOf(nodes: readonly Node[], reading: Reading, depth = 0): Block[] {
  if (depth > DEEPEST)
    throw new PsnError("DRAFT_INVALID", `the Markdown is nested more than ${DEEPEST} levels deep`, {
      hint: "use fewer levels, or write format: plain into the front matter",
    });
  const inner = (children: readonly Node[]) => blocksOf(children, reading, depth + 1);
  const line = (children: Parameters<typeof inlinesOf>[0]) => inlinesOf(children, { ...reading, depth: depth + 1 });
  return nodes.flatMap((node): Block[] => {
    switch (node.type) {
      case "paragraph":
        return paragraph(line(node.children));
      case "heading":
        return [{ type: "heading", level: node.depth, children: line(node.children) }];
      case "blockquote":
        return [{ type: "quote", children: inner(node.children) }];
      case "list":
        return [
          {
            type: "list",
            start: node.ordered === true ? (node.start ?? 1) : null,
            items: node.children.map(({ checked = null, children }) => ({ checked, children: inner(children) })),
          },
        ];
      case "code":
        return [{ type: "code", text: node.value, language: node.lang ?? null }];
      case "table":
        return [{ type: "table", rows: node.children.map((row) => row.children.map((cell) => line(cell.children))) }];
      case "thematicBreak":
        return [{ type: "rule" }];
      case "html":
        return fromHtml(node.value);
      default:
        return [];
    }
  });
}

const paragraph = (children: readonly Inline[]): Block[] =>
  children.some((one) => one.type !== "text" || one.text.trim() !== "") ? [{ type: "paragraph", children }] : [];

/** A block of HTML: its words, a paragraph for each element that begins a line of its own. */
function fromHtml(html: string): Block[] {
  const blocks: Block[] = [];
  let words: Inline[] = [];
  const flush = () => {
    blocks.push(...paragraph(words));
    words = [];
  };
  const walk = (nodes: readonly HtmlNode[], depth: number) => {
    for (const node of nodes) {
      if (node.nodeName === "#text" && "value" in node) words.push({ type: "text", text: spaced(node.value) });
      if (!("tagName" in node) || depth > DEEPEST) continue;
      const meaning = meaningOf(node.tagName);
      if (meaning === "hidden") continue;
      if (meaning === "break") words.push({ type: "break" });
      if (isBlockTag(node.tagName)) flush();
      walk(node.childNodes, depth + 1);
      if (isBlockTag(node.tagName)) flush();
    }
  };
  walk(fragmentOf(html), 0);
  flush();
  return blocks;
}

const spaced = (text: string) => text.replace(/\s+/g, " ");
