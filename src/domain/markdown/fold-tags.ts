import { tagOf } from "./tags.ts";
import type { Phrasing } from "./tree.ts";

/** An element of HTML within a line. */
export interface Element {
  readonly type: "element";
  readonly name: string;
  /** Its first tag, as it is written. */
  readonly html: string;
  readonly children: readonly Folded[];
}

export type Folded = Exclude<Phrasing, { readonly type: "html" }> | Element;

interface Open {
  readonly name: string;
  readonly html: string;
  readonly children: Folded[];
}

/**
 * The tags of a line as elements. A tag without its other half, and what only looks like a tag, is text, as it is
 * written; comments and the like are gone.
 */
export function foldTags(nodes: readonly Phrasing[]): Folded[] {
  const outer: Open = { name: "", html: "", children: [] };
  const open = [outer];
  const put = (one: Folded) => void open.at(-1)?.children.push(one);
  /** What was opened at this place or later has no other half. */
  const release = (from: number) => {
    for (const { html, children } of open.splice(from)) for (const one of [text(html), ...children]) put(one);
  };
  for (const node of nodes) {
    const tag = node.type === "html" ? tagOf(node.value) : undefined;
    if (node.type !== "html") put(node);
    else if (tag === undefined) put(text(node.value));
    else if (tag?.isVoid === true) put({ type: "element", name: tag.name, html: node.value, children: [] });
    else if (tag?.closes === false) open.push({ name: tag.name, html: node.value, children: [] });
    else if (tag) {
      const at = open.findLastIndex(({ name }) => name === tag.name);
      if (at < 0) put(text(node.value));
      else release(at + 1);
      const [closed] = at < 0 ? [] : open.splice(at);
      if (closed) put({ type: "element", ...closed });
    }
  }
  release(1);
  return outer.children;
}

const text = (value: string): Folded => ({ type: "text", value });
