import { type Reply, startCutting } from "./cutting-server.ts";
import { type HeldMedia, openMedia, type Processing } from "./x/media.ts";
import { type App, type Authorizing, openAuthorization } from "./x/oauth.ts";
import { type HeldPost, openPosts, type Posting, USER } from "./x/posts.ts";
import { Problem, problem } from "./x/problem.ts";

/*
 * An X for tests: strict, stateful, and as awkward as its switches say. Its parts are in tests/support/x; each rule
 * cites X's page or says where it was seen.
 */

export { FOREIGN, USER } from "./x/posts.ts";

/** What the next POST /2/tweets suffers. `…-after` keeps the post, `…-before` does not. */
export type Fault = "reset-before" | "500-before" | "reset-after" | "cut-after" | "500-after" | "garbage-after";
export const FAULTS_AFTER = [
  "reset-after",
  "cut-after",
  "500-after",
  "garbage-after",
] as const satisfies readonly Fault[];

export interface Switches extends Authorizing, Processing, Posting {
  /** How far its clock is ahead, in milliseconds. */
  clockAheadMs: number;
  /** Posts in a quarter of an hour until 429; X's are 100 (https://docs.x.com/x-api/fundamentals/rate-limits). */
  posts: number;
  /** Posts in a day until 429; null where there is no such limit, and no headers of it. */
  dailyPosts: number | null;
}

export interface XFake {
  readonly origin: string;
  readonly app: App;
  readonly switches: Switches;
  /** Everything it holds, oldest first. */
  readonly posts: readonly HeldPost[];
  readonly media: Map<string, HeldMedia>;
  /** `METHOD path?query` of every request, in order. */
  readonly requests: readonly string[];
  /** Faults for the next posts, in order. */
  readonly faults: Fault[];
  /** Refusals for the next posts, in order. */
  readonly refusals: Response[];
  /** How many tokens still work. */
  readonly tokens: () => { readonly access: number; readonly refresh: number };
  readonly consent: (url: string) => Promise<Record<string, string>>;
  /** The person takes the app's access away in their settings: every token is gone. */
  forget(): void;
  /** Puts a post there that psn did not make. */
  seed(post: Partial<HeldPost> & { readonly text: string }): HeldPost;
  /** Its clock, in epoch milliseconds. */
  now(): number;
  stop(): Promise<void>;
}

/** Another server that gives out the tokens and knows what they may. */
export interface Authority {
  /** Answers what is asked at `/2/oauth2/…`. */
  readonly answer: (request: Request) => Promise<Response>;
  /** Undefined for a token that does not work. */
  readonly scopesOf: (token: string) => Promise<readonly string[] | undefined>;
}

const WINDOW_MS = 15 * 60_000;
const DAY_MS = 24 * 3_600_000;

