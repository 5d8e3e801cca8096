/*
 * A part that was written in Markdown, as its author meant it: what an adapter renders. There is no HTML in it and no
 * reference that leads nowhere; the names are Markdown's own (CommonMark 0.31.2, GitHub Flavored Markdown 0.29).
 */

/** What stands in a line. */
export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "break" }
  | { readonly type: "strong" | "emphasis" | "delete"; readonly children: readonly Inline[] }
  /** `url`: `http:`, `https:` or `mailto:`, or LinkedIn's name of a person. */
  | { readonly type: "link"; readonly url: string; readonly children: readonly Inline[] }
  /** `media`: the id of a media file of the part. */
  | { readonly type: "image"; readonly media: string; readonly alt: string }
  /** A reference to the footnote of this number, from 1. */
  | { readonly type: "reference"; readonly number: number };

export interface Item {
  /** Of a list of tasks; null in any other list. */
  readonly checked: boolean | null;
  readonly children: readonly Block[];
}

export interface Footnote {
  readonly number: number;
  readonly children: readonly Block[];
}

export type Block =
  | { readonly type: "paragraph"; readonly children: readonly Inline[] }
  /** `level`: 1 to 6. */
  | { readonly type: "heading"; readonly level: number; readonly children: readonly Inline[] }
  | { readonly type: "quote"; readonly children: readonly Block[] }
  /** `start`: the first number; null for a list without numbers. */
  | { readonly type: "list"; readonly start: number | null; readonly items: readonly Item[] }
  | { readonly type: "code"; readonly text: string; readonly language: string | null }
  /** The first row is the head; a row is its cells. */
  | { readonly type: "table"; readonly rows: readonly (readonly (readonly Inline[])[])[] }
  | { readonly type: "rule" }
  /** Last, and only once. */
  | { readonly type: "footnotes"; readonly notes: readonly Footnote[] };

export type Content = readonly Block[];

/** How a text was written. */
export const FORMATS = ["markdown", "plain"] as const;
export type Format = (typeof FORMATS)[number];
