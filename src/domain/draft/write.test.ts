import { cleaned } from "@psn/domain/clean.ts";
import { type Draft, parseDraft, plainDraft } from "@psn/domain/draft.ts";
import { describe, expect, test } from "vitest";
import { canonical, type Written, writeDraft } from "./write.ts";

/*
 * What `psn edit` prints, read by the same parser, is the same post: whatever the words are.
 */

const PLATFORMS = ["bluesky", "mastodon", "x"];
const written = (draft: Written) => writeDraft(draft, { platforms: PLATFORMS, about: () => "image/png, 1 x 1" });
const readBack = (draft: Written) =>
  parseDraft(written(draft), "post.md", { platforms: PLATFORMS, format: "markdown" });
const partsOf = (texts: readonly string[]): Draft["parts"] => {
  const [first = { text: "x", media: [] }, ...others] = texts.map((text) => ({ ...plainDraft(text).parts[0] }));
  return [first, ...others];
};
const post = (texts: readonly string[], more: Partial<Written> = {}): Written => ({
  parts: partsOf(texts),
  overrides: {},
  options: {},
  split: false,
  numbered: false,
  ...more,
});

const AWKWARD = [
  "hello, world",
  "---",
  "---\ntitle: no\n---\nbody",
  "title: a\nto: all\n\nbody",
  "- a list\n- of things",
  "--- a rule with words",
  "a\n---\nb",
  "a\n\n---\n\n---\n\nb",
  "```\n---\ncode\n```",
  "```\nan open fence",
  "~~~\n---",
  "<!-- a comment -->",
  "a <!-- b --> c",
  "<!-- without an end",
  "[//]: # (note)",
  "`<!-- code -->`",
  "  leading blanks",
  "\ttab",
  "line  \nwith blanks behind",
  "a\r\nb\rc",
  "+++\ntitle = 1\n+++",
  '{"title": "json"}',
  "# heading: x\n> quote: y",
  "key: |\n  block",
  "...",
  "'quotes' \"double\" \\ back",
  "null",
  "true",
  "1e3",
  "*alias &anchor !tag %x @y",
  "emoji 🦆 e\u0301 \u202e \u2028 x",
  "#tag #other",
  "? complex",
  "a: b",
];

describe("writeDraft", () => {
  test.each(AWKWARD)("one part: %j", (text) => {
    const draft = post([text]);
    expect(canonical(readBack(draft))).toBe(canonical(draft));
  });

  test("every awkward text as a part of a thread, and in the words of a platform", () => {
    for (const [n, text] of AWKWARD.entries()) {
      const other = AWKWARD[(n * 7 + 3) % AWKWARD.length] ?? "";
      const draft = post([text, other, text], {
        overrides: { x: partsOf([other]), bluesky: partsOf([text, other]) },
        options: { x: { reply: "following" }, mastodon: { quote: cleaned(other).trim() || "x" } },
        title: "a: title # with signs",
        language: "pt-BR",
        visibility: "unlisted",
        contentWarning: `${cleaned(text).trim()}?`,
        split: n % 2 === 0,
        numbered: n % 3 === 0,
      });
      expect(canonical(readBack(draft))).toBe(canonical(draft));
    }
  });

  test("media with their descriptions stay with their parts", () => {
    const cat = { file: "psn:1", alt: 'a "cat": #asleep\n- on a mat' };
    const dog = { file: "psn:2" };
    const draft = post(["one", "", "three"], {});
    const [one, two, three] = draft.parts;
    if (!one || !two || !three) throw new Error("three");
    const parts = [{ ...one, media: [cat] }, { ...two, media: [dog, cat] }, three] as const;
    const whole = { ...draft, parts, overrides: { x: [{ text: "x", media: [cat, dog, cat] }] as const } };
    expect(canonical(readBack(whole))).toBe(canonical(whole));
    expect(written(whole)).toContain("# image/png, 1 x 1");
  });

  test("plain text says so, Markdown is Markdown, and a draft that no file can say is refused", () => {
    expect(written(post(["one"]))).toBe("---\nformat: plain\nsplit: false\nnumbered: false\n---\none\n");
    expect(written(post(["one", "two"], { format: "markdown", title: "T" }))).toBe(
      "---\ntitle: T\nsplit: false\nnumbered: false\n---\none\n\n---\n\ntwo\n",
    );
    const impossible = post(["one"], { overrides: { x: [{ text: "x", media: [{ file: "psn:1" }] }] } });
    expect(() => written(impossible)).toThrow(/cannot be written down/);
  });
});
