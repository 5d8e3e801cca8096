import { findLinks } from "@psn/domain/links.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentsOf } from "./parse.ts";
import { plainOf } from "./plain.ts";

const ID = "0199e3b2-7c00-7000-8000-000000000001";
const contentOf = (text: string) => contentsOf([{ text, media: [{ id: ID }] }])[0] ?? [];
const plain = (text: string) => plainOf(contentOf(text)).text;
const marked = (text: string) => {
  const found = plainOf(contentOf(text), { marks: true });
  return { text: found.text, links: found.links.map(({ start, end, url }) => [found.text.slice(start, end), url]) };
};

describe("Markdown as plain text", () => {
  test.for([
    ["a heading and emphasis are words", "# Big *news*\n\nIt is **out**, _really_.", "Big news\n\nIt is out, really."],
    ["a line that is wrapped is one line", "One\ntwo\n\nthree", "One two\n\nthree"],
    ["a line that is broken on purpose stays broken", "One  \ntwo\\\nthree", "One\ntwo\nthree"],
    ["a script without spaces gets none", "これは\n一行です。", "これは一行です。"],
    ["a list has bullets", "- one\n- two\n  - three\n  - four", "• one\n• two\n  • three\n  • four"],
    ["a list with numbers keeps them", "3. three\n4. four", "3. three\n4. four"],
    ["tasks have boxes", "- [ ] open\n- [x] done", "☐ open\n☑ done"],
    ["an item keeps its paragraphs", "- one\n\n  more\n- two", "• one\n\n  more\n• two"],
    ["a quote has signs", "> said\n>\n> > before", "> said\n>\n> > before"],
    ["code stands as it is", "```ts\nconst a = b*c*d;\n\n  f(`x`);\n```", "const a = b*c*d;\n\n  f(`x`);"],
    ["code in a line too", "Call `f(*a*)` now", "Call f(*a*) now"],
    ["deleted text keeps its signs", "~~100~~ 80", "~~100~~ 80"],
    ["a table has a line for each row", "| a | b |\n|---|---|\n| 1 |  |\n| *3* | 4 |", "a | b\n1 |\n3 | 4"],
    ["a rule is three stars", "a\n\n***\n\nb", "a\n\n* * *\n\nb"],
    ["a backslash takes the meaning away", "\\*a\\* \\# b &amp; &lt;c&gt;", "*a* # b & <c>"],
    ["a tag is no heading", "#wombats are #good", "#wombats are #good"],
    ["a footnote has its number", "A[^x] b[^y]\n\n[^y]: two\n[^x]: one", "A[1] b[2]\n\n[1] one\n[2] two"],
    ["a picture of the post is no text", `Look ![a cat](psn:${ID}) here`, "Look  here"],
    ["a picture from elsewhere is a link", "![a cat](https://a.example/c.png)", "a cat (https://a.example/c.png)"],
    ["a picture that is not the post's is its description", "![a cat](psn:other)", "a cat"],
  ])("%s", ([, text, expected]) => expect(plain(text ?? "")).toBe(expected));

  test.for([
    ["the address follows its text", "See [the docs](https://a.example/b).", "See the docs (https://a.example/b)."],
    ["a reference is looked up", "See [the docs][d]\n\n[d]: https://a.example", "See the docs (https://a.example)"],
    ["an address in angle brackets stands once", "<https://a.example/b>", "https://a.example/b"],
    ["and so does one that is its own text", "[a.example](https://a.example/)", "https://a.example/"],
    ["an address in the text is left alone", "https://a.example/x_y_z*q*?a=1&copy;=2", undefined],
    ["also without a scheme", "a.com/x_y_z*q*", undefined],
    ["brackets in an address", "[x](https://a.example/b_(c))", "x (https://a.example/b_(c))"],
    ["a sign that would end it is encoded", "[x](<https://a.example/b c)d>)", "x (https://a.example/b%20c%29d)"],
    ["mail", "[write](mailto:a@b.example) <c@d.example>", "write (a@b.example) c@d.example"],
    ["no address of the web", "[a](/about) [b](#c) [d](javascript:alert(1)) [e](data:text/html,x)", "a b d e"],
    ["a link without text is its address", "[](https://a.example/b)", "https://a.example/b"],
    ["a link around a picture", `[![c](psn:${ID})](https://a.example/b)`, "https://a.example/b"],
  ])("links: %s", ([, text, expected]) => expect(plain(text ?? "")).toBe(expected ?? text));

  test("a mention on a server is no address of mail", () => {
    expect(plain("Thanks, @ada@b.example and @bob.example")).toBe("Thanks, @ada@b.example and @bob.example");
  });

  test.for([
    ["tags go and their text stays", "a <b>b</b> <sup>c</sup><br>d", "a b c\nd"],
    ["a tag without its other half stays", "Use the <title> tag", undefined],
    ["and so does what only looks like a tag", "List<String> and Map<K, V>", undefined],
    [
      "a script goes with all that is in it",
      "a <script>alert(1)</script> b\n\n<script>\nx\n\ny\n</script>\n\nc",
      "a  b\n\nc",
    ],
    ["a link", 'See <a href="https://a.example/b">this</a>', "See this (https://a.example/b)"],
    ["a block", "<div align=center>\n<p>One</p>\n<p>Two<br>three</p>\n</div>\n\nfour", "One\n\nTwo\nthree\n\nfour"],
    ["a summary", "<details><summary>More</summary>\n\nText\n\n</details>", "More\n\nText"],
  ])("HTML: %s", ([, text, expected]) => expect(plain(text ?? "")).toBe(expected ?? text));

  test("links whose address is not shown are marked", () => {
    expect(
      marked(
        "> See [the *docs*](https://a.example/b)\n> and [more][m]\n\n- x [y](https://y.example)\n\n" +
          "[m]: https://m.example",
      ),
    ).toEqual({
      text: "> See the docs and more\n\n• x y",
      links: [
        ["the docs", "https://a.example/b"],
        ["more", "https://m.example"],
        ["y", "https://y.example"],
      ],
    });
  });

  test("what one part defines counts in all of them", () => {
    const parts = ["See [a][x] and b[^n]", "[a]\n\n[x]: https://x.example\n[a]: https://a.example\n[^n]: a note"];
    const texts = contentsOf(parts.map((text) => ({ text, media: [] }))).map((content) => plainOf(content).text);
    expect(texts).toEqual(["See a (https://x.example) and b[1]\n\n[1] a note", "a (https://a.example)"]);
  });

  test("what is nested too deeply is refused", () => {
    expect(() => plain(`${">".repeat(60)} a`)).toThrow("nested more than 50 levels");
  });
});

