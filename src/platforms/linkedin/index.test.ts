import type { MediaInfo, Part, Post } from "@psn/core/types/post.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PostBody } from "./compose.ts";
import linkedin from "./index.ts";
import { madeAt } from "./send.ts";

const post = (text: string, more: Partial<Post> = {}): Post => ({ id: "p", parts: [{ text, media: [] }], ...more });
const thread = (...texts: [string, ...string[]]): Post => {
  const [first, ...rest] = texts.map((text): Part => ({ text, media: [] }));
  if (!first) throw new Error("a thread has a part");
  return { id: "p", parts: [first, ...rest] };
};
const image = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: 10,
  ...more,
});
const pdf = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "document",
  mime: "application/pdf",
  bytes: 10,
  ...more,
});
const withMedia = (...media: MediaInfo[]): Post => ({ id: "p", parts: [{ text: "x", media }] });

function units(value: Post) {
  const composed = linkedin.compose(value, linkedin.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return composed.units;
}

function first(value: Post): PostBody {
  const { body } = units(value)[0];
  if (body.kind !== "post") throw new Error("the first unit is a post");
  return body;
}

function codes(value: Post): string[] {
  const composed = linkedin.compose(value, linkedin.capabilities);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
}

describe("little text", () => {
  test.each([
    [
      "every reserved character",
      "| { } @ [ ] ( ) < > # \\ * _ ~",
      "\\| \\{ \\} \\@ \\[ \\] \\( \\) \\< \\> \\# \\\\ \\* \\_ \\~",
    ],
    ["nothing else", "a-b+c=d & e/f: \"g\" 'h' 1.5% ✅ →", "a-b+c=d & e/f: \"g\" 'h' 1.5% ✅ →"],
    ["a hashtag", "#wombats!", "{hashtag|\\#|wombats}!"],
    ["a hashtag with reserved characters", "#AI_now", "{hashtag|\\#|AI\\_now}"],
    [
      "hashtags in other scripts",
      "#日本語 #Überblick #हिन्दी",
      "{hashtag|\\#|日本語} {hashtag|\\#|Überblick} {hashtag|\\#|हिन्दी}",
    ],
    ["a number is no hashtag, a C# neither", "#1 C# a#b", "\\#1 C\\# a\\#b"],
    ["a fragment is no hashtag", "https://a.example/b_c#d", "https://a.example/b\\_c\\#d"],
    ["a mention", "Hi @[Ada L.](urn:li:person:a-B_1)!", "Hi @[Ada L.](urn:li:person:a-B\\_1)!"],
    ["a mention with a reserved character", "@[A (B)](urn:li:organization:12)", "@[A \\(B\\)](urn:li:organization:12)"],
    ["no mention of anything else", "@[A](urn:li:group:1) @ada", "\\@\\[A\\]\\(urn:li:group:1\\) \\@ada"],
    ["a mention behind a link", "https://a.example/@[A](urn:li:person:b)", "https://a.example/@[A](urn:li:person:b)"],
    ["lines stay", "a\n\nb", "a\n\nb"],
  ])("%s", (_, text, commentary) => {
    expect(first(post(text)).commentary).toBe(commentary);
  });

  test("a reader sees the name, and the name alone counts", () => {
    const [unit] = units(post(`Hi @[Ada](urn:li:person:${"x".repeat(60)})`));
    expect([unit.text, unit.length]).toEqual(["Hi Ada", 6]);
    const long = `${"a".repeat(2_990)} @[Ada Maria](urn:li:person:abc)`;
    expect(units(post(long))[0].length).toBe(3_000);
    expect(codes(post(`a${long}`))).toEqual(["text.too-long"]);
  });

  test("escapes are not counted", () => {
    expect(units(post("(".repeat(3_000)))[0].length).toBe(3_000);
    expect(codes(post("(".repeat(3_001)))).toEqual(["text.too-long"]);
  });

  test("an emoji counts what it counts in UTF-16, which nobody counts higher", () => {
    expect(units(post("👩‍👩‍👧"))[0].length).toBe(8);
    expect(codes(post("👾".repeat(1_501)))).toEqual(["text.too-long"]);
  });
});

describe("splitting", () => {
  const sentences = (count: number) =>
    Array.from({ length: count }, (_, index) => `This is sentence number ${index}.`).join(" ");

  test("a long post goes on in comments, which are shorter", () => {
    const text = sentences(300);
    const made = units(post(text, { split: true }));
    expect(made.map(({ body }) => body.kind)).toEqual(["post", ...made.slice(1).map(() => "comment")]);
    expect(made.map((unit) => unit.text).join(" ")).toBe(text);
    for (const [index, { length }] of made.entries()) expect(length).toBeLessThanOrEqual(index === 0 ? 3_000 : 1_250);
    expect(made[0].length).toBeGreaterThan(2_900);
  });

  test("numbers are counted, and run through all parts", () => {
    const made = units({ ...thread(sentences(150), sentences(80), "end"), split: true, numbered: true });
    expect(made.length).toBeGreaterThan(5);
    for (const [index, unit] of made.entries()) {
      expect(unit.text.endsWith(` (${index + 1}/${made.length})`)).toBe(true);
      expect(unit.length).toBeLessThanOrEqual(index === 0 ? 3_000 : 1_250);
    }
  });

  test("a comment alone is measured as one", () => {
    expect(codes(thread("a", "b".repeat(1_250)))).toEqual([]);
    expect(codes(thread("a", "b".repeat(1_251)))).toEqual(["text.too-long"]);
  });

  test("a mention is never cut, and goes into no comment", () => {
    const mention = "@[Ada Augusta King of Lovelace](urn:li:person:abc)";
    for (let length = 2_965; length <= 3_005; length += 1) {
      const text = `${"a".repeat(length - 6)} bcd. ${mention} ${"end ".repeat(100)}`.trim();
      const composed = linkedin.compose(post(text, { split: true }), linkedin.capabilities);
      if (!composed.ok) expect(composed.issues.map(({ code }) => code)).toEqual(["mention"]);
      else expect(composed.units[0].text).toContain("Ada Augusta King of Lovelace");
    }
    expect(codes(thread("x", `with ${mention}`))).toEqual(["mention"]);
  });

  test("comments are plain text", () => {
    const [, unit] = units(thread("x", "See (this) #tag https://a.example/b_c"));
    expect(unit?.body).toEqual({ kind: "comment", text: "See (this) #tag https://a.example/b_c" });
    expect(unit?.prepare).toBe(false);
  });

  test("any text: the units' texts are the text, and nothing unescaped is in the commentary", () => {
    const words = fc.constantFrom(
      "a",
      "日本",
      "👩‍👩‍👧",
      " ",
      "\n\n",
      "https://a.example/(b)_c",
      "word.",
      "(",
      "#tag",
      "@[",
      "\uFDD0",
      "\\",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), fc.integer({ min: 30, max: 80 }), (list, max) => {
        const text = list.join("");
        const limits = { ...linkedin.capabilities, text: { max, unit: "utf16" as const } };
        const composed = linkedin.compose(post(text, { split: true }), limits);
        if (!composed.ok) return;
        const shown = composed.units.map((unit) => unit.text).join("");
        expect(shown.replace(/\s/g, "")).toBe(text.replace(/[\s\uFDD0]/g, ""));
        const [{ body }] = composed.units;
        const commentary = body.kind === "post" ? body.commentary : "";
        const plain = commentary.replace(/\{hashtag\|\\#\|[^{|}]*\}/g, "").replace(/\\./g, "");
        expect(plain).not.toMatch(/[\\|{}@[\]()<>#*_~]/);
      }),
      { numRuns: 300 },
    );
  });
});

describe("compose", () => {
  test("media, their alt texts and a document's title", () => {
    expect(first(withMedia(image("a", { alt: " first " }), image("b", { alt: " " })))).toMatchObject({
      alts: ["first", null],
      title: null,
    });
    expect(first(withMedia(pdf("a"))).title).toBe("Document");
    expect(first({ ...withMedia(pdf("a")), title: " Annual report " }).title).toBe("Annual report");
  });

  test.each([
    ["public", "PUBLIC"],
    ["followers", "CONNECTIONS"],
    [undefined, "PUBLIC"],
  ] as const)("visibility %s is %s", (visibility, expected) => {
    expect(first(post("x", visibility ? { visibility } : {})).visibility).toBe(expected);
  });

  test.each([
    "https://en.wikipedia.org/wiki/Hatfield–McCoy_feud",
    "https://en.wikipedia.org/wiki/Bug_(software)",
    "https://user@example.com/x",
    "https://my_shop.example.com/x",
    "HTTPS://EXAMPLE.COM/A",
    "https://日本語.jp/パス",
  ])("the card is of exactly what was typed: %s", (link) => {
    for (const text of [link, `(${link})`, `“${link}”, and`, `see ${link}...`, `公式：${link}、次`])
      expect(first(post(text)).link).toBe(link);
  });

  test("the first link becomes a card, unless there are media", () => {
    expect(first(post("a (https://a.example/b_c), https://d.example")).link).toBe("https://a.example/b_c");
    expect(units(post("a https://a.example"))[0].prepare).toBe(true);
    expect(first({ id: "p", parts: [{ text: "https://a.example", media: [image("a")] }] }).link).toBeNull();
    expect(units(post("no link at a.example"))[0].prepare).toBe(false);
    expect(units(post("README.md, main.rs and setup.sh"))[0].prepare).toBe(false);
  });

  test.each([
    ["twenty images", withMedia(...Array.from({ length: 20 }, (_, index) => image(`${index}`))), []],
    ["twenty-one", withMedia(...Array.from({ length: 21 }, (_, index) => image(`${index}`))), ["media.too-many"]],
    ["an image and a document", withMedia(image("a"), pdf("b")), ["media.mixed"]],
    ["two documents", withMedia(pdf("a"), pdf("b")), ["media.too-many"]],
    ["a large document", withMedia(pdf("a", { bytes: 100 * 1024 * 1024 + 1 })), ["media.too-large"]],
    ["too many pixels", withMedia(image("a", { width: 8_000, height: 5_000 })), ["media.dimensions"]],
    ["as many as it takes", withMedia(image("a", { width: 6_000, height: 6_000 })), []],
    ["a WebP", withMedia(image("a", { mime: "image/webp" })), ["media.type"]],
    ["a video", withMedia({ id: "a", kind: "video", mime: "video/mp4", bytes: 1 }), ["media.type"]],
  ])("%s", (_, value, expected) => {
    expect(codes(value)).toEqual(expected);
  });

  test("every part after the first is a comment: no media, and a text", () => {
    const withImage: Post = {
      id: "p",
      parts: [
        { text: "one", media: [image("a")] },
        { text: "two", media: [image("b")] },
        { text: " ", media: [] },
      ],
    };
    expect(codes(withImage)).toEqual(["media.comment", "text.empty"]);
    expect(units(thread("one", "two", "three")).map(({ text, body }) => [text, body.kind])).toEqual([
      ["one", "post"],
      ["two", "comment"],
      ["three", "comment"],
    ]);
    const numbered = units({ ...thread("one", "two"), numbered: true });
    expect(numbered.map(({ text }) => text)).toEqual(["one (1/2)", "two (2/2)"]);
  });

  test("what LinkedIn does not have is refused, not dropped", () => {
    expect(codes(post("x", { visibility: "unlisted", contentWarning: "food", options: { reply: "all" } }))).toEqual([
      "visibility",
      "warning",
      "option",
    ]);
  });
});

// Both are quoted in reports of that day: github.com/Arisamiga/Linkedin-RSS/issues/5 and
// github.com/ComposioHQ/composio/issues/2710.
test.each([
  ["urn:li:share:7141138937766391808", "2023-12-14"],
  ["urn:li:share:7431329065766260736", "2026-02-22"],
])("%s was made on %s", (urn, day) => {
  expect(new Date(madeAt(urn) ?? 0).toISOString().slice(0, 10)).toBe(day);
});

test("a number that begins with no time says nothing", () => {
  expect(madeAt("urn:li:share:7243")).toBeUndefined();
});

test("the app guide names the redirect and both products", () => {
  const [way] = linkedin.auth;
  expect(way).toMatchObject({
    kind: "oauth",
    app: { keys: { id: "LINKEDIN_CLIENT_ID", secret: "LINKEDIN_CLIENT_SECRET" } },
  });
  const steps = way.kind === "oauth" ? (way.app?.steps ?? []) : [];
  expect(steps.length).toBeLessThanOrEqual(5);
  for (const words of ["{redirect}", "Share on LinkedIn", "Sign In with LinkedIn using OpenID Connect"])
    expect(steps.join("\n")).toContain(words);
});
