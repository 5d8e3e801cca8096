import { PsnError } from "@psn/core/errors.ts";
import type {
  AppGuide,
  Authorization,
  AuthorizeRequest,
  Connection,
  Credentials,
  ExchangeRequest,
  OAuthApp,
  Profile,
} from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Platform, Session } from "@psn/core/types/platform.ts";
import { type Answer, call } from "./http.ts";
import { ANY_STATUS, isRevoked, readTokens, refused, type Tokens } from "./oauth-answer.ts";
import { form } from "./refusals.ts";

/*
 * OAuth 2.0 (RFC 6749, 7009, 7636) as platforms really speak it. What is odd about one is a line of its table, not
 * code. What this leaves to the adapter is the profile: whose token it is.
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
  /** What the platform adds to the address behind the code, which a person may copy with it. */
  readonly codeEnd?: string;
  /** Present where a code gives a token of an hour or so, and that is exchanged for one that renews itself. */
  readonly longLived?: LongLived;
  /** The refresh token stays the same where a refresh names none (RFC 6749, 6). */
  readonly refreshStays?: true;
  /** What is said of an expired token where the platform gave no refresh token. */
  readonly noRefresh?: { readonly says: string; readonly hint: string };
}

/** Meta's way: both exchanges are a GET, and there is no refresh token. */
interface LongLived {
  readonly exchange: { readonly url: string; readonly grant: string };
  readonly renew: { readonly url: string; readonly grant: string };
  /** How long a token is valid where the answer does not say, in milliseconds. */
  readonly lifeMs: number;
}

/** Where the browser goes. Throws APP_MISSING. */
export function authorizationUrl(
  server: OAuthServer,
  { app, redirectUri, state, challenge }: AuthorizeRequest,
): Authorization {
  const url = new URL(server.authorizeUrl);
  const params: Readonly<Record<string, string>> = {
    response_type: "code",
    [server.idParam ?? "client_id"]: appOf(app).id,
    redirect_uri: redirectUri,
    scope: server.scopes.join(server.scopeSeparator ?? " "),
    state,
    ...defined({
      code_challenge: server.pkce ? challenge : undefined,
      code_challenge_method: server.pkce ? "S256" : undefined,
    }),
    ...server.extra,
  };
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return { url: url.href };
}

/**
 * Tokens for a code (RFC 6749, 4.1.3). Throws AUTH_REVOKED for a code that is refused, APP_MISSING, APP_REFUSED,
 * PLATFORM_….
 */
export async function exchangeCode(server: OAuthServer, request: ExchangeRequest, net: Net): Promise<Tokens> {
  const proof: Readonly<Record<string, string>> = server.pkce ? { code_verifier: request.verifier } : {};
  const { codeEnd = "", longLived } = server;
  const code = request.code.endsWith(codeEnd)
    ? request.code.slice(0, request.code.length - codeEnd.length)
    : request.code;
  const grant = { grant_type: "authorization_code", code, redirect_uri: request.redirectUri, ...proof };
  const app = appOf(request.app);
  if (code === "")
    throw new PsnError(
      "AUTH_REVOKED",
      `${new URL(server.authorizeUrl).host} returned no code: you did not give consent`,
    );
  const answer = await post(server.tokenUrl, { server, grant, app, net });
  const secrets = [code, request.verifier, ...secretsOf(app)];
  const tokens = readTokens(answer, { now: net.now(), asked: server.scopes, secrets });
  if (!longLived) return tokens;
  const proofs = { client_secret: app.secret ?? "", access_token: tokens.access };
  return lengthened({ ...longLived, ...longLived.exchange, asked: server.scopes }, proofs, net);
}

/**
 * Tokens for a refresh token (RFC 6749, 6). Throws AUTH_REVOKED when it is refused or there is none, APP_…, PLATFORM_….
 */
export async function exchangeRefresh(server: OAuthServer, session: Session): Promise<Tokens> {
  const { access, refresh, scopes } = session.credentials;
  const { longLived, noRefresh, refreshStays } = server;
  // Where no scopes are asked for, those granted before are meant (RFC 6749, 6), and not those once asked for.
  const asked = scopes.length > 0 ? scopes : server.scopes;
  if (longLived)
    return lengthened({ ...longLived, ...longLived.renew, asked }, { access_token: access }, session).catch(
      refusedForGood,
    );
  if (refresh === undefined) {
    const { says = "the token has expired, and the platform gave no refresh token", ...more } = noRefresh ?? {};
    throw new PsnError("AUTH_REVOKED", says, more);
  }
  const app = appOf(session.app);
  const grant = { grant_type: "refresh_token", refresh_token: refresh };
  const answer = await post(server.tokenUrl, { server, grant, app, net: session });
  try {
    const tokens = readTokens(answer, { now: session.now(), asked, secrets: [refresh, access, ...secretsOf(app)] });
    return refreshStays ? { refresh, ...tokens } : tokens;
  } catch (error) {
    return refusedForGood(error);
  }
}

/**
 * A long-lived token, which is also what renews it: psn exchanges ahead of time only what has something to exchange.
 * The secrets are in the address: nothing of it is kept in an error, its cause included, and the failure of a fetch
 * names the whole address.
 */
