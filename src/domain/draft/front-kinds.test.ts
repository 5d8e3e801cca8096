import { hasFront } from "@psn/domain/draft/front-kinds.ts";
import { parseDraft } from "@psn/domain/draft.ts";
import { describe, expect, test } from "vitest";

const parse = (text: string) => parseDraft(text, "post.md", { platforms: ["bluesky", "mastodon"], format: "markdown" });
const texts = (text: string) => parse(text).parts.map((part) => part.text);
const refused = (message: RegExp, hint: RegExp) =>
  expect.objectContaining({
    code: "DRAFT_INVALID",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });

describe("front matter that is not psn's is refused with what psn reads", () => {
  test.each([
    ["TOML", '+++\ntitle = "Launch"\ndraft = true\n+++\nHello', 1],
    ["TOML behind a byte order mark and an empty line", "\ufeff\n+++\ntitle = 'x'\n+++\nHello", 2],
    ["TOML that begins with a comment or a table", "+++\n# mine\n[params]\na = 1\n+++\nHello", 1],
    ["TOML without an end", "+++\ndraft = true\n\nHello", 1],
    ["TOML with line ends of Windows", "+++\r\ndraft = true\r\n+++\r\nHello", 1],
    ["empty TOML", "+++\n+++\nHello", 1],
    ["JSON", '{\n  "title": "Launch",\n  "draft": true\n}\n\nHello', 1],
    ["JSON on one line", '{ "title": "Launch", "draft": true }\nHello', 1],
    ["JSON with the first key behind the bracket", '{ "title": "Launch",\n  "draft": true\n}\nHello', 1],
    ["JSON without quotes", "{\n  draft: true,\n}\nHello", 1],
    ["JSON between ;;;", ';;;\n{ "draft": true }\n;;;\nHello', 1],
    ["JSON between ;;; without brackets", ';;;\n"draft": true\n;;;\nHello', 1],
    ["---toml", "---toml\ndraft = true\n---\nHello", 1],
    ["---json", '---json\n{ "draft": true }\n---\nHello', 1],
    ["--- js", "--- js\n{ draft: true }\n---\nHello", 1],
    ["---yaml", "---yaml\ndraft: true\n---\nHello", 1],
    ["--- with a comment", "--- # mine\ndraft: true\n---\nHello", 1],
    ["four dashes", "----\ndraft: true\n----\nHello", 1],
    ["a dash of a word processor", "—-\ndraft: true\n—-\nHello", 1],
    ["stars", "***\ntitle: x\n***\nHello", 1],
    ["blanks before the dashes", " ---\ndraft: true\n---\nHello", 1],
    ["an empty line before it", "\n---\nto: bluesky\ndraft: true\n---\nHello", 2],
    ["empty lines and blanks before it", "\n  \n\n---\nlayout: post\n---\nHello", 4],
    ["an empty line before it, and no end", "\n---\ndraft: true\n\nHello", 2],
    ["a comment before it", "<!-- prettier-ignore -->\n---\ndraft: true\n---\nHello", 2],
    ["a long comment before it", "<!--\nprettier\n---\nignore\n-->\n\n---\ndraft: true\n---\nHello", 7],
    ["a heading before it", "# Launch\n\n---\ndraft: true\ntags:\n  - a\n# note\n---\nHello", 3],
    ["another one before it", "---\n---\ndraft: true\n---\nHello", 2],
    ["in a comment, as Nikola's", "<!--\n.. title: Launch\n.. status: draft\n-->\nHello", 1],
    ["without dashes, as Pelican's", "Title: Launch\nStatus: draft\n\nHello", 1],
    ["without dashes, psn's own keys", "to: bluesky\nat: tomorrow 9am\n\nHello", 1],
    ["of Logseq", "title:: Launch\ntags:: a\n\nHello", 1],
    ["of Org mode", "#+TITLE: Launch\n#+DRAFT: true\n\nHello", 1],
    ["old Mac line ends", "\r---\rdraft: true\r---\rHello", 2],
  ])("%s", (_, text, line) => {
    expect(() => parse(text)).toThrow(
      refused(
        new RegExp(`^post\\.md:${line}: this looks like front matter `),
        /^psn reads YAML between two --- lines, from the first line on/,
      ),
    );
  });

  test.each([
    ["keys", "---\ndraft: true\n\nHello"],
    ["a comment and a key", "---\n# mine\nto: bluesky\n"],
    ["an empty line and a key", "---\n\nto: bluesky\nHello"],
  ])("%s without an end", (_, text) => {
    expect(() => parse(text)).toThrow(refused(/post\.md:1: the front matter that begins here does not end/, /---/));
  });
});

