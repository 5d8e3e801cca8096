import { type Token, Tokenizer, TokenizerMode } from "parse5";

/*
 * What a page says of itself, from its tokens. A tree would be more than a card needs, and building one (or looking for
 * the end of an element in a stack) takes time that grows with the square of a hostile page: 560 KB of unclosed
 * elements took HTMLRewriter 38 seconds. Where tree construction changes what a token means it is followed here: raw
 * text, foreign content and templates (https://html.spec.whatwg.org/multipage/parsing.html#tree-construction, 2026-11).
 */

export interface Head {
  /** As a browser titles the page; empty without one. */
  readonly title: string;
  readonly description: string;
  /** Addresses of pictures as they are written, the best first. */
  readonly images: readonly string[];
  /** What relative addresses are seen from, as it is written. */
  readonly base: string | undefined;
}

export interface HeadReader {
  readonly write: (text: string) => void;
  readonly end: () => void;
  /** What was read so far. */
  readonly head: () => Head;
  /** The encoding that a `<meta>` names. */
  readonly charset: () => string | undefined;
  /** Whether the head has ended, or what follows cannot belong to one. */
  readonly isPast: () => boolean;
  /** False for XML that is no XHTML. */
  readonly isPage: () => boolean;
}

/** In order of worth; the first that is not blank counts (https://ogp.me and X's cards, 2026-11). */
const NAMES = {
  title: ["og:title", "twitter:title"],
  description: ["og:description", "twitter:description", "description"],
  image: ["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"],
} as const;
const KNOWN: ReadonlySet<string> = new Set(Object.values(NAMES).flat());
/** So many values of one name are kept. */
const VALUES_MOST = 8;
/** Longest title that is collected, in UTF-16 units: a page whose title does not end is all title. */
const TITLE_MOST = 10_000;
/** Deepest nesting that is followed: Chromium's limit for its tree. */
const DEPTH_MOST = 512;

/** Elements whose text is no markup. */
const TEXT_MODES: Readonly<Record<string, (typeof TokenizerMode)[keyof typeof TokenizerMode]>> = {
  title: TokenizerMode.RCDATA,
  textarea: TokenizerMode.RCDATA,
  script: TokenizerMode.SCRIPT_DATA,
  plaintext: TokenizerMode.PLAINTEXT,
  ...Object.fromEntries(
    ["style", "xmp", "iframe", "noembed", "noframes", "noscript"].map((name) => [name, TokenizerMode.RAWTEXT] as const),
  ),
};
/** What may stand in a head; any other element ends it. */
const HEAD_ELEMENTS: ReadonlySet<string> = new Set(
  "html head base basefont bgsound link meta noframes noscript script style template title".split(" "),
);
const FOREIGN: ReadonlySet<string> = new Set(["svg", "math"]);
/** Inside of an `<svg>` these hold HTML again. */
const HTML_INSIDE: ReadonlySet<string> = new Set(["foreignobject", "desc"]);
/** These end an `<svg>` or `<math>` that was left open. */
const BREAKS_OUT: ReadonlySet<string> = new Set(
  (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta " +
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
  ).split(" "),
);

/** Reads a page from its beginning, in as many pieces as it comes in. */
export function headReader(isXml: boolean): HeadReader {
  const found = new Map<string, string[]>();
  const open: string[] = [];
  let title: string | undefined;
  let inTitle = false;
  let isPast = false;
  let root: string | undefined;
  let base: string | undefined;
  let charset: string | undefined;

  const isForeign = () => FOREIGN.has(open.at(-1) ?? "");
  const localName = (name: string) => (isXml ? name.slice(name.indexOf(":") + 1) : name);
  const enter = (name: string) => {
    if (open.length < DEPTH_MOST) open.push(name);
  };
  const keep = (name: string, value: string) => {
    const values = found.get(name) ?? [];
    if (KNOWN.has(name) && value.trim() !== "" && values.length < VALUES_MOST)
      found.set(name, [...values, value.trim()]);
  };
  const readMeta = (tag: Token.TagToken) => {
    const content = attribute(tag, "content") ?? "";
    for (const names of [attribute(tag, "property"), attribute(tag, "name")])
      for (const name of new Set((names ?? "").toLowerCase().split(/\s+/))) keep(name, content);
    const isType = attribute(tag, "http-equiv")?.trim().toLowerCase() === "content-type";
    charset ??=
      attribute(tag, "charset") ?? (isType ? /charset\s*=\s*["']?\s*([^\s"';]+)/i.exec(content)?.[1] : undefined);
  };
  const text = ({ chars }: Token.CharacterToken) => {
    if (inTitle && title !== undefined && title.length < TITLE_MOST) title += chars;
  };

  const tokenizer = new Tokenizer(
    {},
    {
      onStartTag(tag) {
        const name = localName(tag.tagName);
        root ??= name;
        if (!isXml && isForeign() && BREAKS_OUT.has(name)) while (isForeign()) open.pop();
        const wasForeign = isForeign();
        const isEmpty = tag.selfClosing && (isXml || wasForeign || FOREIGN.has(name));
        if (!isEmpty && (FOREIGN.has(name) || (wasForeign ? HTML_INSIDE.has(name) : name === "template"))) enter(name);
        tokenizer.inForeignNode = isXml || isForeign();
        if (wasForeign || open.includes("template")) return;
        if (!HEAD_ELEMENTS.has(name)) isPast = true;
        if (name === "meta") readMeta(tag);
        if (name === "base") base ??= attribute(tag, "href");
        if (name === "title" && !isEmpty) {
          // One that is blank titles nothing.
          inTitle = title === undefined || title.trim() === "";
          if (inTitle) title = "";
        }
        const mode = isXml ? undefined : TEXT_MODES[name];
        if (mode !== undefined) tokenizer.state = mode;
      },
      onEndTag(tag) {
        const name = localName(tag.tagName);
        const at = open.lastIndexOf(name);
        if (at >= 0) open.length = at;
        tokenizer.inForeignNode = isXml || isForeign();
        if (name === "title") inTitle = false;
        if (name === "head") isPast = true;
      },
      onCharacter: text,
      onWhitespaceCharacter: text,
      onNullCharacter: () => undefined,
      onComment: () => undefined,
      onDoctype: () => undefined,
      onEof: () => undefined,
    },
  );
  tokenizer.inForeignNode = isXml;

  const valuesOf = (names: readonly string[]) => names.flatMap((name) => found.get(name) ?? []);
  return {
    write: (piece) => tokenizer.write(piece, false),
    end: () => tokenizer.write("", true),
    head: () => ({
      title: valuesOf(NAMES.title)[0] ?? title ?? "",
      description: valuesOf(NAMES.description)[0] ?? "",
      images: [...new Set(valuesOf(NAMES.image))],
      base,
    }),
    charset: () => charset,
    isPast: () => isPast,
    isPage: () => !isXml || root === undefined || root === "html",
  };
}

function attribute({ attrs }: Token.TagToken, name: string): string | undefined {
  return attrs.find((one) => one.name === name)?.value;
}
