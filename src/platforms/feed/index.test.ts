import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import { parseFeed } from "@rowanmanning/feed-parser";
import fc from "fast-check";
import { mf2 } from "microformats-parser";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dropMedia, type Entry, filesOf, hasMedia, readEntry } from "./entries.ts";
import { unreachable } from "./files.ts";
import feed from "./index.ts";
import { renderUntilStill } from "./render.ts";

const BASE = "https://ada.example/feed/";
const net: Net = {
  fetch: () => Promise.reject(new Error("a feed uses no network")),
  now: () => new Date("2026-11-02T12:00:00Z"),
  signal: new AbortController().signal,
};

let parent = "";
let root = "";
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "psn-feed-"));
  root = join(parent, "feed");
});
afterEach(async () => {
  await rm(parent, { recursive: true });
});

async function connected(url: string = BASE, title = "Ada's notes"): Promise<Session> {
  return { ...(await feed.connect({ folder: root, url, title }, net)), ...net };
}

let minutes = 0;
function requestOf(post: Partial<Post> & Pick<Post, "parts">, media: readonly Media[] = []): PublishRequest<never> {
  const composed = feed.compose({ id: "1", ...post }, feed.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return {
    unit: composed.units[0] as never,
    prepared: null,
    media,
    key: randomUUID(),
    at: new Date(Date.UTC(2026, 10, 2, 12, minutes++)),
  };
}
const say = (text: string, more: Partial<Post> = {}) => requestOf({ parts: [{ text, media: [] }], ...more });

const PICTURE = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3]);
const picture: Media = {
  id: "m1",
  kind: "image",
  mime: "image/png",
  bytes: PICTURE.length,
  width: 40,
  height: 30,
  alt: `"A" <wombat> & 'me'`,
  open: async () => new Blob([PICTURE]),
};

const read = (file: string) => readFile(join(root, file), "utf8");
/** The three renderings, as programs that are not psn read them. */
async function readers() {
  const [json, atom, html] = await Promise.all([read("feed.json"), read("atom.xml"), read("index.html")]);
  const page = mf2(html, { baseUrl: `${BASE}index.html` });
  const entries = page.items[0]?.children ?? [];
  return {
    json: JSON.parse(json) as Record<string, unknown> & { items: Record<string, unknown>[] },
    atom: parseFeed(atom),
    page,
    entries,
  };
}
const shownKeys = async () => (await readers()).json.items.map(({ id }) => id);

