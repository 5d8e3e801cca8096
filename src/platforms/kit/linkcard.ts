import { readBody } from "@psn/core/net/answer-body.ts";
import { USER_AGENT } from "@psn/core/net/fetch.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Fetch, Net } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import { imageSize } from "image-size";
import { readPage } from "./linkcard/page.ts";
import { isPrivateHost, leadsInside, type Resolve, withSignal } from "./private.ts";

/** Longest that a card may take, in milliseconds: the page, and then its pictures. */
const CARD_MS = 8000;
const PAGE_MS = 5000;
const PICTURE_MS = 3000;
/** As many as a browser follows (https://fetch.spec.whatwg.org/#http-redirect-fetch, 2026-11). */
const MAX_REDIRECTS = 20;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** So many pictures are tried, until one can be used. */
const MAX_PICTURES = 4;
/** Longest title and description, in UTF-16 units. */
const TITLE_LENGTH = 300;
const DESCRIPTION_LENGTH = 1000;
/** By the name image-size gives what it finds in the bytes. */
const IMAGE_TYPES: Readonly<Record<string, string>> = {
  jpg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
};

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
export async function fetchCard(
  link: string,
  {
    net,
    imageBytes,
    resolve,
  }: { readonly net: Net; readonly imageBytes: number; readonly resolve?: Resolve | undefined },
): Promise<Card> {
  const fallback = { title: URL.canParse(link) ? new URL(link).host : link, description: "" };
  const whole = AbortSignal.any([net.signal, AbortSignal.timeout(CARD_MS)]);
  const follow = async (
    to: URL,
    { from, accept, mostMs }: { readonly from: URL; readonly accept: string; readonly mostMs: number },
  ) => {
    const signal = AbortSignal.any([whole, AbortSignal.timeout(mostMs)]);
    const answered = await fetchPublic({ to, from, accept, fetch: net.fetch, signal, resolve });
    return answered && { ...answered, signal };
  };
  try {
    const start = new URL(link);
    const page = await follow(start, {
      from: start,
      accept: "text/html,application/xhtml+xml,*/*;q=0.1",
      mostMs: PAGE_MS,
    });
    const head = page && (await readPage(page.response, page.signal));
    if (!head) {
      page?.response.body?.cancel().catch(() => undefined);
      net.signal.throwIfAborted();
      return fallback;
    }
    const base = head.base === undefined ? null : URL.parse(head.base, page.url);
    const seenFrom = base && isWeb(base) ? base : page.url;
    const pictures = head.images.map((source) => URL.parse(source, seenFrom)).filter((url) => url !== null);
    let image: Blob | undefined;
    for (const url of pictures.filter(isWeb).slice(0, MAX_PICTURES)) {
      // The card without a picture is worth having.
      const answer = await follow(url, {
        from: page.url,
        accept: Object.values(IMAGE_TYPES).join(","),
        mostMs: PICTURE_MS,
      }).catch(() => undefined);
      image = answer && (await readPicture(answer.response, imageBytes).catch(() => undefined));
      net.signal.throwIfAborted();
      if (image || whole.aborted) break;
    }
    return {
      title: lineOf(head.title, TITLE_LENGTH) || fallback.title,
      description: lineOf(head.description, DESCRIPTION_LENGTH),
      ...defined({ image }),
    };
  } catch {
    net.signal.throwIfAborted();
    return fallback;
  }
}

interface Following {
  readonly to: URL;
  /** What named `to`: the page for its picture; for the page itself, the link. */
  readonly from: URL;
  readonly accept: string;
  readonly fetch: Fetch;
  readonly signal: AbortSignal;
  readonly resolve: Resolve | undefined;
}

/**
 * Follows redirects itself, so that each is looked at: http(s) only, and none from the open net into a private one,
 * also where the hub's owner allows `fetch` to go there: the author of the post did not write that address. Undefined
 * where nothing can be had.
 */
async function fetchPublic({ to, from, accept, fetch, signal, resolve }: Following) {
  let url = to;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    if (!isWeb(url) || url.username !== "" || url.password !== "") return undefined;
    if (await withSignal(entersInside(from, url, resolve), signal)) return undefined;
    const headers = { accept, "user-agent": USER_AGENT };
    const response = await fetch(url, { headers, redirect: "manual", credentials: "omit", signal });
    if (response.ok) return { response, url };
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (!REDIRECTS.has(response.status) || !location || !URL.canParse(location, url)) return undefined;
    url = new URL(location, url);
  }
  return undefined;
}

const isWeb = ({ protocol }: URL): boolean => /^https?:$/.test(protocol);

/** By the names first, since those cost no look-up. */
async function entersInside(from: URL, to: URL, resolve?: Resolve): Promise<boolean> {
  if (to.origin === from.origin || isPrivateHost(from)) return false;
  return isPrivateHost(to) || ((await leadsInside(to, resolve)) && !(await leadsInside(from, resolve)));
}

/** Undefined for what is no picture that networks show, or too large. */
async function readPicture(response: Response, most: number): Promise<Blob | undefined> {
  const { bytes, whole } = await readBody(response, most);
  if (!whole) return undefined;
  // A PDS believes the type it is told when it does not know better, so it is told what the bytes say.
  const { type = "", width, height } = imageSize(bytes);
  const mime = width > 0 && height > 0 ? IMAGE_TYPES[type] : undefined;
  return mime === undefined ? undefined : new Blob([bytes], { type: mime });
}

/** One line, cut between words where there are any. */
function lineOf(text: string, most: number): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
  const cut = shorten(line, most);
  const space = cut.lastIndexOf(" ");
  return line.length > most && space > most / 2 ? `${cut.slice(0, space)}…` : cut;
}
