import { createHash } from "node:crypto";
import type { AuthorizeRequest, OAuthApp } from "@psn/core/types/account.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import linkedin from "@psn/platforms/linkedin/index.ts";
import threads from "@psn/platforms/threads/index.ts";
import x from "@psn/platforms/x/index.ts";
import { type LinkedInFake, startLinkedIn } from "../support/linkedin.ts";
import { startThreads, type ThreadsFake } from "../support/threads.ts";
import { startX, type XFake } from "../support/x.ts";
import type { Target } from "./ground.ts";
import type { Psn } from "./process.ts";

/*
 * Accounts that connect in the browser. The adapters know their platform's own address; a process of the suite is sent
 * to the server on this machine by `PSN_ORIGINS`, as anybody's may be.
 */

const REDIRECT = "https://psn.example/callback";
const VERIFIER = "a-verifier-that-nobody-needs-to-guess-here-at-all";

/** The servers, with no limits but those that the suite is about. */
export interface OAuthServers {
  readonly x: XFake;
  readonly linkedin: LinkedInFake;
  readonly threads: ThreadsFake;
}

const MANY = Number.MAX_SAFE_INTEGER;

export async function startOAuthServers(): Promise<OAuthServers & { readonly stop: () => Promise<void> }> {
  const app = { redirects: [REDIRECT] };
  const servers: OAuthServers = {
    x: await startX({ posts: MANY, processing: 0 }, app),
    linkedin: await startLinkedIn({ daily: MANY, processing: 0 }, app),
    threads: await startThreads({ quota: { posts: MANY, answers: MANY }, processing: 0 }, app),
  };
  const stop = async () => {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
  };
  return { ...servers, stop };
}

/** The settings of every process on a hub with these servers. */
export const oauthEnv = (servers: OAuthServers): Readonly<Record<string, string>> => ({
  PSN_ORIGINS: [
    `https://api.x.com=${servers.x.origin}`,
    `https://api.linkedin.com=${servers.linkedin.origin}`,
    `https://www.linkedin.com=${servers.linkedin.origin}`,
    `https://graph.threads.net=${servers.threads.origin}`,
  ].join(" "),
  X_CLIENT_ID: servers.x.app.id,
  X_CLIENT_SECRET: servers.x.app.secret ?? "",
  LINKEDIN_CLIENT_ID: servers.linkedin.app.id,
  LINKEDIN_CLIENT_SECRET: servers.linkedin.app.secret ?? "",
  THREADS_APP_ID: servers.threads.app.id,
  THREADS_APP_SECRET: servers.threads.app.secret ?? "",
});

/** Accounts on all of them. */
export async function connectOAuth(psn: Psn, servers: OAuthServers): Promise<readonly Target[]> {
  return [
    await connect(psn, x, servers.x, {
      duplicates: "lookup",
      prepares: true,
      threads: true,
      path: "/2/tweets",
      holds: async () =>
        servers.x.posts.map(({ id, text, parent, media }) => ({ id, text, parent, media: media.length })),
      addressOf: (id) => `https://x.com/i/web/status/${id}`,
      // A refresh token that works once is lost with its worker.
      expires: true,
    }),
    await connect(psn, linkedin, servers.linkedin, {
      duplicates: "refused",
      prepares: true,
      // The later parts are comments, which are a person's to settle (docs/guarantees.md).
      threads: false,
      path: "/rest/posts",
      holds: async () =>
        servers.linkedin.posts.map(({ urn, text, media }) => ({ id: urn, text, parent: null, media: media.length })),
    }),
    await connect(psn, threads, servers.threads, {
      duplicates: "idempotency-key",
      // The container is made before it is published.
      prepares: true,
      // Its media come from a bucket, which these hubs do not have.
      pictures: false,
      wordless: true,
      threads: true,
      path: "/v1.0/me/threads_publish",
      holds: async () =>
        servers.threads.posts.map(({ id, text, parent, media }) => ({ id, text, parent, media: media.length })),
    }),
  ];
}

type Traits = Pick<Target, "duplicates" | "prepares" | "threads" | "path" | "holds" | "addressOf"> & {
  readonly expires?: true;
  readonly pictures?: false;
  readonly wordless?: true;
};

interface Server {
  readonly origin: string;
  readonly app: OAuthApp;
  readonly consent: (url: string) => Promise<Record<string, string>>;
}

async function connect(psn: Psn, platform: Platform, server: Server, { expires, ...traits }: Traits): Promise<Target> {
  const consent = () => consentTo(platform, server);
  const accountId = await psn.connect(platform.id, await consent());
  const renewal: Pick<Target, "expire" | "reconnect"> = {
    expire: async (by) => {
      await by.ask({ do: "storeAccess", accountId, access: "a token that is no more" });
    },
    reconnect: async (by) => {
      await by.connect(platform.id, await consent());
    },
  };
  return {
    ...traits,
    name: platform.id,
    platform: platform.id,
    accountId,
    origin: server.origin,
    ...(expires ? renewal : {}),
  };
}

/** What the person and the browser do. */
async function consentTo({ authorize }: Platform, { app: { id, secret }, consent }: Server) {
  if (!authorize) throw new Error("this platform does not connect in the browser");
  const challenge = createHash("sha256").update(VERIFIER).digest("base64url");
  const app = { id, ...(secret === undefined ? {} : { secret }) };
  const request: AuthorizeRequest = { form: {}, app, redirectUri: REDIRECT, state: "state", challenge };
  const net = {
    fetch: () => Promise.reject(new Error("not asked")),
    now: () => new Date(),
    signal: new AbortController().signal,
  };
  const { url } = await authorize(request, net);
  const answer = await consent(url);
  return { answer: { ...request, code: answer["code"] ?? "", verifier: VERIFIER, answer } };
}
