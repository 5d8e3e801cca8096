import { createHash } from "node:crypto";
import type {
  InternalStateData,
  Jwk,
  Key,
  OAuthAuthorizationServerMetadata,
  OAuthClient,
  Session as OAuthSessionData,
} from "@atproto/oauth-client";
import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net } from "@psn/core/types/platform.ts";
import { call, demandWhole, pauseMs } from "@psn/platforms/kit/http.ts";

/*
 * The official OAuth client (@atproto/oauth-client 0.6.1), given its stores and its network by psn: it keeps nothing,
 * locks nothing and asks nobody on its own. It is loaded only when an account is connected by OAuth, since that takes
 * time.
 */

/** `transition:generic` is what an app password may (https://atproto.com/specs/oauth#authorization-scopes, 2026-11). */
export const SCOPES = ["atproto", "transition:generic"] as const;

/** With its key as JSON, so that it can be kept. */
type Kept<Value extends { readonly dpopKey: Key }> = Omit<Value, "dpopKey"> & { readonly dpopJwk: Jwk };
export type SavedState = Kept<InternalStateData>;
export type SavedSession = Kept<OAuthSessionData>;

/** As the client calls it. */
export type Send = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Stores {
  readonly states?: Map<string, SavedState>;
  readonly sessions?: Map<string, SavedSession>;
  /** What is known of the authorisation server already, so that nobody needs to be asked. */
  readonly server?: OAuthAuthorizationServerMetadata;
}

export interface ClientOptions extends Stores {
  /**
   * Where the browser comes back to; it is part of the client's id, so that it must stay the same while the session
   * lives.
   */
  readonly redirectUri: string;
  /** The server that knows which account has a handle. */
  readonly resolver: string;
  readonly fetch: Send;
}

/**
 * Nonces are a server's and not an account's, and last minutes
 * (https://atproto.com/specs/oauth#demonstrating-proof-of-possession-dpop).
 */
const nonces = new Map<string, string>();
/** Servers remembered at a time; one forgotten costs a request that is refused and sent again. */
const MOST_NONCES = 100;

/**
 * A client as a program on this machine may be one without a page of its own: the virtual client `http://localhost`
 * (https://atproto.com/specs/oauth#localhost-client-development, 2026-11).
 */
export async function clientOf({
  redirectUri,
  resolver,
  fetch,
  states,
  sessions,
  server,
}: ClientOptions): Promise<OAuthClient> {
  const [library, { JoseKey }] = await Promise.all([import("@atproto/oauth-client"), import("@atproto/jwk-jose")]);
  const keyed = <Value extends { readonly dpopKey: Key }>(map: Map<string, Kept<Value>>) => ({
    get: async (name: string) => {
      const found = map.get(name);
      if (!found) return undefined;
      const { dpopJwk, ...rest } = found;
      return { ...rest, dpopKey: await JoseKey.fromJWK(dpopJwk) } as unknown as Value;
    },
    set: (name: string, { dpopKey, ...rest }: Value) => {
      if (!dpopKey.privateJwk) throw new PsnError("BUG", "a DPoP key without its private part");
      map.set(name, { ...rest, dpopJwk: dpopKey.privateJwk });
    },
    del: (name: string) => void map.delete(name),
  });
  const id = `http://localhost?${new URLSearchParams({ redirect_uri: redirectUri, scope: SCOPES.join(" ") })}`;
  return new library.OAuthClient({
    clientMetadata: library.atprotoLoopbackClientMetadata(id),
    allowHttp: new URL(resolver).protocol === "http:",
    handleResolver: resolver,
    // A part of fetch that only Bun has, and nobody here calls.
    fetch: Object.assign(fetch, { preconnect: () => undefined }),
    responseMode: "query",
    stateStore: keyed<InternalStateData>(states ?? new Map<string, SavedState>()),
    sessionStore: keyed<OAuthSessionData>(sessions ?? new Map<string, SavedSession>()),
    runtimeImplementation: {
      createKey: (algorithms) => JoseKey.generate(algorithms),
      getRandomValues: (length) => crypto.getRandomValues(new Uint8Array(length)),
      digest: (bytes, { name }) => new Uint8Array(createHash(name).update(bytes).digest()),
      // One exchange at a time for an account is the engine's care.
      requestLock: async (_name, work) => work(),
    },
    dpopNonceCache: { ...storeOf(nonces), set: remember },
    ...defined({
      authorizationServerMetadataCache: server ? storeOf(new Map([[server.issuer as string, server]])) : undefined,
    }),
  });
}

function remember(origin: string, nonce: string): void {
  const [oldest] = nonces.keys();
  if (nonces.size >= MOST_NONCES && oldest !== undefined) nonces.delete(oldest);
  nonces.set(origin, nonce);
}

