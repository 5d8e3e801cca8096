import type { Block, Content } from "@psn/core/types/content.ts";
import { blocksOf, type Reading } from "./blocks.ts";
import { type Definition, type FootnoteDefinition, nodesIn, placedTreeOf, type Root, spanOf, treeOf } from "./tree.ts";

/** A part as it is kept, and the ids of its media. */
export interface MarkdownPart {
  readonly text: string;
  readonly media: readonly { readonly id: string }[];
}

/**
 * The parts of a post, read as Markdown. What one part defines, addresses of links and footnotes, counts in all of
 * them.
 *
 * @throws PsnError DRAFT_INVALID for a text that is too long to be read, or nested too deeply.
 */
export function contentsOf(parts: readonly MarkdownPart[]): Content[] {
  const defined = parts.length === 1 ? [] : parts.map(({ text }) => definitionsIn(text));
  return parts.map(({ text, media }, index) => {
    const others = defined.flatMap((some, other) => (other === index ? [] : some));
    const whole = others.length === 0 ? text : `${others.join("\n\n")}\n\n${text}`;
    return contentOf(treeOf(whole), new Set(media.map(({ id }) => id)));
  });
}

/** As they are written. */
function definitionsIn(text: string): string[] {
  return nodesIn(placedTreeOf(text), "definition", "footnoteDefinition").map((node) => {
    const { start, end } = spanOf(node);
    return text.slice(start, end);
  });
}

function contentOf(tree: Root, media: ReadonlySet<string>): Content {
  const numbers = new Map<string, number>();
  const reading: Reading = {
    addresses: firsts(nodesIn(tree, "definition"), ({ url }: Definition) => url),
    media,
    numberOf: (identifier) => {
      const number = numbers.get(identifier) ?? numbers.size + 1;
      numbers.set(identifier, number);
      return number;
    },
  };
  const notes = firsts(nodesIn(tree, "footnoteDefinition"), (note: FootnoteDefinition) => note);
  const blocks = blocksOf(tree.children, reading);
  const read = [];
  // A note may refer to another one, which is then one more.
  for (const [identifier, number] of numbers)
    read.push({ number, children: blocksOf(notes.get(identifier)?.children ?? [], reading) });
  const last: Block[] = read.length === 0 ? [] : [{ type: "footnotes", notes: read }];
  return [...blocks, ...last];
}

/** Of several with one name the first counts (CommonMark 0.31.2, link reference definitions). */
function firsts<N extends { readonly identifier: string }, Value>(nodes: readonly N[], of: (node: N) => Value) {
  return new Map(nodes.toReversed().map((node) => [node.identifier, of(node)]));
}
