import { createHash } from "node:crypto";
import { type Connection, formFields } from "@psn/core/types/account.ts";
import type { Fetch, Net, Platform, PublishRequest, Ref, Session, Unit } from "@psn/core/types/platform.ts";
import type { Media, MediaInfo, Post } from "@psn/core/types/post.ts";
import { prepareAll } from "../support/adapter.ts";
import type { PlatformContract, World } from "./platform.ts";

/** A request as it left an adapter. `body` is the text itself, or a canonical account of a form or a file. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly redirect: string | undefined;
}

/**
 * What can befall a request. `lost` ones reach the platform, which acts on them; only the answer does not come back
 * whole.
 */
export const REFUSALS = ["401", "403", "404", "409", "413", "422", "429"] as const;
export const BREAKDOWNS = ["500", "502", "redirect"] as const;
export const LOST = ["html", "half", "empty", "timeout", "reset"] as const;
export const UNSENT = ["refused", "no-name"] as const;
/** Whatever else a platform may refuse with. */
export const OTHER_REFUSALS = [
  "400",
  "402",
  "405",
  "406",
  "410",
  "412",
  "415",
  "418",
  "421",
  "425",
  "426",
  "428",
  "431",
  "451",
  "499",
] as const;
export type Fault =
  | (typeof REFUSALS)[number]
  | (typeof OTHER_REFUSALS)[number]
  | (typeof BREAKDOWNS)[number]
  | (typeof LOST)[number]
  | (typeof UNSENT)[number];

/** The pause every 429 of the contract asks for. */
export const PAUSE_MS = 37_000;

/** One world, one connected account, and everything that was sent. */
export interface Stage {
  readonly world: World;
  readonly requests: Seen[];
  readonly connection: Connection;
  /** Everything that must never be seen: what was entered as a secret and what the credentials hold. */
  readonly secrets: readonly string[];
  readonly session: Session;
  /** Later by so many milliseconds, and with another signal. */
  readonly sessionWith: (change: { readonly laterMs?: number; readonly signal?: AbortSignal }) => Session;
  /** From now on: to requests that can create something, or to all of them. */
  readonly fault: (mode: Fault | undefined, to?: "writes" | "all") => void;
  readonly live: () => Promise<number>;
  /** Composes under the account's own limits; fails the test when the post does not fit. */
  readonly units: (post: Post) => readonly [Unit, ...Unit[]];
  /** A request for one unit, prepared when it must be. */
  readonly ready: (
    unit: Unit,
    key?: string,
    thread?: { readonly root: Ref; readonly parent: Ref },
  ) => Promise<PublishRequest>;
  /** Composes, prepares and publishes a post of one unit. */
  readonly publish: (post: Post, key?: string) => Promise<{ readonly request: PublishRequest; readonly ref: Ref }>;
}

const NOON = new Date("2026-11-02T12:00:00.000Z");

/** The unit's id in the hub: a UUID that is the same in every run. */
export function keyOf(number: number): string {
  return `0199e3b2-7c00-7000-8000-${number.toString().padStart(12, "0")}`;
}

/** Where the browser comes back to. */
export const REDIRECT = "http://127.0.0.1:8910/callback";
const VERIFIER = "a-verifier-that-is-the-same-in-every-run-of-the-contract";

/** By OAuth where the world has somebody who consents, else by the form. */
export async function connectTo(platform: Platform, { form, app, consent }: World, net: Net): Promise<Connection> {
  if (!consent) {
    if (!platform.connect) throw new Error("a platform without a form needs a world with somebody who consents");
    return platform.connect(form, net);
  }
  if (!platform.authorize || !platform.exchange) throw new Error("a platform with OAuth has authorize and exchange");
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const request = { form, redirectUri: REDIRECT, state: "a-state-nobody-guesses", challenge, ...(app ? { app } : {}) };
  const { url, keep } = await platform.authorize(request, net);
  const answer = await consent(url);
  return platform.exchange(
    { ...request, verifier: VERIFIER, code: answer["code"] ?? "", answer, ...(keep === undefined ? {} : { keep }) },
    net,
  );
}