function storeOf<Value extends object | string>(map: Map<string, Value>) {
  return {
    get: (key: string) => map.get(key),
    set: (key: string, value: Value) => void map.set(key, value),
    del: (key: string) => void map.delete(key),
  };
}

/**
 * Longest one of the look-ups before an exchange may take, in milliseconds: all of them must end within the engine's
 * lease.
 */
const LOOKUP_MS = 10_000;
const ANY_STATUS: readonly number[] = Array.from({ length: 300 }, (_, index) => 300 + index);

/**
 * The network for the client's own requests, and how they fared. What it sends is not stopped half-way: a code or a
 * refresh token dies when it is used. A session's tokens are sent to nowhere but `origins`, whatever the server's
 * metadata name by now; absent while connecting, where there is no token yet.
 */
export function carrierOf(
  net: Net,
  origins?: ReadonlySet<string>,
): { readonly fetch: Send; readonly trouble: () => PsnError | undefined } {
  let trouble: PsnError | undefined;
  const fetch: Send = async (input, init) => {
    const request = new Request(input, init);
    const sends = request.method !== "GET";
    try {
      net.signal.throwIfAborted();
      const { origin, host: to } = new URL(request.url);
      if (sends && origins && !origins.has(origin))
        throw new PsnError("AUTH_REVOKED", `${to} is not the server at which you gave consent`, {
          hint: "psn connect bluesky --oauth",
        });
      const signal = sends ? new AbortController().signal : AbortSignal.any([net.signal, request.signal]);
      const answer = await call({ fetch: net.fetch, now: net.now, signal }, request.url, {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        ...(sends ? { body: await request.text() } : { timeoutMs: LOOKUP_MS }),
        effect: "none",
        keepalive: false,
        accept: ANY_STATUS,
      });
      const { status, headers, text, host } = answer;
      if (status < 300) demandWhole(answer);
      if (status >= 500 || status === 408)
        trouble = new PsnError("PLATFORM_DOWN", `${host} answered ${status}`, { details: { status } });
      if (status === 429) trouble = limited(host, pauseMs(headers, net.now()));
      return new Response(text === "" ? null : text, { status, headers: plain(headers) });
    } catch (error) {
      if (error instanceof PsnError) trouble = error;
      throw error;
    }
  };
  return { fetch, trouble: () => trouble };
}

function limited(host: string, retryAfterMs: number | undefined): PsnError {
  return new PsnError("RATE_LIMITED", `${host} limits how often psn may call it`, {
    details: { status: 429 },
    ...defined({ retryAfterMs }),
  });
}

/** The text is decoded by now, and as long as it is. */
function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) copy.delete(name);
  return copy;
}

interface Meaning {
  /** For what the server refuses in the standard's words, and a session that the client itself takes for over. */
  readonly refused: ErrorCode;
  /** For all else, where no server was in trouble. */
  readonly otherwise: ErrorCode;
  readonly words: string;
  readonly hint?: string;
}

/** What a failure of the client means: a server's verdict first, then the trouble it was in. */
export async function failureOf(error: unknown, trouble: PsnError | undefined, meaning: Meaning): Promise<PsnError> {
  const { OAuthResponseError, TokenInvalidError, TokenRefreshError, TokenRevokedError } = await import(
    "@atproto/oauth-client"
  );
  const { refused, otherwise, words, hint } = meaning;
  const causes: Error[] = [];
  for (let one: unknown = error; one instanceof Error; one = one.cause) causes.push(one);
  const more = { cause: error, ...defined({ hint }) };
  // RFC 6749, 5.2. Anything but 400 and 401 may be a gateway's, and is no verdict.
  const verdict = causes.find((one) => one instanceof OAuthResponseError && (one.status === 400 || one.status === 401));
  if (verdict instanceof OAuthResponseError) {
    // Only the error's name: what a server adds in words could repeat what it was sent.
    const name = /^\w{1,60}$/.test(verdict.error ?? "") ? `: ${verdict.error}` : "";
    return new PsnError(refused, `${words}${name}`, { ...more, details: { status: verdict.status } });
  }
  const passing = causes.find((one) => one instanceof PsnError) ?? trouble;
  if (passing instanceof PsnError) return passing;
  const over = causes.some(
    (one) =>
      one instanceof TokenRefreshError ||
      one instanceof TokenRevokedError ||
      one instanceof TokenInvalidError ||
      // The account has moved to another server; the client has no name for it.
      one.message === "Issuer mismatch",
  );
  return new PsnError(over ? refused : otherwise, words, more);
}
