import { PsnError } from "@psn/core/errors.ts";
import type { Authorization, AuthorizeRequest, ExchangeRequest, Net, OAuthApp, Session } from "@psn/core/types/platform.ts";
import { z } from "zod";
import { type Answer, call, pauseMs } from "./http.ts";

/*
 * OAuth 2.0 (RFC 6749, 7009, 7636) as platforms really speak it. What is odd about one is a line of its table, not code. What this
 * leaves to the adapter is the profile: whose token it is.
 */

/** One platform's authorisation server. */
export interface OAuthServer {
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  /** RFC 7009; absent where the platform has none. */
  readonly revokeUrl?: string;
  readonly scopes: readonly string[];
  /** Between scopes; a space (RFC 6749, 3.3) unless the platform has its own idea. */
  readonly scopeSeparator?: ",";
  /** How the app proves itself at the token endpoint (RFC 6749, 2.3.1): by the Authorization header or in the body. */
  readonly appAuth: "basic" | "body";
  /** S256 (RFC 7636). False where the platform does not know it. */
  readonly pkce: boolean;
  /** What the parameter `client_id` is called, where it is not called that. */
  readonly idParam?: string;
  /** Sent with the authorisation request beside the standard's own. */
  readonly extra?: Readonly<Record<string, string>>;
}

export interface Tokens {
  readonly access: string;
  readonly refresh?: string;
  readonly expiresAt?: Date;
  /** As granted; those asked for where the platform does not say. */
  readonly scopes: readonly string[];
  /** The whole answer, for what a platform adds to it (a user's id). Holds the tokens: never stored, never printed. */
  readonly answer: Readonly<Record<string, unknown>>;
}

/** Where the browser goes. Throws APP_MISSING. */
export function authorizationUrl(server: OAuthServer, { app, redirectUri, state, challenge }: AuthorizeRequest): Authorization {
  const url = new URL(server.authorizeUrl);
  const params: Readonly<Record<string, string>> = {
    response_type: "code",
    [server.idParam ?? "client_id"]: appOf(app).id,
    redirect_uri: redirectUri,
    scope: server.scopes.join(server.scopeSeparator ?? " "),
    state,
    ...(server.pkce ? { code_challenge: challenge, code_challenge_method: "S256" } : {}),
    ...server.extra,
  };
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return { url: url.href };
}

/** Tokens for a code (RFC 6749, 4.1.3). Throws AUTH_REVOKED for a code that is refused, APP_MISSING, APP_REFUSED, PLATFORM_…. */
export async function exchangeCode(server: OAuthServer, request: ExchangeRequest, net: Net): Promise<Tokens> {
  const proof: Readonly<Record<string, string>> = server.pkce ? { code_verifier: request.verifier } : {};
  const grant = { grant_type: "authorization_code", code: request.code, redirect_uri: request.redirectUri, ...proof };
  const app = appOf(request.app);
  const answer = await post(server.tokenUrl, server, grant, app, net);
  return readTokens(answer, net.now(), server.scopes, [request.code, request.verifier, ...secretsOf(app)]);
}

/** Tokens for a refresh token (RFC 6749, 6). Throws AUTH_REVOKED when it is refused or there is none, APP_…, PLATFORM_…. */
export async function exchangeRefresh(server: OAuthServer, session: Session): Promise<Tokens> {
  const { access, refresh, scopes } = session.credentials;
  if (refresh === undefined) throw new PsnError("AUTH_REVOKED", "the token has expired and the platform gave none to renew it");
  const app = appOf(session.app);
  const answer = await post(server.tokenUrl, server, { grant_type: "refresh_token", refresh_token: refresh }, app, session);
  // Where no scopes are asked for, those that were granted before are meant (RFC 6749, 6), and not those once asked for.
  return readTokens(answer, session.now(), scopes.length > 0 ? scopes : server.scopes, [refresh, access, ...secretsOf(app)]);
}

/** Tells the server to forget a token (RFC 7009). One it does not know is forgotten already. */
export async function revokeToken(server: OAuthServer, session: Session, token: string): Promise<void> {
  if (server.revokeUrl === undefined) return;
  const app = appOf(session.app);
  const answer = await post(server.revokeUrl, server, { token }, app, session);
  const failure = failureOf(answer);
  if (failure ? UNKNOWN_TOKEN.has(failure.error) : answer.status < 300) return;
  throw refused(answer, session.now(), [token, session.credentials.access, session.credentials.refresh ?? "", ...secretsOf(app)]);
}
const UNKNOWN_TOKEN: ReadonlySet<string> = new Set(["invalid_token", "invalid_grant"]);

