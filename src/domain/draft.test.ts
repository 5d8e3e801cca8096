import { decodeText, parseDraft, plainDraft } from "@psn/domain/draft.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const platforms = ["bluesky", "mastodon"];
const parse = (text: string) => parseDraft(text, "post.md", platforms);
const texts = (text: string) => parse(text).parts.map((part) => part.text);
const refused = (message: RegExp, hint: RegExp = /./) =>
  expect.objectContaining({ code: "POST_INVALID", message: expect.stringMatching(message), hint: expect.stringMatching(hint) });

test("a file with everything", () => {
  const draft = parse(
    [
      "---",
      "to: [bluesky, '@me@example.social']",
      "at: tomorrow 9am",
      "tz: Europe/Berlin",
      "media:",
      "  - one.jpg",
      "  - { file: two.jpg, alt: A cat asleep on a keyboard }",
      "visibility: unlisted",
      "language: en",
      "title: Cats",
      "contentWarning: cats",
      "thread: true",
      "numbered: true",
      "bluesky:",
      "  text: |",
      "    Shorter",
      "    ---",
      "    still two",
      "---",
      "",
      "First *part*",
      "",
      "---",
      "Second part  ",
      "",
    ].join("\n"),
  );
  const media = [{ file: "one.jpg" }, { file: "two.jpg", alt: "A cat asleep on a keyboard" }];
  expect(draft).toEqual({
    parts: [
      { text: "First *part*", media },
      { text: "Second part", media: [] },
    ],
    overrides: {
      bluesky: [
        { text: "Shorter", media },
        { text: "still two", media: [] },
      ],
    },
    to: ["bluesky", "@me@example.social"],
    at: "tomorrow 9am",
    tz: "Europe/Berlin",
    visibility: "unlisted",
    language: "en",
    title: "Cats",
    contentWarning: "cats",
    split: true,
    numbered: true,
  });
});

test("without front matter it is text alone", () => {
  expect(parse("Hello\n")).toEqual({ parts: [{ text: "Hello", media: [] }], overrides: {}, split: false, numbered: false });
  expect(parse("---\n---\nHello")).toEqual(parse("Hello"));
});

test("one name, names with commas, one media file", () => {
  expect(parse("---\nto: bluesky\nmedia: cat.png\n---\nx")).toMatchObject({ to: ["bluesky"], parts: [{ media: [{ file: "cat.png" }] }] });
  expect(parse("---\nto: bluesky, mastodon\n---\nx").to).toEqual(["bluesky", "mastodon"]);
});

describe("parts", () => {
  test.each([
    ["line ends of Windows", "---\r\nto: bluesky\r\n---\r\none\r\n---\r\ntwo\r\n", ["one", "two"]],
    ["a fence of backquotes", "one\n```yaml\n---\n```\n---\ntwo", ["one\n```yaml\n---\n```", "two"]],
    ["a fence of tildes around backquotes", "~~~\n```\n---\n~~~\n---\ntwo", ["~~~\n```\n---\n~~~", "two"]],
    ["a longer fence", "````\n```\n---\n````\n---\ntwo", ["````\n```\n---\n````", "two"]],
    ["a fence that never ends", "```\n---\ntwo", ["```\n---\ntwo"]],
    ["an indented fence", "  ```\n---\n  ```\n---\ntwo", ["  ```\n---\n  ```", "two"]],
    ["code inside a line", "```x``` is code\n---\ntwo", ["```x``` is code", "two"]],
    ["other rules and dashes", "one\n----\n***\n- - -\n--- x", ["one\n----\n***\n- - -\n--- x"]],
    ["indentation of the first line", "\n\n   \n  one", ["  one"]],
  ])("%s", (_, text, parts) => {
    expect(texts(text)).toEqual(parts);
  });

  test("an empty part is refused with its line, but for a first one that has media", () => {
    expect(() => parse("one\n---\n\n---\nthree")).toThrow(refused(/post\.md:3: there is nothing in this part/, /---/));
    expect(() => parse("---\nto: bluesky\n---\none\n---\n")).toThrow(refused(/post\.md:6/));
    expect(parse("---\nmedia: cat.png\n---\n---\ntwo").parts.map((part) => part.text)).toEqual(["", "two"]);
    expect(texts("")).toEqual([""]);
  });

  test("parts that were joined come back, whatever they hold", () => {
    const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => /^[^\s`~-][^\n\r`~]*\S$/u.test(text));
    fc.assert(
      fc.property(fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }), (parts) => {
        const written = parts.map((lines) => lines.join("\n"));
        expect(texts(`---\nto: bluesky\n---\n${written.join("\n---\n")}\n`)).toEqual(written.map((text) => text.trimEnd()));
      }),
    );
  });
});

