import { describe, expect, test } from "vitest";
import { findBareLinks, findLinks } from "./links.ts";

const linksIn = (text: string) => findLinks(text).map(({ start, end }) => text.slice(start, end));
const bareIn = (text: string) => findBareLinks(text).map(({ start, end }) => text.slice(start, end));

describe("findLinks", () => {
  test.each([
    ["scheme in capitals", "HTTPS://example.com/a", ["HTTPS://example.com/a"]],
    ["scheme with one capital", "Https://Example.com/news is new", ["Https://Example.com/news"]],
    ["scheme in mixed case", "hTTps://example.com", ["hTTps://example.com"]],
    [
      "balanced brackets",
      "(see https://en.wikipedia.org/wiki/Bug_(software))",
      ["https://en.wikipedia.org/wiki/Bug_(software)"],
    ],
    ["nested brackets", "https://a.b/x_(y_(z)) end", ["https://a.b/x_(y_(z))"]],
    ["square brackets around", "(old: [https://example.com/a])", ["https://example.com/a"]],
    ["square brackets inside", "https://example.com/?a[]=1&b[x]=2", ["https://example.com/?a[]=1&b[x]=2"]],
    ["Markdown's link", "[x](https://example.com/a), y", ["https://example.com/a"]],
    ["bracket that is not closed", "https://example.com/a(b", ["https://example.com/a"]],
    ["dots of a sentence", "And so on: https://example.com/a...", ["https://example.com/a"]],
    [
      "signs of a sentence",
      "https://example.com/a?! https://example.com/b; https://example.com/c:",
      ["https://example.com/a", "https://example.com/b", "https://example.com/c"],
    ],
    ["an ellipsis at the end", "https://example.com/a…", ["https://example.com/a"]],
    ["curly quotes", "He called it “new at https://example.com/a”", ["https://example.com/a"]],
    [
      "single quotes",
      "‘https://example.com/a’ 'https://example.com/b'",
      ["https://example.com/a", "https://example.com/b"],
    ],
    ["guillemets", "«https://example.com/a»", ["https://example.com/a"]],
    ["German quotes", "„https://example.com/a“", ["https://example.com/a"]],
    ["angle brackets", "<https://example.com/a>", ["https://example.com/a"]],
    ["backquotes", "`https://example.com/a`", ["https://example.com/a"]],
    ["stars", "**https://example.com/a**", ["https://example.com/a"]],
    ["underscores around", "_https://example.com/a_", ["https://example.com/a"]],
    ["underscore at the end", "https://example.com/a_", ["https://example.com/a_"]],
    ["after a dash", "news—https://example.com/a", ["https://example.com/a"]],
    ["after an emoji", "👉https://example.com/a", ["https://example.com/a"]],
    ["after a wide colon", "公式：https://example.com/a", ["https://example.com/a"]],
    ["after Japanese letters", "詳しくはhttps://example.com/aを", ["https://example.com/aを"]],
    ["Japanese quotes", "「https://example.com/a」を見て", ["https://example.com/a"]],
    ["Japanese full stop", "見て https://example.com/a。次の文", ["https://example.com/a"]],
    ["wide brackets around", "（https://example.com/a）", ["https://example.com/a"]],
    ["wide brackets after", "https://example.com/（英語）", ["https://example.com/"]],
    ["host before Japanese letters", "https://example.comを見て", ["https://example.com"]],
    ["host before an emoji", "https://example.com👍", ["https://example.com"]],
    [
      "host before an apostrophe",
      "https://example.com's site, https://example.org’s",
      ["https://example.com", "https://example.org"],
    ],
    [
      "host before a comma",
      "https://example.com,https://example.org!x",
      ["https://example.com", "https://example.org"],
    ],
    ["signs in a password", "https://user:p!a,s@example.com/x", ["https://user:p!a,s@example.com/x"]],
    ["two glued by Japanese letters", "https://a.com/xとhttps://b.com/y", ["https://a.com/xと", "https://b.com/y"]],
    [
      "an address in an address",
      "https://web.archive.org/web/2020/https://example.com/",
      ["https://web.archive.org/web/2020/https://example.com/"],
    ],
    [
      "en dash in a path",
      "https://en.wikipedia.org/wiki/Hatfield–McCoy_feud.",
      ["https://en.wikipedia.org/wiki/Hatfield–McCoy_feud"],
    ],
    ["middle dot in a path", "https://ca.wikipedia.org/wiki/Col·lecció", ["https://ca.wikipedia.org/wiki/Col·lecció"]],
    ["ellipsis in a path", "https://example.com/a…b", ["https://example.com/a…b"]],
    [
      "apostrophe in a path",
      "https://en.wikipedia.org/wiki/Schrödinger’s_cat",
      ["https://en.wikipedia.org/wiki/Schrödinger’s_cat"],
    ],
    [
      "Japanese path",
      "https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ",
      ["https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ"],
    ],
    ["Cyrillic path", "https://ru.wikipedia.org/wiki/Москва, да", ["https://ru.wikipedia.org/wiki/Москва"]],
    ["Arabic path and comma", "https://ar.wikipedia.org/wiki/القاهرة، ثم", ["https://ar.wikipedia.org/wiki/القاهرة"]],
    ["Hindi full stop", "https://example.com/a।", ["https://example.com/a"]],
    ["user", "https://user@example.com/x", ["https://user@example.com/x"]],
    ["user and password", "https://user:pw@example.com:8080/x", ["https://user:pw@example.com:8080/x"]],
    ["underscore in a host", "https://my_shop.example.com/x", ["https://my_shop.example.com/x"]],
    ["IDN host", "https://日本語.jp/a https://bücher.example", ["https://日本語.jp/a", "https://bücher.example"]],
    [
      "IDN top-level domain",
      "http://foobar.みんな/ http://foobar.みんな",
      ["http://foobar.みんな/", "http://foobar.みんな"],
    ],
    [
      "IPv4, IPv6 and a port",
      "http://127.0.0.1:3000/ http://[::1]:8080/x",
      ["http://127.0.0.1:3000/", "http://[::1]:8080/x"],
    ],
    ["one word as a host", "http://localhost:3000", ["http://localhost:3000"]],
    [
      "query and fragment alone",
      "https://example.com?a=1#b https://example.com#",
      ["https://example.com?a=1#b", "https://example.com#"],
    ],
    [
      "slash and dash at the end",
      "https://example.com/a/ https://example.com/a-",
      ["https://example.com/a/", "https://example.com/a-"],
    ],
    ["zero width space", "https://example.com/a\u200bb", ["https://example.com/a"]],
    ["line break", "https://example.com/a\nhttps://example.com/b", ["https://example.com/a", "https://example.com/b"]],
    ["bar between", "https://example.com/a|", ["https://example.com/a"]],
  ])("%s", (_, text, expected) => {
    expect(linksIn(text)).toEqual(expected);
  });

  test.each([
    "https://",
    "https://)",
    "https:///x",
    "http://.",
    "https:// example.com",
    "xhttps://example.com",
    "@https://example.com",
    "README.md",
    "ftp://a.b",
    "//a.b",
    "mailto:a@b.c",
    "example.com",
  ])("%s is none", (text) => {
    expect(linksIn(text)).toEqual([]);
  });
});

