import type { Limits } from "@psn/core/types/capabilities.ts";
import type { MediaInfo, Post } from "@psn/core/types/post.ts";
import { describe, expect, test } from "vitest";
import { originOf } from "./connect.ts";
import mastodon from "./index.ts";
import { DEFAULTS, Instance, limitsOf } from "./limits.ts";
import { htmlToText, shown } from "./text.ts";

const post = (text: string, more: Partial<Post> = {}): Post => ({ id: "p", parts: [{ text, media: [] }], ...more });
const image = (id: string, more: Partial<MediaInfo> = {}): MediaInfo => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: 10,
  ...more,
});
const video = (id: string): MediaInfo => ({ id, kind: "video", mime: "video/mp4", bytes: 10 });

function units(value: Post, limits: Limits = mastodon.capabilities) {
  const composed = mastodon.compose(value, limits);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return composed.units;
}

function codes(value: Post, limits: Limits = mastodon.capabilities): string[] {
  const composed = mastodon.compose(value, limits);
  return composed.ok ? [] : composed.issues.map(({ code }) => code);
}

describe("counting, as StatusLengthValidator does", () => {
  test.each([
    ["a family of four is one", "👨‍👩‍👧‍👦", 1],
    ["a decomposed letter is one", "e\u0301", 1],
    ["a link is 23, however long", `https://example.com/${"x".repeat(300)}`, 23],
    ["a short link is 23 too", "http://a.de", 23],
    ["a remote mention is its local part", "@ada@mastodon.example hello", 10],
    ["a domain without a scheme is text", "example.com", 11],
  ])("%s", (_, text, length) => {
    expect(units(post(text))[0].length).toBe(length);
  });

  test("500 fit and 501 do not", () => {
    expect(units(post("a".repeat(500)))[0].length).toBe(500);
    expect(codes(post("a".repeat(501)))).toEqual(["text.too-long"]);
  });

  test("the content warning counts, and a link in it counts in full", () => {
    expect(codes(post("a".repeat(490), { contentWarning: "spoiler!!!" }))).toEqual([]);
    expect(codes(post("a".repeat(491), { contentWarning: "spoiler!!!" }))).toEqual(["text.too-long"]);
    const link = `https://example.com/${"x".repeat(100)}`;
    expect(codes(post("a".repeat(400), { contentWarning: link }))).toEqual(["text.too-long"]);
    expect(codes(post("a", { contentWarning: "w".repeat(500) }))).toEqual(["warning.too-long"]);
  });
});