describe("front matter that is refused", () => {
  test.each([
    ["titel: x", /post\.md:2: psn does not know the key "titel"/, /did you mean title\?/],
    ["to: bluesky\ncw: x", /post\.md:3: .*"cw"/, /did you mean contentWarning\?/],
    ["lang: en", /"lang"/, /language/],
    ["blusky: { text: x }", /"blusky"/, /did you mean bluesky\?/],
    ["zebra: x", /"zebra"/, /it knows to, at/],
    ["__proto__: { x: 1 }", /"__proto__"/, /it knows/],
    ["? [a]\n: x", /post\.md:2: psn does not know the key/, /./],
    ["to: bluesky\nto: mastodon", /post\.md:3: the front matter is no YAML/, /quote/],
    ["to: bluesky\ntitle: a: b", /post\.md:3: the front matter is no YAML/, /quote/],
    ["title: !!js/function x", /post\.md:2: the front matter is no YAML/, /quote/],
    ["- to", /no list of keys and values/, /to: bluesky/],
    ["just words", /no list of keys and values/, /to: bluesky/],
    ["to: bluesky\nvisibility: secret", /post\.md:3: visibility must be one of public, unlisted/, /./],
    ["title: 2026", /title must be a text; a number or a date goes in quotes/, /./],
    ["at: 9", /at must be a time/, /./],
    ["thread: yes please", /thread must be true or false/, /./],
    ["to:\n  - bluesky\n  - 7", /post\.md:4: to|post\.md:2: to|post\.md:3: to/, /./],
    ["media: { path: x.png }", /media must be a path/, /./],
    ["bluesky: hello", /bluesky must hold text/, /./],
    ["bluesky: { texte: hello }", /bluesky/, /./],
    ["title: ''", /title must be a text/, /./],
  ])("%s", (yaml, message, hint) => {
    expect(() => parse(`---\n${yaml}\n---\nHello`)).toThrow(refused(message, hint));
  });

  test("without an end, it says where it begins", () => {
    expect(() => parse("---\nto: bluesky\n\nHello")).toThrow(refused(/post\.md:1: the front matter that begins here does not end/, /---/));
  });

  test("names that refer to names without end", () => {
    const bomb = ["title: &a x", ...[..."bcdefghi"].map((name, i) => `${name}: &${name} [${`*${"abcdefghi"[i]},`.repeat(9)}]`)].join("\n");
    expect(() => parse(`---\n${bomb}\n---\nx`)).toThrow(refused(/post\.md/));
    const inside = [
      "media:",
      "  - &a [x, x]",
      ...[..."bcdefghi"].map((name, i) => `  - &${name} [${`*${"abcdefghi"[i]},`.repeat(9)}]`),
    ].join("\n");
    expect(() => parse(`---\n${inside}\n---\nx`)).toThrow(refused(/post\.md/));
  });

  test("no text makes it throw anything but POST_INVALID", () => {
    const piece = fc.constantFrom(
      "---\n",
      "to:",
      " ",
      "\n",
      "[",
      "]",
      "{",
      "}",
      "&a",
      "*a",
      "title: x",
      "- ",
      "```",
      "|",
      "'",
      "media:",
      "a",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(parse(`---\n${pieces.join("")}`).parts.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toEqual(refused(/^post\.md/));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("plain text", () => {
  test("is one part, whatever is in it", () => {
    expect(plainDraft("---\ncw: x\n---\ntwo\n")).toEqual({
      parts: [{ text: "---\ncw: x\n---\ntwo", media: [] }],
      overrides: {},
      split: false,
      numbered: false,
    });
  });
});

describe("bytes", () => {
  test("UTF-8 with and without a byte order mark", () => {
    expect(decodeText(new TextEncoder().encode("\u{FEFF}héllo 🐈"), "post.md")).toBe("héllo 🐈");
  });

  test.each([
    ["Latin-1", [0x68, 0xe9]],
    ["UTF-16", [0xff, 0xfe, 0x68, 0x00]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["an overlong form", [0xc0, 0xaf]],
    ["cut off", [0xf0, 0x9f, 0x90]],
    ["NUL", [0x68, 0x00]],
  ])("%s is refused", (_, bytes) => {
    expect(() => decodeText(Uint8Array.from(bytes), "post.md")).toThrow(refused(/post\.md is not text/, /--media/));
  });
});
