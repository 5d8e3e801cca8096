/*
 * Pages as the web has them, with the title that a browser gives them. `title` is what
 * https://html.spec.whatwg.org/#document.title (2026-11) makes of the page; where `judged` is not false,
 * tests/platforms/link-cards.test.ts has parse5's whole tree say the same.
 */

export interface Shape {
  readonly is: string;
  readonly body: string | Buffer;
  /** Null: no header at all. */
  readonly type?: string | null;
  /** Null: there is none, and the card has the host's name. */
  readonly title: string | null;
  readonly judged?: false;
}

const html = (is: string, body: string, title: string | null): Shape => ({ is, body, title });
const bytes = (is: string, body: Buffer, title: string | null, type: string | null = "text/html"): Shape => ({
  is,
  body,
  type,
  title,
  judged: false,
});
/** ASCII with `hex` in the place of `*`. */
const mixed = (text: string, hex: string) => {
  const [before = "", after = ""] = text.split("*");
  return Buffer.concat([Buffer.from(before), Buffer.from(hex.replaceAll(" ", ""), "hex"), Buffer.from(after)]);
};
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();
const XHTML = (head: string) => `<html xmlns="http://www.w3.org/1999/xhtml"><head>${head}</head><body/></html>`;
const xml = (is: string, body: string | Buffer, title: string | null, type = "application/xhtml+xml"): Shape => ({
  is,
  body,
  type,
  title,
  judged: false,
});