describe("front matter that is psn's", () => {
  test.each([
    ["behind a byte order mark, or two", "\ufeff\ufeff---\nto: bluesky\n---\nHello"],
    ["that ends as YAML ends", "---\nto: bluesky\n...\nHello"],
    ["with blanks behind the dashes", "--- \nto: bluesky\n---\t\nHello"],
    ["with empty lines and comments", "---\n\n# mine\nto: bluesky\n\n---\n\nHello"],
    ["as a flow map", "---\n{ to: bluesky }\n---\nHello"],
    ["as JSON, which is YAML", '---\n{\n  "to": "bluesky"\n}\n---\nHello'],
    ["with line ends of old Macs", "---\rto: bluesky\r---\rHello"],
    ["that says it may be published", "---\nto: bluesky\ndraft: false\npublished: yes\n---\nHello"],
  ])("%s", (_, text) => {
    expect(parseDraft(text.replace(/^\ufeff+/, ""), "post.md", { platforms: ["bluesky"], format: "markdown" })).toEqual(
      {
        format: "markdown",
        parts: [{ text: "Hello", media: [] }],
        overrides: {},
        options: {},
        to: ["bluesky"],
        split: false,
        numbered: false,
      },
    );
  });
});

describe("text that is no front matter", () => {
  test.each([
    ["a rule before the text", "---\n\nHello", ["Hello"]],
    ["a rule, and no end", "---\nHello\nworld", ["Hello\nworld"]],
    ["a thread that begins with its sign", "---\nFirst\n---\nSecond", ["First", "Second"]],
    ["a heading between rules", "---\n# Launch\n---\nToday", ["# Launch", "Today"]],
    ["a link between rules", "---\nhttps://example.com\n---\nToday", ["https://example.com", "Today"]],
    ["a mention, a star, a list", "---\n@ada *hi*\n- one\n---\nToday", ["@ada *hi*\n- one", "Today"]],
    ["a thread", "One\n---\ntwo: of three\n---\nthree", ["One", "two: of three", "three"]],
    ["a heading, then a part with a colon", "# One\n---\nNote: psn\n---\nthree", ["# One", "Note: psn", "three"]],
    ["plus signs around words", "+++\nBREAKING\n+++", ["+++\nBREAKING\n+++"]],
    ["brackets", "{curly} things: {}", ["{curly} things: {}"]],
    ["JSON that is spoken of", '{"a": 1} is JSON', ['{"a": 1} is JSON']],
    ["JSON", '{\n  "answer": 42\n}', ['{\n  "answer": 42\n}']],
    ["dashes with words", "--- news ---\nTitle: x", ["--- news ---\nTitle: x"]],
    ["a letter", "Title: Cats\nAuthor: Ada\n\nA book.", ["Title: Cats\nAuthor: Ada\n\nA book."]],
    ["one line with a colon", "to: the moon\n\nand back", ["to: the moon\n\nand back"]],
    ["an invitation", "Date: Friday\nPlace: Berlin\n\nCome", ["Date: Friday\nPlace: Berlin\n\nCome"]],
    ["a hashtag", "#+1 for this", ["#+1 for this"]],
    ["code that shows it", "```\n---\ndraft: true\n---\n```", ["```\n---\ndraft: true\n---\n```"]],
  ])("%s", (_, text, parts) => {
    expect(texts(text)).toEqual(parts);
  });

  test("a word and a colon between two rules at the top is taken for front matter, and says so", () => {
    expect(() => parse("---\nBreaking: we launch\n---\nToday")).toThrow(
      refused(/"Breaking"/, /if it is text, take out the --- above it/),
    );
  });
});

