import { decodeText, parseDraft, plainDraft } from "@psn/domain/draft.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const platforms = ["bluesky", "mastodon"];
const parse = (text: string) => parseDraft(text, "post.md", { platforms: platforms, format: "markdown" });
const texts = (text: string) => parse(text).parts.map((part) => part.text);
const refused = (message: RegExp, hint: RegExp = /./) =>
  expect.objectContaining({
    code: "DRAFT_INVALID",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });

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
      "split: true",
      "numbered: true",
      "platforms:",
      "  bluesky:",
      "    text: |",
      "      Shorter",
      "      ---",
      "      still two",
      "  mastodon: { parts: [longer, '---'], options: { mood: calm } }",
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
    format: "markdown",
    parts: [
      { text: "First *part*", media },
      { text: "Second part", media: [] },
    ],
    overrides: {
      bluesky: [
        { text: "Shorter", media },
        { text: "still two", media: [] },
      ],
      mastodon: [
        { text: "longer", media },
        { text: "---", media: [] },
      ],
    },
    options: { mastodon: { mood: "calm" } },
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
  expect(parse("Hello\n")).toEqual({
    format: "markdown",
    parts: [{ text: "Hello", media: [] }],
    overrides: {},
    options: {},
    split: false,
    numbered: false,
  });
  expect(parse("---\n---\nHello")).toEqual(parse("Hello"));
});

test("one name, names with commas, one media file", () => {
  expect(parse("---\nto: bluesky\nmedia: cat.png\n---\nx")).toMatchObject({
    to: ["bluesky"],
    parts: [{ media: [{ file: "cat.png" }] }],
  });
  expect(parse("---\nto: bluesky, mastodon\n---\nx").to).toEqual(["bluesky", "mastodon"]);
});

describe("media of a part", () => {
  const yaml = "media:\n  - one.png\n  - { file: two.png, part: 2 }\n  - { file: three.png, alt: Third, part: 2 }";

  test("go with the part they name, in order, and with the first where they name none", () => {
    expect(parse(`---\n${yaml}\n---\nfirst\n---\n\n---\nlast`).parts).toEqual([
      { text: "first", media: [{ file: "one.png" }] },
      { text: "", media: [{ file: "two.png" }, { file: "three.png", alt: "Third" }] },
      { text: "last", media: [] },
    ]);
  });

  test("are all shown where a platform has fewer parts", () => {
    const { overrides } = parse(`---\n${yaml}\nplatforms:\n  bluesky: { text: short }\n---\nfirst\n---\nsecond`);
    expect(overrides["bluesky"]).toEqual([
      { text: "short", media: [{ file: "one.png" }, { file: "two.png" }, { file: "three.png", alt: "Third" }] },
    ]);
  });

  test("a part that is not there", () => {
    expect(() => parse(`---\n${yaml}\n---\nalone`)).toThrow(
      refused(/post\.md: media\.1 is for part 2, but there are 1/, /---/),
    );
  });
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
    expect(() => parse("one\n---\n\n---\nthree")).toThrow(
      refused(/post\.md:3: this part of the thread is empty/, /---/),
    );
    expect(() => parse("---\nto: bluesky\n---\none\n---\n")).toThrow(refused(/post\.md:6/));
    expect(parse("---\nmedia: cat.png\n---\n---\ntwo").parts.map((part) => part.text)).toEqual(["", "two"]);
    expect(parse("---\nmedia: cat.png\n---\n").parts).toEqual([{ text: "", media: [{ file: "cat.png" }] }]);
  });

  test.each([
    "",
    "\n \n",
    "---\nto: bluesky\n---\n",
    "---\n---\n\n---\n",
    "---\nplatforms: { bluesky: { text: x } }\n---\n",
  ])("%j is nothing to post", (text) => {
    expect(() => parse(text)).toThrow(refused(/^post\.md: there is nothing to post/, /below the front matter/));
  });

  test("a text for one platform is read like the body", () => {
    const { overrides } = parse(`---\nplatforms:\n  bluesky:\n    text: "a\\n\`\`\`\\n---\\n\`\`\`\\n---\\nb"\n---\nx`);
    expect(overrides["bluesky"]?.map((part) => part.text)).toEqual(["a\n```\n---\n```", "b"]);
    expect(() => parse(`---\nplatforms: { bluesky: { text: "a\\n---\\n" } }\n---\nx`)).toThrow(
      refused(/post\.md: platforms\.bluesky: this part of the thread is empty/),
    );
  });

  test("parts that were joined come back, whatever they hold", () => {
    const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => /^[^\s`~-][^\n\r`~]*\S$/u.test(text));
    fc.assert(
      fc.property(fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }), (parts) => {
        const written = parts.map((lines) => lines.join("\n"));
        expect(texts(`---\nto: bluesky\n---\n${written.join("\n---\n")}\n`)).toEqual(
          written.map((text) => text.trimEnd()),
        );
      }),
    );
  });
});