describe("compose", () => {
  test.each([
    ["public", "public"],
    ["unlisted", "unlisted"],
    ["followers", "private"],
    ["direct", "direct"],
  ] as const)("%s is sent as %s", (visibility, sent) => {
    expect(units(post("x", { visibility }))[0].body).toEqual({ status: "x", visibility: sent });
  });

  test("says nothing of what the author did not choose", () => {
    expect(units(post(" hello \n"))).toEqual([
      { body: { status: "hello" }, text: "hello", length: 5, media: [], prepare: false },
    ]);
  });

  test("language and warning travel", () => {
    const [unit] = units(post("x", { language: "pt-BR", contentWarning: " food " }));
    expect(unit.body).toEqual({ status: "x", language: "pt-BR", spoiler_text: "food", sensitive: true });
  });

  test("a blank warning is none", () => {
    expect(units(post("x", { contentWarning: "  " }))[0].body).toEqual({ status: "x" });
  });

  test("a thread keeps its media where they are, and one that is split has them first", () => {
    const long = "A sentence that is here to fill. ".repeat(40).trim();
    const made = units({
      id: "p",
      split: true,
      parts: [
        { text: long, media: [image("a")] },
        { text: "", media: [image("b"), image("c")] },
      ],
    });
    expect(made.map(({ media }) => media)).toEqual([["a"], ...made.slice(1, -1).map(() => []), ["b", "c"]]);
    expect(made.map(({ prepare }) => prepare)).toEqual([true, ...made.slice(1, -1).map(() => false), true]);
    expect(made.length).toBeGreaterThan(3);
    for (const { length } of made) expect(length).toBeLessThanOrEqual(500);
  });

  test("numbers run through the whole thread and are counted in the limit", () => {
    const made = units({
      id: "p",
      split: true,
      numbered: true,
      parts: [
        { text: "word ".repeat(1200), media: [] },
        { text: "the end", media: [] },
      ],
    });
    expect(made.length).toBeGreaterThan(9);
    expect(made.map(({ text }) => /\((\d+)\/(\d+)\)$/.exec(text)?.slice(1).map(Number))).toEqual(
      made.map((_, index) => [index + 1, made.length]),
    );
    for (const { length } of made) expect(length).toBeLessThanOrEqual(500);
    expect(units(post("alone", { numbered: true, split: true }))[0].text).toBe("alone");
  });

  test("says everything that is wrong at once", () => {
    const parts = [
      {
        text: "a".repeat(501),
        media: [
          image("a", { alt: "x".repeat(1501) }),
          image("b", { mime: "image/tiff" }),
          image("c", { bytes: 17_000_000 }),
          image("d"),
          image("e"),
        ],
      },
      { text: " ", media: [] },
      { text: "x", media: [image("f"), video("g"), video("h")] },
    ] as const;
    expect(codes({ id: "p", parts: [...parts] as [(typeof parts)[0], ...(typeof parts)[number][]] }).sort()).toEqual([
      "alt.too-long",
      "media.mixed",
      "media.too-large",
      "media.too-many",
      "media.too-many",
      "media.type",
      "text.empty",
      "text.too-long",
    ]);
  });

  test("the server's own limits hold", () => {
    const limits = { ...mastodon.capabilities, text: { ...DEFAULTS.text, max: 5000, urlCost: 32 }, altText: 10 };
    expect(units(post(`${"a".repeat(4967)} https://a.de`), limits)[0].length).toBe(5000);
    expect(codes({ id: "p", parts: [{ text: "x", media: [image("a", { alt: "eleven long" })] }] }, limits)).toEqual([
      "alt.too-long",
    ]);
  });
});

describe("links", () => {
  const long = `/${"x".repeat(100)}`;
  test.each([
    ["a link", `https://example.com${long}`],
    ["a scheme in capitals", `HTTPS://EXAMPLE.COM${long}`],
    ["Japanese letters before it", `日https://example.com${long}`, 24],
    ["an underscore in its host", `https://my_shop.example.com${long}`],
    ["an IDN host", `https://日本語.jp${long}`],
    ["an IDN top-level domain", `https://foobar.みんな${long}`],
    ["a dash, dots, and letters that are not Latin", `https://example.com/a–b·c…d’e/パス${long}`],
    ["nested brackets", `https://example.com/a_(b_(c))${long}`],
    ["a sentence's sign after it", `https://example.com${long}.`, 24],
    ["a query", `https://example.com?a=ü&b=${long}`],
    ["a port", `https://example.com:99999${long}`],
    ["another scheme Mastodon knows", `gopher://example.com${long}`],
    ["as long as may be", `https://example.com/${"x".repeat(4076)}`],
    ["short X", `https://t.co/${"a".repeat(40)}`],
  ])("%s counts 23", (_, text, length = 23) => {
    expect(units(post(text))[0].length).toBe(length);
  });

  test.each([
    ["localhost", `http://localhost:3000${long}`],
    ["IPv4", `http://127.0.0.1${long}`],
    ["IPv6", `http://[2001:db8::1]${long}`],
    [".local", `http://printer.local${long}`],
    [".internal", `http://a.internal${long}`],
    [".invalid", `http://a.invalid${long}`],
    ["one word", `https://intranet${long}`],
    ["a top-level domain that is none", `https://example.madeup${long}`],
    ["a user", `https://user@example.com${long}`],
    ["an underscore in the domain", `https://my_shop.com${long}`],
    ["after @", `@https://example.com${long}`],
    ["after #", `#https://example.com${long}`],
    ["after a letter", `xhttps://example.com${long}`],
    ["without a scheme", `example.com${long}`],
    ["ftp", `ftp://example.com${long}`],
    ["a quotation mark in its host", `http://"example.com${long}`],
    ["longer X", `https://t.co/${"a".repeat(41)}`],
  ])("%s counts in full", (_, text) => {
    expect(units(post(text))[0].length).toBe([...text].length);
  });

  test("a link of more than 4,096 characters is too long for a post", () => {
    expect(codes(post(`https://example.com/${"x".repeat(4077)}`))).toEqual(["text.too-long"]);
    expect(
      codes(post(`${"x".repeat(461)} http://localhost:3000/a/very/long/path/to/something/that/is/not/public`)),
    ).toEqual(["text.too-long"]);
  });
});

