import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { OAuthApp } from "@psn/core/types/account.ts";
import type { OAuthServer } from "@psn/platforms/kit/oauth.ts";

/*
 * A real OAuth 2.0 authorisation server (npm oidc-provider, certified for OpenID Connect) on 127.0.0.1, with rotating
 * refresh tokens and reuse detection: a refresh token that comes a second time ends its whole grant. In front of it
 * stands a proxy that counts what is asked at the token endpoint and can spoil an answer. Everything goes to the
 * proxy's address.
 */

/**
 * What befalls the next request at the token or the revocation endpoint. The provider never sees it, but for `cut` and
 * `half`: there it has acted when its answer is lost, before the first byte or in the middle. `hang`: no answer until
 * the server stops.
 */
export type Awkward =
  | "reset"
  | "cut"
  | "half"
  | "hang"
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> };

/** How long what it gives out is good, in seconds; may be changed at any time. */
export interface Lives {
  access: number;
  refresh: number;
  code: number;
}

/**
 * The three kinds of app it knows: one without a secret, that must use PKCE, and two with, by the header or in the
 * form.
 */
export type AppKind = "public" | "basic" | "post";

export interface AuthorizationServer {
  readonly origin: string;
  /** What psn is told about it, as one of its apps uses it. */
  server(kind: AppKind): OAuthServer;
  readonly apps: Readonly<Record<AppKind, OAuthApp>>;
  readonly redirectUri: string;
  readonly lives: Lives;
  /**
   * The person in the browser: signs in as `login`, agrees (or not), and comes back with this query. Throws when an
   * error is shown.
   */
  consent(
    url: string,
    options?: { readonly login?: string; readonly refuse?: boolean },
  ): Promise<Record<string, string>>;
  /** Requests that reached the token endpoint so far, by their grant type; spoilt ones too. */
  readonly asked: Readonly<Record<"authorization_code" | "refresh_token", number>>;
  /** How often the provider itself answered with tokens, whether or not anybody learnt of it. */
  readonly granted: number;
  next(awkward: Awkward): void;
  /** Forgets what has not befallen anybody yet. */
  calm(): void;
  /** How long it takes over a token request, in milliseconds. */
  slowMs: number;
  /** Whether the resource behind it accepts this access token. */
  works(access: string): Promise<boolean>;
  /** Cuts what is under way. */
  stop(): Promise<void>;
}

interface Provider {
  /** Believes `x-forwarded-…`. */
  proxy: boolean;
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
}
type ProviderClass = new (issuer: string, configuration: object) => Provider;

/** The package comes without types. */
async function providerClass(): Promise<ProviderClass> {
  const name: string = "oidc-provider";
  const loaded: object = await import(name);
  const made: unknown = Reflect.get(loaded, "default");
  if (typeof made !== "function") throw new Error("oidc-provider exports no class");
  return made as ProviderClass;
}

const REDIRECT_URI = "http://127.0.0.1:4567/callback";
export const SCOPES = ["openid", "offline_access", "posts", "media"] as const;

const APPS: Readonly<Record<AppKind, OAuthApp & { readonly method: string }>> = {
  public: { id: "psn-public", method: "none" },
  // Characters that the two ways of encoding treat differently (RFC 6749, 2.3.1 and appendix B).
  basic: { id: "psn:basic", secret: "s+cret/of:the%basic!app*(~) 1", method: "client_secret_basic" },
  post: { id: "psn-post", secret: "s+cret/of:the%post!app&2", method: "client_secret_post" },
};

/** An app takes back its own tokens only. */
const ofThisApp = async (_: unknown, client: { readonly clientId: string }, token: { readonly clientId: string }) =>
  client.clientId === token.clientId;

function configuration(lives: Lives, { scopes, redirectUri }: Terms): object {
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  return {
    clients: Object.values(APPS).map(({ id, secret, method }) => ({
      client_id: id,
      ...(secret ? { client_secret: secret } : {}),
      token_endpoint_auth_method: method,
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    })),
    pkce: {
      required: (_: unknown, { clientAuthMethod }: { readonly clientAuthMethod: string }) =>
        clientAuthMethod === "none",
    },
    // Its own 15 seconds would keep a token alive that has ended (measured, 9.13.3).
    clockTolerance: 0,
    rotateRefreshToken: true,
    issueRefreshToken: async (_: unknown, __: unknown, { scopes }: { readonly scopes: ReadonlySet<string> }) =>
      scopes.has("offline_access") || scopes.has("offline.access"),
    ttl: {
      AccessToken: () => lives.access,
      RefreshToken: () => lives.refresh,
      AuthorizationCode: () => lives.code,
      Grant: 3600,
      IdToken: 60,
      Interaction: 600,
      Session: 3600,
    },
    scopes,
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true, allowedPolicy: ofThisApp },
    },
    findAccount: async (_: unknown, accountId: string) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    cookies: { keys: [randomBytes(16).toString("hex")] },
    jwks: { keys: [{ ...key, use: "sig", kid: "test" }] },
  };
}

/** What it knows instead of its own scopes, and where its apps' browsers come back to. */
export interface Terms {
  readonly scopes: readonly string[];
  readonly redirectUri: string;
}

