import type { Limits } from "@psn/core/types/capabilities.ts";
import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import { split } from "@psn/domain/text.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { atMost } from "../../../tests/support/until.ts";
import { postIdOf } from "./compose.ts";
import x from "./index.ts";
import { findXLinks, plain, weigh } from "./text.ts";

const post = (text: string, more: Partial<Post> = {}): Post => ({ id: "p", parts: [{ text, media: [] }], ...more });
const image = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: 10,
  ...more,
});
const gif = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => image(id, { mime: "image/gif", ...more });
const video = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "video",
  mime: "video/mp4",
  bytes: 10,
  ...more,
});
const withMedia = (...media: MediaInfo[]): Post => ({ id: "p", parts: [{ text: "x", media }] });

function units(value: Post, limits: Limits = x.capabilities) {
  const composed = x.compose(value, limits);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return composed.units;
}

function codes(value: Post): string[] {
  const composed = x.compose(value, x.capabilities);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
}

describe("counting, as X does", () => {
  test.each([
    ["Latin", "hello", 5],
    ["Japanese counts double", "日本語", 6],
    ["an emoji is 2", "👾", 2],
    ["a family is 2", "👨‍👩‍👧‍👦", 2],
    ["a flag is 2", "🇫🇷", 2],
    ["a keycap is 2", "1️⃣", 2],
    ["a decomposed letter is one", "e\u0301", 1],
    ["Devanagari counts code points", "नमस्ते", 6],
    ["a long link is 23", `https://example.com/${"x".repeat(300)}`, 23],
    ["a short link is 23", "http://a.de", 23],
    ["a bare domain is a link", "see example.com now", 4 + 23 + 4],
    ["a mention is its letters", "@ada_x", 6],
  ])("%s", (_, text, length) => {
    expect(units(post(text))[0].length).toBe(length);
  });

  test.each([
    ["日", 140],
    ["👩‍👩‍👧", 140],
    ["a", 280],
  ])("as many of %s as fit, and one more does not", (character, most) => {
    expect(units(post(character.repeat(most)))[0].length).toBe(280);
    expect(codes(post(character.repeat(most + 1)))).toEqual(["text.too-long"]);
  });
});

describe("splitting", () => {
  const whole = (text: string, max: number, numbered = false) =>
    split(text, { ...x.capabilities.text, max }, { numbered, weigh, links: findXLinks });

  test("fills parts by weight: half as many characters of Japanese", () => {
    const made = whole("日本語を書く。".repeat(100), 280);
    expect(made.map(weigh).every((length) => length <= 280 && length > 0)).toBe(true);
    expect(made.length).toBeLessThanOrEqual(6);
    expect(made.join("")).toBe("日本語を書く。".repeat(100));
  });

  test("fills parts with emoji of many code points", () => {
    const made = whole("👩‍👩‍👧‍👦".repeat(300), 280);
    expect(made.map(weigh)).toEqual([280, 280, 40]);
  });

  test.each(["@username", "＠username", "#ハッシュタグ", "$GOOG", "https://example.com/path", "example.com/path"])(
    "cuts no %s in text without spaces",
    (token) => {
      for (let before = 120; before < 142; before += 1) {
        const text = `${"の".repeat(before)}${token}${/^[#$]/.test(token) ? "、" : ""}に到着を待っている。${"の".repeat(100)}`;
        const made = whole(text, 280);
        expect(made.join("")).toBe(text);
        expect(
          made.filter((piece) => piece.includes(token)),
          `after ${before} letters`,
        ).toHaveLength(1);
        for (const piece of made) expect(weigh(piece)).toBeLessThanOrEqual(280);
      }
    },
  );

  test("ends at a sentence, cuts no link, and loses nothing but space", () => {
    const link = `https://example.com/${"y".repeat(400)}`;
    const text = Array.from(
      { length: 30 },
      (_, index) => `This is sentence number ${index} of the text. See ${link}/${index} there!`,
    ).join(" ");
    const made = whole(text, 280);
    expect(made.join(" ")).toBe(text);
    for (const piece of made) {
      expect(weigh(piece)).toBeLessThanOrEqual(280);
      expect(piece).toMatch(/[.!]$/);
    }
  });

  test("numbers run through all parts and are counted", () => {
    const made = units(post("word ".repeat(800), { split: true, numbered: true }));
    expect(made.length).toBeGreaterThan(9);
    for (const [index, unit] of made.entries()) {
      expect(unit.text.endsWith(` (${index + 1}/${made.length})`)).toBe(true);
      expect(unit.length).toBeLessThanOrEqual(280);
    }
  });

  test("what only other platforms take for a link is counted in full", () => {
    const text = `see ${"a".repeat(20)} and https://localhost/${"b".repeat(60)} there `.repeat(10).trim();
    const made = whole(text, 200);
    expect(made.join(" ")).toBe(text);
    for (const piece of made) expect(weigh(piece)).toBeLessThanOrEqual(200);
  });

  test("any text: every part fits, but for one unbreakable thing, and the parts are the text", () => {
    const words = fc.constantFrom(
      "a",
      "日本",
      "👩‍👩‍👧",
      " ",
      "\n\n",
      "https://example.com/a",
      "example.com",
      "wort.",
      "e\u0301",
      "#tag",
      "@ada",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 80 }), fc.integer({ min: 23, max: 60 }), (list, max) => {
        const text = list.join("").normalize("NFC").trim();
        const made = whole(text, max);
        expect(made.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
        for (const piece of made) expect(weigh(piece) <= max || !/\s/.test(piece), JSON.stringify(piece)).toBe(true);
        if (text !== "") for (const piece of made) expect(piece).not.toBe("");
      }),
      { numRuns: 200 },
    );
  });

  test("a long text takes no time to speak of", () => {
    const began = performance.now();
    expect(whole("Ein Satz, der nur dasteht. ".repeat(1_500), 280).length).toBeGreaterThan(100);
    expect(performance.now() - began).toBeLessThan(atMost(10_000));
  });
});