const BITS = fc.constantFrom(
  ..."* ** _ ~~ ` ``` # > - 1. | |--- [ ] ( ) ! <b> </b> <a href=x> < & &amp; \\ [^1] [^1]: [x]: a.com/_c*".split(" "),
  "\n",
  "\n\n",
  "    ",
  " ",
  "é",
  "👩‍👩‍👧",
  "これ",
  "word",
  `![p](psn:${ID})`,
  "[t](https://a.example/b)",
);
const TEXT = fc.array(BITS, { maxLength: 60 }).map((bits) => bits.join(""));

describe("whatever is written", () => {
  test("there is a text, and every mark lies within it, in order", () => {
    fc.assert(
      fc.property(TEXT, (text) => {
        const { text: shown, links, code } = plainOf(contentOf(text), { marks: true });
        expect(shown).toBe(shown.trim());
        expect(shown.isWellFormed()).toBe(true);
        for (const spans of [links, code]) {
          let at = 0;
          for (const { start, end } of spans) {
            expect(start).toBeGreaterThanOrEqual(at);
            expect(end).toBeGreaterThan(start);
            at = end;
          }
          expect(at).toBeLessThanOrEqual(shown.length);
        }
      }),
    );
  });

  test("an address is found whole where it is written", () => {
    const url = fc.webUrl({ withQueryParameters: true, withFragments: true });
    fc.assert(
      fc.property(url, (address) => {
        const shown = plain(`See [this](<${address}>).`);
        const [found] = findLinks(shown);
        expect(shown.slice(found?.start, found?.end)).toBe(shown.slice("See this (".length, -").".length));
      }),
    );
  });

  test("plain words stay plain words", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]+( [a-z]+)*$/), (text) => {
        expect(plain(text)).toBe(text);
      }),
    );
  });
});
