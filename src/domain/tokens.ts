import { findBareLinks, inOrder, type Span } from "./links.ts";

/*
 * What stays whole when a text is cut, beside links with a scheme. Whatever stands before it: networks differ in that,
 * and in a script without spaces there is nothing else to tell by.
 */

/**
 * `@name`, `@name@server`, `@name.example`, X's lists `@name/list`, and addresses of mail, whose second half alone
 * would be a mention. A name is ASCII, a server need not be.
 */
const HANDLE =
  /(?<![\w.%+-])([\w.%+-]*)[@＠]\w+(?:[.-]+\w+)*(?:@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*|\/[a-z][\w-]{0,24})?/giu;
/** What a tag is made of on X and Mastodon, and the emoji that Bluesky has beside that. */
const TAG_SIGN =
  "(?:[\\p{L}\\p{M}\\p{N}\\p{Pc}\\p{Pd}\\p{Extended_Pictographic}\\p{Emoji_Modifier}·・゛゜〃〜～׳״་༌]|\\u200c|\\u200d)";
/**
 * Bluesky's tags may hold punctuation; here, between two signs of a tag and in ASCII only, since a script without
 * spaces goes on after it.
 */
const WITHIN = "[!-/:-@\\[\\]\\\\^\\x60{|}~]";
const HASHTAG = new RegExp(`(?<![A-Za-z0-9_&])[#＃](?:${TAG_SIGN}|${WITHIN}(?=${TAG_SIGN}))+`, "gu");
const CASHTAG = /(?<![A-Za-z0-9_$])[$＄][a-z][a-z0-9]{0,5}(?:[._][a-z]{1,2})?(?![a-z0-9])/giu;

/**
 * Links without a scheme, mentions, tags and cashtags outside `links`, in order. Of two that overlap the first is
 * meant, the longer one of two with one end; the second stands for it where that is too long for a part.
 */
export function findTokens(text: string, links: readonly Span[]): Span[] {
  const bare = findBareLinks(text, links);
  const taken = inOrder([...links, ...bare]);
  const marked = [HANDLE, HASHTAG, CASHTAG].flatMap((pattern) => findOutside(text, pattern, taken).flatMap(spansOf));
  return inOrder([...bare, ...marked]);
}

/** The match, and for an address of mail also the mention that its second half looks like. */
function spansOf({ index, 0: all, 1: local = "" }: RegExpExecArray): Span[] {
  const end = index + all.length;
  return local === ""
    ? [{ start: index, end }]
    : [
        { start: index, end },
        { start: index + local.length, end },
      ];
}

/** Matches outside `taken`, which is in order and does not overlap. */
export function findOutside(text: string, pattern: RegExp, taken: readonly Span[]): RegExpExecArray[] {
  let next = 0;
  return [...text.matchAll(pattern)].filter((match) => {
    while ((taken[next]?.end ?? Number.POSITIVE_INFINITY) <= match.index) next += 1;
    return (taken[next]?.start ?? Number.POSITIVE_INFINITY) >= match.index + match[0].length;
  });
}
