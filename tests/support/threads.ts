import type { Media } from "@psn/core/types/post.ts";
import { type Reply, startCutting } from "./cutting-server.ts";
import { type Container, openContainers, type Processing } from "./threads/containers.ts";
import { fieldsOf, GraphRefusal, named, notFound, refusal } from "./threads/graph.ts";
import { type App, type Authorizing, openAuthorization, USER } from "./threads/oauth.ts";
import { type HeldPost, openPosts, type Posting } from "./threads/posts.ts";

/*
 * A Threads for tests: strict, stateful, and as awkward as its switches say. Its parts are in tests/support/threads;
 * each rule cites Meta's page or says where it was seen. Beside Graph it serves `/media/…`, which stands for the hub's
 * bucket: the fake fetches from there what it is given an address of.
 */

export { USER } from "./threads/oauth.ts";

/** What the next POST …/threads_publish suffers. `…-after` keeps the post, `…-before` does not. */
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
  /**
   * Posts and answers in 24 hours; Meta's are 250 and 1,000 (https://developers.facebook.com/docs/threads/overview).
   */
  quota: { posts: number; answers: number };
  /** False: the bucket's address does not answer. */
  hosting: boolean;
}

export interface ThreadsFake {
  readonly origin: string;
  readonly app: App;
  readonly switches: Switches;
  /** Everything it holds, oldest first. */
  readonly posts: readonly HeldPost[];
  readonly containers: ReadonlyMap<string, Container>;
  /** `METHOD path?query` of every request, in order. */
  readonly requests: readonly string[];
  /** Faults for the next publishing, in order. */
  readonly faults: Fault[];
  /** Refusals for the next requests to publish, and for the next of any kind under Graph, in order. */
  readonly refusals: Response[];
  readonly anyRefusals: Response[];
  readonly consent: (url: string) => Promise<Record<string, string>>;
  /** Keeps a file under a public address, as a bucket does. */
  host(media: Pick<Media, "id" | "open">): Promise<string>;
  /** The person takes the access away, or changes the password: 458 or 460. */
  forget(subcode?: number): void;
  /** Puts a post there that psn did not make. */
  seed(post: Partial<HeldPost> & { readonly text: string }): HeldPost;
  /** Its clock, in epoch milliseconds. */
  now(): number;
  stop(): Promise<void>;
}