export async function startAuthorizationServer(
  given: Partial<Lives> = {},
  more: Partial<Terms> = {},
): Promise<AuthorizationServer> {
  const terms: Terms = { scopes: SCOPES, redirectUri: REDIRECT_URI, ...more };
  const lives: Lives = { access: 3600, refresh: 3600, code: 60, ...given };
  const asked = { authorization_code: 0, refresh_token: 0 };
  const spoilt: Awkward[] = [];
  const stopped = new AbortController();
  let granted = 0;
  let inner = "";

  /** The provider's own answer. */
  async function pass(incoming: IncomingMessage, body: Buffer): Promise<Response> {
    const headers = new Headers();
    for (const [name, value] of Object.entries(incoming.headers))
      if (typeof value === "string" && !/^(host|connection|content-length|accept-encoding)$/.test(name))
        headers.set(name, value);
    headers.set("x-forwarded-host", incoming.headers.host ?? "");
    headers.set("x-forwarded-proto", "http");
    const method = incoming.method ?? "GET";
    const sent = method === "GET" ? {} : { body: new Uint8Array(body) };
    return fetch(`${inner}${incoming.url}`, { method, headers, redirect: "manual", keepalive: false, ...sent });
  }

  async function front(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    const atToken = incoming.url === "/token";
    if (atToken) {
      const grant = new URLSearchParams(body.toString()).get("grant_type");
      if (grant === "authorization_code" || grant === "refresh_token") asked[grant] += 1;
      if (self.slowMs > 0) await sleep(self.slowMs, undefined, { signal: stopped.signal });
    }
    const awkward = atToken || incoming.url === "/token/revocation" ? spoilt.shift() : undefined;
    if (awkward === "reset") return void incoming.socket.destroy();
    if (awkward === "hang") return;
    if (typeof awkward === "object")
      return void outgoing.writeHead(awkward.status, { ...awkward.headers }).end(awkward.body);
    const answer = await pass(incoming, body);
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (atToken && answer.ok) granted += 1;
    if (awkward === "cut") return void incoming.socket.destroy();
    if (awkward === "half") {
      outgoing.writeHead(answer.status, { "content-type": "application/json", "content-length": String(bytes.length) });
      outgoing.write(bytes.subarray(0, bytes.length >> 1));
      await sleep(20);
      return void incoming.socket.destroy();
    }
    const headers = Object.fromEntries(
      [...answer.headers].filter(([name]) => !/^(set-cookie|transfer-encoding|connection)$/.test(name)),
    );
    outgoing.writeHead(answer.status, { ...headers, "set-cookie": answer.headers.getSetCookie() }).end(bytes);
  }

  const outer = createServer(
    (incoming, outgoing) => void front(incoming, outgoing).catch(() => incoming.socket.destroy()),
  );
  const origin = await listen(outer);
  const provider = await quietly(async () => new (await providerClass())(origin, configuration(lives, terms)));
  provider.proxy = true;
  const behind = createServer(provider.callback());
  inner = await listen(behind);

  const self: AuthorizationServer = {
    origin,
    apps: APPS,
    redirectUri: terms.redirectUri,
    lives,
    asked,
    slowMs: 0,
    get granted() {
      return granted;
    },
    server: (kind) => ({
      authorizeUrl: `${origin}/auth`,
      tokenUrl: `${origin}/token`,
      revokeUrl: `${origin}/token/revocation`,
      scopes: terms.scopes,
      appAuth: kind === "basic" ? "basic" : "body",
      pkce: true,
      // Without it there is no refresh token (OpenID Connect Core, 11).
      extra: { prompt: "consent" },
    }),
    consent: (url, options) => consent(url, terms.redirectUri, options),
    next: (awkward) => void spoilt.push(awkward),
    calm: () => void spoilt.splice(0),
    works: async (access) =>
      (
        await fetch(`${origin}/me`, {
          headers: { authorization: `Bearer ${access}` },
          keepalive: false,
          signal: stopped.signal,
        })
      ).ok,
    stop: async () => {
      stopped.abort();
      await Promise.all([outer, behind].map(close));
    },
  };
  return self;
}

/** It warns of what is only fit for tests, and of Bun. */
async function quietly<T>(make: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  Object.assign(console, { warn: () => undefined, info: () => undefined });
  try {
    return await make();
  } finally {
    Object.assign(console, { warn, info });
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return `http://127.0.0.1:${address.port}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Walks from page to page as a browser does, with cookies, and fills in the two forms. */
async function consent(
  url: string,
  redirectUri: string,
  { login = "ada", refuse = false } = {},
): Promise<Record<string, string>> {
  const cookies = new Map<string, string>();
  let step = { url, form: undefined as Record<string, string> | undefined };
  for (let pages = 0; pages < 20; pages += 1) {
    if (step.url.startsWith(redirectUri)) return Object.fromEntries(new URL(step.url).searchParams);
    const response = await fetch(step.url, {
      method: step.form ? "POST" : "GET",
      redirect: "manual",
      keepalive: false,
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(step.form ? { body: new URLSearchParams(step.form) } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = "", value = ""] = line.split(";")[0]?.split(/=(.*)/s) ?? [];
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const page = await response.text();
    const location = response.headers.get("location");
    if (location) step = { url: new URL(location, step.url).href, form: undefined };
    else {
      const [action, prompt] = [
        /<form[^>]* action="([^"]+)"/.exec(page)?.[1],
        /name="prompt" value="(\w+)"/.exec(page)?.[1],
      ];
      if (!response.ok || !action || !prompt)
        throw new Error(`the page shows an error: ${page.replaceAll(/<[^>]*>|\s+/g, " ").slice(0, 300)}`);
      if (prompt === "consent" && refuse) step = { url: `${action}/abort`, form: undefined };
      else step = { url: action, form: prompt === "login" ? { prompt, login, password: "any" } : { prompt } };
    }
  }
  throw new Error("the browser goes round in circles");
}
