import tlds from "tlds" with { type: "json" };

/** A range of a text in UTF-16 units, the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A range of a text, and what is written in its place. */
export interface Edit extends Span {
  readonly to: string;
}

/** The text after these edits, which are in order and apart from each other; `between` writes all other words. */
export function edited(text: string, edits: readonly Edit[], between = (words: string): string => words): string {
  let out = "";
  let at = 0;
  for (const { start, end, to } of edits) {
    out += `${between(text.slice(at, start))}${to}`;
    at = end;
  }
  return `${out}${between(text.slice(at))}`;
}

/*
 * What psn takes for a link where psn decides: in the feed, on LinkedIn's cards, on Bluesky, and when it cuts a text.
 * Where a network decides, its own rules count: platforms/mastodon/count.ts, platforms/x/text.ts.
 */

/**
 * Not inside a word, and not the name of a mention, a tag or a price, as twitter-text has it (3.1,
 * `validUrlPrecedingChars`).
 */
const SCHEME = /(?<![A-Za-z0-9@＠#＃$])https?:\/\//gi;

/** Scripts that are written without spaces between words: what stands before a link may touch it. */
const UNSPACED =
  "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}";
/**
 * What no address holds: space, control and invisible characters, noncharacters, quotation marks, the signs around
 * addresses (RFC 3986, appendix C), and the punctuation of scripts without spaces, after which the next sentence
 * follows at once.
 */
const STOP =
  /[\s\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufdd0-\ufdef<>"`\\“”„‟«»‹›。、，．！？；：｜「」『』【】〈〉《》]/u;
const PAIRS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}", "（": "）", "［": "］" };
const CLOSING: ReadonlySet<string> = new Set(Object.values(PAIRS));
/**
 * What ends a sentence or closes a quotation, and no address: it belongs to an address only where more of that follows.
 */
const TRAILING = /[\p{Po}\p{Pd}\p{Pi}\p{Pf}~|´^]/u;
/** Of those, the ones an address may end with. */
const ENDING = /[-/#%&@]/;
/**
 * A host whose top-level domain touches a sentence: https://example.comを見て; another sign that no host has ends it too.
 */
const GLUED = new RegExp(`^(?:[^@]*@)?(?:[^@]*\\.)?[a-z0-9-]+(?=[${UNSPACED}\\p{So}\\p{Sk}][^.]*$)`, "iu");

/** Deeper brackets than any address has; a bound keeps the work in proportion to the text. */
const DEEPEST = 8;
/** Longest name of a host (RFC 1035, section 2.3.4), in letters, and room for a user and a port. */
const HOST_MOST = 512;

/**
 * Every link written out with `http://` or `https://`, in any case, in order. Whatever the host is: a person may mean
 * `localhost`.
 */
export function findLinks(text: string): Span[] {
  const found: Span[] = [];
  if (!text.includes("://")) return found;
  let after = 0;
  for (const { index, 0: scheme } of text.matchAll(SCHEME)) {
    if (index < after) continue;
    const from = index + scheme.length;
    const end = endOf(text, from, text[index - 1]);
    if (!isHost(text.slice(from, end))) continue;
    found.push({ start: index, end });
    after = end;
  }
  return found;
}

/**
 * Where the address ends whose host begins at `from`. `before`: what stands in front of it, which may be a mark around
 * it.
 */
function endOf(text: string, from: number, before?: string): number {
  const end = trimmed(text, from, rawEnd(text, from));
  const host = /^[^/?#]*/.exec(text.slice(from, Math.min(end, from + HOST_MOST)))?.[0] ?? "";
  const glued = GLUED.exec(host)?.[0] ?? /^[^@,;!'’*()…–—|&=+$]+(?=[^@]*$)/.exec(host)?.[0];
  if (glued !== undefined && glued.length < host.length) return trimmed(text, from, from + glued.length);
  // Markdown's emphasis around an address: _https://example.com_.
  return before === "_" && text[end - 1] === "_" ? trimmed(text, from, end - 1) : end;
}

function rawEnd(text: string, from: number): number {
  const open: { readonly close: string; readonly at: number }[] = [];
  let end = from;
  while (end < text.length) {
    const code = text.codePointAt(end) ?? 0;
    const sign = String.fromCodePoint(code);
    // Letters and digits of ASCII need no looking up, and most addresses are that.
    if (isPlain(code)) {
      end += 1;
      continue;
    }
    if (STOP.test(sign)) break;
    const close = PAIRS[sign];
    // Words in wide brackets right after an address of ASCII are about it: https://example.com（英語）.
    if (close !== undefined && ((sign > "\x7f" && (text[end - 1] ?? "") <= "\x7f") || open.length === DEEPEST)) break;
    if (close !== undefined) open.push({ close, at: end });
    else if (CLOSING.has(sign) && open.pop()?.close !== sign) break;
    end += sign.length;
    // A second address begins after a letter of a script without spaces. `…/web/2020/https://…` is one address.
    if (sign > "\x7f" && /^https?:\/\//i.test(text.slice(end, end + "https://".length))) break;
  }
  // A bracket that is never closed is not the address's.
  return open[0]?.at ?? end;
}

function isPlain(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x2d && code <= 0x3a) || (code >= 0x41 && code <= 0x5a);
}

function trimmed(text: string, from: number, end: number): number {
  let last = end;
  while (last > from) {
    const sign = text[last - 1] ?? "";
    if (!TRAILING.test(sign) || ENDING.test(sign)) break;
    last -= 1;
  }
  return last;
}

function isHost(rest: string): boolean {
  return /^[^\s/?#:.]/u.test(rest) && URL.canParse(`http://${rest}`) && /[\p{L}\p{N}]/u.test(rest);
}

const TLDS: ReadonlySet<string> = new Set(tlds);
/**
 * Top-level domains that are known as the endings of files: `README.md` is no address, `docs.rs/serde` and
 * `https://docs.rs` are. From the list of top-level domains (npm tlds, 2026-11), those that are endings of programs, of
 * archives, of pictures and of documents.
 */
const FILE_ENDINGS: ReadonlySet<string> = new Set(
  [
    "ai am as bz cab cc cr cu do dot gd gs inc java map md mk ml mm mo mov pl pm ps pub py re rs sas sc sh so sv td",
    "tf zip",
  ].flatMap((line) => line.split(" ")),
);
const LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const WIDE_LABEL = "[\\p{L}\\p{N}](?:[\\p{L}\\p{M}\\p{N}-]*[\\p{L}\\p{M}\\p{N}])?";
const SPACED_LETTER = `(?![${UNSPACED}])[\\p{L}\\p{M}\\p{N}]`;
const NOT_BEFORE = "A-Za-z0-9@＠#＃$_./\\\\:=&%+~\\-";
/** A host of ASCII without a scheme; letters of a script without spaces may touch it. */
const BARE = new RegExp(
  `(?<![${NOT_BEFORE}]|${SPACED_LETTER})${LABEL}(?:\\.${LABEL})+(?![a-z0-9@_(-]|\\.[a-z0-9]|${SPACED_LETTER})`,
  "giu",
);
/** A host of any letters, which stands alone. */
const WIDE_BARE = new RegExp(
  `(?<![${NOT_BEFORE}\\p{L}\\p{M}\\p{N}])${WIDE_LABEL}(?:\\.${WIDE_LABEL})+(?![\\p{L}\\p{M}\\p{N}@_(-])`,
  "giu",
);

/**
 * What a network makes a link of, where psn's own rules say it: addresses with a scheme (`written`), those and what
 * begins with `www.`, or those and every host with a top-level domain that exists (`bare`).
 */
export type LinkRule = "written" | "www" | "bare";

/** The links of a text by one of these rules, in order. */
export function findLinksBy(rule: LinkRule, text: string): Span[] {
  const written = findLinks(text);
  if (rule === "written") return written;
  const bare = findBareLinks(text, written);
  const also = rule === "bare" ? bare : bare.filter(({ start }) => /^www\./i.test(text.slice(start, start + 4)));
  return inOrder([...written, ...also]);
}

/**
 * Addresses without a scheme outside `taken`, with a top-level domain that exists. What may as well be the name of a
 * file, or a number of a version or of a time, is none.
 */
export function findBareLinks(text: string, taken: readonly Span[] = findLinks(text)): Span[] {
  if (!text.includes(".")) return [];
  const found = hostsIn(text, BARE, taken);
  return inOrder([...found, ...hostsIn(text, WIDE_BARE, inOrder([...taken, ...found]))]);
}

function hostsIn(text: string, pattern: RegExp, taken: readonly Span[]): Span[] {
  const found: Span[] = [];
  let next = 0;
  let after = 0;
  for (const { index, 0: host } of text.matchAll(pattern)) {
    while ((taken[next]?.end ?? Number.POSITIVE_INFINITY) <= index) next += 1;
    if (index < after || (taken[next]?.start ?? Number.POSITIVE_INFINITY) < index + host.length) continue;
    const end = bareEnd(text, index, index + host.length);
    if (!isBareHost(host, text.slice(index + host.length, end))) continue;
    found.push({ start: index, end });
    after = end;
  }
  return found;
}

export function inOrder<T extends Span>(spans: readonly T[]): T[] {
  return spans.toSorted((a, b) => a.start - b.start);
}

/** A port, a path, a query or a fragment belongs to a bare host; nothing else does. */
function bareEnd(text: string, start: number, hostEnd: number): number {
  const port = /^:\d{1,5}(?!\d)/.exec(text.slice(hostEnd, hostEnd + 7))?.[0].length ?? 0;
  const rest = text[hostEnd + port] ?? "";
  if (!/[/?#]/.test(rest)) return hostEnd + port;
  return Math.max(endOf(text, start), hostEnd + port);
}

function isBareHost(host: string, rest: string): boolean {
  const last = host.slice(host.lastIndexOf(".") + 1);
  const tld = last.toLowerCase();
  if (!TLDS.has(tld)) return false;
  // "Works.It does": a sentence without its space.
  if (last !== tld && last !== last.toUpperCase()) return false;
  if (/^v?\d+(?:\.\d+)+\.[^.]+$/i.test(host)) return false;
  return !FILE_ENDINGS.has(tld) || host.toLowerCase().startsWith("www.") || /^(?::\d+)?\/./.test(rest);
}