describe("limits", () => {
  test("a server like Mastodon's own differs in nothing", () => {
    const configuration = {
      statuses: { max_characters: 500, max_media_attachments: 4, characters_reserved_per_url: 23 },
      media_attachments: {
        supported_mime_types: [
          ...DEFAULTS.images.mimes,
          "image/heic",
          "image/heif",
          ...DEFAULTS.videos.mimes,
          "video/ogg",
          "audio/ogg",
        ],
        image_size_limit: 16_777_216,
        video_size_limit: 103_809_024,
        description_limit: 1500,
      },
    };
    expect(limitsOf(Instance.parse({ domain: "a.example", configuration }))).toEqual({});
  });

  test("what differs is taken over", () => {
    const instance = Instance.parse({
      configuration: {
        statuses: { max_characters: 10_000, max_media_attachments: 16, characters_reserved_per_url: 25 },
        media_attachments: {
          supported_mime_types: ["image/png", "video/mp4"],
          image_size_limit: 1000,
          video_size_limit: 2000,
          description_limit: 5000,
        },
      },
    });
    expect(limitsOf(instance)).toEqual({
      text: { max: 10_000, unit: "grapheme", urlCost: 25, mention: "local" },
      images: { max: 16, maxBytes: 1000, mimes: ["image/png"] },
      videos: { max: 1, maxBytes: 2000, mimes: ["video/mp4"] },
      altText: 5000,
    });
  });

  test("pixels and frames a second that the server names are kept to", () => {
    // What a Mastodon 4 says of itself.
    const media_attachments = {
      image_matrix_limit: 33_177_600,
      video_frame_rate_limit: 120,
      video_matrix_limit: 8_294_400,
    };
    const limits = { ...mastodon.capabilities, ...limitsOf(Instance.parse({ configuration: { media_attachments } })) };
    expect(limits.images).toEqual({ ...DEFAULTS.images, maxPixels: 33_177_600 });
    expect(limits.videos).toEqual({ ...DEFAULTS.videos, maxPixels: 8_294_400, maxFrameRate: 120 });
    const of = (file: MediaInfo) => {
      const composed = mastodon.compose({ id: "p", parts: [{ text: "x", media: [file] }] }, limits);
      return composed.ok ? [] : composed.issues;
    };
    expect(of(image("a", { width: 7680, height: 4320 }))).toEqual([]);
    expect(of(image("a", { width: 12_000, height: 9_000 }))).toEqual([
      {
        code: "media.dimensions",
        message: "the image has 12000 x 9000 pixels, and the server accepts at most 33177600 in total",
        hint: "save it smaller, for example 6651 x 4988",
      },
    ]);
    expect(of({ ...video("v"), width: 3840, height: 2160, frameRate: 120 })).toEqual([]);
    expect(of({ ...video("v"), width: 4096, height: 2160, frameRate: 240 }).map(({ code }) => code)).toEqual([
      "media.dimensions",
      "media.frame-rate",
    ]);
    // What nobody knows of a file is no reason to refuse it.
    expect(of(image("a"))).toEqual([]);
    expect(of(video("v"))).toEqual([]);
  });

  test("of the kinds a server lists only those psn reads are promised", () => {
    const media_attachments = { supported_mime_types: ["image/heic", "image/jpeg", "video/ogg", "video/webm"] };
    expect(limitsOf(Instance.parse({ configuration: { media_attachments } }))).toEqual({
      images: { ...DEFAULTS.images, mimes: ["image/jpeg"] },
      videos: { ...DEFAULTS.videos, mimes: ["video/webm"] },
    });
  });

  test("Pleroma's max_toot_chars and description_limit are known", () => {
    expect(limitsOf(Instance.parse({ max_toot_chars: 5000, description_limit: 5000 }))).toEqual({
      text: { ...DEFAULTS.text, max: 5000 },
      altText: 5000,
    });
  });

  const announced = { max_characters: 5000, characters_reserved_per_url: 25 };
  test.each([
    [
      "GoToSocial by its source",
      { version: "0.20.0+git-8f2a1c3", source_url: "https://codeberg.org/superseriousbusiness/gotosocial" },
      "codepoint",
    ],
    ["GoToSocial by its version", { version: "4.4.0+gotosocial-0.20.0" }, "codepoint"],
    ["Pleroma", { version: "2.7.2 (compatible; Pleroma 2.9.1)" }, "grapheme"],
    ["Akkoma", { version: "2.7.2 (compatible; Akkoma 3.15.2-0-g1234)" }, "grapheme"],
    ["Pixelfed", { version: "3.5.3 (compatible; Pixelfed 0.12.5)" }, "codepoint"],
    ["a fork of Misskey", { version: "4.2.1 (compatible; Sharkey 2025.4.3)" }, "utf16"],
  ] as const)("%s counts links and mentions in full", (_, named, unit) => {
    const { text } = limitsOf(Instance.parse({ ...named, configuration: { statuses: announced } }));
    expect(text).toEqual({ max: 5000, unit });
  });

  test("a server that reserves nothing for a link counts it in full", () => {
    const statuses = { max_characters: 500, characters_reserved_per_url: 0 };
    expect(limitsOf(Instance.parse({ configuration: { statuses } })).text).toEqual({ max: 500, unit: "grapheme" });
  });

  test.each(["4.5.0", "4.5.0+glitch", "4.5.0-rc.1+hometown-1.2.0"])("Mastodon %s counts as Mastodon", (version) => {
    expect(limitsOf(Instance.parse({ version, source_url: "https://github.com/mastodon/mastodon" }))).toEqual({});
  });

  test("nonsense in one number leaves the others", () => {
    const statuses = { max_characters: -1, max_media_attachments: "many", characters_reserved_per_url: 30 };
    expect(limitsOf(Instance.parse({ configuration: { statuses, media_attachments: 7 } }))).toEqual({
      text: { ...DEFAULTS.text, urlCost: 30 },
    });
    expect(limitsOf(Instance.parse({ configuration: null }))).toEqual({});
  });
});

