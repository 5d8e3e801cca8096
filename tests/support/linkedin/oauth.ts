import { randomUUID } from "node:crypto";
import { Refusal, refusal } from "./refusal.ts";

/*
 * LinkedIn's authorisation server:
 * https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow,
 * …/programmatic-refresh-tokens. The words of refusals are as developers report them.
 */

export interface App {
  readonly id: string;
  readonly secret: string;
  readonly redirects: readonly string[];
}

export interface Authorizing {
  /** Null: the person says no; otherwise what is granted ("all": what was asked for). */
  grants: readonly string[] | null | "all";
  /** Whether the app is one of a partner, which is given refresh tokens. */
  renews: boolean;
  /** Products of the app give it these; another one in a request is an error page. */
  scopes: readonly string[];
}

/** "The authorization code has a 30-minute lifespan" (authorization-code-flow). */
const CODE_TTL_MS = 30 * 60_000;
/**
 * "access tokens are valid for 60 days and programmatic refresh tokens are valid for a year"
 * (programmatic-refresh-tokens).
 */
const ACCESS_TTL_MS = 60 * 24 * 3_600_000;
const REFRESH_TTL_MS = 365 * 24 * 3_600_000;

interface Held {
  readonly scopes: readonly string[];
  readonly at: number;
  revoked: boolean;
}

export function openAuthorization(app: App, switches: Authorizing, now: () => number) {
  const codes = new Map<
    string,
    { readonly redirect: string; readonly scopes: readonly string[]; readonly at: number }
  >();
  const access = new Map<string, Held>();
  const renewals = new Map<string, Held>();

  /**
   * What a person does on the page at this address: the query with which the browser comes back. Throws for a page that
   * shows an error.
   */
  async function consent(address: string): Promise<Record<string, string>> {
    const url = new URL(address);
    const param = (name: string) => url.searchParams.get(name) ?? "";
    if (`${url.origin}${url.pathname}` !== "https://www.linkedin.com/oauth/v2/authorization")
      throw new Error(`no page at ${address}`);
    const known = ["response_type", "client_id", "redirect_uri", "state", "scope"];
    for (const name of url.searchParams.keys()) if (!known.includes(name)) throw new Error(`the page knows no ${name}`);
    if (param("response_type") !== "code") throw new Error("response_type must be code");
    if (param("client_id") !== app.id) throw new Error("The passed in client_id is invalid");
    if (!app.redirects.includes(param("redirect_uri")))
      throw new Error("The redirect_uri does not match the registered value");
    const state = param("state");
    if (state === "") throw new Error("state is missing");
    const asked = param("scope").split(" ");
    // "unauthorized_scope_error": a scope that no product of the app gives.
    const foreign = asked.find((scope) => !switches.scopes.includes(scope));
    if (foreign !== undefined)
      return {
        error: "unauthorized_scope_error",
        error_description: `Scope "${foreign}" is not authorized for your application`,
        state,
      };
    if (switches.grants === null)
      return { error: "user_cancelled_authorize", error_description: "The user cancelled the authorization", state };
    const code = `AQ${randomUUID()}`;
    codes.set(code, {
      redirect: param("redirect_uri"),
      scopes: switches.grants === "all" ? asked : switches.grants,
      at: now(),
    });
    return { code, state };
  }

  async function formOf(request: Request): Promise<URLSearchParams> {
    if (!/^application\/x-www-form-urlencoded\b/.test(request.headers.get("content-type") ?? ""))
      throw refused(415, "invalid_request", "The content type is not a form");
    // "LinkedIn doesn't support HTTP Basic" (github.com/pilcrowonpaper/arctic, providers/linkedin.ts).
    if (request.headers.has("authorization")) throw refused(401, "invalid_client", "Client authentication failed");
    const form = new URLSearchParams(await request.text());
    if (form.get("client_id") !== app.id || form.get("client_secret") !== app.secret)
      throw refused(401, "invalid_client", "Client authentication failed");
    return form;
  }

  function issue(scopes: readonly string[], renewal?: string): Response {
    const token = `AQX${randomUUID()}${randomUUID()}`;
    access.set(token, { scopes, at: now(), revoked: false });
    const next = renewal ?? `AQW${randomUUID()}${randomUUID()}`;
    if (switches.renews && renewal === undefined) renewals.set(next, { scopes, at: now(), revoked: false });
    const left = REFRESH_TTL_MS - (now() - (renewals.get(next)?.at ?? now()));
    return Response.json({
      access_token: token,
      expires_in: ACCESS_TTL_MS / 1000 - 1,
      // Commas, where the standard has spaces.
      scope: scopes.join(","),
      token_type: "Bearer",
      ...(switches.renews ? { refresh_token: next, refresh_token_expires_in: Math.floor(left / 1000) } : {}),
      ...(scopes.includes("openid") ? { id_token: `eyJ.${randomUUID()}.sig` } : {}),
    });
  }

  async function token(request: Request): Promise<Response> {
    const form = await formOf(request);
    if (form.get("grant_type") === "refresh_token") {
      const renewal = form.get("refresh_token") ?? "";
      const held = renewals.get(renewal);
      if (!held || held.revoked || now() - held.at > REFRESH_TTL_MS)
        throw refused(
          400,
          "invalid_request",
          "The provided authorization grant or refresh token is invalid, expired or revoked",
        );
      // The same refresh token again, with what is left of its year.
      return issue(held.scopes, renewal);
    }
    if (form.get("grant_type") !== "authorization_code")
      throw refused(400, "invalid_request", "The grant_type is missing or unknown");
    const code = form.get("code") ?? "";
    const grant = codes.get(code);
    codes.delete(code);
    if (!grant || now() - grant.at > CODE_TTL_MS || form.get("redirect_uri") !== grant.redirect)
      throw refused(
        400,
        "invalid_request",
        "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. Or " +
          "authorization code expired.",
      );
    return issue(grant.scopes);
  }

  async function revoke(request: Request): Promise<Response> {
    const held = (await formOf(request)).get("token") ?? "";
    const known = access.get(held) ?? renewals.get(held);
    if (!known || known.revoked) throw refused(400, "invalid_request", "The token is invalid");
    known.revoked = true;
    return new Response(null, { status: 200 });
  }

  /** Throws 401 for a token that is none any more, 403 for one that may not. Codes as quoted in reports. */
  function authorize(request: Request, scope: string, resource: string): void {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (bearer === undefined)
      throw refusal(401, "EMPTY_ACCESS_TOKEN", "Empty oauth2 access token", { serviceErrorCode: 65_604 });
    const held = access.get(bearer);
    if (!held) throw refusal(401, "INVALID_ACCESS_TOKEN", "Invalid access token", { serviceErrorCode: 65_600 });
    if (held.revoked)
      throw refusal(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user", {
        serviceErrorCode: 65_601,
      });
    if (now() - held.at >= ACCESS_TTL_MS - 1000)
      throw refusal(401, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired", {
        serviceErrorCode: 65_602,
      });
    if (!held.scopes.includes(scope))
      throw refusal(403, "ACCESS_DENIED", `Not enough permissions to access: ${resource}`, { serviceErrorCode: 100 });
  }

  const live = (tokens: ReadonlyMap<string, Held>) => [...tokens.values()].filter(({ revoked }) => !revoked).length;
  return {
    consent,
    token,
    revoke,
    authorize,
    tokens: () => ({ access: live(access), refresh: live(renewals) }),
    forget: () => {
      for (const held of [...access.values(), ...renewals.values()]) held.revoked = true;
    },
  };
}

function refused(status: number, error: string, description: string): Refusal {
  return new Refusal(status, { error, error_description: description });
}