/** Every status is the token endpoint's to explain. */
const ANY_STATUS: readonly number[] = Array.from({ length: 300 }, (_, index) => 300 + index);

/** The form, with the app's proof. Once it is sent it is not aborted: a rotating token dies when it is used. */
function post(
  url: string,
  { appAuth, idParam = "client_id" }: Pick<OAuthServer, "appAuth" | "idParam">,
  form: Readonly<Record<string, string>>,
  app: OAuthApp,
  net: Net,
): Promise<Answer> {
  net.signal.throwIfAborted();
  const basic = appAuth === "basic" ? basicOf(app) : undefined;
  const proof = basic ? {} : { [idParam]: app.id, ...(app.secret === undefined ? {} : { client_secret: app.secret }) };
  return call({ fetch: net.fetch, now: net.now, signal: new AbortController().signal }, url, {
    method: "POST",
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      ...(basic ? { authorization: `Basic ${basic}` } : {}),
    },
    body: new URLSearchParams({ ...form, ...proof }).toString(),
    effect: "none",
    // A kept connection that the server has closed looks like a lost answer, and a lost answer may be a lost token.
    keepalive: false,
    accept: ANY_STATUS,
  });
}

/** Each is encoded as in a form before they are joined (RFC 6749, 2.3.1). */
function basicOf({ id, secret }: OAuthApp): string | undefined {
  if (secret === undefined) return undefined;
  return Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
}

const secretsOf = (app: OAuthApp): readonly string[] => [app.secret ?? "", basicOf(app) ?? ""];

/** What is beside the tokens is read where it can be: a rotated token must not be lost over how a number is written. */
const TokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().nullish().catch(undefined),
  /** Seconds; up to a lifetime. */
  expires_in: z.coerce.number().positive().max(1e10).nullish().catch(undefined),
  scope: z
    .union([z.string(), z.array(z.string())])
    .nullish()
    .catch(undefined),
});

/**
 * A token endpoint's answer, whatever its status: some say `error` within a 200, some name no token type, some count seconds as text.
 *
 * @param asked the scopes that are meant where the answer names none.
 * @param secrets what was sent and must not come back in a message.
 * @throws PsnError AUTH_REVOKED, APP_REFUSED, PLATFORM_CHANGED, PLATFORM_DOWN, PLATFORM_REJECTED, RATE_LIMITED.
 */
export function readTokens(answer: Answer, now: Date, asked: readonly string[], secrets: readonly string[]): Tokens {
  if (failureOf(answer) !== undefined || answer.status >= 300) throw refused(answer, now, secrets);
  const result = TokenAnswer.safeParse(bodyOf(answer));
  if (!result.success)
    throw new PsnError("PLATFORM_CHANGED", `${answer.host} gave no token in an answer of ${answer.status}`, {
      details: { status: answer.status },
    });
  const { access_token: access, refresh_token: refresh, expires_in: seconds, scope } = result.data;
  const granted = typeof scope === "string" ? scope.split(/[\s,]+/).filter((word) => word !== "") : scope;
  return {
    access,
    ...(refresh ? { refresh } : {}),
    ...(seconds ? { expiresAt: new Date(now.getTime() + seconds * 1000) } : {}),
    scopes: granted && granted.length > 0 ? granted : asked,
    answer: result.data,
  };
}

interface Failure {
  readonly error: string;
  readonly words: string;
  /** Meta's number. */
  readonly code?: number;
}

/**
 * RFC 6749, 5.2, or Meta's `{error: {type, message, code}}` (https://developers.facebook.com/docs/graph-api/guides/error-handling,
 * 2026-11), or Instagram's `{error_type, error_message}`.
 */
function failureOf(answer: Answer): Failure | undefined {
  const body = bodyOf(answer);
  if (typeof body !== "object" || body === null) return undefined;
  const error: unknown = Reflect.get(body, "error") || Reflect.get(body, "error_type");
  if (typeof error === "string" && error !== "") {
    const words: unknown = Reflect.get(body, "error_description") ?? Reflect.get(body, "error_message");
    return { error, words: typeof words === "string" ? words : "" };
  }
  if (typeof error !== "object" || error === null) return undefined;
  const [type, message, code]: unknown[] = [Reflect.get(error, "type"), Reflect.get(error, "message"), Reflect.get(error, "code")];
  return {
    error: typeof type === "string" ? type : "error",
    words: typeof message === "string" ? message : "",
    ...(typeof code === "number" ? { code } : {}),
  };
}

type Verdict = "APP_REFUSED" | "AUTH_REVOKED" | "PLATFORM_DOWN" | "RATE_LIMITED" | "PLATFORM_REJECTED";