describe("front matter that is refused", () => {
  test.each([
    ["titel: x", /post\.md:2: psn does not know the key "titel"/, /did you mean title\?/],
    ["to: bluesky\ncw: x", /post\.md:3: .*"cw"/, /did you mean contentWarning\?/],
    ["lang: en", /"lang"/, /language/],
    ["thread: true", /"thread"/, /did you mean split\?/],
    ["bluesky: { text: x }", /"bluesky"/, /below platforms/],
    ["platforms: { blusky: { text: x } }", /post\.md:2: psn does not know the key "blusky"/, /did you mean bluesky\?/],
    ["platforms: { myspace: { text: x } }", /"myspace"/, /it knows bluesky, mastodon/],
    ["platforms:\n  bluesky:\n    txt: x", /post\.md:4: psn does not know the key "txt"/, /did you mean text\?/],
    [
      "media:\n  - a.png\n  - file: b.png\n    atl: x",
      /post\.md:5: psn does not know the key "atl"/,
      /did you mean alt\?/,
    ],
    ["media: &m { fil: b.png }\nto: *m", /"fil"/, /did you mean file\?/],
    ["to: &o { blusky: { text: x } }\nplatforms: *o", /"blusky"/, /did you mean bluesky\?/],
    ["zebra: x", /"zebra"/, /it knows to, at/],
    ["__proto__: { x: 1 }", /"__proto__"/, /it knows/],
    ["? [a]\n: x", /post\.md:2: psn does not know the key/, /./],
    [
      "to: bluesky\nat: 9am\nto: mastodon",
      /post\.md:4: the key "to" is there twice; first in line 2/,
      /to: \[one, two\]/,
    ],
    ["title: a\ntitle: b", /post\.md:3: the key "title" is there twice/, /keep one/],
    ["platforms:\n  bluesky: { text: a, text: b }", /post\.md:3: the key "text" is there twice/, /keep one/],
    ["to: bluesky\ntitle: a: b", /post\.md:3: the front matter is not valid YAML/, /quote/],
    ["title: !!js/function x", /post\.md:2: the front matter is not valid YAML/, /quote/],
    ["- to: x", /not a list of keys and values/, /to: bluesky/],
    ["to: x\n\ttitle: y", /post\.md:3: the front matter is not valid YAML/, /not allow tabs/],
    ["to:\n\t- x", /post\.md:3: the front matter is not valid YAML/, /not allow tabs/],
    ["title = 'x'", /not a list of keys and values/, /to: bluesky/],
    ["to: bluesky\nvisibility: secret", /post\.md:3: visibility must be one of public, unlisted/, /./],
    ["title: 2026", /title must be a text; a number or a date goes in quotes/, /title: "2026"/],
    ["at: 9", /at must be a time/, /./],
    ["split: yes please", /post\.md:2: split must be true or false/, /./],
    ["numbered: 'true'", /numbered must be true or false/, /without quotes/],
    ["to:\n  - bluesky\n  - 7", /post\.md:4: to\.1 must be a name/, /./],
    ["to: []", /to must be a name or a list of names; it is empty/, /after to:, or remove the line/],
    ["to:", /post\.md:2: to must be a name or a list of names; it is empty/, /after to:, or remove the line/],
    ["to: { bluesky: true }", /to must be a name or a list of names/, /./],
    ["title:", /title must be a text.*; it is empty/, /after title:, or remove the line/],
    ["contentWarning: '  '", /contentWarning must be a text.*; it is empty/, /./],
    ["title: [a, b]", /title must be a text.*not a list/, /one value: title:/],
    ["contentWarning: true", /contentWarning must be a text/, /contentWarning: "true"/],
    ['title: "\\a \\e[0m"', /title must be a text.*; it is empty/, /./],
    ["language: en_US", /language must be a language.*did you mean en-US\?/, /./],
    ["language: english", /did you mean en\?/, /./],
    ["language: [en, de]", /language must be a language.*not a list/, /one value/],
    ["media: https://example.com/cat.png", /post\.md:2: media\.0\.file is an address/, /download/],
    [
      "media:\n  - a.png\n  - { file: //cdn.example/cat.png, alt: x }",
      /post\.md:4: media\.1\.file is an address/,
      /download/,
    ],
    ["media: 'data:image/png;base64,AAAA'", /is an address/, /download/],
    ["media: file:///home/ada/cat.png", /is an address/, /write its path/],
    ["media: { url: 'https://example.com/cat.png' }", /"url"/, /did you mean file\?/],
    ["media: { file: a.png, description: x }", /"description"/, /did you mean alt\?/],
    ["alt: a cat", /"alt"/, /media: \[\{ file: cat\.jpg, alt:/],
    ["to: ','", /to must be a name or a list of names/, /./],
    ["language: english!", /language must be a language, such as en/, /./],
    ["media: { path: x.png }", /"path"/, /did you mean file\?/],
    ["media: 7", /post\.md:2: media\.0 must be a path, or \{ file/, /./],
    ["media:", /media\.0\.file must be a path; it is empty/, /after media:/],
    ["media: { file: a.png, alt: }", /media\.0\.alt must be a description; it is empty/, /after alt:/],
    ["media:\n  - a.png\n  - alt: x", /post\.md:4: media\.1\.file must be a path/, /./],
    ["media:\n  - file: a.png\n    part: 0", /post\.md:4: media\.0\.part must be the number of a part/, /./],
    ["media: { file: a.png, part: 1.5 }", /media\.0\.part must be the number of a part/, /./],
    ["platforms: bluesky", /platforms must be platforms with what they get/, /./],
    ["platforms:\n  bluesky: hello", /post\.md:3: platforms\.bluesky must be \{ text/, /./],
    ["platforms:\n  bluesky: {}", /platforms\.bluesky must be \{ text: … \} or/, /./],
    ["platforms:\n  bluesky: { text: a, parts: [b] }", /platforms\.bluesky must be \{ text: … \} or/, /./],
    [
      "platforms:\n  bluesky:\n    parts:\n      - a\n      - 7",
      /post\.md:6: platforms\.bluesky\.parts\.1 must be a text/,
      /./,
    ],
    ["platforms:\n  bluesky: { parts: [] }", /parts must be a list of texts/, /./],
    ["title: ''", /title must be a text/, /after title:/],
  ])("%s", (yaml, message, hint) => {
    expect(() => parse(`---\n${yaml}\n---\nHello`)).toThrow(refused(message, hint));
  });

  test("what is too large is not read: 20,000 keys, 300,000 characters", () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `key${i}: x`).join("\n");
    expect(() => parse(`---\n${many}\n---\nHello`)).toThrow(
      refused(/post\.md:1: the front matter has more than 1000 keys/, /psn knows to,/),
    );
    const nested = Array.from({ length: 2_000 }, (_, i) => `x${i}: y`).join(", ");
    expect(() => parse(`---\nplatforms: { bluesky: { options: { ${nested} } } }\n---\nHello`)).toThrow(
      refused(/more than 1000 keys/),
    );
    expect(() => parse(`---\ntitle: ${"x".repeat(300_000)}\n---\nHello`)).toThrow(
      refused(/more than 300000 characters/, /below/),
    );
  });

  test("without an end, it says where it begins", () => {
    expect(() => parse("---\nto: bluesky\n\nHello")).toThrow(
      refused(/post\.md:1: the front matter that begins here does not end/, /---/),
    );
  });

  test("names that refer to names without end", () => {
    const bomb = [
      "title: &a x",
      ...[..."bcdefghi"].map((name, i) => `${name}: &${name} [${`*${"abcdefghi"[i]},`.repeat(9)}]`),
    ].join("\n");
    expect(() => parse(`---\n${bomb}\n---\nx`)).toThrow(refused(/post\.md/));
    const inside = [
      "media:",
      "  - &a [x, x]",
      ...[..."bcdefghi"].map((name, i) => `  - &${name} [${`*${"abcdefghi"[i]},`.repeat(9)}]`),
    ].join("\n");
    expect(() => parse(`---\n${inside}\n---\nx`)).toThrow(refused(/post\.md/));
  });

  test("no text makes it throw anything but DRAFT_INVALID", () => {
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
  test("may be empty, for media alone; its lines end with LF", () => {
    expect(plainDraft("").parts).toEqual([{ text: "", media: [] }]);
    expect(plainDraft("\r\none\r\ntwo\r\n").parts).toEqual([{ text: "one\ntwo", media: [] }]);
  });

  test("is one part, whatever is in it", () => {
    expect(plainDraft("---\ncw: x\n---\ntwo\n")).toEqual({
      parts: [{ text: "---\ncw: x\n---\ntwo", media: [] }],
      overrides: {},
      options: {},
      split: false,
      numbered: false,
    });
  });
});

describe("bytes", () => {
  test("UTF-8 with and without a byte order mark", () => {
    expect(decodeText(new TextEncoder().encode("\u{FEFF}héllo 🐈"), "post.md")).toBe("héllo 🐈");
  });

  test("line ends of Windows and of old Macs become LF", () => {
    expect(decodeText(new TextEncoder().encode("a\r\nb\rc\n\r\n"), "post.md")).toBe("a\nb\nc\n\n");
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
