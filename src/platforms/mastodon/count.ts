import type { Span } from "@psn/domain/links.ts";
import validDomain from "twitter-text/dist/regexp/validDomain.js";
import validUrlPrecedingChars from "twitter-text/dist/regexp/validUrlPrecedingChars.js";

/*
 * The links Mastodon counts `characters_reserved_per_url` for: those its own extractor makes links of
 * (app/lib/extractor.rb, app/validators/status_length_validator.rb). That is twitter-text 3.1 with another path,
 * another query and more schemes (config/initializers/twitter_regex.rb; all 2026-11), so neither localhost nor an
 * address of numbers, and no top-level domain younger than twitter-text's list.
 */

const SPACE = "\\t-\\r\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PATH = `[^${SPACE}<>()?]`;
const BALANCED = `\\((?:${PATH}+|(?:${PATH}*\\(${PATH}+\\)${PATH}*))\\)`;
/** Latin letters beyond ASCII, as twitter-text lists them. */
const LATIN = "\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u024f\\u1e00-\\u1eff";
/** twitter-text's brackets, which the end of a path keeps: they were put in before Mastodon's were. */
const OLD_PATH = `[a-z\\u0400-\\u04ff0-9!*';:=+,.$\\/%#\\[\\]\\u2010-\\u2015\\-_~&|@${LATIN}]`;
const OLD_BALANCED = `\\((?:${OLD_PATH}+|(?:${OLD_PATH}*\\(${OLD_PATH}+\\)${OLD_PATH}*))\\)`;
const PATH_END = `(?:[^${SPACE}()?!*"'「」<>;:=,.$%\\[\\]~&|@]|${OLD_BALANCED})`;
const URL_PATH = `(?:(?:${PATH}*(?:${BALANCED}${PATH}*)*${PATH_END})|(?:${PATH}+\\/))`;
/** Beyond ASCII, in UTF-16 units: the patterns of twitter-text know no others. */
const WIDE = "\\u00a0-\\ufdcf\\ufdf0-\\uffef";
const QUERY = `[a-z0-9!?*'();:&=+$\\/%#\\[\\]\\-_.,~|@^${WIDE}]`;
const QUERY_END = `[a-z0-9_&=#\\/\\-${WIDE}]`;
/** twitter-text's Ruby, which Mastodon runs, has four more signs in no host than its JavaScript. */
const DOMAIN = validDomain.source.replaceAll("[^/", '[^"`\\x00-\\x1f\\x7f/');
const AFTER_SCHEME = `(${DOMAIN})(?::[0-9]+)?(?:\\/${URL_PATH}*)?(?:\\?${QUERY}*${QUERY_END})?`;
const LINK = new RegExp(
  `(?:${validUrlPrecedingChars.source})((?:https?|dat|dweb|ipfs|ipns|ssb|gopher|gemini):\\/\\/${AFTER_SCHEME})`,
  "gi",
);
const BARE = new RegExp(`(?:${validUrlPrecedingChars.source})${AFTER_SCHEME}`, "gi");
/** How far back to look for a host without a scheme, in UTF-16 units. */
const LOOK_BACK = 200;
/** Longest link, with its host in ASCII (twitter-text, MAX_URL_LENGTH). */
const LINK_MOST = 4_096;
/** X's own short links end with their letters and digits (twitter-text, `valid_tco_url`), of which it takes 40. */
const SHORT = /^https?:\/\/t\.co\/([a-z0-9]+)/i;
const SHORT_MOST = 40;

export function findCounted(text: string): Span[] {
  if (!text.includes("://")) return [];
  return [...text.matchAll(LINK)].flatMap(({ index, 0: all, 1: link = "", 2: domain = "" }) => {
    const start = index + all.length - link.length;
    if (isInBare(text, start)) return [];
    const short = SHORT.exec(link);
    if (short && (short[1]?.length ?? 0) > SHORT_MOST) return [];
    const url = short?.[0] ?? link;
    return lengthOf(url, domain) <= LINK_MOST ? [{ start, end: start + url.length }] : [];
  });
}

/**
 * Whether the scheme stands in the path or the query of a host without one: example.com/?https://… is text to Mastodon.
 */
function isInBare(text: string, start: number): boolean {
  const run = /\S*$/.exec(text.slice(Math.max(0, start - LOOK_BACK), start))?.[0] ?? "";
  if (!run.includes(".")) return false;
  return [...`${run}https`.matchAll(BARE)].some(({ index, 0: all }) => index + all.length > run.length);
}

/** In code points, with the host in ASCII; too long for any limit where the host has no such form. */
function lengthOf(url: string, domain: string): number {
  const ascii = URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : undefined;
  if (ascii === undefined || ascii.split(".").some((label) => label.length > 63)) return Number.POSITIVE_INFINITY;
  return [...url].length + Math.max(0, ascii.length - [...domain].length);
}