/** RFC 6749, 4.1.2.1 and 5.2, and RFC 6750, 3.1: what the app is refused for, what the code or the token is, and what passes. */
const VERDICTS: readonly (readonly [RegExp, Verdict])[] = [
  [/^(invalid_client|unauthorized_client)$/, "APP_REFUSED"],
  [/^(invalid_grant|invalid_token|access_denied|invalid_request)$/, "AUTH_REVOKED"],
  [/^(temporarily_unavailable|server_error|internal_(server_)?error)$/, "PLATFORM_DOWN"],
  [/^(rate_limit\w*|too_many_requests|slow_down)$/, "RATE_LIMITED"],
];
/** Meta calls nearly everything OAuthException; its number tells downtime and throttling from a dead token (page above). */
const META_DOWN: ReadonlySet<number> = new Set([1, 2]);
const META_THROTTLED: ReadonlySet<number> = new Set([4, 17, 341, 368]);

function verdictOf({ error, words, code }: Failure): Verdict {
  if (error === "OAuthException") {
    // Of an app that it does not accept it says so in words, under the number of a downtime (facebookarchive/php-graph-sdk#538).
    if (/client secret|validating application/i.test(words)) return "APP_REFUSED";
    if (code !== undefined && META_DOWN.has(code)) return "PLATFORM_DOWN";
    return code !== undefined && META_THROTTLED.has(code) ? "RATE_LIMITED" : "AUTH_REVOKED";
  }
  return VERDICTS.find(([names]) => names.test(error))?.[1] ?? "PLATFORM_REJECTED";
}

/** The standard refuses with 400 and 401 and in its own words; anything else may be a gateway's and is no verdict on a token. */
function refused(answer: Answer, now: Date, secrets: readonly string[]): PsnError {
  const { host, status } = answer;
  const failure = failureOf(answer);
  const said = safe(failure ? [failure.error, failure.words] : wordsOf(answer), secrets);
  const verdict = failure && verdictOf(failure);
  // Some count down to the next allowance in every answer; after a failure only Retry-After is meant (RFC 9110, 10.2.3).
  const limited = status === 429 || verdict === "RATE_LIMITED";
  const pause = limited || answer.headers.has("retry-after") ? pauseMs(answer.headers, now) : undefined;
  const later = { details: { status }, ...(pause === undefined ? {} : { retryAfterMs: pause }) };
  if (status === 429) return new PsnError("RATE_LIMITED", `${host} asks for a pause${said}`, later);
  if (status >= 500 || status === 408 || (status >= 300 && status < 400))
    return new PsnError("PLATFORM_DOWN", `${host} answered ${status}${said}`, later);
  if (!verdict) {
    // Without the standard's words a 401 here speaks of the app.
    if (status === 401) return new PsnError("APP_REFUSED", `${host} does not accept the app${said}`, { details: { status } });
    if (status === 400) return new PsnError("PLATFORM_REJECTED", `${host} refused${said}`, { details: { status } });
    return new PsnError("PLATFORM_DOWN", `${host} answered ${status}${said}`, later);
  }
  if (verdict === "PLATFORM_DOWN") return new PsnError(verdict, `${host} answered${said}`, later);
  if (verdict === "RATE_LIMITED") return new PsnError(verdict, `${host} asks for a pause${said}`, later);
  return new PsnError(verdict, `${host} ${verdict === "APP_REFUSED" ? "does not accept the app" : "refused"}${said}`, {
    details: { status },
  });
}

/** What a server says that does not know the standard's names. */
function wordsOf(answer: Answer): readonly string[] {
  const body = bodyOf(answer);
  if (typeof body !== "object" || body === null) return [];
  const words = ["message", "detail", "title"].map((name): unknown => Reflect.get(body, name));
  return words.filter((word) => typeof word === "string");
}

/** So many characters in a row of a secret are no accident. */
const PIECE_CHARS = 12;

/** The server's words as one line to append, without anything that was sent in confidence: nothing at all if a piece of it is left. */
function safe(words: readonly string[], secrets: readonly string[]): string {
  let line = words
    .filter((word) => word !== "")
    .join(": ")
    .replace(/\s+/g, " ");
  const hidden = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]).filter(({ length }) => length > 3);
  for (const secret of hidden) line = line.replaceAll(secret, "•••");
  for (let at = 0; at + PIECE_CHARS <= line.length; at += 1)
    if (hidden.some((secret) => secret.includes(line.slice(at, at + PIECE_CHARS)))) return "";
  if (line === "") return "";
  return `: ${line.length > 200 ? `${line.slice(0, 199)}…` : line}`;
}

function bodyOf({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function appOf(app: OAuthApp | undefined): OAuthApp {
  if (app === undefined) throw new PsnError("APP_MISSING", "this platform wants an app of your own");
  return app;
}
