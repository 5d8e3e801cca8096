import type { Fetch } from "@psn/core/types/platform.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { atMost } from "../../../tests/support/until.ts";
import { fetchCard } from "./linkcard.ts";

const MOST = 1000;
const html = (head: string, headers: Record<string, string> = {}) =>
  new Response(`<!doctype html><head>${head}</head><body>`, {
    headers: { "content-type": "text/html; charset=utf-8", ...headers },
  });
const og = (name: string, content: string) => `<meta property="og:${name}" content="${content}">`;
/** A pixel, and then nothing of meaning. The header lies about its type. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
const image = (size: number) =>
  new Response(Buffer.concat([PIXEL, Buffer.alloc(size - PIXEL.length)]), { headers: { "content-type": "image/gif" } });

/** A site on this machine. */
const PAGES: Readonly<Record<string, (request: Request) => Response | Promise<Response>>> = {
  "/og": () => html(og("title", "A &amp; B") + og("description", "Two\n lines &#x1F600;") + og("image", "/image")),
  "/plain": () => html('<title>Plain &lt;title&gt;</title><meta name="description" content="Said plainly">'),
  "/twitter": () => html('<title>No</title><meta name="twitter:title" content="Bird">'),
  "/empty": () => html(og("title", " ")),
  "/body": () => html("</head><body><svg><title>A drawing</title></svg>"),
  "/latin": () =>
    new Response(new Uint8Array([...Buffer.from("<head><title>caf"), 0xe9, ...Buffer.from("</title>")]), {
      headers: { "content-type": "text/html; charset=iso-8859-1" },
    }),
  "/shift": () =>
    new Response(
      new Uint8Array([
        ...Buffer.from('<head><meta charset="shift_jis"><title>'),
        0x93,
        0xfa,
        ...Buffer.from("</title>"),
      ]),
      {
        headers: { "content-type": "text/html" },
      },
    ),
  "/pdf": () => new Response("<head><title>x</title>", { headers: { "content-type": "application/pdf" } }),
  "/gone": () =>
    new Response("<head><title>Not found</title>", { status: 404, headers: { "content-type": "text/html" } }),
  "/long": () => html(og("title", "word ".repeat(100)) + og("description", "d".repeat(2000))),
  "/families": () => html(og("title", `x${"👩‍👩‍👧‍👦".repeat(100)}`) + og("description", "🇩🇪".repeat(1000))),
  "/large": () => html(`${og("title", "Early")}<style>${" ".repeat(2_000_000)}</style>${og("description", "Late")}`),
  "/huge": () => html(`${og("title", "Early")}<style>${" ".repeat(5_000_000)}</style>${og("description", "Too late")}`),
  "/r1": () => Response.redirect("/r2"),
  "/r2": () => Response.redirect("/r3", 301),
  "/r3": () => Response.redirect("/plain", 307),
  "/r0": () => Response.redirect("/r1"),
  "/loop": () => Response.redirect("/loop"),
  "/file": () => new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } }),
  "/large-image": () => html(og("title", "T") + og("image", "/image/large")),
  "/text-image": () => html(og("title", "T") + og("image", "/plain")),
  "/no-image": () => html(og("title", "T") + og("image", "/nowhere")),
  "/echo": (request) =>
    html(og("title", [...request.headers.keys()].filter((name) => /auth|cookie/.test(name)).join() || "no secrets")),
  "/image": () => image(MOST),
  "/image/large": () => image(MOST + 1),
};

let server: ReturnType<typeof Bun.serve>;
beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => PAGES[new URL(request.url).pathname]?.(request) ?? new Response("", { status: 404 }),
  });
});
afterAll(() => server.stop(true));

const net = (fetch: Fetch = globalThis.fetch, signal = new AbortController().signal) => ({
  fetch,
  now: () => new Date(),
  signal,
});
const card = (path: string) => fetchCard(new URL(path, server.url).href, { net: net(), imageBytes: MOST });

