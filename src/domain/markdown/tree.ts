import { PsnError } from "@psn/core/errors.ts";
import { edited, findLinksBy, inOrder, type Span } from "@psn/domain/links.ts";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";

/*
 * The parser (ADR 31): CommonMark with GitHub's tables, tasks, footnotes and deleted text. What is a link in running
 * text is decided by domain/links.ts and not by GitHub's rules.
 */

export type Root = ReturnType<typeof fromMarkdown>;
export type Node = Root["children"][number];
export type Phrasing = Extract<Node, { readonly type: "paragraph" }>["children"][number];
export type Definition = Extract<Node, { readonly type: "definition" }>;
export type FootnoteDefinition = Extract<Node, { readonly type: "footnoteDefinition" }>;

/** Twice the longest text that a platform takes, in UTF-16 units; what is longer takes seconds to read. */
const MOST_LETTERS = 200_000;

const EXTENSIONS = [
  gfm({ singleTilde: false }),
  { disable: { null: ["wwwAutolink", "protocolAutolink", "emailAutolink"] } },
];
/** Only GitHub's links in running text have transforms. */
const MDAST_EXTENSIONS = gfmFromMarkdown().map(({ transforms: _transforms, ...rest }) => rest);

/**
 * The tree of a text, each node with the place where it stands.
 *
 * @throws PsnError DRAFT_INVALID for a text of more than 200,000 letters.
 */
export function placedTreeOf(text: string): Root {
  if (text.length > MOST_LETTERS)
    throw new PsnError("DRAFT_INVALID", `the text has more than ${MOST_LETTERS} characters`, {
      hint: "shorten it, or write format: plain into its front matter",
    });
  return fromMarkdown(text, { extensions: EXTENSIONS, mdastExtensions: MDAST_EXTENSIONS });
}

/** The tree of a text in which an address in running text is whole: its `*`, `_`, `~` and `&` are no Markdown. */
export function treeOf(text: string): Root {
  const root = placedTreeOf(text);
  const whole = withWholeLinks(text, root);
  return whole === text ? root : placedTreeOf(whole);
}

/** What a backslash can take the meaning from, within an address. */
const SIGN = /[*_~&]/;
const SIGNS = new RegExp(SIGN, "g");
/** What stands in these is no running text. */
const APART: ReadonlySet<string> = new Set(
  "code inlineCode link linkReference image imageReference definition html".split(" "),
);

function withWholeLinks(text: string, root: Root): string {
  const links = findLinksBy("bare", text).filter(({ start, end }) => SIGN.test(text.slice(start, end)));
  if (links.length === 0) return text;
  const apart = inOrder(placesOf(root));
  let next = 0;
  const free = links.filter(({ start, end }) => {
    while ((apart[next]?.end ?? Number.POSITIVE_INFINITY) <= start) next += 1;
    return (apart[next]?.start ?? Number.POSITIVE_INFINITY) >= end;
  });
  return edited(
    text,
    free.map((span) => ({ ...span, to: text.slice(span.start, span.end).replace(SIGNS, "\\$&") })),
  );
}

/** Where what is no running text stands. */
function placesOf(root: Root): Span[] {
  const found: Span[] = [];
  const left: (Node | Phrasing)[] = [...root.children];
  for (let node = left.pop(); node; node = left.pop()) {
    if (APART.has(node.type)) found.push(spanOf(node));
    else if ("children" in node) left.push(...(node.children as (Node | Phrasing)[]));
  }
  return found;
}

/** Where a node stands in its text. */
export const spanOf = ({ position }: Pick<Node, "position">): Span => ({
  start: position?.start.offset ?? 0,
  end: position?.end.offset ?? 0,
});

/** Every node of these kinds, in the order of the text. */
export function nodesIn<Type extends Node["type"]>(root: Root, ...types: readonly Type[]) {
  const found: Extract<Node, { readonly type: Type }>[] = [];
  const left: (Node | Phrasing)[] = root.children.toReversed();
  for (let node = left.pop(); node; node = left.pop()) {
    if ((types as readonly string[]).includes(node.type)) found.push(node as Extract<Node, { readonly type: Type }>);
    if ("children" in node) left.push(...(node.children as (Node | Phrasing)[]).toReversed());
  }
  return found;
}
