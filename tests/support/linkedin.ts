import { type Reply, startCutting } from "./cutting-server.ts";
import { type HeldMedia, openMedia, type Processing } from "./linkedin/media.ts";
import { type App, type Authorizing, openAuthorization } from "./linkedin/oauth.ts";
import { type HeldComment, type HeldPost, openPosts, type Posting } from "./linkedin/posts.ts";
import { Refusal, refusal } from "./linkedin/refusal.ts";

/*
 * A LinkedIn for tests: strict, stateful, and as awkward as its switches say. Its parts are in tests/support/linkedin;
 * each rule cites LinkedIn's page or says where it was seen.
 */

/** Where what a test sends is really answered: the fake stands for both. */
export const HOSTS = ["https://api.linkedin.com", "https://www.linkedin.com"] as const;
export const MEMBER = { sub: "782bbta_Q-x", name: "Ada Lovelace" } as const;
const OWNER = `urn:li:person:${MEMBER.sub}`;

/** What the next post or comment suffers. `…-after` keeps it, `…-before` does not. */
export type Fault = "reset-before" | "500-before" | "reset-after" | "cut-after" | "500-after" | "no-id-after";
export const FAULTS_AFTER = ["reset-after", "500-after", "no-id-after"] as const satisfies readonly Fault[];

export interface Switches extends Authorizing, Processing, Posting {
  /** How far its clock is ahead, in milliseconds. */
  clockAheadMs: number;
  /** Posts and comments in a day, which ends at midnight UTC, until 429. */
  daily: number;
  /** Versions of the API that still work (https://learn.microsoft.com/en-us/linkedin/marketing/versioning). */
  versions: readonly string[];
}

export interface LinkedInFake {
  readonly origin: string;
  readonly app: App;
  readonly switches: Switches;
  /** Everything it shows, oldest first. */
  readonly posts: readonly HeldPost[];
  readonly comments: readonly HeldComment[];
  readonly media: ReadonlyMap<string, HeldMedia>;
  /** `METHOD path?query` of every request, in order. */
  readonly requests: readonly string[];
  /** Faults for the next posts and comments, in order. */
  readonly faults: Fault[];
  /** Refusals for the next posts and comments, in order. */
  readonly refusals: Response[];
  /** How many tokens still work. */
  readonly tokens: () => { readonly access: number; readonly refresh: number };
  /** Plays the person on the page at this address; answers the query the browser comes back with. */
  readonly consent: (url: string) => Promise<Record<string, string>>;
  /** The person takes the app's access away in their settings: every token is revoked. */
  forget(): void;
  /** Its clock, in epoch milliseconds. */
  now(): number;
  stop(): Promise<void>;
}

const DAY_MS = 24 * 3_600_000;

