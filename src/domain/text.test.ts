import type { TextRule } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isShort } from "../../tests/support/how-much.ts";
import { fits, measure, shorten, split, splitParts } from "./text.ts";

const BLUESKY: TextRule = { max: 300, unit: "grapheme", maxBytes: 3000 };
const MASTODON: TextRule = { max: 500, unit: "grapheme", urlCost: 23, mention: "local" };
const FAMILY = "👨‍👩‍👧‍👦";
/** Texts that each property is tried on. */
const RUNS = isShort ? 250 : 1000;
const URL_40 = "https://example.com/a/rather/long/path/x";

/** The parts lie in the text one after the other with only whitespace around them. */
function expectNothingLost(text: string, parts: readonly string[]): void {
  let rest = text;
  for (const part of parts) {
    const at = rest.indexOf(part);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(rest.slice(0, at)).toMatch(/^\s*$/u);
    rest = rest.slice(at + part.length);
  }
  expect(rest).toMatch(/^\s*$/u);
}

const graphemesOf = (text: string) =>
  [...new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text)].map(({ segment }) => segment);

describe("measure", () => {
  test.each([
    ["grapheme", 1],
    ["codepoint", 7],
    ["utf16", 11],
    ["byte", 25],
  ] as const)("counts a family emoji in %ss as %i", (unit, expected) => {
    expect(measure(FAMILY, { max: 10, unit })).toBe(expected);
  });

  test.each([
    ["", 0],
    ["e\u0301", 1],
    ["日本語", 3],
    ["🇩🇪🇫🇷", 2],
    ["👍🏽", 1],
    ["שלום", 4],
    ["\r\n", 1],
    ["क्षि", 1],
  ])("counts %j as %i graphemes", (text, expected) => {
    expect(measure(text, { max: 10, unit: "grapheme" })).toBe(expected);
  });

  test.each([
    [URL_40, 23],
    [`${URL_40} ${URL_40}`, 47],
    ["https://a.b", 23],
    ["see https://example.com/x.", 4 + 23 + 1],
    ["(https://example.com/x)", 25],
    ["https://en.wikipedia.org/wiki/Foo_(bar)", 23],
    ["https://example.com/x, and", 23 + 5],
    ["HTTP://EXAMPLE.COM", 23],
    ["example.com", 11],
    ["ftp://example.com", 17],
    ["mailto:a@example.com", 20],
    ["//example.com", 13],
    ["https://", 8],
  ])("counts %j as %i when every URL counts 23", (text, expected) => {
    expect(measure(text, { max: 500, unit: "grapheme", urlCost: 23 })).toBe(expected);
  });

  test.each([
    ["@ada@example.social", 4],
    ["hi @ada@example.social, hi", 3 + 4 + 4],
    ["@ada", 4],
    ["ada@example.social", 18],
    ["@ada@example.social @bob@example.social", 9],
    ["https://example.social/@ada@other.example", 23],
  ])("counts %j as %i when only a mention's name counts", (text, expected) => {
    expect(measure(text, MASTODON)).toBe(expected);
  });

  test("counts neither URLs nor mentions specially where the platform does not", () => {
    expect(measure(URL_40, BLUESKY)).toBe(40);
    expect(measure("@ada@example.social", BLUESKY)).toBe(19);
  });

  test("equals the code units for ASCII without URLs, whatever the unit", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z .]*$/),
        fc.constantFrom("grapheme", "codepoint", "utf16", "byte"),
        (text, unit) => {
          expect(measure(text, { max: 1, unit })).toBe(text.length);
        },
      ),
    );
  });
});

describe("fits", () => {
  test("takes exactly the limit and not one more", () => {
    expect(fits("a".repeat(300), BLUESKY)).toBe(true);
    expect(fits("a".repeat(301), BLUESKY)).toBe(false);
  });

  test("also holds to the bound in bytes", () => {
    expect(fits(FAMILY.repeat(120), BLUESKY)).toBe(true);
    expect(fits(FAMILY.repeat(121), BLUESKY)).toBe(false);
  });
});