describe("fetchCard", () => {
  test("title and description are cut in no grapheme", async () => {
    const { title, description } = await card("/families");
    expect(title).toMatch(/^x(?:👩‍👩‍👧‍👦)+…$/u);
    expect(description).toMatch(/^(?:🇩🇪)+…$/u);
  });

  test("reads what a page says of itself, with its picture", async () => {
    const { title, description, image: picture } = await card("/og");
    expect({ title, description, size: picture?.size, type: picture?.type }).toEqual({
      title: "A & B",
      description: "Two lines 😀",
      size: MOST,
      type: "image/png",
    });
  });

  test.each([
    ["/plain", "Plain <title>", "Said plainly"],
    ["/twitter", "Bird", ""],
    ["/latin", "café", ""],
    ["/shift", "日", ""],
    ["/large", "Early", "Late"],
    ["/huge", "Early", ""],
    ["/r0", "Plain <title>", "Said plainly"],
    ["/large-image", "T", ""],
    ["/text-image", "T", ""],
    ["/no-image", "T", ""],
    ["/echo", "no secrets", ""],
  ])("%s", async (path, title, description) => {
    expect(await card(path)).toEqual({ title, description });
  });

  test.each(["/empty", "/body", "/pdf", "/gone", "/nowhere", "/loop", "/file"])(
    "%s is called by its host",
    async (path) => {
      expect(await card(path)).toEqual({ title: server.url.host, description: "" });
    },
  );

  test("keeps a title and a description short", async () => {
    const { title, description } = await card("/long");
    expect(title).toMatch(/ word…$/);
    expect(title.length).toBeLessThanOrEqual(300);
    expect(description).toHaveLength(1000);
  });

  test.each([
    "http://127.0.0.1/",
    "http://localhost:80/",
    "http://192.168.1.1/",
    "http://[::1]/",
    "http://router.local/",
    "https://user:pass@example.com/",
  ])("is not led from the open net to %s, by a redirect or for a picture", async (location) => {
    const asked: string[] = [];
    const fetch: Fetch = async (url) => {
      asked.push(String(url));
      if (String(url) === "https://example.com/redirect")
        return new Response(null, { status: 302, headers: { location } });
      return html(og("title", "T") + og("image", location));
    };
    expect(await fetchCard("https://example.com/redirect", { net: net(fetch), imageBytes: MOST })).toEqual({
      title: "example.com",
      description: "",
    });
    expect(await fetchCard("https://example.com/page", { net: net(fetch), imageBytes: MOST })).toEqual({
      title: "T",
      description: "",
    });
    expect(asked).toEqual(["https://example.com/redirect", "https://example.com/page"]);
  });

  test.each(["http://wiki.example.net/", "http://wiki.example.net./", "http://WIKI.example.net:8080/"])(
    "is not led by a public page to %s, whose name leads inside, though the hub's owner allows that address",
    async (location) => {
      const asked: string[] = [];
      const fetch: Fetch = async (url) => {
        asked.push(String(url));
        if (String(url) === "https://example.com/redirect")
          return new Response(null, { status: 302, headers: { location } });
        return html(og("title", "T") + og("image", location));
      };
      const resolve = async (name: string) => (name === "wiki.example.net" ? ["8.8.8.8", "100.64.0.1"] : ["8.8.8.8"]);
      const ask = (link: string) => fetchCard(link, { net: net(fetch), imageBytes: MOST, resolve });
      expect(await ask("https://example.com/redirect")).toEqual({ title: "example.com", description: "" });
      expect(await ask("https://example.com/page")).toEqual({ title: "T", description: "" });
      expect(asked).toEqual(["https://example.com/redirect", "https://example.com/page"]);
      expect(await ask("http://wiki.example.net/own")).toEqual({ title: "T", description: "" });
    },
  );

  test("a page that never answers is called by its host after five seconds", async () => {
    const silent: Fetch = (_url, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
    const began = performance.now();
    expect(await fetchCard("https://example.com/", { net: net(silent), imageBytes: MOST })).toEqual({
      title: "example.com",
      description: "",
    });
    expect(performance.now() - began).toBeLessThan(atMost(7000));
  });

  test("a stop stops it", async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(
      fetchCard(new URL("/og", server.url).href, { net: net(globalThis.fetch, stop.signal), imageBytes: MOST }),
    ).rejects.toThrow();
  });

  test("a link that is none is no failure", async () => {
    expect(await fetchCard("nonsense", { net: net(), imageBytes: MOST })).toEqual({
      title: "nonsense",
      description: "",
    });
  });
});