describe("what says that it is not to be published is never published", () => {
  test.each([
    "draft: true",
    "draft: yes",
    "draft: 'true'",
    "draft: On",
    "draft: 1",
    "Draft: TRUE",
    "isDraft: true",
    "wip: true",
    "published: false",
    "published: no",
    "published: 'false'",
    "publish: false",
    "dg-publish: off",
    "hidden: true",
    "private: true",
    "unlisted: true",
    "archived: yes",
    "status: draft",
    "status: pending",
    "state: Private",
    "post_status: future",
  ])("%s", (line) => {
    for (const yaml of [line, `title: x\n${line}`, `unknown: 1\n${line}\nto: bluesky`])
      expect(() => parse(`---\n${yaml}\n---\nHello`)).toThrow(
        refused(
          new RegExp(
            `^post\\.md:${yaml.split("\n").indexOf(line) + 2}: this is not to be published: the front matter says `,
          ),
          /remove that line/,
        ),
      );
  });

  test.each([["draft: maybe"], ["draft:"], ["published: 2026-01-01"]])("%s is neither", (line) => {
    expect(() => parse(`---\n${line}\n---\nHello`)).toThrow(refused(/must be true or false/, /./));
  });
});

describe("the keys of site generators get a word that helps", () => {
  test.each([
    ["tags: [a, b]", /write #tags in the text/],
    ["categories: [a]", /write #tags in the text/],
    ["taxonomies: { tags: [a] }", /write #tags in the text/],
    ["slug: x", /for your site/],
    ["layout: post", /for your site/],
    ["permalink: /x", /for your site/],
    ["aliases: [x]", /for your site/],
    ["weight: 3", /for your site/],
    ["series: x", /for your site/],
    ["toc: true", /for your site/],
    ["cssclasses: [x]", /for your site/],
    ["sidebar_position: 2", /for your site/],
    ["eleventyExcludeFromCollections: true", /for your site/],
    ["lastmod: 2026-01-01", /for your site/],
    ["status: published", /for your site/],
    ["hidden: false", /for your site/],
    ["date: 2030-01-01", /did you mean at\?/],
    ["publishDate: 2030-01-01", /did you mean at\?/],
    ["pubDate: 2030-01-01", /did you mean at\?/],
    ["author: Ada", /posts as the account/],
    ["authors: [Ada]", /posts as the account/],
    ["description: x", /below the front matter/],
    ["summary: x", /below the front matter/],
    ["excerpt: x", /below the front matter/],
    ["text: x", /below the front matter/],
    ["cover: x.png", /did you mean media\?/],
    ["cover_image: x.png", /did you mean media\?/],
    ["heroImage: x.png", /did you mean media\?/],
    ["image: x.png", /did you mean media\?/],
    ["featured_image: x.png", /did you mean media\?/],
    ["canonical_url: https://example.com", /address in the text/],
    ["link: https://example.com", /address in the text/],
    ["publish: true", /did you mean published\?/],
    ["platform: bluesky", /did you mean to\?/],
    ["locale: en", /did you mean language\?/],
    ["content_warning: x", /did you mean contentWarning\?/],
    ["content-warning: x", /did you mean contentWarning\?/],
    ["in: 2h", /at: in 2h/],
    ["late: drop", /--late/],
    ["idempotency-key: x", /--idempotency-key/],
    ["constructor: x", /it knows to/],
  ])("%s", (line, hint) => {
    expect(() => parse(`---\nto: bluesky\n${line}\n---\nHello`)).toThrow(
      refused(/^post\.md:3: psn does not know the key/, hint),
    );
  });
});

test("text that is taken as it is may hold anything but front matter at its top", () => {
  expect(hasFront("---\nto: bluesky\n---\nHello")).toBe(true);
  expect(hasFront("+++\ndraft = true\n+++\nHello")).toBe(true);
  expect(hasFront("---\nwords\n---\nHello")).toBe(false);
  expect(hasFront("Fix: the draft\n\nstatus: done")).toBe(false);
  expect(hasFront("-- \nAda")).toBe(false);
  expect(hasFront('{"status":"ok"}\n')).toBe(false);
  expect(hasFront('{"status":"draft"}\nHello\n')).toBe(true);
});