describe("what readers see", () => {
  test("title, id, time, language, link and pictures with alt text, in JSON Feed, Atom and microformats", async () => {
    const session = await connected();
    const request = requestOf(
      {
        title: "Tom & <Jerry>",
        language: "pt-BR",
        parts: [
          { text: "First https://example.com/a?b=1&c=2.", media: [picture] },
          { text: "Second", media: [] },
        ],
      },
      [picture],
    );
    await feed.publish(request, session);
    const { json, atom, entries, page } = await readers();
    const [item] = json.items;
    expect(json).toMatchObject({
      version: "https://jsonfeed.org/version/1.1",
      title: "Ada's notes",
      home_page_url: BASE,
      feed_url: `${BASE}feed.json`,
    });
    expect(item).toMatchObject({
      id: `urn:uuid:${request.key}`,
      url: `${BASE}#${request.key}`,
      title: "Tom & <Jerry>",
      language: "pt-BR",
      date_published: request.at.toISOString(),
    });
    const [file] = await readdir(join(root, "media"));
    expect(item).toMatchObject({
      attachments: [{ url: `${BASE}media/${file}`, mime_type: "image/png", title: picture.alt }],
    });
    expect(new Uint8Array(await readFile(join(root, "media", file ?? "")))).toEqual(PICTURE);
    expect(atom.title).toBe("Ada's notes");
    expect(atom.items[0]).toMatchObject({
      id: `urn:uuid:${request.key}`,
      url: `${BASE}#${request.key}`,
      title: "Tom & <Jerry>",
      published: request.at,
    });
    expect(atom.items[0]?.content).toContain('<a href="https://example.com/a?b=1&#38;c=2">');
    expect(page.items[0]?.type).toEqual(["h-feed"]);
    expect(page.items[0]?.properties["name"]).toEqual(["Ada's notes"]);
    expect(entries[0]?.type).toEqual(["h-entry"]);
    expect(entries[0]?.properties).toMatchObject({
      name: ["Tom & <Jerry>"],
      uid: [`urn:uuid:${request.key}`],
      url: [`${BASE}#${request.key}`],
      published: [request.at.toISOString()],
      photo: [{ value: `${BASE}media/${file}`, alt: picture.alt }],
    });
  });

  test("a language that is none is left out: one entry of an earlier psn spoils no feed", async () => {
    const session = await connected();
    for (const language of ["en_US", "not a tag", "english"]) await feed.publish(say("hello", { language }), session);
    await feed.publish(say("olá", { language: "pt-BR" }), session);
    const { json } = await readers();
    expect(json.items.map(({ language }) => language)).toEqual(["pt-BR", undefined, undefined, undefined]);
    for (const file of ["atom.xml", "index.html"])
      expect((await read(file)).match(/ (?:xml:)?lang="[^"]*"/g)?.map((one) => one.split('"')[1])).toEqual(["pt-BR"]);
  });

  test("pictures with the same description are two pictures, and not one picture in two forms", async () => {
    const others = ["m2", "m3", "m4"].map((id) => ({ ...picture, id, open: async () => new Blob([PICTURE, id]) }));
    const [second = picture, third = picture, last = picture] = others;
    const { alt: _none, ...bare } = last;
    const media = [picture, second, { ...third, alt: "another" }, bare];
    await feed.publish(requestOf({ parts: [{ text: "four", media }] }, media), await connected());
    const [item] = (await readers()).json.items;
    // Attachments with one title are the same thing (JSON Feed 1.1, "attachments").
    expect(item?.["attachments"]).toEqual(
      [undefined, undefined, "another", undefined].map((title) => ({
        url: expect.any(String),
        mime_type: "image/png",
        size_in_bytes: expect.any(Number),
        ...defined({ title }),
      })),
    );
    expect(String(item?.["content_html"]).match(/alt="/g)).toHaveLength(4);
  });

  test("a link leads to exactly what was typed", async () => {
    const session = await connected();
    const links = [
      "https://en.wikipedia.org/wiki/Hatfield–McCoy_feud",
      "https://ca.wikipedia.org/wiki/Col·lecció",
      "https://en.wikipedia.org/wiki/Schrödinger’s_cat",
      "https://example.com/a…b",
      "https://ja.wikipedia.org/wiki/レオナルド・ダ・ヴィンチ",
      "https://user@example.com/x",
      "https://my_shop.example.com/x",
      "HTTPS://EXAMPLE.COM/A",
      "https://日本語.jp/",
      "https://en.wikipedia.org/wiki/Bug_(software)",
      "https://example.com/a-b",
      "http://localhost:3000/x",
    ];
    const text = `README.md main.rs setup.sh ${links.map((link) => `“${link}”, (${link})... ${link}!`).join(" ")}`;
    await feed.publish(say(text), session);
    const html = (await readers()).atom.items[0]?.content ?? "";
    const plain = (words: string) =>
      words.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
    expect(
      [...html.matchAll(/<a href="([^"]*)">([^<]*)<\/a>/g)].map(([, to = "", shown = ""]) => [plain(to), plain(shown)]),
    ).toEqual(links.flatMap((link) => Array.from({ length: 3 }, () => [link, link])));
  });

  test.each(["👩‍👩‍👧‍👦", "🇩🇪", "e\u0301", "क्षि", "한", "👍🏽"])(
    "a title made from a text is cut in no grapheme: %s",
    async (grapheme) => {
      const session = await connected();
      for (let before = 60; before < 72; before += 1) {
        await feed.publish(say(`${"x".repeat(before)}${grapheme.repeat(40)}`), session);
        const title = (await readers()).atom.items[0]?.title ?? "";
        expect(title.length).toBeLessThanOrEqual(80);
        expect(title).toBe(`${"x".repeat(before)}${grapheme.repeat(Math.floor((79 - before) / grapheme.length))}…`);
      }
    },
  );

  test("any text comes back as it was written, from all three", async () => {
    const session = await connected();
    const nasty = fc.constantFrom(
      "<b>",
      "</p>",
      "</div></article>",
      "]]>",
      "<!--",
      "&amp;",
      "&#60;",
      "&",
      '"',
      "'",
      "<script>alert(1)</script>",
      "https://example.com/(x)?a=1&b=<",
      "javascript:alert(1)",
      "\n",
      "\n\n\n",
      "\t",
      "👩‍👩‍👧",
      "שלום",
      "e\u0301",
      "\u0085",
      "\u2028",
      "word ",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.array(nasty, { minLength: 1, maxLength: 12 }).map((bits) => bits.join("")),
    );
    await fc.assert(
      fc.asyncProperty(text, text, async (words, title) => {
        fc.pre(words.trim() !== "");
        const request = say(words, { title, contentWarning: "" });
        await feed.publish(request, session);
        const { json, atom, entries } = await readers();
        expect(json.items[0]?.["content_text"]).toBe(words);
        // XML and HTML have no control characters, and one kind of line end.
        const clean = words
          .replace(/\r\n?/g, "\n")
          .replace(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
        const content = entries[0]?.properties["content"]?.[0];
        expect(content).toMatchObject({ value: clean.trim() });
        expect(textOf(String(atom.items[0]?.content))).toBe(clean);
        expect(textOf(String(json.items[0]?.["content_html"]))).toBe(clean);
        await feed.remove({ id: request.key, url: BASE }, session);
      }),
      { numRuns: 60 },
    );
  });

  test("a content warning hides the text behind <details>, and stands in for the title", async () => {
    const request = say("Everybody dies", { contentWarning: "The <ending>" });
    await feed.publish(request, await connected());
    const { json, atom } = await readers();
    expect(atom.items[0]?.title).toBe("The <ending>");
    expect(json.items[0]).toMatchObject({ summary: "The <ending>", content_text: "The <ending>\n\nEverybody dies" });
    expect(await read("index.html")).toContain(
      "<details><summary>The &#60;ending&#62;</summary><p>Everybody dies</p></details>",
    );
  });

  test("nothing rendered names the folder, with a public url or without", async () => {
    const { ref } = published(
      await feed.publish(requestOf({ parts: [{ text: "hello", media: [picture] }] }, [picture]), await connected("")),
    );
    expect(ref.url).toMatch(/^file:\/\/\/.*index\.html#/);
    for (const file of ["feed.json", "atom.xml", "index.html", `entries/${ref.id}.json`])
      expect(await read(file)).not.toContain(parent);
    expect(parseFeed(await read("atom.xml")).items).toHaveLength(1);
    expect(mf2(await read("index.html"), { baseUrl: BASE }).items[0]?.children).toHaveLength(1);
  });

  test("a script or a link that is none stays text", async () => {
    await feed.publish(say('<script>alert(1)</script> javascript:alert(1) "onload=x'), await connected());
    const html = await read("index.html");
    expect(html).not.toMatch(/<script|href="javascript/);
  });

  test("the newest hundred are shown, newest first; older ones stay in entries/", async () => {
    const session = await connected();
    const requests = Array.from({ length: 102 }, (_, index) => say(`number ${index}`));
    for (const request of requests.slice(0, 101)) await feed.publish(request, session);
    const last = requests.at(-1);
    if (last) await feed.publish(last, session);
    const keys = await shownKeys();
    expect(keys).toEqual(
      requests
        .slice(2)
        .map(({ key }) => `urn:uuid:${key}`)
        .reverse(),
    );
    expect(await readdir(join(root, "entries"))).toHaveLength(102);
    const [first] = requests;
    if (first) expect(await feed.lookup?.(first, session, new Set())).toMatchObject({ id: first.key });
  });
});

describe("the folder", () => {
  test("is the same account after it was moved, and keeps its url and title when nothing else is said", async () => {
    const before = await connected();
    await feed.publish(say("before the move"), before);
    await rename(root, join(parent, "moved"));
    await expect(feed.publish(say("lost"), before)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      hint: expect.stringContaining("psn connect feed"),
    });
    expect(await readdir(parent)).toEqual(["moved"]);
    root = join(parent, "moved");
    const after = await connected("", "");
    expect(after.profile).toEqual({ ...before.profile, home: root });
    await feed.publish(say("after the move"), after);
    expect(await shownKeys()).toHaveLength(2);
  });

  test("that is empty where the account's was is no feed: an unmounted disk is not filled", async () => {
    const session = await connected();
    await rm(root, { recursive: true });
    await expect(feed.identify(session)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    await connected();
    await expect(feed.publish(say("hello"), session)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("another feed"),
    });
    expect(await readdir(root)).toEqual([".feed"]);
  });

  test("that holds somebody's own pages is not taken over", async () => {
    await writeFile(join(parent, "index.html"), "my own page");
    const error = feed.connect({ folder: parent, url: "", title: "" }, net);
    await expect(error).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message: expect.stringContaining("index.html"),
      hint: expect.any(String),
    });
    expect(await readdir(parent)).toEqual(["index.html"]);
  });

  test("that cannot be written to, or is a file, is one clear error", async () => {
    await writeFile(join(parent, "file"), "");
    await expect(feed.connect({ folder: join(parent, "file"), url: "", title: "" }, net)).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await expect(feed.connect({ folder: "/proc/1/psn-feed", url: "", title: "" }, net)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
    });
    const session = await connected();
    await writeFile(join(root, "entries"), "in the way");
    await expect(feed.publish(say("hello"), session)).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      hint: expect.any(String),
    });
  });

  test.each([
    ["ENOENT", "FILE_UNREADABLE"],
    ["ENOTDIR", "FILE_UNREADABLE"],
    ["EACCES", "FILE_UNWRITABLE"],
    ["EPERM", "FILE_UNWRITABLE"],
    ["EROFS", "FILE_UNWRITABLE"],
    ["ENOSPC", "DB_FULL"],
  ] as const)("the disk's %s is %s, and says what helps", (code, is) => {
    const error = unreachable("/srv/feed", Object.assign(new Error(code), { code }));
    expect(error).toMatchObject({ code: is, hint: expect.any(String) });
  });

  test("an entry that was broken by hand is named before anything is written", async () => {
    const session = await connected();
    const first = say("first");
    await feed.publish(first, session);
    await writeFile(join(root, "entries", `${first.key}.json`), "{");
    await expect(feed.publish(say("second"), session)).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining(first.key),
    });
    expect(await readdir(join(root, "entries"))).toHaveLength(1);
  });

  test.each(["entry", "settings"])(
    "a broken %s is no verdict on a repeat, which is made again until it is mended",
    async (what) => {
      const session = await connected();
      const first = say("first");
      await feed.publish(first, session);
      const path = join(root, what === "entry" ? `entries/${first.key}.json` : ".feed/settings.json");
      const whole = await readFile(path);
      await writeFile(path, "{");
      const repeat = { ...first, again: true as const };
      await expect(feed.publish(repeat, session)).rejects.toMatchObject({
        code: "FILE_UNREADABLE",
        neverTaken: false,
        hint: expect.stringContaining("restore"),
      });
      await writeFile(path, whole);
      expect(await feed.publish(repeat, session)).toMatchObject({ status: "published" });
    },
  );

  test("the lease is asked for last, when the pictures are kept and before the entry is", async () => {
    const session = await connected();
    let held: string[] = [];
    const assertHeld = async () => {
      held = await readdir(root, { recursive: true });
    };
    await feed.publish(requestOf({ parts: [{ text: "hello", media: [picture] }] }, [picture]), {
      ...session,
      assertHeld,
    });
    expect(held.some((path) => path.startsWith("media/"))).toBe(true);
    expect(held.some((path) => path.startsWith("entries/"))).toBe(false);
  });

  test.each(["", "~/feed", "a\0b"])("%j is no folder", async (folder) => {
    await expect(feed.connect({ folder, url: "", title: "" }, net)).rejects.toMatchObject({
      code: expect.stringMatching(/^INPUT_/),
      hint: folder.startsWith("a") ? undefined : expect.any(String),
    });
  });

  test.each([
    "example.com",
    "ftp://example.com/",
    "https://ada:pw@example.com/",
    "https://example.com/?x=1",
    "https://example.com/#x",
  ])("%s is no public url", async (url) => {
    await expect(feed.connect({ folder: root, url, title: "" }, net)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });
});