describe("findBareLinks", () => {
  test.each([
    ["example.com", ["example.com"]],
    ["EXAMPLE.COM/PATH", ["EXAMPLE.COM/PATH"]],
    ["ko-fi.com my-site.org 3dprint.com bsky.app:", ["ko-fi.com", "my-site.org", "3dprint.com", "bsky.app"]],
    ["日本語.jp bücher.de", ["日本語.jp", "bücher.de"]],
    ["これはexample.comです。example.com/path/index.html。", ["example.com", "example.com/path/index.html"]],
    ["(example.com/a_(b)) “example.org”", ["example.com/a_(b)", "example.org"]],
    ["docs.rs/serde, bun.sh/docs. www.lib.rs", ["docs.rs/serde", "bun.sh/docs", "www.lib.rs"]],
    ["example.com:8080/x?y#z", ["example.com:8080/x?y#z"]],
    ["example.com?a=1 example.com, b", ["example.com?a=1", "example.com"]],
    ["see https://a.com/b.com and c.com", ["c.com"]],
  ])("%s", (text, expected) => {
    expect(bareIn(text)).toEqual(expected);
  });

  test.each(
    (
      "README.md main.rs setup.sh notes.md app.py lib.so archive.zip clip.mov config.ai script.pl test.cc " +
      "Main.java README.ja.md main.rs:12 main.rs#L10 README.md?raw=1 ./setup.sh docs/setup.sh foo.bar() " +
      "v2.0.is 9.30.am ada@example.com john.name@example.com works.It Node.js style.css e.g. " +
      "something-cool.jpg website.com.jpg a..url @ada.com #test.com $TVI.CA foo.baz"
    ).split(" "),
  )("%s is none", (text) => {
    expect(bareIn(`see ${text} there`)).toEqual([]);
    expect(bareIn(text)).toEqual([]);
  });
});

test.each([
  ["brackets", "(https://a.b/("],
  ["schemes", "https://"],
  ["schemes after letters", "日https://a.b/"],
  ["dots", "a."],
  ["signs at the end", "https://a.b/...... "],
  ["labels", "a-b."],
  ["wide letters", "日本語."],
  ["one link", "x"],
  ["one opening bracket", "["],
])("looks through 100,000 characters of %s in time that grows with the text", (_, unit) => {
  const text = `https://a.b/${unit.repeat(Math.ceil(100_000 / unit.length))}`;
  const began = performance.now();
  findBareLinks(text);
  findLinks(unit.repeat(Math.ceil(100_000 / unit.length)));
  expect(performance.now() - began).toBeLessThan(10_000);
});