describe("compose", () => {
  test("says nothing of what the author did not choose; the text is trimmed and composed", () => {
    expect(units(post(" cafe\u0301 \n"))).toEqual([
      { body: { text: "café" }, text: "café", length: 4, media: [], prepare: false },
    ]);
    expect(units(post("x", { language: "pt-BR" }))[0].body).toEqual({ text: "x" });
  });

  test("media alone have no text at all", () => {
    expect(units({ id: "p", parts: [{ text: " ", media: [image("a")] }] })[0].body).toEqual({});
  });

  test("who may answer and what is quoted are the first part's", () => {
    const parts: [Part, ...Part[]] = [
      { text: "one", media: [] },
      { text: "two", media: [] },
    ];
    const made = units({
      id: "p",
      parts,
      options: { reply: "mentionedUsers", quote: "https://x.com/ada/status/12345?s=20" },
    });
    expect(made.map(({ body }) => body)).toEqual([
      { text: "one", reply_settings: "mentionedUsers", quote_tweet_id: "12345" },
      { text: "two" },
    ]);
    const split = units(post("word ".repeat(100), { split: true, options: { reply: "verified" } }));
    expect(split.map(({ body }) => body.reply_settings)).toEqual(["verified", ...split.slice(1).map(() => undefined)]);
  });

  test.each([
    [{ reply: "nobody" }, ["option.reply"]],
    [{ quote: "https://example.com/status/1" }, ["option.quote"]],
    [{ quote: "" }, ["option.quote"]],
    [{ colour: "blue" }, ["option"]],
  ])("options %j are refused", (options, expected) => {
    expect(codes(post("x", { options }))).toEqual(expected);
  });

  test("a quoted post goes with no media in the same post", () => {
    expect(codes({ ...withMedia(image("a")), options: { quote: "1" } })).toEqual(["option.quote"]);
    const parts: [Part, ...Part[]] = [
      { text: "x", media: [] },
      { text: "y", media: [image("a")] },
    ];
    expect(codes({ id: "p", parts, options: { quote: "1" } })).toEqual([]);
  });

  test.each([
    ["https://x.com/ada/status/20", "20"],
    ["https://twitter.com/ada/status/20/photo/1", "20"],
    ["https://mobile.twitter.com/ada/statuses/20", "20"],
    ["https://x.com/i/web/status/20", "20"],
    [" 20 ", "20"],
    ["https://x.com/ada", undefined],
    ["https://x.com.evil.example/ada/status/20", undefined],
    ["20x", undefined],
    ["12345678901234567890", undefined],
  ])("the id in %s", (typed, id) => {
    expect(postIdOf(typed)).toBe(id);
  });

  test.each([
    ["four images", withMedia(...["a", "b", "c", "d"].map((id) => image(id))), []],
    ["five images", withMedia(...["a", "b", "c", "d", "e"].map((id) => image(id))), ["media.too-many"]],
    ["one GIF", withMedia(gif("a", { bytes: 15 * 1024 * 1024 })), []],
    ["a GIF that is too large", withMedia(gif("a", { bytes: 15 * 1024 * 1024 + 1 })), ["media.too-large"]],
    ["two GIFs", withMedia(gif("a"), gif("b")), ["media.too-many"]],
    ["a GIF and an image", withMedia(gif("a"), image("b")), ["media.mixed"]],
    ["a video and an image", withMedia(video("a"), image("b")), ["media.mixed"]],
    ["two videos", withMedia(video("a"), video("b")), ["media.too-many"]],
    ["a video of a blink", withMedia(video("a", { durationMs: 400 })), ["media.duration"]],
    ["a video of an hour", withMedia(video("a", { durationMs: 3_600_000 })), []],
    ["a PDF", withMedia({ id: "a", kind: "document", mime: "application/pdf", bytes: 1 }), ["media.type"]],
  ])("%s", (_, value, expected) => {
    expect(codes(value)).toEqual(expected);
  });

  test("a content warning, another visibility and forbidden characters are refused, not dropped", () => {
    expect(codes(post("x", { contentWarning: "food", visibility: "followers" }))).toEqual(["visibility", "warning"]);
    expect(codes(post("a\uFFFEb"))).toEqual(["text.characters"]);
  });
});

test("the app guide names the redirect, and what X shows fits the keys", () => {
  const [way] = x.auth;
  expect(way).toMatchObject({
    kind: "oauth",
    fields: [],
    app: { keys: { id: "X_CLIENT_ID", secret: "X_CLIENT_SECRET" } },
  });
  if (way.kind === "oauth") expect(way.app?.steps.length).toBeLessThanOrEqual(5);
});

test.each([
  ["a bare domain and the link X makes of it", "see example.com", "see http://example.com"],
  ["a last slash and a loud host", "https://Example.com/", "https://example.com"],
  ["space at a line's end", "a \n\nb", "a\nb"],
])("%s are the same", (_, one, other) => {
  expect(plain(one)).toBe(plain(other));
});

test("other links and other words are not the same", () => {
  expect(plain("https://example.com/a")).not.toBe(plain("https://example.com/A"));
  expect(plain("good morning")).not.toBe(plain("good evening"));
});