describe("html to text", () => {
  test.each([
    ["paragraphs and breaks", "<p>one<br />two</p><p>three<br>four</p>", "one\ntwo\n\nthree\nfour"],
    [
      "a link with hidden parts",
      '<p><a href="https://www.example.com/a/b"><span class="invisible">https://www.</span><span ' +
        'class="ellipsis">example.com/a</span><span class="invisible">/b</span></a>!</p>',
      "https://www.example.com/a/b!",
    ],
    [
      "entities, once",
      "<p>1 &lt; 2 &amp;amp; &quot;x&quot; &#39;y&#39; &#x1f600; &unknown;</p>",
      "1 < 2 &amp; \"x\" 'y' 😀 &unknown;",
    ],
    [
      "a quoted post's link is not the author's",
      '<p class="quote-inline">RE: <a href="x">x</a></p><p>mine</p>',
      "mine",
    ],
    ["nothing", "", ""],
  ])("%s", (_, html, text) => {
    expect(htmlToText(html)).toBe(text);
  });

  test("a mention and Markdown's marks are no difference, words are", () => {
    expect(shown("hi @ada@mastodon.example, *see* https://a.example/@b@c.example")).toBe(
      shown("hi @ada, see\n\nhttps://a.example/@b@c.example"),
    );
    expect(shown("a <b>bold</b> word")).toBe(shown("a bold word"));
    expect(shown("one")).not.toBe(shown("two"));
    expect(shown("---")).not.toBe(shown(""));
  });
});

