import { setTimeout as sleep } from "node:timers/promises";
import { type Reply, startCutting } from "./cutting-server.ts";
import { consentAt, createMastodonOAuth, type MastodonOAuth, type OAuthSwitches } from "./mastodon-oauth.ts";
import { count, countInFull, countRunes, render } from "./mastodon-rules.ts";

/*
 * A Mastodon for tests: strict, stateful, and as awkward as its switches say. Each rule cites Mastodon's page or says
 * on which server it was measured.
 */

export interface HeldMedia {
  readonly id: string;
  readonly mime: string;
  readonly bytes: number;
  readonly name: string;
  readonly description: string | null;
  /** Questions still to be answered with 206. */
  polls: number;
  status: string | null;
}

export interface HeldStatus {
  readonly id: string;
  readonly text: string;
  readonly spoiler: string;
  readonly visibility: string;
  readonly language: string | null;
  readonly parent: string | null;
  readonly media: readonly string[];
  readonly createdAt: Date;
  readonly reblog: boolean;
}

/** What the next POST /api/v1/statuses suffers. `…-after` keeps the status, `…-before` does not. */
export type Fault =
  | "reset-before"
  | "500-before"
  | "reset-after"
  | "cut-after"
  | "500-after"
  | "garbage-after"
  | "late-after";
export const FAULTS_AFTER = [
  "reset-after",
  "cut-after",
  "500-after",
  "garbage-after",
  "late-after",
] as const satisfies readonly Fault[];

export interface Switches extends OAuthSwitches {
  /**
   * `racy` looks the key up, works, and only then keeps it, as Hollo does (measured); `ignored` as GoToSocial and snac.
   */
  idempotency: "honoured" | "ignored" | "racy";
  /**
   * `gotosocial` refuses with 400 where Mastodon says 422, in words that begin with "Bad Request: ", announces 25
   * characters for a link and counts it in full (measured, 0.20). `hollo` answers 422 with the failures of its schema,
   * and takes no media without a text (measured, 0.10.0).
   */
  refusal: "mastodon" | "gotosocial" | "hollo";
  instance: "v2" | "v1" | "pleroma" | "none";
  mediaV2: boolean;
  /** How many questions a new file answers with 206. */
  processing: number;
  /** GET /api/v1/statuses/:id/source, since 3.5.0. */
  source: boolean;
  /** False: the account's list hides what is not for everybody, as snac's does (measured). */
  listsPrivate: boolean;
  /** False: DELETE answers 404 and deletes nothing, as snac's does (measured). */
  deletes: boolean;
  /** How far its clock is ahead, in milliseconds. */
  clockAheadMs: number;
  /** Requests until 429; Mastodon's 300 in five minutes. */
  requests: number;
  /** How long `late-after` waits, in milliseconds. */
  lateMs: number;
  /** Told when it begins to wait: by then the post is out. */
  onLate?: () => void;
  /** Null: a server before 4.3, which names no scopes. */
  scopes: readonly string[] | null;
}

export interface MastodonFake {
  readonly origin: string;
  readonly token: string;
  readonly accountId: string;
  readonly switches: Switches;
  readonly oauth: MastodonOAuth;
  /** What the person does in the browser at this address, as the query they come back with. */
  readonly consent: typeof consentAt;
  /** Everything it holds, oldest first. */
  readonly statuses: readonly HeldStatus[];
  readonly media: ReadonlyMap<string, HeldMedia>;
  /** `METHOD path` of every request, in order. */
  readonly requests: readonly string[];
  /** Faults for the next posts, in order. */
  readonly faults: Fault[];
  /** Puts a status there that psn did not make. */
  seed(status: Partial<HeldStatus> & { readonly text: string }): HeldStatus;
  forgetMedia(): void;
  stop(): Promise<void>;
}

const WINDOW_MS = 5 * 60_000;
const KEY_TTL_MS = 3_600_000;
const MAX = { characters: 500, media: 4, urlCost: 23, description: 1500, image: 16 * 1024 * 1024 };
const MIMES = ["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4"];