describe("a crash", () => {
  test("between the commit and the rendering: not found, and publishing again completes it", async () => {
    const session = await connected();
    await feed.publish(say("first"), session);
    const before = await Promise.all(["feed.json", "atom.xml", "index.html"].map(read));
    const second = say("second");
    await feed.publish(second, session);
    const after = await Promise.all(["feed.json", "atom.xml", "index.html"].map(read));
    // As each moment of the rendering leaves the folder: the entry is there, so many of the three files are old.
    for (const old of [["feed.json", "atom.xml", "index.html"], ["atom.xml", "index.html"], ["index.html"]]) {
      for (const file of old)
        await writeFile(join(root, file), before[["feed.json", "atom.xml", "index.html"].indexOf(file)] ?? "");
      expect(await feed.lookup?.(second, session, new Set())).toBeUndefined();
      await feed.publish(second, session);
      expect(await feed.lookup?.(second, session, new Set())).toMatchObject({ id: second.key });
      expect(await Promise.all(["feed.json", "atom.xml", "index.html"].map(read))).toEqual(after);
    }
    expect(await readdir(join(root, "entries"))).toHaveLength(2);
  });

  test("of the rendering after the commit leaves the outcome open, not refused", async () => {
    const session = await connected();
    await rm(join(root, "atom.xml"), { force: true });
    await Bun.write(join(root, "atom.xml", "in-the-way"), "");
    const request = say("hello");
    await expect(feed.publish(request, session)).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
    await rm(join(root, "atom.xml"), { recursive: true });
    await feed.publish(request, session);
    expect(await shownKeys()).toEqual([`urn:uuid:${request.key}`]);
  });

  test("by SIGKILL at any moment leaves whole files, and the next publish shows every entry", async () => {
    const session = await connected();
    // Large files take long to write: a reader would meet one that is half written.
    for (let n = 0; n < 20; n++) await feed.publish(say("wombat ".repeat(8_000)), session);
    for (const wait of [0, 5, 15, 40, 80, 120]) {
      const child = publisher(1_000);
      try {
        await (child.stdout as ReadableStream<Uint8Array>).getReader().read();
        for (const end = performance.now() + wait; performance.now() < end; )
          expect(JSON.parse(await read("feed.json"))).toHaveProperty("items");
      } finally {
        child.kill("SIGKILL");
        await child.exited;
      }
      for (const name of await readdir(join(root, "entries")))
        expect(JSON.parse(await read(`entries/${name}`))).toMatchObject({ key: name.slice(0, -5) });
      // Killed between two files of one rendering, the one may be an entry ahead of the other.
      const { json, atom, entries } = await readers();
      expect(json.items.length - atom.items.length).toBeOneOf([0, 1]);
      expect(atom.items.length - entries.length).toBeOneOf([0, 1]);
    }
    const last = say("last");
    await feed.publish(last, session);
    expect((await readers()).json.items.length).toBe(Math.min(100, (await readdir(join(root, "entries"))).length));
    expect(await feed.lookup?.(last, session, new Set())).toBeDefined();
  });

  test("after which a picture is missing: publishing again puts it back; a whole entry is left alone", async () => {
    const session = await connected();
    const request = requestOf({ parts: [{ text: "look", media: [picture] }] }, [picture]);
    await feed.publish(request, session);
    await feed.publish(
      { ...request, media: [{ ...picture, open: () => Promise.reject(new Error("nothing to read")) }] },
      session,
    );
    await rm(join(root, "media"), { recursive: true });
    await feed.publish(request, session);
    expect(await readdir(join(root, "media"))).toHaveLength(1);
  });
});