describe("the server's name", () => {
  test.each([
    ["mastodon.social", "https://mastodon.social"],
    [" https://Mastodon.Social/ ", "https://mastodon.social"],
    ["social.example:8443", "https://social.example:8443"],
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://[::1]:3000", "http://[::1]:3000"],
    ["bücher.example", "https://xn--bcher-kva.example"],
  ])("%s is %s", (typed, origin) => {
    expect(originOf(typed)).toBe(origin);
  });

  test.each([
    "",
    " ",
    "http://mastodon.social",
    "http://127.evil.example",
    "ftp://mastodon.social",
    "https://mastodon.social/@ada",
    "https://a:b@mastodon.social",
    "ada@mastodon.social",
    "mastodon social",
    "https://mastodon.social/?x",
  ])("%s is refused", (typed) => {
    expect(() => originOf(typed)).toThrow(expect.objectContaining({ code: "INPUT_INVALID" }));
  });
});

describe("what is gone", () => {
  const ref = { id: "1", url: "https://social.example/@ada/1" };
  const status = (id: string) => Response.json({ id, created_at: "2026-11-02T12:00:00.000Z" });
  const missing = () => Response.json({ error: "Record not found" }, { status: 404 });
  const page = (code: number) => new Response("<h1>It works!</h1>", { status: code });
  const account = () => Response.json({ id: "7", username: "ada", url: "https://social.example/@ada" });
  const asked: string[] = [];
  const remove = (...answers: readonly Response[]) => {
    asked.length = 0;
    const left = [...answers];
    return mastodon.remove(ref, {
      now: () => new Date(0),
      signal: new AbortController().signal,
      fetch: async (_, init) => {
        asked.push(init?.method ?? "GET");
        return left.shift() ?? new Response("", { status: 500 });
      },
      credentials: { access: "secret-token", scopes: ["write:statuses"] },
      profile: {
        subject: "7@social.example",
        handle: "ada@social.example",
        url: "https://social.example/@ada",
        home: "https://social.example",
      },
    });
  };

  test("the status itself is a yes, and one request", async () => {
    await remove(status("1"));
    expect(asked).toEqual(["DELETE"]);
  });

  test("a 404 is one where the server knows the account", async () => {
    await remove(missing(), missing(), account());
    expect(asked).toEqual(["DELETE", "GET", "GET"]);
  });

  test.each([
    ["another post", [status("2")], "PLATFORM_CHANGED"],
    ["a page that says 200 to everything", [page(200)], "PLATFORM_CHANGED"],
    ["a page that says 404 to everything", [page(404), page(404), page(404)], "PLATFORM_DOWN"],
    ["a server that has another account", [missing(), missing(), status("8")], "PLATFORM_DOWN"],
    ["a 404, and a page in place of the post", [missing(), page(200)], "PLATFORM_CHANGED"],
  ])("%s is no answer", async (_, answers, code) => {
    await expect(remove(...answers)).rejects.toMatchObject({ code, neverTaken: false });
  });

  test("what is still there was not removed", async () => {
    await expect(remove(missing(), status("1"))).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
      neverTaken: true,
      hint: expect.stringContaining(ref.url),
    });
  });
});