describe("split", () => {
  const rule = (max: number): TextRule => ({ max, unit: "grapheme" });

  test.each(["", "short", "  kept as it is \n", "a".repeat(300)])("leaves alone what fits: %j", (text) => {
    expect(split(text, BLUESKY, { numbered: true })).toEqual([text]);
  });

  test.each<[string, number, string[]]>([
    ["one two three", 8, ["one two", "three"]],
    ["First one. Second one.", 16, ["First one.", "Second one."]],
    ["One here.\n\nTwo is here. Three", 24, ["One here.", "Two is here. Three"]],
    ["今日は晴れ。明日は雨。", 8, ["今日は晴れ。", "明日は雨。"]],
    ["abcdefghij", 4, ["abcd", "efgh", "ij"]],
    ["ab abcdefghij", 4, ["ab a", "bcde", "fghi", "j"]],
    ["ab   \n  cd", 3, ["ab", "cd"]],
    ["   abc def   ", 4, ["abc", "def"]],
    [" ".repeat(9), 4, [""]],
    [`${FAMILY}${FAMILY}${FAMILY}`, 2, [`${FAMILY}${FAMILY}`, FAMILY]],
    ["🇩🇪🇫🇷🇮🇹", 1, ["🇩🇪", "🇫🇷", "🇮🇹"]],
    ["see @ada@example.social now", 21, ["see", "@ada@example.social", "now"]],
    ["a#hash b#longhashtag", 14, ["a#hash", "b#longhashtag"]],
    ["日本語#ハッシュタグ", 8, ["日本語", "#ハッシュタグ"]],
    ["日本語 #ハッシュタグ", 8, ["日本語", "#ハッシュタグ"]],
    ["שלום עולם טוב", 9, ["שלום עולם", "טוב"]],
  ])("cuts %j at %i", (text, max, expected) => {
    expect(split(text, rule(max))).toEqual(expected);
  });

  test("never cuts a URL, and gives back alone one that is longer than a part", () => {
    expect(split(`see ${URL_40} there`, rule(42))).toEqual(["see", URL_40, "there"]);
    const parts = split(`see ${URL_40} there`, rule(20));
    expect(parts).toEqual(["see", URL_40, "there"]);
    expect(parts.map((part) => fits(part, rule(20)))).toEqual([true, false, true]);
  });

  // What may not be cut, and the smallest part it fits.
  test.each([
    ["a mention", "@username"],
    ["a mention with its server", "@ada@example.social"],
    ["a handle", "@ada.example.com"],
    ["a handle of Bluesky", "@ada-b.bsky.social"],
    ["a wide at sign", "＠username"],
    ["a list of X", "@username/list-name"],
    ["a retweet", "RT@username"],
    ["an address of mail", "ada.b@example.com"],
    ["a tag", "#hashtag"],
    ["a Japanese tag", "#ハッシュ・タグ"],
    ["a wide tag", "＃ハッシュタグ"],
    ["a tag with a middle dot", "#il·lusió"],
    ["a tag with an emoji", "#butter🦋fly"],
    ["a tag with punctuation", "#with,punctuation"],
    ["a tag with a joiner", "#ක්‍රීඩා"],
    ["a cashtag", "$GOOG"],
    ["a cashtag with a class", "$BRK.A"],
    ["a link", "https://example.com/a_(b)?c=d"],
    ["a link in capitals", "HTTPS://EXAMPLE.COM/A"],
    ["a link without a scheme", "example.com/path/index.html"],
  ])("never cuts %s: %s", (_, token) => {
    const long = graphemesOf(token).length;
    const marks = ["日本語の文章", "我们在这里", "ข้อความภาษาไทย", "текст ", "(", "“", "、", "word ", "👉", ""];
    for (const before of marks)
      for (const after of ["、次の文章です", " и так далее и так", ") and so on and on", "。"])
        for (let max = long; max < long + 12; max += 1) {
          const text = Array(3).fill(`${before}${token}${after}`).join(" ");
          const parts = split(text, rule(max));
          expectNothingLost(text, parts);
          expect(parts.join("\n").split(token), `${text} at ${max}`).toHaveLength(4);
        }
  });

  test("counts a URL as the platform does, so that many fit one part", () => {
    const long = `https://example.com/${"x".repeat(400)}`;
    expect(split(`${long} ${long}`, { max: 47, unit: "grapheme", urlCost: 23 })).toHaveLength(1);
    expect(split(`${long} ${long}`, { max: 46, unit: "grapheme", urlCost: 23 })).toEqual([long, long]);
  });

  test("counts a URL that only a cut makes one", () => {
    const text = `${"x".repeat(25)}http://a.b${">zz".repeat(20)}`;
    const glued: TextRule = { max: 25, unit: "grapheme", urlCost: 23 };
    const parts = split(text, glued);
    expectNothingLost(text, parts);
    for (const part of parts) expect(fits(part, glued)).toBe(true);
  });

  test("cuts by bytes where bytes run out first", () => {
    const parts = split(FAMILY.repeat(250), BLUESKY);
    expect(parts.map((part) => graphemesOf(part).length)).toEqual([120, 120, 10]);
  });

  test("a grapheme longer than the rule comes back alone", () => {
    const zalgo = `a${"\u0301".repeat(2000)}`;
    expect(split(`x ${zalgo} y`, BLUESKY)).toEqual(["x", zalgo, "y"]);
  });

  test("numbers the parts within the limit", () => {
    const parts = split("word ".repeat(200), rule(100), { numbered: true });
    expect(parts.at(0)).toMatch(/^word .* word \(1\/12\)$/);
    expect(parts.at(-1)).toMatch(/ \(12\/12\)$/);
    for (const part of parts) expect(fits(part, rule(100))).toBe(true);
  });

  test.each([9, 10, 11, 99, 100, 101])("settles on the number of digits around %i parts", (count) => {
    const parts = split("a".repeat(count * 94), rule(100), { numbered: true });
    expect(parts.at(-1)).toContain(`(${parts.length}/${parts.length})`);
    for (const part of parts) expect(fits(part, rule(100))).toBe(true);
    expect(parts.map((part) => part.replace(/ \(\d+\/\d+\)$/, "")).join("")).toBe("a".repeat(count * 94));
  });

  test("does not number where the limit leaves no room", () => {
    expect(split("abcdefghij", rule(5), { numbered: true })).toEqual(["abcde", "fghij"]);
  });

  const token = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 12 }),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.constantFrom(
      FAMILY,
      "🇩🇪",
      "e\u0301",
      "日本語のテキスト。",
      "שלום",
      "👍🏽",
      "\u0301",
      "\u200d",
      "#",
      "@",
      "http://",
      ".",
      "(",
    ),
    fc.constantFrom(
      "https://example.com/a",
      "@ada@example.social",
      "@ada.example.com",
      "#hashtag",
      "Sentence ends. Next",
      "(https://a.b/c)",
    ),
    fc.lorem({ maxCount: 8 }),
  );
  const space = fc.constantFrom("", " ", "  ", "\n", "\n\n", "\r\n", "\u00a0", "\u3000");
  const text = fc.array(fc.tuple(token, space), { maxLength: 30 }).map((pairs) => pairs.flat().join(""));
  const anyRule: fc.Arbitrary<TextRule> = fc
    .tuple(
      fc.integer({ min: 25, max: 120 }),
      fc.constantFrom("grapheme", "codepoint", "utf16", "byte"),
      fc.constantFrom(undefined, 23),
      fc.boolean(),
      fc.constantFrom(undefined, 200),
    )
    .map(([max, unit, urlCost, local, maxBytes]) => ({
      max,
      unit,
      ...defined({ urlCost, mention: local ? "local" : undefined, maxBytes }),
    }));

  test("property: every part fits, unless it is one grapheme or one URL", () => {
    fc.assert(
      fc.property(text, anyRule, fc.boolean(), (t, r, numbered) => {
        for (const part of split(t, r, { numbered })) {
          if (!fits(part, r)) expect(graphemesOf(part).length === 1 || /^https?:\/\/\S+$/i.test(part)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("property: nothing but whitespace at a cut is lost", () => {
    fc.assert(
      fc.property(text, anyRule, (t, r) => {
        const parts = split(t, r);
        if (fits(t, r)) expect(parts).toEqual([t]);
        else expectNothingLost(t, parts);
        if (parts.length > 1) for (const part of parts) expect(part).not.toBe("");
      }),
      { numRuns: RUNS },
    );
  });

  test("property: no grapheme is cut", () => {
    fc.assert(
      fc.property(text, anyRule, (t, r) => {
        const kept = graphemesOf(t).filter((g) => !/^\s+$/u.test(g));
        const parts = split(t, r)
          .flatMap(graphemesOf)
          .filter((g) => !/^\s+$/u.test(g));
        expect(parts).toEqual(kept);
      }),
      { numRuns: RUNS },
    );
  });

  test("property: no URL, mention or hashtag that fits is cut", () => {
    const tokens = fc.array(
      fc.constantFrom("https://example.com/abc", "@ada@example.social", "#hashtag", "word", "日本語", "x".repeat(60)),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(tokens, fc.integer({ min: 25, max: 80 }), (list, max) => {
        const whole = /https:\/\/example\.com\/abc|@ada@example\.social|#hashtag/g;
        const t = list.join(" ");
        expect(split(t, rule(max)).flatMap((part) => part.match(whole) ?? [])).toEqual(t.match(whole) ?? []);
      }),
    );
  });

  test.each([
    ["prose", "The quick brown fox jumps. ", BLUESKY],
    ["one word", "a", BLUESKY],
    ["CJK without spaces", "日本語", BLUESKY],
    ["emoji", FAMILY, BLUESKY],
    ["URLs", "https://example.com/a(b ", MASTODON],
    ["URLs glued by brackets", "(https://a.b/(", MASTODON],
    ["mentions", "@ada@example.social ", MASTODON],
    ["at signs", "@a.-", MASTODON],
    ["spaces", " \n", BLUESKY],
  ])("splits 100,000 characters of %s before the test runs out of time", (_name, unit, r) => {
    const long = unit.repeat(Math.ceil(100_000 / unit.length));
    expect(split(long, r, { numbered: true }).length).toBeGreaterThan(0);
  });
});

describe("splitParts", () => {
  const rule: TextRule = { max: 20, unit: "grapheme" };

  test("numbers run through the whole thread, split or not", () => {
    const texts = ["first part", "one two three four five six", ""];
    expect(splitParts(texts, rule, { split: true, numbered: true })).toEqual([
      ["first part (1/4)"],
      ["one two three (2/4)", "four five six (3/4)"],
      ["(4/4)"],
    ]);
    expect(splitParts(["a", "b"], rule, { numbered: true })).toEqual([["a (1/2)"], ["b (2/2)"]]);
  });

  test("one text has no number", () => {
    expect(splitParts(["alone"], rule, { split: true, numbered: true })).toEqual([["alone"]]);
  });

  test("a part that may not be split keeps its number even where it no longer fits, for the caller to say so", () => {
    expect(splitParts(["a".repeat(20), "b"], rule, { numbered: true })).toEqual([
      [`${"a".repeat(20)} (1/2)`],
      ["b (2/2)"],
    ]);
  });
});

describe("shorten", () => {
  test.each([
    ["what fits stays", 10, "what fits ", "what fits "],
    ["an emoji of many code points stays whole", 13, `${FAMILY} and more`, `${FAMILY} …`],
    ["or goes whole", 11, `${FAMILY}${FAMILY}`, "…"],
    ["an accent stays with its letter", 4, "abce\u0301f", "abc…"],
    ["control characters become spaces", 20, "a\u0000b\u001b[31mc\nd\u009be", "a b [31mc d e"],
    ["half of a pair is none", 20, "a\ud83d", "a\ufffd"],
    ["more accents than fit", 50, `a${"\u0301".repeat(2000)}`, "…"],
  ])("%s", (_, most, text, short) => {
    expect(shorten(text, most)).toBe(short);
  });

  test("never longer, always well-formed, one line, and the beginning of the text in whole graphemes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (text, most) => {
        const short = shorten(text, most);
        expect(short.length).toBeLessThanOrEqual(most);
        expect(short.isWellFormed()).toBe(true);
        expect(short).not.toMatch(/\p{Cc}/u);
        const whole = graphemesOf(shorten(text, 10_000));
        if (text.length > most)
          expect(whole.slice(0, graphemesOf(short.slice(0, -1)).length).join("")).toBe(short.slice(0, -1));
      }),
    );
  });
});

describe("a network's own count", () => {
  const weigh = (text: string) => [...text].reduce((sum, sign) => sum + (sign > "\x7f" ? 2 : 1), 0);

  test("is what fills the parts, numbers included", () => {
    const parts = split("日本語を書く。".repeat(20), { max: 40, unit: "codepoint" }, { weigh, numbered: true });
    expect(parts.length).toBeGreaterThan(5);
    for (const part of parts) expect(weigh(part)).toBeLessThanOrEqual(40);
    expect(parts.map((part) => part.replace(/ \(\d+\/\d+\)$/, "")).join("")).toBe("日本語を書く。".repeat(20));
  });
});

test("units after the first can have another rule, and numbers run through all of them", () => {
  const post: TextRule = { max: 100, unit: "utf16" };
  const rest: TextRule = { max: 30, unit: "utf16" };
  const text = Array.from({ length: 40 }, (_, index) => `word${index}`).join(" ");
  const parts = splitParts([text, "the end"], post, { split: true, numbered: true, rest });
  const all = parts.flat();
  expect(all[0]?.length).toBeGreaterThan(80);
  for (const [index, part] of all.entries()) {
    expect(part.length).toBeLessThanOrEqual(index === 0 ? 100 : 30);
    expect(part.endsWith(` (${index + 1}/${all.length})`)).toBe(true);
  }
  expect(all.map((part) => part.replace(/ \(\d+\/\d+\)$/, "")).join(" ")).toBe(`${text} the end`);
});
