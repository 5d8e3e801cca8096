import { edited, type Span } from "@psn/domain/links.ts";
import { ownImage } from "./images.ts";
import { nodesIn, placedTreeOf, spanOf } from "./tree.ts";

/** An image of which the text names a file, or one that the post has (`psn:ID`). */
export interface NamedImage extends Span {
  /** As a path; `%20` in it is a space. */
  readonly file: string;
  readonly alt: string;
}

/** A scheme, of which a drive's letter is none, or an address without one: `//cdn.example/pic.png`. */
const ADDRESS = /^(?:(?!psn:)[a-z][a-z\d+.-]+:|\/\/)/i;

/**
 * The images of a Markdown text that name a file, in order. One at an address of the web is none: psn downloads
 * nothing, and it goes out as a link.
 *
 * @throws PsnError DRAFT_INVALID for a text that is too long to be read.
 */
export function imagesIn(text: string): NamedImage[] {
  if (!text.includes("![")) return [];
  const root = placedTreeOf(text);
  const addresses = new Map(nodesIn(root, "definition").map(({ identifier, url }) => [identifier, url]));
  return nodesIn(root, "image", "imageReference").flatMap((node) => {
    const url = node.type === "image" ? node.url : (addresses.get(node.identifier) ?? "");
    return url === "" || ADDRESS.test(url) ? [] : [{ ...spanOf(node), file: pathOf(url), alt: node.alt ?? "" }];
  });
}

/** The text with these images of it named as the post's own, by their ids in the same order. */
export function withStored(text: string, images: readonly NamedImage[], ids: readonly string[]): string {
  return edited(
    text,
    images.map(({ start, end, alt }, index) => ({ start, end, to: ownImage(ids[index] ?? "", alt) })),
  );
}

function pathOf(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
