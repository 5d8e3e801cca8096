import { withoutComments } from "@psn/domain/draft/comments.ts";
import { parseDraft } from "@psn/domain/draft.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const without = (text: string) => {
  const { lines, comments } = withoutComments(text.split("\n"));
  return [lines.map((line) => line.text).join("\n"), comments] as const;
};

describe("an HTML comment is left out", () => {
  test.each([
    ["in a line", "a <!-- x --> b", "a b"],
    ["in a word", "a<!-- x -->b", "ab"],
    ["at the end of a line", "a <!-- x -->\nb", "a\nb"],
    ["at the beginning of a line", "<!-- x --> a", "a"],
    ["two in a line", "a <!-- x --> b <!-- y -->c", "a b c"],
    ["with its line", "a\n<!-- x -->\nb", "a\nb"],
    ["with its line and one of the empty lines around it", "a\n\n<!-- x -->\n\nb", "a\n\nb"],
    ["two paragraphs of them", "a\n\n<!-- x -->\n\n<!-- y -->\n\nb", "a\n\nb"],
    ["over lines", "a\n<!-- x\n\n---\n```\ny -->\nb", "a\nb"],
    ["over lines, with text around it", "a <!-- x\ny --> b", "a\nb"],
    ["behind code", "`a` <!-- x -->", "`a`"],
    ["behind a fence", "```\n<!-- code -->\n```\n<!-- x -->", "```\n<!-- code -->\n```"],
    ["without words", "a<!---->b<!-->c<!--->d", "abcd"],
    ["with dashes in it", "a<!-- -- -> --->b", "ab"],
    ["where more is cut off", "a\n<!--more-->\nb", "a\nb"],
    ["as Markdown writes one", "a\n\n[//]: # (not for the public)\n\nb", "a\n\nb"],
    ["behind a backquote without an end", "a ` b <!-- x -->", "a ` b"],
    ["in another paragraph than the backquote's end", "a ` b\n\n<!-- ` -->c", "a ` b\n\nc"],
    ["behind a backquote that is escaped", "\\`<!-- x -->` a", "\\`` a"],
  ])("%s", (_, text, clean) => {
    const [found, comments] = without(text);
    expect(found).toBe(clean);
    expect(comments).toBeGreaterThan(0);
  });

  test.each([
    ["a fence", "```html\n<!-- x -->\n```"],
    ["a fence of tildes without an end", "~~~\n<!-- x"],
    ["a code span", "write `<!-- x -->` there"],
    ["a code span of two", "`` a ` <!-- x --> ``"],
    ["a code span over lines", "`<!-- a\nb -->` c"],
    ["an escape", "\\<!-- x -->"],
    ["arrows", "a <-- b --> c <! -- d"],
    ["blanks", "a  \n\n\n  b"],
    ["a link", "[1]: https://example.com"],
  ])("and not %s", (_, text) => {
    expect(without(text)).toEqual([text, 0]);
  });

  test("a text without a comment is never changed", () => {
    const piece = fc.constantFrom("`", "``", "```", "~~~", "\n", "\\", "<", "!", "--", "-->", "a", " ", "---");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        fc.pre(!text.includes("<!--"));
        expect(without(text)).toEqual([text, 0]);
      }),
    );
  });
});

describe("in a file", () => {
  const parse = (text: string) => parseDraft(text, "post.md", { platforms: ["bluesky"], format: "markdown" });

  test("in every part and in every platform's own text", () => {
    const draft = parse(
      "---\nplatforms:\n  bluesky: { parts: ['a <!-- 1 -->', '<!-- 2 -->b'] }\n---\n<!-- 3 -->\none\n---\ntwo <!-- " +
        "4\n---\n5 -->\n",
    );
    expect(draft).toMatchObject({
      parts: [{ text: "one" }, { text: "two" }],
      overrides: { bluesky: [{ text: "a" }, { text: "b" }] },
      comments: 4,
    });
  });

  test("a file of comments alone is nothing to post, and a part of them is an empty part", () => {
    expect(() => parse("<!-- a -->\n\n<!-- b -->\n")).toThrow(/post\.md: there is nothing to post but comments/);
    expect(() => parse("one\n---\n<!-- b -->\n---\nthree")).toThrow(/post\.md:3: this part of the thread is empty/);
  });

  test("one that does not end is refused where it begins", () => {
    expect(() => parse("---\nto: bluesky\n---\none\ntwo <!-- three\n\nfour")).toThrow(
      /post\.md:5: the HTML comment that begins here does not end/,
    );
  });

  test("lines are counted as they are written", () => {
    expect(() => parse("<!--\n\n-->\none\n---\n---\nthree")).toThrow(/post\.md:6: this part of the thread is empty/);
  });
});