async function lengthened(
  { url, grant, lifeMs, asked }: LongLived["renew"] & Pick<LongLived, "lifeMs"> & { readonly asked: readonly string[] },
  proofs: Readonly<Record<string, string>>,
  net: Net,
): Promise<Tokens> {
  const answer = await call(net, `${url}?${new URLSearchParams({ grant_type: grant, ...proofs })}`, {
    headers: { accept: "application/json" },
    effect: "none",
    keepalive: false,
    accept: ANY_STATUS,
  }).catch((error: unknown) => {
    if (!(error instanceof PsnError)) throw error;
    throw new PsnError(error.code, error.message, { details: error.details });
  });
  const tokens = readTokens(answer, { now: net.now(), asked, secrets: Object.values(proofs) });
  const expiresAt = new Date(net.now().getTime() + lifeMs);
  return { expiresAt, ...tokens, refresh: tokens.access };
}

/**
 * Whatever a platform names it: a token that it refuses to exchange it refuses for good. Throws AUTH_REVOKED for that.
 */
function refusedForGood(error: unknown): never {
  const { status } = error instanceof PsnError ? error.details : {};
  if (!(error instanceof PsnError) || error.code !== "PLATFORM_REJECTED" || (status !== 400 && status !== 401))
    throw error;
  throw new PsnError("AUTH_REVOKED", error.message, { details: error.details });
}

/** What is kept of an answer. */
export function credentialsOf({ access, refresh, expiresAt, scopes }: Tokens): Credentials {
  return { access, ...defined({ refresh: refresh || undefined, expiresAt }), scopes };
}

/** Throws AUTH_SCOPE, with the adapter's hint, for a consent that lacks something psn cannot do without. */
function demandScopes(wanted: readonly string[], granted: readonly string[], hint: string): void {
  const missing = wanted.filter((scope) => !granted.includes(scope));
  if (missing.length > 0)
    throw new PsnError("AUTH_SCOPE", `the consent does not include ${missing.join(", ")}`, { hint });
}

/** Tells the server to forget a token (RFC 7009). One it does not know is forgotten already. */
export async function revokeToken(server: OAuthServer, session: Session, token: string): Promise<void> {
  if (server.revokeUrl === undefined) return;
  const app = appOf(session.app);
  const answer = await post(server.revokeUrl, { server, grant: { token }, app, net: session });
  if (isRevoked(answer)) return;
  const { access, refresh = "" } = session.credentials;
  throw refused(answer, session.now(), [token, access, refresh, ...secretsOf(app)]);
}

/** Both tokens, the one that could make more first. */
async function revokeTokens(server: OAuthServer, session: Session): Promise<void> {
  const { access, refresh } = session.credentials;
  for (const token of refresh === undefined ? [access] : [refresh, access]) {
    // What the server refuses to know is forgotten.
    await revokeToken(server, session, token).catch((error: unknown) => {
      if (!(error instanceof PsnError) || error.code !== "AUTH_REVOKED") throw error;
    });
  }
}

/** The form, with the app's proof. Once it is sent it is not aborted: a rotating token dies when it is used. */
function post(
  url: string,
  {
    server: { appAuth, idParam = "client_id" },
    grant,
    app,
    net,
  }: {
    readonly server: Pick<OAuthServer, "appAuth" | "idParam">;
    readonly grant: Readonly<Record<string, string>>;
    readonly app: OAuthApp;
    readonly net: Net;
  },
): Promise<Answer> {
  net.signal.throwIfAborted();
  const basic = appAuth === "basic" ? basicOf(app) : undefined;
  const proof = basic ? {} : { [idParam]: app.id, ...defined({ client_secret: app.secret }) };
  const { headers, ...sent } = form({ ...grant, ...proof });
  return call({ fetch: net.fetch, now: net.now, signal: new AbortController().signal }, url, {
    ...sent,
    headers: {
      ...headers,
      accept: "application/json",
      ...defined({ authorization: basic ? `Basic ${basic}` : undefined }),
    },
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

function appOf(app: OAuthApp | undefined): OAuthApp {
  if (app === undefined) throw new PsnError("APP_MISSING", "this platform requires your own developer app");
  return app;
}

interface OAuthPlatform {
  readonly server: OAuthServer;
  readonly app: AppGuide;
  /** What each verb needs of the server's scopes. */
  readonly scopes: NonNullable<Platform["scopes"]>;
  /** What helps where the consent lacks a scope. */
  readonly hint: string;
  /** Whose token it is. */
  readonly profileOf: (session: Net & Pick<Session, "credentials">) => Promise<Profile>;
}

/**
 * How an account connects where the server speaks the standard. `exchange` throws AUTH_REVOKED for a code that is
 * refused and AUTH_SCOPE for a consent that lacks a scope; `refresh` throws AUTH_REVOKED when only the person can help.
 */
export function oauthOf({ server, app, scopes, hint, profileOf }: OAuthPlatform) {
  return {
    scopes,
    auth: [{ kind: "oauth", fields: [], app }] as const satisfies Platform["auth"],
    authorize: async (request: AuthorizeRequest): Promise<Authorization> => authorizationUrl(server, request),
    async exchange(request: ExchangeRequest, net: Net): Promise<Connection> {
      const credentials = credentialsOf(await exchangeCode(server, request, net));
      demandScopes(server.scopes, credentials.scopes, hint);
      return { credentials, profile: await profileOf({ ...net, credentials }) };
    },
    identify: (session: Session): Promise<Profile> => profileOf(session),
    refresh: async (session: Session): Promise<Credentials> => credentialsOf(await exchangeRefresh(server, session)),
  };
}

/** The same, where the server can be told to forget the tokens. */
export const revocableOf = (platform: OAuthPlatform) => ({
  ...oauthOf(platform),
  revoke: (session: Session): Promise<void> => revokeTokens(platform.server, session),
});