/** Starts on 127.0.0.1 and a free port. */
export async function startLinkedIn(switches: Partial<Switches> = {}, app: Partial<App> = {}): Promise<LinkedInFake> {
  const rules: Switches = {
    grants: "all",
    renews: false,
    scopes: ["openid", "profile", "email", "w_member_social"],
    processing: 1,
    processingFails: false,
    mayAsk: true,
    uploadHost: HOSTS[1],
    duplicateMs: DAY_MS,
    duplicateNames: true,
    settling: 0,
    comments: false,
    commentNames: "commentUrn",
    clockAheadMs: 0,
    daily: 150,
    versions: ["202610", "202609", "202608"],
    ...switches,
  };
  const client: App = {
    id: "86k8u1z0x9y7w5",
    secret: `WPL_AP1.${crypto.randomUUID()}`,
    redirects: ["http://127.0.0.1:8910/callback"],
    ...app,
  };
  const requests: string[] = [];
  const faults: Fault[] = [];
  const refusals: Response[] = [];
  const now = () => Date.now() + rules.clockAheadMs;
  let serial = 0;
  // A number that begins with the milliseconds at which it was made, like those in LinkedIn's own examples.
  const newId = () => String((BigInt(now()) << 22n) + BigInt(++serial));
  const oauth = openAuthorization(client, rules, now);
  const media = openMedia(rules, OWNER);
  const posts = openPosts(rules, OWNER, media.held, now, newId);

  let day = { ends: 0, used: 0 };
  /** The words as developers quote them; no header says when it ends. */
  function count(): void {
    if (now() >= day.ends) day = { ends: now() - (now() % DAY_MS) + DAY_MS, used: 0 };
    day.used += 1;
    if (day.used > rules.daily)
      throw refusal(
        429,
        "TOO_MANY_REQUESTS",
        "Resource level throttle MEMBER DAY limit for calls to this resource is reached.",
        {
          serviceErrorCode: 101,
        },
      );
  }

  /**
   * https://learn.microsoft.com/en-us/linkedin/marketing/versioning and …/shared/api-guide/concepts/protocol-version.
   */
  function checkVersion(headers: Headers): void {
    const version = headers.get("linkedin-version");
    if (!version)
      throw refusal(
        400,
        "VERSION_MISSING",
        "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
      );
    if (!rules.versions.includes(version))
      throw refusal(426, "NONEXISTENT_VERSION", `Requested version ${version} is not active`);
    if (headers.get("x-restli-protocol-version") !== "2.0.0")
      throw refusal(400, "ILLEGAL_ARGUMENT", "X-Restli-Protocol-Version 2.0.0 is required");
  }

  async function createUnder(fault: Fault | undefined, request: Request, url: URL): Promise<Reply> {
    if (fault === "reset-before") return "reset";
    if (fault === "500-before")
      return Response.json({ status: 500, message: "Internal Server Error" }, { status: 500 });
    const made = await posts.answer(request, url);
    if (fault === "reset-after") return "reset";
    if (fault === "cut-after") return "cut";
    if (fault === "500-after") return Response.json({ status: 504, message: "Gateway Timeout" }, { status: 504 });
    if (fault === "no-id-after") return new Response(null, { status: 201 });
    return made;
  }

  async function answer(request: Request, url: URL): Promise<Reply> {
    const route = `${request.method} ${url.pathname}`;
    if (route === "POST /oauth/v2/accessToken") return oauth.token(request);
    if (route === "POST /oauth/v2/revoke") return oauth.revoke(request);
    if (url.pathname.startsWith("/dms-uploads/") && request.method === "PUT") {
      oauth.authorize(request, "w_member_social", "upload");
      return media.put(request, url.pathname);
    }
    if (route === "GET /v2/userinfo") {
      oauth.authorize(request, "profile", "userinfo.GET");
      return Response.json({
        ...MEMBER,
        given_name: "Ada",
        family_name: "Lovelace",
        locale: { country: "GB", language: "en" },
      });
    }
    if (!url.pathname.startsWith("/rest/"))
      throw refusal(404, "RESOURCE_NOT_FOUND", `No virtual resource found for ${url.pathname}`);
    oauth.authorize(request, "w_member_social", `${url.pathname}.${request.method}`);
    checkVersion(request.headers);
    const uploaded = await media.answer(request, url);
    if (uploaded) return uploaded;
    if (request.method !== "POST") return posts.answer(request, url);
    count();
    return refusals.shift() ?? createUnder(faults.shift(), request, url);
  }

  const server = await startCutting(async (request) => {
    const url = new URL(request.url);
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const result = await answer(request, url).catch((error: unknown) => {
      if (error instanceof Refusal) return Response.json(error.body, { status: error.status });
      return Response.json({ status: 500, message: String(error) }, { status: 500 });
    });
    if (result instanceof Response) result.headers.set("date", new Date(now()).toUTCString());
    return result;
  });

  return {
    origin: server.origin,
    app: client,
    switches: rules,
    posts: posts.posts,
    comments: posts.comments,
    media: media.held,
    requests,
    faults,
    refusals,
    tokens: oauth.tokens,
    consent: oauth.consent,
    forget: oauth.forget,
    now,
    stop: server.stop,
  };
}

/** The address at which the fake answers for LinkedIn; undefined for anybody else's. */
export function addressOf({ origin }: Pick<LinkedInFake, "origin">, input: string | URL): string | undefined {
  const host = HOSTS.find((one) => String(input).startsWith(`${one}/`));
  return host && String(input).replace(host, origin);
}
