import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { USER_AGENT } from "@psn/core/net/fetch.ts";
import { fetchCard } from "@psn/platforms/kit/linkcard.ts";
import { html, parse, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { atMost } from "../support/until.ts";
import { SHAPES, type Shape } from "./pages.ts";

/** What a browser shows for the page, by the whole tree. */
function documentTitle(page: string): string | null {
  const find = (node: Tree.Node): Tree.Element | undefined => {
    if (tree.isElementNode(node) && node.tagName === "title" && node.namespaceURI === html.NS.HTML) return node;
    if (!("childNodes" in node)) return undefined;
    for (const child of node.childNodes) {
      const found = find(child);
      if (found) return found;
    }
    return undefined;
  };
  const title =
    find(parse(page))
      ?.childNodes.map((node) => (tree.isTextNode(node) ? node.value : ""))
      .join("") ?? "";
  return title.replace(/[\t\n\f\r ]+/g, " ").trim() || null;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
const MOST = 1000;

const pages = new Map<string, Answer>();
let server: Server;
let origin: string;
beforeAll(async () => {
  server = createServer((request, response) => (pages.get(request.url ?? "") ?? gone)(request, response)).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const gone: Answer = (_request, response) => void response.writeHead(404).end("<title>Not found</title>");
const give =
  (
    body: string | Buffer,
    type: string | null = "text/html; charset=utf-8",
    headers: Record<string, string> = {},
  ): Answer =>
  (_request, response) =>
    void response.writeHead(200, { ...(type === null ? {} : { "content-type": type }), ...headers }).end(body);
const to =
  (location: string, status = 302): Answer =>
  (_request, response) =>
    void response.writeHead(status, { location }).end("<title>Moved</title>");

const net = () => ({ fetch: globalThis.fetch, now: () => new Date(), signal: new AbortController().signal });
const host = () => new URL(origin).host;
/** The card of what `answer` gives at a path of its own. */
async function cardOf(answer: Answer) {
  const path = `/${pages.size}`;
  pages.set(path, answer);
  return fetchCard(`${origin}${path}`, { net: net(), imageBytes: MOST });
}

describe("a page that a browser titles has a title", () => {
  test("as many shapes as the web has", () => {
    expect(SHAPES.length).toBeGreaterThan(80);
  });

  test.each(SHAPES)("$is", async ({ body, type, title, judged }: Shape) => {
    expect((await cardOf(give(body, type))).title).toBe(title ?? host());
    if (judged !== false) expect(documentTitle(String(body))).toBe(title);
  });

  test("what is compressed, and what is cut off behind its head", async () => {
    const page = "<title>T</title>";
    expect(await cardOf(give(gzipSync(page), "text/html", { "content-encoding": "gzip" }))).toMatchObject({
      title: "T",
    });
    const cut: Answer = (_request, response) => {
      response.writeHead(200, { "content-type": "text/html", "content-length": "99999" });
      response.write(page, () => setTimeout(() => response.destroy(), 50));
    };
    expect(await cardOf(cut)).toMatchObject({ title: "T" });
  });

  test("a title is one line, without control characters, cut at a whole character", async () => {
    const family = "👩‍👩‍👧";
    const { title, description } = await cardOf(
      give(`<title>${family.repeat(100)}</title><meta name=description content="one&#10;two&#133;&#8;three">`),
    );
    expect(title).toBe(`${family.repeat(37)}…`);
    expect(description).toBe("one two… three");
  });
});

describe("what a hostile page costs", () => {
  const UNCLOSED = `${"<i>".repeat(400_000)}${"</b>".repeat(400_000)}`;
  test.each([
    ["elements that nobody ends", `<title>T</title>${UNCLOSED}`],
    ["drawings in drawings", `<title>T</title>${"<svg>".repeat(300_000)}${"</template>".repeat(100_000)}`],
    [
      "one tag of attributes alone",
      `<title>T</title><p ${Array.from({ length: 500_000 }, (_, i) => `a${i}`).join(" ")}>`,
    ],
    ["a comment that never ends", `<title>T</title><!--${"<!--".repeat(900_000)}`],
    ["a title that never ends", `<title>T${"&amp;".repeat(700_000)}`],
  ])("%s: little of the processor's time, and others get their turn", async (_is, body) => {
    const began = process.cpuUsage();
    let longest = 0;
    let last = performance.now();
    const turns = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const { title } = await cardOf(give(body));
    clearInterval(turns);
    expect(title).toMatch(/^T/);
    // A reader that looks through a stack for every end tag takes minutes here, without a pause.
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1000).toBeLessThan(atMost(5000));
    expect(longest).toBeLessThan(atMost(2000));
  });
});

describe("redirects", () => {
  test("are followed as far as a browser follows them, whatever their kind", async () => {
    const statuses = [301, 302, 303, 307, 308];
    for (let hop = 0; hop <= 21; hop += 1)
      pages.set(`/hop${hop}`, to(hop === 21 ? "/end" : `hop${hop + 1}`, statuses[hop % 5]));
    pages.set("/end", give("<title>End</title>"));
    expect(await fetchCard(`${origin}/hop2`, { net: net(), imageBytes: MOST })).toMatchObject({ title: "End" });
    expect(await fetchCard(`${origin}/hop1`, { net: net(), imageBytes: MOST })).toMatchObject({ title: host() });
  });

  test.each(["javascript:alert(1)", "file:///etc/passwd", "ftp://example.com/", "http://user:word@example.com/"])(
    "are not followed to %s",
    async (location) => {
      expect(await cardOf(to(location))).toEqual({ title: host(), description: "" });
    },
  );

  test.each([300, 304, 404])("are none with status %i", async (status) => {
    expect(await cardOf(to("/end", status))).toEqual({ title: host(), description: "" });
  });
});

describe("the words of a page", () => {
  test.each([
    ["by property", '<meta property="og:title" content="T"><title>No</title>'],
    ["by name", '<meta name="og:title" content="T"><title>No</title>'],
    ["in capitals", '<META PROPERTY="OG:Title" CONTENT="T"><title>No</title>'],
    ["by one name of several", '<meta property="dc:title og:title" content="T"><title>No</title>'],
    ["where name and property differ", '<meta name="title" property="og:title" content="T"><title>No</title>'],
    ["by X's name, as a property", '<meta property="twitter:title" content="T"><title>No</title>'],
    [
      "in the body, where a stray element ended the head",
      '<div></div><meta property="og:title" content="T"><title>No</title>',
    ],
    ["with character references", '<meta property="og:title" content="&Tau;&amp"><title>No</title>', "Τ&"],
    [
      "with one that an attribute does not have",
      '<meta property="og:title" content="?a=1&copy=2"><title>No</title>',
      "?a=1&copy=2",
    ],
    [
      "where the first is blank",
      '<meta property="og:title" content=" "><meta property="og:title" content="T"><title>No</title>',
    ],
    ["not in a template", '<template><meta property="og:title" content="No"></template><title>T</title>'],
  ])("%s", async (_is, page, expected = "T") => {
    expect(await cardOf(give(page))).toMatchObject({ title: expected });
  });

  test("psn says who asks, and sends nothing that is its user's", async () => {
    const asked: IncomingMessage["headers"][] = [];
    pages.set("/seen.png", (request, response) => {
      asked.push(request.headers);
      response.end(PIXEL);
    });
    await cardOf((request, response) => {
      asked.push(request.headers);
      response.writeHead(200, { "content-type": "text/html" }).end('<meta property="og:image" content="/seen.png">');
    });
    expect(asked.map((headers) => headers["user-agent"])).toEqual([USER_AGENT, USER_AGENT]);
    expect(USER_AGENT).toMatch(/^psn\/\d+\.\d+\.\d+/);
    for (const headers of asked)
      expect(Object.keys(headers)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/cookie|authorization|referer/)]),
      );
  });
});

