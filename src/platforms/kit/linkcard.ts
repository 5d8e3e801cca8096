import type { Fetch, Net } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import { imageSize } from "image-size";
import { isPrivateHost } from "./private.ts";

/** Longest a page and its picture may take together, in milliseconds. */
const TIMEOUT_MS = 5000;
/** How much of a page is read, in bytes: what a card needs stands in its head. */
const PAGE_BYTES = 512_000;
const MAX_REDIRECTS = 3;
/** Longest title and description, in UTF-16 units. */
const TITLE_LENGTH = 300;
const DESCRIPTION_LENGTH = 1000;
/** By the name image-size gives what it finds in the bytes. */
const IMAGE_TYPES: Readonly<Record<string, string>> = { jpg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif" };

/** What a link leads to, in short. */
export interface Card {
  readonly title: string;
  readonly description: string;
  readonly image?: Blob;
}

/**
 * What a page says of itself (https://ogp.me, 2026-11): title, description and a picture of at most `imageBytes`.
 * Asked without any credentials. Never fails because of the page: a page that cannot be read is called by its host.
 * Throws only when `net.signal` stops it.
 */
export async function fetchCard(link: string, net: Net, imageBytes: number): Promise<Card> {
  const signal = AbortSignal.any([net.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const fallback = { title: URL.canParse(link) ? new URL(link).host : link, description: "" };
  try {
    const page = await fetchPublic(new URL(link), net.fetch, signal, "text/html,application/xhtml+xml");
    const type = page?.response.headers.get("content-type") ?? "";
    if (!page || !/^(text\/html|application\/xhtml\+xml)\b/i.test(type)) {
      await page?.response.body?.cancel();
      return fallback;
    }
    const { bytes } = await readUpTo(page.response, PAGE_BYTES);
    const meta = await readMeta(decode(bytes, type));
    const image = await fetchImage(meta.image, page.url, net.fetch, signal, imageBytes);
    return {
      title: lineOf(meta.title, TITLE_LENGTH) || fallback.title,
      description: lineOf(meta.description, DESCRIPTION_LENGTH),
      ...(image ? { image } : {}),
    };
  } catch {
    net.signal.throwIfAborted();
    return fallback;
  }
}

interface Page {
  readonly response: Response;
  readonly url: URL;
}

/**
 * Follows redirects itself, so that each is looked at: http(s) only, and none from the open net into a private one. Names that lead
 * inside are refused by `fetch`.
 */
async function fetchPublic(start: URL, fetch: Fetch, signal: AbortSignal, accept: string): Promise<Page | undefined> {
  let url = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
    if (isPrivateHost(url) && !isPrivateHost(start)) return undefined;
    const response = await fetch(url, { headers: { accept }, redirect: "manual", credentials: "omit", signal });
    if (response.ok) return { response, url };
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || !location || !URL.canParse(location, url)) return undefined;
    url = new URL(location, url);
  }
  return undefined;
}

async function fetchImage(source: string, page: URL, fetch: Fetch, signal: AbortSignal, most: number): Promise<Blob | undefined> {
  if (source === "" || !URL.canParse(source, page)) return undefined;
  const url = new URL(source, page);
  if (isPrivateHost(url) && !isPrivateHost(page)) return undefined;
  try {
    const found = await fetchPublic(url, fetch, signal, Object.values(IMAGE_TYPES).join(","));
    if (!found) return undefined;
    const { bytes, whole } = await readUpTo(found.response, most);
    // A PDS believes the type it is told when it does not know better, so it is told what the bytes say.
    const type = whole ? IMAGE_TYPES[imageSize(bytes).type ?? ""] : undefined;
    return type === undefined ? undefined : new Blob([bytes], { type });
  } catch {
    // The card without a picture is worth having; a stop is noticed by whoever asked.
    return undefined;
  }
}

async function readUpTo(response: Response, most: number): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly whole: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done) break;
    chunks.push(next.value);
    size += next.value.length;
    if (size > most) {
      await reader?.cancel();
      break;
    }
  }
  const bytes = new Uint8Array(Math.min(size, most));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, bytes.length - at), at);
    at = Math.min(bytes.length, at + chunk.length);
  }
  return { bytes, whole: size <= most };
}

/** By the header, else by what the page's beginning says, else UTF-8. */
function decode(bytes: Uint8Array, type: string): string {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  const named = /charset=["']?([\w-]+)/i.exec(type)?.[1] ?? /<meta[^>]+charset=["']?([\w-]+)/i.exec(start)?.[1] ?? "utf-8";
  try {
    return new TextDecoder(named).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** In order of worth; the first that is not empty counts. */
const NAMES = {
  title: ["og:title", "twitter:title", "title"],
  description: ["og:description", "twitter:description", "description"],
  image: ["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"],
} as const;

async function readMeta(html: string): Promise<{ title: string; description: string; image: string }> {
  const found = new Map<string, string>();
  const keep = (name: string, value: string) => {
    if (!found.has(name) && value.trim() !== "") found.set(name, value);
  };
  let title = "";
  const rewriter = new HTMLRewriter()
    .on("meta", {
      element(meta) {
        const name = (meta.getAttribute("property") ?? meta.getAttribute("name") ?? "").trim().toLowerCase();
        keep(name, meta.getAttribute("content") ?? "");
      },
    })
    .on("head > title", {
      text(chunk) {
        title += chunk.text;
      },
    });
  await rewriter.transform(new Response(html)).text();
  keep("title", title);
  const first = (names: readonly string[]) =>
    decodeEntities(names.map((name) => found.get(name)).find((value) => value !== undefined) ?? "").trim();
  return { title: first(NAMES.title), description: first(NAMES.description), image: first(NAMES.image) };
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  hellip: "…",
  ndash: "–",
  mdash: "—",
  middot: "·",
  bull: "•",
  copy: "©",
  reg: "®",
  trade: "™",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  szlig: "ß",
  eacute: "é",
  egrave: "è",
};

/** HTMLRewriter hands over text as it is written in the page. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? ENTITIES[name.toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}

/** One line, cut between words where there are any. */
function lineOf(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  const cut = shorten(line, most);
  const space = cut.lastIndexOf(" ");
  return line.length > most && space > most / 2 ? `${cut.slice(0, space)}…` : cut;
}