describe("several at once", () => {
  test("four processes lose nothing: the last rendering holds every entry", async () => {
    await connected();
    const children = Array.from({ length: 4 }, () => publisher(12));
    for (const child of children) expect(await child.exited).toBe(0);
    const entries = (await readdir(join(root, "entries"))).map((name) => `urn:uuid:${name.slice(0, -5)}`);
    expect(entries).toHaveLength(48);
    expect(new Set(await shownKeys())).toEqual(new Set(entries));
    expect((await readers()).entries).toHaveLength(48);
    expect((await readdir(join(root, ".feed"))).toSorted()).toEqual([".gitignore", "settings.json"]);
  });

  test("two at once are both shown when both are done, every time", async () => {
    const session = await connected();
    const keys: string[] = [];
    for (let round = 0; round < 25; round++) {
      const pair = [say("one"), say("two")];
      keys.push(...pair.map(({ key }) => `urn:uuid:${key}`));
      await Promise.all(pair.map((request) => feed.publish(request, session)));
      expect((await shownKeys()).toSorted()).toEqual(keys.toSorted());
    }
  });

  test("an entry that comes while the feed is being rendered is rendered too", async () => {
    const entry = (key: string): Entry => ({
      key,
      published: "2026-11-02T12:00:00.000Z",
      parts: [{ text: key, media: [] }],
    });
    const entries = [entry("one")];
    const shown: string[] = [];
    await renderUntilStill(
      async () => [...entries],
      async (listed) => {
        shown.push(listed.map(({ key }) => key).join());
        // Another process wrote its entry and rendered both, and only now this older rendering takes the files' names.
        if (entries.length === 1) entries.push(entry("two"));
      },
    );
    expect(shown).toEqual(["one", "one,two"]);
  });

  test("a picture that another entry shows since the removal looked is put back", async () => {
    const session = await connected();
    const request = requestOf({ parts: [{ text: "look", media: [picture] }] }, [picture]);
    await feed.publish(request, session);
    const entry = await readEntry(root, request.key);
    if (!entry) throw new Error("the entry was just published");
    let asked = 0;
    await dropMedia(root, entry, async () => new Set(asked++ === 0 ? [] : filesOf(entry)));
    expect(asked).toBe(2);
    expect(await hasMedia(root, entry)).toBe(true);
  });

  test("one key from many sides is one entry, and removing beside publishing keeps every shown picture", async () => {
    const session = await connected();
    const request = say("once");
    await Promise.all(Array.from({ length: 5 }, () => feed.publish(request, session)));
    expect(await shownKeys()).toEqual([`urn:uuid:${request.key}`]);
    for (let round = 0; round < 10; round++) {
      const shown = () => requestOf({ parts: [{ text: "look", media: [picture] }] }, [picture]);
      const [old, fresh] = [shown(), shown()];
      await feed.publish(old, session);
      await Promise.all([feed.remove({ id: old.key, url: BASE }, session), feed.publish(fresh, session)]);
      expect(await readdir(join(root, "media"))).toHaveLength(1);
      await feed.remove({ id: fresh.key, url: BASE }, session);
      expect(await readdir(join(root, "media"))).toEqual([]);
    }
  });

  test("two that begin a feed in one folder begin the same feed", async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, () => connected()));
    expect(new Set(sessions.map(({ profile }) => profile.subject)).size).toBe(1);
  });
});