class Refusal extends Error {
  readonly status: number;
  readonly more: object;
  constructor(status: number, message: string, more: object = {}) {
    super(message);
    this.status = status;
    this.more = more;
  }
}

const HOLLO_BLANK = {
  zod_error: {
    name: "ZodError",
    issues: [
      { code: "too_small", minimum: 1, path: ["status"], message: "String must contain at least 1 character(s)" },
    ],
  },
};

/** Starts on 127.0.0.1 and a free port. */
export async function startMastodon(switches: Partial<Switches> = {}): Promise<MastodonFake> {
  const rules: Switches = {
    idempotency: "honoured",
    refusal: "mastodon",
    instance: "v2",
    mediaV2: true,
    processing: 0,
    source: true,
    listsPrivate: true,
    deletes: true,
    clockAheadMs: 0,
    requests: 300,
    lateMs: 300,
    scopes: ["read", "write"],
    pkce: true,
    registers: true,
    grants: null,
    ...switches,
  };
  const oauth = createMastodonOAuth();
  const statuses: HeldStatus[] = [];
  const media = new Map<string, HeldMedia>();
  const keys = new Map<string, { readonly id: string; readonly at: number }>();
  const requests: string[] = [];
  const faults: Fault[] = [];
  const token = `tok-${crypto.randomUUID()}`;
  const accountId = "109302";
  let serial = 0;
  let origin = "";
  const clock = () => new Date(Date.now() + rules.clockAheadMs);
  const lengthOf = (spoiler: string, text: string) => {
    if (rules.refusal === "gotosocial") return countRunes(spoiler) + countRunes(text);
    if (rules.instance === "pleroma") return countInFull(`${text}${spoiler}`.trim());
    return countInFull(spoiler) + count(text, MAX.urlCost);
  };
  const invalid = () => (rules.refusal === "gotosocial" ? 400 : 422);
  const account = () => ({
    id: accountId,
    username: "ada",
    acct: "ada",
    display_name: "Ada",
    url: `${origin}/@ada`,
    source: { privacy: "public" },
  });
  // Snowflakes: milliseconds and a serial number, so that ids sort by time
  // (https://docs.joinmastodon.org/api/guidelines/#ids).
  const newId = (at: Date) => String(BigInt(at.getTime()) * 65_536n + BigInt(++serial));

  function seed(status: Partial<HeldStatus> & { readonly text: string }): HeldStatus {
    const createdAt = status.createdAt ?? clock();
    const held = {
      spoiler: "",
      visibility: "public",
      language: null,
      parent: null,
      media: [],
      reblog: false,
      id: newId(createdAt),
      ...status,
      createdAt,
    };
    statuses.push(held);
    statuses.sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
    return held;
  }

  /** https://docs.joinmastodon.org/entities/MediaAttachment/: no `url` until it is processed. */
  const shownMedia = (one: HeldMedia) => ({
    id: one.id,
    type: one.mime.startsWith("video/") ? "video" : "image",
    url: one.polls > 0 ? null : `${origin}/media/${one.id}`,
    description: one.description,
  });

  /** https://docs.joinmastodon.org/entities/Status/ */
  const shown = (status: HeldStatus) => ({
    id: status.id,
    created_at: status.createdAt.toISOString(),
    in_reply_to_id: status.parent,
    in_reply_to_account_id: status.parent ? accountId : null,
    sensitive: status.spoiler !== "",
    spoiler_text: status.spoiler,
    visibility: status.visibility,
    language: status.language,
    uri: `${origin}/users/ada/statuses/${status.id}`,
    url: `${origin}/@ada/${status.id}`,
    content: status.reblog ? "" : render(status.text),
    reblog: status.reblog ? { id: "1", content: render(status.text) } : null,
    account: account(),
    media_attachments: status.media.flatMap((id) => media.get(id) ?? []).map(shownMedia),
  });

  /** https://docs.joinmastodon.org/methods/statuses/#create, and the checks of Mastodon's PostStatusService. */
  async function create(body: Record<string, unknown>, key: string | undefined): Promise<HeldStatus> {
    const kept = key === undefined || rules.idempotency === "ignored" ? undefined : keys.get(key);
    if (kept && Date.now() - kept.at < KEY_TTL_MS) {
      const before = statuses.find(({ id }) => id === kept.id);
      if (!before) throw new Refusal(404, "Record not found");
      return before;
    }
    const ids = list(body["media_ids"]);
    if (rules.refusal === "hollo" && string(body["status"]).trim() === "")
      throw new Refusal(422, "invalid_request", HOLLO_BLANK);
    if (ids.length > MAX.media) throw new Refusal(invalid(), "Cannot attach more than 4 files");
    const files = ids.map((id) => media.get(id));
    // GoToSocial: 400; Mastodon since 4.4: 422; before, it dropped them silently.
    if (files.some((file) => !file || file.status !== null))
      throw new Refusal(invalid(), "Validation failed: Media not found or already attached to another post");
    if (files.length > 1 && files.some((file) => file?.mime.startsWith("video/")))
      throw new Refusal(invalid(), "Cannot attach a video to a post that already contains images");
    if (files.some((file) => (file?.polls ?? 0) > 0))
      throw new Refusal(invalid(), "Cannot attach files that have not finished processing. Try again in a moment!");
    let text = string(body["status"]).trim();
    let spoiler = string(body["spoiler_text"]).trim();
    // A warning without a text becomes the text (PostStatusService#preprocess_attributes!).
    if (text === "" && spoiler !== "") [text, spoiler] = [spoiler, ""];
    if (text === "" && ids.length === 0) throw new Refusal(invalid(), "Validation failed: Text can't be blank");
    if (lengthOf(spoiler, text) > MAX.characters)
      throw new Refusal(invalid(), "Validation failed: Text character limit of 500 exceeded");
    const parent = string(body["in_reply_to_id"]) || null;
    if (parent && !statuses.some(({ id }) => id === parent))
      throw new Refusal(404, "The post you are trying to reply to does not appear to exist.");
    const visibility = string(body["visibility"]) || "public";
    if (!["public", "unlisted", "private", "direct"].includes(visibility))
      throw new Refusal(invalid(), "Validation failed: Visibility is not included in the list");
    if (rules.idempotency === "racy") await sleep(30);
    const held = seed({ text, spoiler, parent, visibility, media: ids, language: string(body["language"]) || null });
    for (const file of files) if (file) file.status = held.id;
    if (key !== undefined && rules.idempotency !== "ignored") keys.set(key, { id: held.id, at: Date.now() });
    return held;
  }

  /** https://docs.joinmastodon.org/methods/media/ */
  async function upload(request: Request, path: string): Promise<Response> {
    const form = await request.formData();
    const file = form.get("file");
    if (!(file instanceof File)) throw new Refusal(422, "Validation failed: File can't be blank");
    const mime = file.type.split(";")[0] ?? "";
    if (!MIMES.includes(mime))
      throw new Refusal(422, "Validation failed: File content type is invalid, File is invalid");
    if (mime.startsWith("image/") && file.size > MAX.image)
      throw new Refusal(422, "Validation failed: File must be less than 16 MB");
    const description = form.get("description");
    if (typeof description === "string" && [...description].length > MAX.description)
      throw new Refusal(422, "Validation failed: Description is too long (maximum is 1500 characters)");
    const id = newId(clock());
    const held: HeldMedia = {
      id,
      mime,
      bytes: file.size,
      name: file.name,
      description: typeof description === "string" ? description : null,
      polls: path.includes("/v2/") ? rules.processing : 0,
      status: null,
    };
    media.set(id, held);
    return Response.json(shownMedia(held), { status: held.polls > 0 ? 202 : 200 });
  }

  /** https://docs.joinmastodon.org/entities/Instance/ and https://docs.joinmastodon.org/entities/V1_Instance/ */
  function instance(version: "v1" | "v2"): Response {
    const named =
      rules.refusal === "gotosocial"
        ? { version: "0.20.0+git-8f2a1c3", source_url: "https://codeberg.org/superseriousbusiness/gotosocial" }
        : { version: "4.5.0" };
    const reserved = rules.refusal === "gotosocial" ? 25 : MAX.urlCost;
    const configuration = {
      statuses: {
        max_characters: MAX.characters,
        max_media_attachments: MAX.media,
        characters_reserved_per_url: reserved,
      },
      media_attachments: {
        supported_mime_types: MIMES,
        image_size_limit: MAX.image,
        video_size_limit: 103_809_024,
        description_limit: MAX.description,
      },
    };
    if (version === "v2")
      return rules.instance === "v2"
        ? Response.json({ domain: "mastodon.example", ...named, configuration })
        : new Response("", { status: 404 });
    if (rules.instance === "none") return new Response("", { status: 404 });
    return Response.json(
      rules.instance === "pleroma"
        ? {
            uri: "https://pleroma.example",
            version: "2.7.2 (compatible; Pleroma 2.9.1)",
            max_toot_chars: 5000,
            description_limit: 5000,
          }
        : { uri: "mastodon.example", ...named, configuration },
    );
  }

  function page(url: URL, all: readonly HeldStatus[]): Response {
    const limit = Math.min(Number(url.searchParams.get("limit") ?? 20), 40);
    const below = url.searchParams.get("max_id");
    const found = all.filter(({ id }) => below === null || BigInt(id) < BigInt(below)).toReversed();
    return Response.json(found.slice(0, limit).map(shown));
  }

  async function answer(request: Request, url: URL): Promise<Reply> {
    const route = `${request.method} ${url.pathname}`;
    if (route === "GET /api/v2/instance") return instance("v2");
    if (route === "GET /api/v1/instance") return instance("v1");
    const consented = await oauth.answer(request, url, rules);
    if (consented) return consented;
    const shownToken = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
    const scopes = oauth.scopesOf(shownToken);
    if (shownToken !== token && !scopes) throw new Refusal(401, "The access token is invalid");
    if (scopes && !allows(scopes, request.method, url.pathname))
      throw new Refusal(403, "This action is outside the authorized scopes");
    if (route === "GET /api/v1/accounts/verify_credentials") return Response.json(account());
    if (route === "GET /api/v1/apps/verify_credentials")
      return Response.json(rules.scopes ? { name: "psn", scopes: scopes ?? rules.scopes } : { name: "psn" });
    if (route === "POST /api/v2/media" && !rules.mediaV2) throw new Refusal(404, "Not Found");
    if (route === "POST /api/v2/media" || route === "POST /api/v1/media") return upload(request, url.pathname);
    if (route === `GET /api/v1/accounts/${accountId}/statuses`) {
      // The author sees all of them (Mastodon's AccountStatusesFilter: `author?`).
      const visible = statuses.filter(
        (one) =>
          (rules.listsPrivate || /public|unlisted/.test(one.visibility)) &&
          !(one.reblog && url.searchParams.get("exclude_reblogs") === "true"),
      );
      return page(url, visible);
    }
    if (route === "GET /api/v1/timelines/home") return page(url, statuses);
    if (route === "POST /api/v1/statuses") return createUnder(faults.shift(), request);
    const [, kind, id, source] = /^\/api\/v1\/(media|statuses)\/([^/]+)(\/source)?$/.exec(url.pathname) ?? [];
    const file = media.get(id ?? "");
    if (kind === "media" && request.method === "GET" && file) {
      if (file.polls > 0) file.polls -= 1;
      return Response.json(shownMedia(file), { status: file.polls > 0 ? 206 : 200 });
    }
    const held = statuses.find((one) => one.id === id);
    if (kind !== "statuses" || !held) throw new Refusal(404, "Record not found");
    if (source) {
      if (rules.source) return Response.json({ id: held.id, text: held.text, spoiler_text: held.spoiler });
      throw new Refusal(404, "Not Found");
    }
    if (request.method === "DELETE") {
      if (!rules.deletes) return new Response("<h1>404 Not Found</h1>", { status: 404 });
      statuses.splice(statuses.indexOf(held), 1);
    }
    return Response.json(shown(held));
  }

  async function createUnder(fault: Fault | undefined, request: Request): Promise<Reply> {
    if (fault === "reset-before") return "reset";
    if (fault === "500-before") return Response.json({ error: "Something went wrong on our end" }, { status: 500 });
    const body: unknown = await request.json();
    if (typeof body !== "object" || body === null) throw new Refusal(400, "not an object");
    const held = await create({ ...body }, request.headers.get("idempotency-key") ?? undefined);
    if (fault === "reset-after") return "reset";
    if (fault === "cut-after") return "cut";
    if (fault === "500-after") return new Response("<html>502 Bad Gateway</html>", { status: 502 });
    if (fault === "garbage-after") return new Response("<html>It works!</html>", { status: 200 });
    if (fault === "late-after") {
      rules.onLate?.();
      await sleep(rules.lateMs);
    }
    return Response.json(shown(held));
  }

  /** https://docs.joinmastodon.org/api/rate-limits/; the reset is an ISO instant. Retry-After is not sent. */
  let window = { ends: 0, used: 0 };
  function limited(headers: Headers): boolean {
    if (clock().getTime() >= window.ends) window = { ends: clock().getTime() + WINDOW_MS, used: 0 };
    window.used += 1;
    headers.set("x-ratelimit-limit", String(rules.requests));
    headers.set("x-ratelimit-remaining", String(Math.max(0, rules.requests - window.used)));
    headers.set("x-ratelimit-reset", new Date(window.ends).toISOString());
    return window.used > rules.requests;
  }

  const server = await startCutting(async (request) => {
    const url = new URL(request.url);
    requests.push(`${request.method} ${url.pathname}`);
    const extra = new Headers({ date: clock().toUTCString() });
    const words = ({ status, message }: Refusal) =>
      status === 400 && rules.refusal === "gotosocial" ? `Bad Request: ${message}` : message;
    const refuse = (refusal: Refusal) =>
      Response.json({ error: words(refusal), ...refusal.more }, { status: refusal.status });
    const result = limited(extra)
      ? refuse(new Refusal(429, "Too many requests"))
      : await answer(request, url).catch((error: unknown) =>
          refuse(error instanceof Refusal ? error : new Refusal(500, String(error))),
        );
    if (result instanceof Response) for (const [name, value] of extra) result.headers.set(name, value);
    return result;
  });
  origin = server.origin;

  return {
    origin,
    token,
    accountId,
    switches: rules,
    oauth,
    consent: consentAt,
    statuses,
    media,
    requests,
    faults,
    seed,
    forgetMedia: () => media.clear(),
    stop: server.stop,
  };
}

/**
 * https://docs.joinmastodon.org/api/oauth-scopes/#granular (2026-11): reading accounts and statuses, writing statuses
 * and media.
 */
function allows(scopes: readonly string[], method: string, path: string): boolean {
  if (path === "/api/v1/apps/verify_credentials") return true;
  const thing = /\/media(\/|$)/.test(path)
    ? "media"
    : /\/(statuses|timelines)(\/|$)/.test(path)
      ? "statuses"
      : "accounts";
  // Mastodon has no read:media: who may upload may look.
  const verb = method === "GET" && thing !== "media" ? "read" : "write";
  return (
    scopes.includes(verb) || scopes.includes(`${verb}:${thing}`) || (thing === "accounts" && scopes.includes("profile"))
  );
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}
