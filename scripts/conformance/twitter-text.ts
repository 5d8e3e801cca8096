import { isDeepStrictEqual } from "node:util";
import { findLinksBy } from "../../src/domain/links.ts";
import { measure, split } from "../../src/domain/text.ts";
import { findCounted } from "../../src/platforms/mastodon/count.ts";
import { DEFAULTS } from "../../src/platforms/mastodon/limits.ts";
import { CAPABILITIES as X } from "../../src/platforms/x/compose.ts";
import { findXLinks, weigh } from "../../src/platforms/x/text.ts";
import { count } from "../../tests/support/mastodon-rules.ts";
import type { Difference, Found } from "./difference.ts";

interface Vector {
  readonly text: string;
  readonly expected: unknown;
}

export interface Suite {
  readonly tests: Readonly<Record<string, readonly Vector[]>>;
}

/** What each kind of entity begins with, in twitter-text's names of its sections. */
const SIGNS: Readonly<Record<string, string>> = { mentions: "@", hashtags: "#", cashtags: "$", urls: "" };

/** What psn makes of every text of one of twitter-text's files. */
export function twitterTextDifferences(file: string, { tests }: Suite): Found {
  const differences: Difference[] = [];
  let checks = 0;
  const compare = (check: string, text: string, suite: unknown, psn: unknown) => {
    checks += 1;
    if (!isDeepStrictEqual(suite, psn)) differences.push({ check, text, suite, psn });
  };
  for (const [section, vectors] of Object.entries(tests))
    for (const { text, expected } of vectors) {
      if (typeof text !== "string") continue;
      compare("Mastodon's count", text, count(text, 23), measure(text, DEFAULTS.text, { links: findCounted }));
      const isList = Array.isArray(expected) && expected.every((one) => typeof one === "string");
      if (isList && (file === "tlds.yml" || section === "urls")) compare("links", text, expected, linksOf(text));
      if (file === "validate.yml" && section === "lengths") compare("X's weight", text, expected, weigh(text));
      if (isList && SIGNS[section] !== undefined && expected.length > 0)
        for (const [check, cuts] of cutsOf(text, expected as string[], SIGNS[section])) compare(check, text, [], cuts);
    }
  return { checks, differences };
}

function linksOf(text: string): string[] {
  return findLinksBy("bare", text).map(({ start, end }) => text.slice(start, end));
}

/**
 * The entities that are cut where the text is cut into parts of any size that holds each of them, as Bluesky counts and
 * as X does.
 */
function cutsOf(text: string, entities: readonly string[], sign: string): [string, string[]][] {
  const wide = String.fromCodePoint((sign.codePointAt(0) ?? 0) + 0xfee0);
  const marked =
    sign === ""
      ? entities
      : entities.map((one) => (text.includes(`${wide}${one}`) ? `${wide}${one}` : `${sign}${one}`));
  // X takes no other form of a letter than NFC.
  const forms = (words: string) => words.normalize("NFC");
  const longest = (length: (one: string) => number) => Math.max(...marked.map(length));
  const cutIn = (parts: readonly string[]) =>
    marked.filter((one) => !parts.some((part) => forms(part).includes(forms(one))));
  const cuts = (length: (one: string) => number, partsAt: (room: number) => string[]) => {
    const lost = new Set<string>();
    for (let room = longest(length); room < length(text); room += 1)
      for (const one of cutIn(partsAt(room))) lost.add(one);
    return [...lost];
  };
  const long = measureText(text) > 0;
  return [
    ["cut", long ? cuts(measureText, (max) => split(text, { max, unit: "grapheme" })) : []],
    ["cut for X", cuts(weigh, (max) => split(text.normalize("NFC"), { ...X.text, max }, { weigh, links: findXLinks }))],
  ];
}

const measureText = (text: string) => measure(text, { max: 1, unit: "grapheme" });
