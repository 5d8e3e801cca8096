import { PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { Fetch, Outcome, Platform, Ref, Session } from "@psn/core/types/platform.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { call, parse } from "@psn/platforms/kit/http.ts";
import { z } from "zod";

/*
 * A platform of the tests' own and the server behind it. The adapter speaks through the same kit as the real ones, so
 * the engine meets real classifications; the server holds posts, obeys faults, and takes every post it is sent.
 */

/** What befalls the next POST /posts. `…-after`: the server keeps the post and its answer is lost. */
export type Fault =
  | "refused"
  | "reset-before"
  | "500-before"
  | "reset-after"
  | "timeout-after"
  | "500-after"
  | "garbage-after"
  | "pending"
  | { readonly status: number; readonly reason: string; readonly retryAfter?: number }
  | { readonly first: () => Promise<unknown> };
export type RemovalFault = "reset-before" | "reset-after" | "500-after" | { readonly status: number };
export const LOST: readonly Fault[] = ["reset-after", "timeout-after", "500-after", "garbage-after"];

const Sent = z.object({
  key: z.string(),
  text: z.string(),
  at: z.string(),
  root: z.string().nullable(),
  parent: z.string().nullable(),
  media: z.unknown(),
});

export interface Held extends z.infer<typeof Sent> {
  readonly id: string;
  readonly account: string;
}

export interface Call {
  /** `METHOD /path`, without the query. */
  readonly route: string;
  readonly account: string;
  readonly at: number;
  readonly sent?: z.infer<typeof Sent>;
}

export interface Remote {
  readonly fetch: Fetch;
  /** Everything it holds, in the order in which it came. */
  readonly posts: Held[];
  readonly calls: Call[];
  /** For the next post of this account; for any account's without one. */
  fault(fault: Fault, account?: string): void;
  /** For the next removal: `…-before` and `…-after` as for a post, or a status. */
  removalFault(fault: RemovalFault): void;
  /** Every post of this account suffers it. */
  always(account: string, fault: Fault): void;
  /** The access token is refused from now on. */
  expire(account: string): void;
  /** The refresh token too. */
  revoke(account: string): void;
  /** What GET /posts says from now on, in place of the truth. */
  searching: "works" | "fails";
  /** False: posts are not found. */
  shows: boolean;
  /** Further questions a pending post is answered with "still". */
  stillPending: number;
  /** Most posts that were at the server at once, by account. */
  readonly most: Map<string, number>;
  /** How long it takes over a post, in milliseconds. */
  slowMs: number;
}

const failure = (code: string) => Object.assign(new Error("the connection failed"), { code });

export function startRemote(): Remote {
  const once: { readonly fault: Fault; readonly account: string | undefined }[] = [];
  const removals: RemovalFault[] = [];
  const every = new Map<string, Fault>();
  const tokens = new Map<string, { serial: number; valid: boolean; refreshable: boolean }>();
  const here = new Map<string, number>();
  // An id is never given twice, also when posts were removed since or are not public yet.
  let ids = 0;

  const remote: Remote = {
    fetch: (input, init) => answer(new URL(input), init),
    posts: [],
    calls: [],
    fault: (fault, account) => void once.push({ fault, account }),
    removalFault: (fault) => void removals.push(fault),
    always: (account, fault) => void every.set(account, fault),
    expire: (account) => Object.assign(tokenOf(account), { valid: false }),
    revoke: (account) => Object.assign(tokenOf(account), { valid: false, refreshable: false }),
    searching: "works",
    shows: true,
    stillPending: 0,
    most: new Map(),
    slowMs: 0,
  };
  function tokenOf(account: string) {
    const token = tokens.get(account) ?? { serial: 0, valid: true, refreshable: true };
    tokens.set(account, token);
    return token;
  }

  async function answer(url: URL, init: RequestInit | undefined): Promise<Response> {
    const [, bearer = ""] = (new Headers(init?.headers).get("authorization") ?? "").split(" ");
    const [account = "", serial = ""] = bearer.split("/");
    const route = `${init?.method ?? "GET"} ${url.pathname.replace(/^(\/jobs)\/.*/, "$1")}`;
    const body: unknown = typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
    const sent = route === "POST /posts" ? Sent.parse(body) : undefined;
    remote.calls.push({ route, account, at: Date.now(), ...(sent ? { sent } : {}) });
    const token = tokenOf(account);
    if (route === "POST /login") {
      Object.assign(token, { serial: token.serial + 1, valid: true, refreshable: true });
      return Response.json({ access: `${account}/${token.serial}` });
    }
    if (route === "POST /refresh") {
      if (!token.refreshable) return Response.json({ error: "the session has ended" }, { status: 400 });
      Object.assign(token, { serial: token.serial + 1, valid: true });
      return Response.json({ access: `${account}/${token.serial}` });
    }
    if (!token.valid || serial !== String(token.serial))
      return Response.json({ error: "the token has expired" }, { status: 401 });
    if (route === "POST /media") return Response.json({ id: `media-${remote.calls.length}` });
    if (route === "GET /jobs") return job(url.pathname.slice("/jobs/".length));
    if (route === "GET /posts") {
      if (remote.searching === "fails") return Response.json({ error: "search is down" }, { status: 503 });
      const found = remote.shows
        ? remote.posts.find((post) => post.account === account && post.key === url.searchParams.get("key"))
        : undefined;
      return Response.json({ id: found?.id ?? null });
    }
    if (route.startsWith("DELETE /posts/")) return drop(account, url.pathname.slice("/posts/".length));
    if (!sent) return Response.json({ error: "no such page" }, { status: 404 });
    const now = (here.get(account) ?? 0) + 1;
    here.set(account, now);
    remote.most.set(account, Math.max(remote.most.get(account) ?? 0, now));
    try {
      if (remote.slowMs > 0) await Bun.sleep(remote.slowMs);
      return await take(url.host, account, sent);
    } finally {
      here.set(account, (here.get(account) ?? 1) - 1);
    }
  }

  async function take(host: string, account: string, sent: z.infer<typeof Sent>): Promise<Response> {
    const index = once.findIndex((one) => one.account === undefined || one.account === account);
    const fault = index >= 0 ? once.splice(index, 1)[0]?.fault : every.get(account);
    if (fault === "refused") throw failure("ECONNREFUSED");
    if (fault === "reset-before") throw failure("ECONNRESET");
    if (fault === "500-before") return new Response("oops", { status: 500 });
    if (typeof fault === "object" && "status" in fault) {
      const headers = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
      return Response.json({ error: fault.reason }, { status: fault.status, headers });
    }
    // Only a client's own id is one here; a key in a body means nothing to this server.
    const known = host === "chosen.example" ? remote.posts.find(({ key }) => key === sent.key) : undefined;
    ids += 1;
    const held = known ?? { ...sent, account, id: `${host}-${ids}` };
    if (fault === "pending") return Response.json({ job: encodeURIComponent(JSON.stringify(held)) }, { status: 202 });
    if (!known) remote.posts.push(held);
    if (typeof fault === "object") await fault.first();
    if (fault === "reset-after") throw failure("ECONNRESET");
    if (fault === "timeout-after") throw new DOMException("the operation timed out", "TimeoutError");
    if (fault === "500-after") return new Response("oops", { status: 502 });
    if (fault === "garbage-after") return new Response("<html>welcome</html>");
    return Response.json({ id: held.id });
  }

  function drop(account: string, id: string): Response {
    const fault = removals.shift();
    if (fault === "reset-before") throw failure("ECONNRESET");
    if (typeof fault === "object") return Response.json({ error: "it stays" }, { status: fault.status });
    const index = remote.posts.findIndex((post) => post.id === id && post.account === account);
    if (index >= 0) remote.posts.splice(index, 1);
    if (fault === "reset-after") throw failure("ECONNRESET");
    if (fault === "500-after") return new Response("oops", { status: 502 });
    return index >= 0 ? Response.json({}) : Response.json({ error: "no such post" }, { status: 404 });
  }

  function job(name: string): Response {
    const held: Held = JSON.parse(decodeURIComponent(name));
    if (remote.stillPending > 0) {
      remote.stillPending -= 1;
      return Response.json({ job: name }, { status: 202 });
    }
    if (!remote.posts.some(({ id }) => id === held.id)) remote.posts.push(held);
    return Response.json({ id: held.id });
  }
  return remote;
}

/** How long a pending post asks to be left alone, in milliseconds. */
export const CHECK_AFTER_MS = 40;

const Said = z.object({ id: z.string().nullable().optional(), job: z.string().optional() });

function outcomeOf(origin: string, { id, job }: z.infer<typeof Said>): Outcome {
  if (job !== undefined) return { status: "pending", handle: job, checkAfterMs: CHECK_AFTER_MS };
  return { status: "published", ref: refOf(origin, id ?? "") };
}
const refOf = (origin: string, id: string): Ref => ({ id, url: `${origin}/${id}` });

export interface Traits {
  readonly duplicates: Capabilities["duplicates"];
  readonly concurrency?: number;
  readonly lookup?: boolean;
  readonly refresh?: boolean;
}

/** One adapter for the server above, at a host of its own. */
export function recorder(id: string, { duplicates, concurrency = 2, lookup = true, refresh = true }: Traits): Platform {
  const origin = `https://${id}.example`;
  const ask = (session: Session, path: string, method: string, body?: unknown, effect: "publish" | "none" = "none") =>
    call(session, `${origin}${path}`, {
      effect,
      method,
      headers: { authorization: `Bearer ${session.credentials.access}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const login = async (session: Session, path: string) => ({
    access: z.object({ access: z.string() }).parse(JSON.parse((await ask(session, path, "POST")).text)).access,
    refresh: "refresh",
    scopes: [],
  });
  const platform: Platform = {
    id,
    name: id,
    docs: "https://example.com",
    capabilities: {
      text: { max: 500, unit: "grapheme" },
      altText: 100,
      thread: "reply-chain",
      visibilities: ["public"],
      contentWarning: false,
      images: { max: 4, maxBytes: 1_000_000, mimes: ["image/png"] },
      duplicates,
      concurrency,
    },
    auth: [{ kind: "form", fields: [{ name: "name", secret: false, help: "the account" }] }],
    connect: async ({ name = "" }, net) => {
      const profile = { subject: name, handle: name, url: `${origin}/${name}`, home: origin };
      return {
        profile,
        credentials: await login({ ...net, profile, credentials: { access: `${name}/0`, scopes: [] } }, "/login"),
      };
    },
    identify: async ({ profile }) => profile,
    compose: ({ parts }) => {
      const [first, ...others] = parts.map(({ text, media }) => ({
        body: { text },
        text,
        length: text.length,
        media: media.map((one) => one.id),
        prepare: media.length > 0,
      }));
      return first
        ? { ok: true, units: [first, ...others] }
        : { ok: false, issues: [{ code: "text.empty", message: "nothing" }] };
    },
    prepare: async ({ media }, session) => {
      const ids: string[] = [];
      for (const one of media)
        ids.push(
          z
            .object({ id: z.string() })
            .parse(JSON.parse((await ask(session, "/media", "POST", { bytes: (await one.open()).size })).text)).id,
        );
      return { status: "prepared", prepared: ids };
    },
    publish: async ({ unit, key, at, root, parent, prepared }, session) => {
      const body = {
        key,
        text: unit.text,
        at: at.toISOString(),
        root: root?.id ?? null,
        parent: parent?.id ?? null,
        media: prepared,
      };
      return outcomeOf(origin, parse(await ask(session, "/posts", "POST", body, "publish"), Said));
    },
    poll: async (handle, session) =>
      outcomeOf(origin, parse(await ask(session, `/jobs/${String(handle)}`, "GET"), Said)),
    remove: async ({ id: name }, session) => {
      const headers = { authorization: `Bearer ${session.credentials.access}` };
      await call(session, `${origin}/posts/${name}`, { effect: "none", method: "DELETE", headers, accept: [404] });
    },
    locate: async (url) => (url.startsWith(`${origin}/`) ? refOf(origin, url.slice(origin.length + 1)) : undefined),
    ...(lookup
      ? {
          lookup: async ({ key }, session) => {
            const { id: found } = parse(await ask(session, `/posts?key=${key}`, "GET"), Said);
            return found ? refOf(origin, found) : undefined;
          },
        }
      : {}),
    ...(refresh
      ? {
          refresh: async (session) =>
            login(session, "/refresh").catch((error: unknown) => {
              if (error instanceof PsnError && error.code === "PLATFORM_REJECTED")
                throw new PsnError("AUTH_REVOKED", "the session has ended");
              throw error;
            }),
        }
      : {}),
  };
  return definePlatform(platform);
}