describe("the picture", () => {
  const picture = (...sources: string[]) =>
    sources.map((source) => `<meta property="og:image" content="${source}">`).join("");
  beforeAll(() => {
    pages.set("/pixel.png", give(PIXEL, "text/plain"));
    pages.set("/deep/pixel.png", give(PIXEL));
    pages.set("/moved.png", to("/pixel.png"));
    pages.set("/drawing.svg", give('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "image/svg+xml"));
    pages.set("/large.png", give(Buffer.concat([PIXEL, Buffer.alloc(MOST)]), "image/png"));
    pages.set("/words.png", give("no picture", "image/png"));
    pages.set("/empty.png", give("", "image/png"));
    pages.set("/cut.png", (_request, response) => {
      response.writeHead(200, { "content-type": "image/png", "content-length": "500" });
      response.write(PIXEL, () => setTimeout(() => response.destroy(), 50));
    });
  });

  test.each([
    ["the first that can be used", picture("/gone.png", "/pixel.png")],
    ["not a drawing", picture("/drawing.svg", "/pixel.png")],
    ["not what is too large", picture("/large.png", "/pixel.png")],
    ["not what is no picture", picture("/words.png", "/empty.png", "/pixel.png")],
    ["not what is cut off", picture("/cut.png", "/pixel.png")],
    ["not what is no address on the web", picture("data:image/png;base64,AAAA", "javascript:1", "/pixel.png")],
    ["not one inside", picture("http://printer/a.png", "http://10.0.0.1/a.png", "/pixel.png")],
    ["after a redirect", picture("/moved.png")],
    ["by X's name where the other is gone", `${picture("/gone.png")}<meta name="twitter:image" content="/pixel.png">`],
    ["seen from the base", `<base href="/deep/page">${picture("pixel.png")}`],
    ["seen from a base elsewhere that is none", `<base href="javascript:1">${picture("/pixel.png")}`],
  ])("%s", async (_is, page) => {
    expect((await cardOf(give(page))).image).toMatchObject({ size: PIXEL.length, type: "image/png" });
  });

  test("and none where four cannot be used", async () => {
    const card = await cardOf(give(`<title>T</title>${picture("/1.png", "/2.png", "/3.png", "/4.png", "/pixel.png")}`));
    expect(card).toEqual({ title: "T", description: "" });
  });

  test("one that never comes does not keep the next from being tried", async () => {
    pages.set("/never.png", () => undefined);
    expect((await cardOf(give(picture("/never.png", "/pixel.png")))).image?.size).toBe(PIXEL.length);
  });
});