export const SHAPES: readonly Shape[] = [
  html("nothing but a title", "<title>T</title>", "T"),
  html("no html, no head", "<!doctype html><title>T</title><p>text", "T"),
  html("html without head", "<html><title>T</title>", "T"),
  html("title in the body", "<!doctype html><body><title>T</title>", "T"),
  html("title behind the head", "<html><head></head><title>T</title><body>x", "T"),
  html("title behind text", "<p>first</p><div><title>T</title></div>", "T"),
  html("meta before the title", "<meta charset=utf-8><link rel=x href=y><title>T</title>", "T"),
  html("head that was ended by an image", "<head><img src=x><title>T</title></head>", "T"),
  html("capitals", "<HTML><HEAD><TITLE>T</TITLE></HEAD>", "T"),
  html("attributes", '<title data-x="</title>" itemprop=name>T</title>', "T"),
  html("end tag with a blank and an attribute", "<title>T</title x=y ><p>more", "T"),
  html("no end tag", "<title>T", "T"),
  html("line breaks", "<title>\n  One\t\r\n  two\f </title>", "One two"),
  html("tags inside", "<title>a <b>b</b></title>", "a <b>b</b>"),
  html("a comment inside", "<title>a <!-- b --></title>", "a <!-- b -->"),
  html("two titles", "<title>First</title><title>Second</title>", "First"),
  html("a title in a comment", "<!-- <title>No</title> --><title>T</title>", "T"),
  html("comments of all kinds", "<!--><title>T</title>", "T"),
  html("a comment that ends with --!>", "<!-- <title>No</title> --!><title>T</title>", "T"),
  html("conditional comments", "<!--[if IE]><title>No</title><![endif]--><![if !IE]><title>T</title><![endif]>", "T"),
  html("a title in a script", "<script>document.write('<title>No</title>')</script><title>T</title>", "T"),
  html("a script in a script", "<script><!-- <script></script> <title>No</title> --></script><title>T</title>", "T"),
  html("a title in a style", "<style>/* <title>No</title> */</style><title>T</title>", "T"),
  html("a title in noscript", "<head><noscript><title>No</title></noscript><title>T</title>", "T"),
  html("a title in a template", "<template><title>No</title></template><title>T</title>", "T"),
  html("a title in a textarea", "<body><textarea><title>No</title></textarea><title>T</title>", "T"),
  html("a title in an iframe", "<body><iframe><title>No</title></iframe><title>T</title>", "T"),
  html(
    "a title in noembed and xmp",
    "<body><noembed><title>No</title></noembed><xmp><title>No</title></xmp><title>T</title>",
    "T",
  ),
  html("a title behind plaintext", "<body><plaintext><title>No</title>", null),
  html("a drawing's title", "<body><svg><title>No</title></svg><title>T</title>", "T"),
  html("a drawing's title and no other", "<body><svg><title>No</title></svg>", null),
  html("a drawing with a style", "<body><svg><style><title>No</title></style></svg><title>T</title>", "T"),
  html("a drawing that is empty", "<body><svg/><title>T</title>", "T"),
  html("a drawing that is not ended", "<body><svg><path><p>x<title>T</title>", "T"),
  html("a page inside a drawing", "<body><svg><foreignObject><title>T</title></foreignObject></svg>", "T"),
  html("CDATA in a drawing", "<body><svg><![CDATA[<title>No</title>]]></svg><title>T</title>", "T"),
  html("a formula's title", "<body><math><title>No</title></math><title>T</title>", "T"),
  html("self-closing, which HTML has not", "<title/>T</title>", "T"),
  html("an empty title", "<title></title><p>x", null),
  html("a blank title", "<title> \n </title>", null),
  html("no title", "<!doctype html><h1>Heading</h1>", null),
  html("a frameset", "<html><head><title>T</title></head><frameset cols=*><frame src=x></frameset>", "T"),
  html("stray end tags", "</p></div></html></head><title>T</title>", "T"),
  html("quirky markup", '<html lang=en<head><meta name=a content="b><title>T</title>"><title>T</title>', "T"),
  html(
    "names with their case",
    "<title>&Auml;&auml; &Eacute;&eacute; &Ouml;&ouml; &Uuml;&uuml; &Egrave; &AElig;</title>",
    "Ää Éé Öö Üü È Æ",
  ),
  html(
    "names of Latin-1 and others",
    "<title>&szlig;&ntilde;&ccedil;&oslash;&euro;&Scaron;&Alpha;&alpha;&rarr;&hearts;</title>",
    "ßñçø€ŠΑα→♥",
  ),
  html(
    "names without a semicolon",
    "<title>&copy 2026 &amp co &lt;&gt &nosuch; &eacutex</title>",
    "© 2026 & co <> &nosuch; éx",
  ),
  html("long names", "<title>&CounterClockwiseContourIntegral;&NotEqualTilde;&fjlig;</title>", "∳≂̸fj"),
  html("numbers", "<title>&#169;&#xA9;&#X1F600;&#150;&#x80;</title>", "©©😀–€"),
  html("numbers of nothing", "<title>&#0;&#xd800;&#x110000;&#99999999999;</title>", "\ufffd\ufffd\ufffd\ufffd"),
  html("written twice", "<title>a &amp;amp; b</title>", "a &amp; b"),
  html("600 KB of script first", `<head><script>${"x".repeat(600_000)}</script><title>T</title>`, "T"),
  html("3 MB of style first", `<head><style>${"x".repeat(3_000_000)}</style><title>T</title>`, "T"),
  html("a refresh, which is not followed", '<meta http-equiv=refresh content="0; url=/nowhere"><title>T</title>', "T"),
  bytes(
    "UTF-8 with a mark, whatever the header says",
    Buffer.from("\ufeff<title>é日</title>"),
    "é日",
    "text/html; charset=iso-8859-1",
  ),
  bytes("UTF-16, little end first, by its mark", Buffer.from("\ufeff<title>é日</title>", "utf16le"), "é日"),
  bytes("UTF-16, big end first, by its mark", utf16be("\ufeff<title>é日</title>"), "é日"),
  bytes("UTF-16 by the header", Buffer.from("<title>é日</title>", "utf16le"), "é日", "text/html; charset=UTF-16LE"),
  bytes("UTF-16 in a page of UTF-8", Buffer.from("<meta charset=utf-16><title>é日</title>"), "é日"),
  bytes("Latin-1 by the header", mixed("<title>caf*</title>", "e9"), "café", 'text/html;charset="ISO-8859-1"'),
  bytes("Windows-1252 by nothing", mixed("<title>*caf* </title>", "93 63 61 66 e9 94"), "“café”caf"),
  bytes("UTF-8 by nothing", Buffer.from("<title>日本語</title>"), "日本語"),
  bytes("Shift JIS by a meta", mixed("<meta charset=Shift_JIS><title>*</title>", "93fa 967b"), "日本"),
  bytes(
    "a meta with http-equiv",
    mixed('<meta content="text/html; charset=euc-kr" http-equiv=Content-Type><title>*</title>', "c7d1 b1b9"),
    "한국",
  ),
  bytes("a meta behind the title", mixed("<title>*</title><meta charset=big5>", "a4a4 a4e5"), "中文"),
  bytes(
    "a meta behind 1,024 bytes",
    mixed(`<!--${"x".repeat(2000)}--><meta charset="gb18030"><title>*</title>`, "d6d0 cec4"),
    "中文",
  ),
  bytes(
    "a meta in a comment",
    mixed("<!-- <meta charset=big5> --><meta charset=windows-1251><title>*</title>", "cff0e8e2e5f2"),
    "Привет",
  ),
  bytes("KOI8-R", mixed("<meta charset=koi8-r><title>*</title>", "f0d2c9d7c5d4"), "Привет"),
  bytes(
    "a header that names no encoding there is",
    mixed("<meta charset=koi8-r><title>*</title>", "f0d2c9d7c5d4"),
    "Привет",
    "text/html; charset=none",
  ),
  bytes("no Content-Type", Buffer.from("<!DOCTYPE html><title>T</title>"), "T", null),
  bytes("no Content-Type, blanks and a comment first", Buffer.from("\n\t <!-- x --><title>T</title>"), "T", null),
  bytes("no Content-Type, UTF-16", Buffer.from("\ufeff<html><title>T</title>", "utf16le"), "T", null),
  bytes("no Content-Type, a mark and a head", Buffer.from("\ufeff<head><title>T</title>"), "T", null),
  bytes("no Content-Type, text", Buffer.from("I say: <title>T</title>"), null, null),
  bytes("a Content-Type that says nothing", Buffer.from("<html><title>T</title>"), "T", "unknown/unknown"),
  bytes("text by its Content-Type", Buffer.from("<html><title>T</title>"), null, "text/plain"),
  bytes("another type", Buffer.from("<html><title>T</title>"), null, "application/octet-stream"),
  xml("XHTML", `<?xml version="1.0"?><!DOCTYPE html>${XHTML("<title>A &amp; B</title>")}`, "A & B"),
  xml("XHTML with a script that is empty", XHTML('<script src="x"/><style/><title>T</title>'), "T"),
  xml("XHTML with CDATA", XHTML("<title><![CDATA[a < b]]></title>"), "a < b"),
  xml(
    "XHTML with a prefix",
    '<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>T</h:title></h:head></h:html>',
    "T",
  ),
  xml("XHTML with an empty title", XHTML("<title/><meta/>"), null),
  xml(
    "XHTML in Latin-1",
    mixed(`<?xml version="1.0" encoding="ISO-8859-1"?>${XHTML("<title>caf*</title>")}`, "e9"),
    "café",
  ),
  xml(
    "XHTML in UTF-16",
    Buffer.from(`\ufeff<?xml version="1.0" encoding="UTF-16"?>${XHTML("<title>é</title>")}`, "utf16le"),
    "é",
  ),
  xml(
    "XHTML in UTF-16 without a mark",
    Buffer.from(`<?xml version="1.0"?>${XHTML("<title>é</title>")}`, "utf16le"),
    "é",
  ),
  xml("XHTML as XML", XHTML("<title>T</title>"), "T", "text/xml"),
  xml("a feed", "<rss><channel><title>Feed</title></channel></rss>", null, "application/xml"),
];
