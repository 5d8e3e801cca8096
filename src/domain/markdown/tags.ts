import { type DefaultTreeAdapterTypes, parseFragment } from "parse5";

/*
 * HTML in Markdown: which tags mean something, and what is never shown.
 */

/** A tag as it is written in a line. */
export interface Tag {
  /** In small letters. */
  readonly name: string;
  readonly closes: boolean;
  /** It has no content: `<br>`, `<img …>`. */
  readonly isVoid: boolean;
}

/** Every element there is (https://html.spec.whatwg.org/multipage/indices.html#elements-3, 2026-11). */
const KNOWN = words(
  "a abbr address area article aside audio b base bdi bdo blockquote body br button canvas caption cite code " +
    "col colgroup data datalist dd del details dfn dialog div dl dt em embed fieldset figcaption figure footer " +
    "form h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link main " +
    "map mark math menu meta meter nav noscript object ol optgroup option output p param picture pre progress " +
    "q rp rt ruby s samp script search section select slot small source span strong style sub summary sup svg " +
    "table tbody td template textarea tfoot th thead time title tr track u ul var video wbr big center font " +
    "marquee nobr strike tt",
);
/** The same page: void elements. */
const VOID = words("area base br col embed hr img input link meta source track wbr param");
/** What they hold is no text for readers. */
const HIDDEN = words(
  "script style template noscript iframe object embed svg math textarea select title head canvas audio video",
);
/** They begin a line of their own. */
const BLOCKS = words(
  "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption " +
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre search section " +
    "summary table tbody td tfoot th thead tr ul",
);

export type Meaning = "strong" | "emphasis" | "delete" | "code" | "link" | "image" | "break" | "hidden" | "words";
const MEANINGS: Readonly<Record<string, Meaning>> = {
  b: "strong",
  strong: "strong",
  i: "emphasis",
  em: "emphasis",
  s: "delete",
  del: "delete",
  strike: "delete",
  code: "code",
  kbd: "code",
  samp: "code",
  tt: "code",
  a: "link",
  img: "image",
  br: "break",
};

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(" "));
}

/** What an element means to psn: the words in it, where nothing else is known of it. */
export function meaningOf(name: string): Meaning {
  if (HIDDEN.has(name)) return "hidden";
  return Object.hasOwn(MEANINGS, name) ? (MEANINGS[name] ?? "words") : "words";
}

export const isBlockTag = (name: string): boolean => BLOCKS.has(name);

/**
 * The tag in this piece of HTML; null for what is no tag (`<!…>`, `<?…>`), and undefined for what only looks like one:
 * `List<String>`.
 */
export function tagOf(html: string): Tag | null | undefined {
  const [, slash, written] = /^<(\/?)([a-z][a-z0-9-]*)/i.exec(html) ?? [];
  if (written === undefined) return null;
  const name = written.toLowerCase();
  if (!KNOWN.has(name)) return undefined;
  return { name, closes: slash === "/", isVoid: VOID.has(name) };
}

/** What an attribute says, in a piece of HTML that begins with a tag. */
export function attributeOf(html: string, attribute: string): string | undefined {
  const [node] = parseFragment(html).childNodes;
  return node && "attrs" in node ? node.attrs.find(({ name }) => name === attribute)?.value : undefined;
}

export type HtmlNode = DefaultTreeAdapterTypes.ChildNode;

/** What a block of HTML holds. */
export const fragmentOf = (html: string): readonly HtmlNode[] => parseFragment(html).childNodes;