export async function openStage(contract: PlatformContract, world: World): Promise<Stage> {
  const platform: Platform = contract.platform;
  const requests: Seen[] = [];
  let fault: { readonly mode: Fault; readonly to: "writes" | "all" } | undefined;
  const entered = formFields(platform)
    .filter(({ secret }) => secret)
    .map(({ name }) => world.form[name] ?? "");
  const secrets = new Set([...entered, world.app?.secret ?? ""].filter((value) => value !== ""));
  const now = () => world.now?.() ?? NOON;

  const fetch: Fetch = async (input, init) => {
    const seen = await record(input, init);
    requests.push(seen);
    if (!fault || (fault.to === "writes" && seen.method === "GET")) return world.fetch(input, init);
    return misbehave(fault.mode, () => world.fetch(input, init), contract, [...secrets], now());
  };
  const net = (laterMs = 0, signal = new AbortController().signal) => ({
    fetch,
    now: () => new Date(now().getTime() + laterMs),
    signal,
  });

  const connection = await connectTo(platform, world, net());
  const { access, refresh, secret } = connection.credentials;
  for (const value of [access, refresh, secret]) if (value) secrets.add(value);

  const sessionWith: Stage["sessionWith"] = ({ laterMs, signal }) => ({
    ...connection,
    ...net(laterMs, signal),
    ...(world.app ? { app: world.app } : {}),
  });
  const session = sessionWith({});
  const limits = { ...platform.capabilities, ...connection.profile.limits };

  const units: Stage["units"] = (post) => {
    const composed = platform.compose(post, limits);
    if (!composed.ok) throw new Error(`the post must compose: ${JSON.stringify(composed.issues)}`);
    return composed.units;
  };
  const ready: Stage["ready"] = async (unit, key = keyOf(1), thread) => {
    const request: PublishRequest = {
      unit,
      prepared: null,
      media: unit.media.map((id) => openMedia(id, world)),
      key,
      at: now(),
      ...thread,
    };
    if (!unit.prepare) return request;
    if (!platform.prepare) throw new Error("a unit asks to be prepared and the platform has no prepare");
    return { ...request, prepared: await prepareAll(platform, request, session) };
  };
  const publish: Stage["publish"] = async (post, key) => {
    const request = await ready(units(post)[0], key);
    return { request, ref: await settled(platform, request, session) };
  };
  return {
    world,
    requests,
    connection,
    secrets: [...secrets],
    session,
    sessionWith,
    fault: (mode, to = "writes") => {
      fault = mode && { mode, to };
    },
    live: async () => world.live(),
    units,
    ready,
    publish,
  };
}

/** Publishes and, where the platform takes its time, asks until it is out. */
export async function settled(platform: Platform, request: PublishRequest, session: Session): Promise<Ref> {
  let outcome = await platform.publish(request, session);
  for (let asked = 0; outcome.status === "pending" && asked < 10; asked++) {
    if (!platform.poll) throw new Error("a pending outcome and no poll");
    outcome = await platform.poll(outcome.handle, session);
  }
  if (outcome.status === "pending") throw new Error("still pending after ten questions");
  return outcome.ref;
}