test("only a UUID is ever a file name", async () => {
  const session = await connected();
  for (const key of ["../../evil", "x", ""]) {
    await expect(feed.remove({ id: key, url: BASE }, session)).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(feed.publish({ ...say("hello"), key }, session)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  }
});

/** A process of its own that publishes so many posts, one after the other. */
function publisher(count: number) {
  const code = `
    const { default: feed } = await import("./src/platforms/feed/index.ts");
    const net = { fetch, now: () => new Date(), signal: new AbortController().signal };
    const form = { folder: ${JSON.stringify(root)}, url: ${JSON.stringify(BASE)}, title: "" };
    const session = { ...(await feed.connect(form, net)), ...net };
    const composed = feed.compose({ id: "1", parts: [{ text: "hello", media: [] }] }, feed.capabilities);
    for (let n = 0; n < ${count}; n++) {
      const request = { unit: composed.units[0], prepared: null, media: [], key: crypto.randomUUID(), at: new Date() };
      await feed.publish(request, session);
      if (n === 0) console.log("begun");
    }`;
  return Bun.spawn([process.execPath, "-e", code], {
    cwd: join(import.meta.dirname, "..", "..", ".."),
    stdout: "pipe",
    stderr: "inherit",
  });
}

function published(outcome: Awaited<ReturnType<typeof feed.publish>>) {
  if (outcome.status !== "published") throw new Error("a feed is never pending");
  return outcome;
}

/** The text of our own few tags: a real HTML parser reads it as the content of an entry. */
function textOf(html: string): string {
  const content = mf2(`<div class="h-entry"><div class="e-content">|${html}|</div></div>`, { baseUrl: BASE }).items[0]
    ?.properties["content"]?.[0];
  if (typeof content !== "object" || !("value" in content)) throw new Error("no content");
  return String(content.value).slice(1, -1);
}