/** Starts on 127.0.0.1 and a free port. */
export async function startThreads(switches: Partial<Switches> = {}, app: Partial<App> = {}): Promise<ThreadsFake> {
  const rules: Switches = {
    grants: "all",
    httpsOnly: true,
    renewableAfterMs: 24 * 3_600_000,
    processing: 1,
    unknownFor: 0,
    processingFails: null,
    lagMs: 0,
    page: 100,
    deletes: true,
    permalinks: true,
    clockAheadMs: 0,
    quota: { posts: 250, answers: 1000 },
    hosting: true,
    ...switches,
  };
  const client: App = {
    id: "990602627938098",
    secret: `a1b2C3D4${crypto.randomUUID().replaceAll("-", "")}`,
    redirects: ["https://psn.example/callback"],
    ...app,
  };
  const requests: string[] = [];
  const faults: Fault[] = [];
  const refusals: Response[] = [];
  const anyRefusals: Response[] = [];
  const files = new Map<string, Blob>();
  const now = () => Date.now() + rules.clockAheadMs;
  let serial = 0;
  const newId = () => String(17_900_000_000_000_001n + BigInt(serial++));
  const oauth = openAuthorization(client, rules, now);
  const posts = openPosts(rules, now, newId);
  const isPost = (id: string) => posts.posts.some((post) => post.id === id);
  const containers = openContainers(rules, now, newId, isPost);
  const used = (answers: boolean) => posts.posts.filter(({ parent }) => (parent !== null) === answers).length;

  /** https://developers.facebook.com/docs/threads/overview; numbers as text, to be awkward. */
  function limit(url: URL): Response {
    const fields = fieldsOf(named(url.searchParams, ["fields"])["fields"], [
      "quota_usage",
      "config",
      "reply_quota_usage",
      "reply_config",
    ]);
    const all: Readonly<Record<string, unknown>> = {
      quota_usage: used(false),
      config: { quota_total: String(rules.quota.posts), quota_duration: 86400 },
      reply_quota_usage: used(true),
      reply_config: { quota_total: String(rules.quota.answers), quota_duration: 86400 },
    };
    return Response.json({
      data: [Object.fromEntries(fields.filter((name) => name !== "id").map((name) => [name, all[name]]))],
    });
  }

  async function publishUnder(fault: Fault | undefined, request: Request): Promise<Reply> {
    const broken = () =>
      Response.json(
        { error: { message: "An unknown error occurred", type: "OAuthException", code: 2 } },
        { status: 500 },
      );
    if (fault === "reset-before") return "reset";
    if (fault === "500-before") return broken();
    const container = await containers.take(request);
    const answers = container.parent !== null;
    // "This limit is enforced on the POST /{threads-user-id}/threads_publish endpoint".
    if (used(answers) >= (answers ? rules.quota.answers : rules.quota.posts))
      throw refusal(4, "Application request limit reached");
    const id = posts.publish(container, containers.held);
    if (fault === "reset-after") return "reset";
    if (fault === "cut-after") return "cut";
    if (fault === "500-after") return broken();
    if (fault === "garbage-after") return new Response("<html>It works!</html>", { status: 200 });
    return Response.json({ id });
  }

  async function edge(request: Request, url: URL, name: string): Promise<Reply> {
    switch (`${request.method} ${name}`) {
      case "POST threads":
        oauth.authorize(request, ["threads_basic", "threads_content_publish"]);
        return containers.create(request);
      case "POST threads_publish":
        oauth.authorize(request, ["threads_basic", "threads_content_publish"]);
        return refusals.shift() ?? publishUnder(faults.shift(), request);
      case "GET threads":
        oauth.authorize(request, ["threads_basic"]);
        return posts.list(url, false);
      case "GET replies":
        // "threads_read_replies — Required for making GET calls to reply endpoints."
        oauth.authorize(request, ["threads_basic", "threads_read_replies"]);
        return posts.list(url, true);
      case "GET threads_publishing_limit":
        oauth.authorize(request, [
          "threads_basic",
          "threads_content_publish",
          ...(url.search.includes("reply_") ? ["threads_manage_replies"] : []),
        ]);
        return limit(url);
      default:
        throw refusal(100, `Unknown path components: /${name}`);
    }
  }

  async function answer(request: Request, url: URL): Promise<Reply> {
    const route = `${request.method} ${url.pathname}`;
    const file = files.get(url.pathname);
    if (url.pathname.startsWith("/media/"))
      return file && rules.hosting
        ? new Response(file, { headers: { "content-type": file.type } })
        : new Response("", { status: 404 });
    const planned = anyRefusals.shift();
    if (planned) return planned;
    if (route === "POST /oauth/access_token") return oauth.short(request);
    if (route === "GET /access_token") return oauth.long(url);
    if (route === "GET /refresh_access_token") return oauth.refresh(url);
    const [, node = "", name] = /^\/v1\.0\/(\w+)(?:\/(\w+))?$/.exec(url.pathname) ?? [];
    // `me` is the token's own account (…/reference/user).
    if ((node === USER.id || node === "me") && name !== undefined) return edge(request, url, name);
    if (name !== undefined || node === "") throw refusal(2500, "Unknown path components");
    oauth.authorize(request, request.method === "DELETE" ? ["threads_basic", "threads_delete"] : ["threads_basic"]);
    if (route === "GET /v1.0/me") {
      const fields = fieldsOf(named(url.searchParams, ["fields"])["fields"], ["id", "username", "name"]);
      return Response.json(Object.fromEntries(Object.entries(USER).filter(([field]) => fields.includes(field))));
    }
    const container = containers.held.get(node);
    if (request.method === "GET" && container) return containers.status(container, url);
    if (request.method === "GET" && url.search.includes("status")) throw isPost(node) ? statusOfPost() : notFound(node);
    if (request.method !== "GET" && request.method !== "DELETE") throw refusal(100, "Unsupported request");
    return posts.one(request.method, node, url);
  }

  const server = await startCutting(async (request) => {
    const url = new URL(request.url);
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const result = await answer(request, url).catch((error: unknown) => {
      if (error instanceof GraphRefusal) return Response.json(error.body, { status: error.status });
      return Response.json({ error: { message: String(error), code: 1 } }, { status: 500 });
    });
    if (result instanceof Response && !result.headers.has("date"))
      result.headers.set("date", new Date(now()).toUTCString());
    return result;
  });

  return {
    origin: server.origin,
    app: client,
    switches: rules,
    posts: posts.posts,
    containers: containers.held,
    requests,
    faults,
    refusals,
    anyRefusals,
    consent: oauth.consent,
    async host(media) {
      const path = `/media/${media.id}`;
      files.set(path, await media.open());
      return `${server.origin}${path}`;
    },
    forget: (subcode = 458) => oauth.forget(subcode),
    seed: posts.seed,
    now,
    stop: server.stop,
  };
}

/** As seen in exileum/meta-mcp#143. */
function statusOfPost(): GraphRefusal {
  return refusal(100, "Tried accessing nonexisting field (status)", { type: "THApiException" });
}