/** Starts on 127.0.0.1 and a free port. */
export async function startX(
  switches: Partial<Switches> = {},
  app: Partial<App> = {},
  authority?: Authority,
): Promise<XFake> {
  const rules: Switches = {
    grants: "all",
    processing: 2,
    checkAfterSecs: "0",
    processingFails: false,
    enterprise: false,
    duplicateMs: DAY_MS,
    lagMs: 0,
    answerableAfterMs: 0,
    deletes: true,
    page: 100,
    clockAheadMs: 0,
    posts: 100,
    dailyPosts: null,
    ...switches,
  };
  const client: App = {
    id: "M1M5R3BMVy13QmpScXkzTUt5OE46MTpjaQ",
    secret: `secret_${crypto.randomUUID()}`,
    redirects: ["http://127.0.0.1:8910/callback"],
    ...app,
  };
  const requests: string[] = [];
  const faults: Fault[] = [];
  const refusals: Response[] = [];
  const now = () => Date.now() + rules.clockAheadMs;
  let serial = 0;
  // Snowflakes: milliseconds since November 2010 and a serial number (https://docs.x.com/fundamentals/x-ids).
  const newId = () => String((BigInt(now()) - 1_288_834_974_657n) * 4_194_304n + BigInt(++serial));
  const oauth = openAuthorization(client, rules, now);
  const media = openMedia(rules, newId);
  const posts = openPosts(rules, media.held, now, newId);

  let quarter = { ends: 0, used: 0 };
  let day = { ends: 0, used: 0 };
  /**
   * https://docs.x.com/x-api/fundamentals/rate-limits; the headers of a day as reported in node-twitter-api-v2's issue
   * 553.
   */
  function count(headers: Headers): boolean {
    if (now() >= quarter.ends) quarter = { ends: now() + WINDOW_MS, used: 0 };
    if (now() >= day.ends) day = { ends: now() + DAY_MS, used: 0 };
    quarter.used += 1;
    day.used += 1;
    const tell = (name: string, limit: number, { ends, used }: typeof day) => {
      headers.set(`${name}-limit`, String(limit));
      headers.set(`${name}-remaining`, String(Math.max(0, limit - used)));
      headers.set(`${name}-reset`, String(Math.ceil(ends / 1000)));
      return used > limit;
    };
    const over = tell("x-rate-limit", rules.posts, quarter);
    return (rules.dailyPosts !== null && tell("x-user-limit-24hour", rules.dailyPosts, day)) || over;
  }

  async function createUnder(fault: Fault | undefined, request: Request): Promise<Reply> {
    if (fault === "reset-before") return "reset";
    if (fault === "500-before") return Response.json({ title: "Internal Server Error", status: 500 }, { status: 500 });
    const made = await posts.create(request);
    if (fault === "reset-after") return "reset";
    if (fault === "cut-after") return "cut";
    if (fault === "500-after") return new Response("upstream request timeout", { status: 504 });
    if (fault === "garbage-after") return new Response("<html>It works!</html>", { status: 200 });
    return made;
  }

  async function allow(request: Request, needed: readonly string[]): Promise<void> {
    if (!authority) return oauth.authorize(request, needed);
    const scopes = await authority.scopesOf(
      /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "",
    );
    if (!scopes) throw problem(401);
    if (needed.some((scope) => !scopes.includes(scope))) throw problem(403);
  }

  async function answer(request: Request, url: URL, headers: Headers): Promise<Reply> {
    const route = `${request.method} ${url.pathname}`;
    if (authority && url.pathname.startsWith("/2/oauth2/")) return authority.answer(request);
    if (route === "POST /2/oauth2/token") return oauth.token(request);
    if (route === "POST /2/oauth2/revoke") return oauth.revoke(request);
    if (url.pathname.startsWith("/2/media/")) {
      await allow(request, ["media.write"]);
      return media.answer(request, url);
    }
    // The scopes of each path: https://docs.x.com/fundamentals/authentication/guides/v2-authentication-mapping.
    await allow(
      request,
      request.method === "GET" ? ["tweet.read", "users.read"] : ["tweet.read", "tweet.write", "users.read"],
    );
    if (route === "GET /2/users/me") return Response.json({ data: { ...USER, name: "Ada" } });
    if (route === `GET /2/users/${USER.id}/tweets`) return posts.timeline(url);
    if (route === "POST /2/tweets") {
      if (count(headers)) throw problem(429);
      const refusal = refusals.shift();
      return refusal ?? createUnder(faults.shift(), request);
    }
    const [, id] = /^\/2\/tweets\/(\d{1,19})$/.exec(url.pathname) ?? [];
    if (id === undefined || !["GET", "DELETE"].includes(request.method)) throw problem(404);
    return posts.one(request.method, id, url);
  }

  const server = await startCutting(async (request) => {
    const url = new URL(request.url);
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    // "Tue, 25 Apr 2023 11:28:02 UTC" is how X writes it.
    const headers = new Headers({ date: new Date(now()).toUTCString().replace("GMT", "UTC") });
    const result = await answer(request, url, headers).catch((error: unknown) => {
      if (error instanceof Problem) return Response.json(error.body, { status: error.status });
      return Response.json({ title: String(error), status: 500 }, { status: 500 });
    });
    if (result instanceof Response)
      for (const [name, value] of headers) if (!result.headers.has(name)) result.headers.set(name, value);
    return result;
  });

  return {
    origin: server.origin,
    app: client,
    switches: rules,
    posts: posts.posts,
    media: media.held,
    requests,
    faults,
    refusals,
    forget: () => {
      oauth.access.clear();
      oauth.renewals.clear();
    },
    tokens: () => ({ access: oauth.access.size, refresh: oauth.renewals.size }),
    consent: oauth.consent,
    seed: posts.seed,
    now,
    stop: server.stop,
  };
}