async function misbehave(
  mode: Fault,
  deliver: () => Promise<Response>,
  contract: PlatformContract,
  secrets: string[],
  now: Date,
): Promise<Response> {
  const own = contract.answers?.[mode];
  if (own) return own(now);
  // A platform may repeat in its refusal what it was sent.
  const said = JSON.stringify({ error: "Refused", message: `refused for ${secrets.join(" and ")}` });
  const headers = { "content-type": "application/json", "retry-after": String(PAUSE_MS / 1000) };
  switch (mode) {
    case "redirect":
      return new Response(null, {
        status: 307,
        headers: { location: "https://who:s3cret@elsewhere.example/new?token=s3cret#s3cret" },
      });
    case "refused":
      throw Object.assign(new Error("Unable to connect. Is the computer able to access the url?"), {
        code: "ConnectionRefused",
      });
    case "no-name":
      throw Object.assign(new TypeError("fetch failed"), {
        cause: Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }),
      });
    case "timeout":
      await deliver();
      throw new DOMException("The operation timed out.", "TimeoutError");
    case "reset":
      await deliver();
      throw Object.assign(new Error("The socket connection was closed unexpectedly."), { code: "ECONNRESET" });
    case "html":
      await deliver();
      return new Response("<!doctype html><title>Welcome</title>", { headers: { "content-type": "text/html" } });
    case "empty":
      await deliver();
      return new Response("");
    case "half": {
      const text = await (await deliver()).text();
      return new Response(text.slice(0, Math.max(1, text.length >> 1)), {
        headers: { "content-type": "application/json" },
      });
    }
    default:
      return new Response(said, { status: Number(mode), headers });
  }
}

async function record(input: string | URL, init: RequestInit = {}): Promise<Seen> {
  const headers = Object.fromEntries([...new Headers(init.headers)].sort(([a], [b]) => a.localeCompare(b)));
  return {
    method: (init.method ?? "GET").toUpperCase(),
    url: String(input),
    headers,
    body: await bodyText(init.body),
    redirect: init.redirect,
  };
}

async function bodyText(body: unknown): Promise<string> {
  if (body === undefined || body === null) return "";
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  if (body instanceof FormData) {
    const fields = [...body].map(async ([name, value]) => [
      name,
      typeof value === "string" ? value : await fileText(value, value.name),
    ]);
    return JSON.stringify(await Promise.all(fields));
  }
  if (body instanceof Blob) return fileText(body);
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return fileText(new Blob([body as ArrayBuffer]));
  throw new Error("the contract reads strings, forms and files; a stream cannot be sent again");
}

async function fileText(file: Blob, name?: string): Promise<string> {
  const sha256 = createHash("sha256")
    .update(new Uint8Array(await file.arrayBuffer()))
    .digest("hex");
  return JSON.stringify({ ...(name ? { name } : {}), type: file.type, bytes: file.size, sha256 });
}

/** The smallest PNG: one transparent pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
export const PIXEL_BYTES = PIXEL.length;

const BYTES = {
  image: PIXEL,
  video: Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom"), Buffer.alloc(52)]),
  document: Buffer.from("%PDF-1.4\n%%EOF\n"),
} as const;

/** A file by its id: `video-…`, `document-…`, or else a picture; `bare-…` has no alt text. */
function openMedia(id: string, { link }: World): Media {
  const info = mediaOf(id);
  const media: Media = { ...info, open: async () => new Blob([BYTES[info.kind]], { type: info.mime }) };
  return link ? { ...media, link: () => link(media) } : media;
}

/**
 * The description of a file with this id. Of a video and a document there is the beginning, which is all a test server
 * looks at.
 */
export function mediaOf(id: string): MediaInfo {
  if (id.startsWith("video"))
    return {
      id,
      kind: "video",
      mime: "video/mp4",
      bytes: BYTES.video.length,
      width: 320,
      height: 180,
      durationMs: 3_000,
    };
  if (id.startsWith("document")) return { id, kind: "document", mime: "application/pdf", bytes: BYTES.document.length };
  const { alt, ...bare } = picture(id);
  return id.startsWith("bare") ? bare : { ...bare, alt };
}

/** A description of the pixel. */
export function picture(id: string) {
  return {
    id,
    kind: "image",
    mime: "image/png",
    bytes: PIXEL_BYTES,
    width: 1,
    height: 1,
    alt: `A pixel called ${id}`,
  } as const;
}

export function postOf(text: string, more: Partial<Post> = {}): Post {
  return { id: "post-1", parts: [{ text, media: [] }], ...more };
}
