import { randomUUID } from "node:crypto";
import { formOf, GraphRefusal, named, refusal } from "./graph.ts";

/*
 * Meta's authorisation for Threads:
 * https://developers.facebook.com/docs/threads/get-started/get-access-tokens-and-permissions and …/long-lived-tokens.
 */

/** https://developers.facebook.com/docs/threads/get-started and …/posts/delete-posts. */
const SCOPES = [
  "threads_basic",
  "threads_content_publish",
  "threads_manage_replies",
  "threads_read_replies",
  "threads_manage_insights",
  "threads_delete",
];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** "valid for 1 hour and can only be used once" */
const CODE_TTL_MS = HOUR_MS;
/** "short-lived and are valid for one hour" */
const SHORT_TTL_MS = HOUR_MS;
/** "valid for 60 days" */
const LONG_TTL_MS = 60 * DAY_MS;

/** Threads answers under both names (https://developers.facebook.com/documentation/threads/overview). */
const PAGES = ["https://threads.net/oauth/authorize", "https://threads.com/oauth/authorize"];

export const USER = { id: "17841405793187218", username: "ada.threads" } as const;

export interface App {
  /** A numeric string. */
  readonly id: string;
  readonly secret: string;
  readonly redirects: readonly string[];
}

export interface Token {
  readonly scopes: readonly string[];
  readonly at: number;
  readonly ttlMs: number;
}

export interface Authorizing {
  /** Null: the person says no; otherwise what is granted, whatever was asked for. */
  grants: readonly string[] | null | "all";
  /** Meta takes a redirect by https only (…/create-an-app/threads-use-case). */
  httpsOnly: boolean;
  /** "at least 24 hours old" */
  renewableAfterMs: number;
}

export function openAuthorization(app: App, switches: Authorizing, now: () => number) {
  const codes = new Map<
    string,
    { readonly redirect: string; readonly scopes: readonly string[]; readonly at: number }
  >();
  const tokens = new Map<string, Token>();
  /** Tokens the person has taken away, by the subcode Meta then gives. */
  const revoked = new Map<string, number>();

  /**
   * What a person does on the page at this address: the query with which the browser comes back. Throws for a page that
   * shows an error.
   */
  async function consent(address: string): Promise<Record<string, string>> {
    const url = new URL(address);
    const param = (name: string) => url.searchParams.get(name) ?? "";
    if (!PAGES.includes(`${url.origin}${url.pathname}`)) throw new Error(`no page at ${address}`);
    if (param("response_type") !== "code") throw new Error("response_type must be code");
    if (param("client_id") !== app.id) throw new Error("Invalid client_id");
    const redirect = param("redirect_uri");
    if (switches.httpsOnly && !redirect.startsWith("https://")) throw new Error("Insecure redirect: use https");
    if (!app.redirects.includes(redirect)) throw new Error("Blocked redirect: not in the list of valid OAuth URIs");
    const scopes = param("scope").split(/[ ,]/);
    for (const scope of scopes) if (!SCOPES.includes(scope)) throw new Error(`Invalid Scopes: ${scope}`);
    if (!scopes.includes("threads_basic")) throw new Error("threads_basic is required");
    for (const name of url.searchParams.keys())
      if (!["client_id", "redirect_uri", "scope", "response_type", "state"].includes(name))
        throw new Error(`unknown parameter ${name}`);
    const state = param("state");
    if (switches.grants === null)
      return {
        error: "access_denied",
        error_reason: "user_denied",
        error_description: "The user denied your request",
        state,
      };
    const code = `AQ${randomUUID().replaceAll("-", "")}`;
    codes.set(code, { redirect, scopes: switches.grants === "all" ? scopes : switches.grants, at: now() });
    return { code, state };
  }

  function issue(scopes: readonly string[], ttlMs: number): string {
    const token = `THQVJ${randomUUID().replaceAll("-", "")}`;
    tokens.set(token, { scopes, at: now(), ttlMs });
    return token;
  }

  /**
   * Whether Meta knows the app: its refusal of a wrong secret wears the number of a downtime
   * (facebookarchive/php-graph-sdk#538).
   */
  function checkApp(secret: string | undefined): void {
    if (secret !== app.secret) throw refusal(1, "Error validating client secret.");
  }

  async function short(request: Request): Promise<Response> {
    const form = await formOf(request, ["client_id", "client_secret", "grant_type", "redirect_uri", "code"]);
    if (form["client_id"] !== app.id)
      throw refusal(101, "Error validating application. Cannot get application info due to a system error.");
    checkApp(form["client_secret"]);
    const code = form["code"] ?? "";
    const grant = codes.get(code);
    codes.delete(code);
    if (
      form["grant_type"] !== "authorization_code" ||
      !grant ||
      now() - grant.at > CODE_TTL_MS ||
      form["redirect_uri"] !== grant.redirect
    )
      throw new GraphRefusal(400, {
        error_type: "OAuthException",
        code: 400,
        error_message: "Matching code was not found or was already used",
      });
    const token = issue(grant.scopes, SHORT_TTL_MS);
    // A number that loses its last digits in JSON.parse, as Meta writes it.
    return new Response(`{"access_token":"${token}","user_id":${USER.id}}`, {
      headers: { "content-type": "application/json" },
    });
  }

  const renewed = (token: string) =>
    Response.json({ access_token: token, token_type: "bearer", expires_in: LONG_TTL_MS / 1000 });

  function long(url: URL): Response {
    const query = named(url.searchParams, ["grant_type", "client_secret", "access_token"]);
    if (query["grant_type"] !== "th_exchange_token") throw refusal(100, "Unsupported grant type");
    checkApp(query["client_secret"]);
    const held = valid(query["access_token"] ?? "");
    if (held.ttlMs !== SHORT_TTL_MS) throw refusal(190, "This is no short-lived token");
    return renewed(issue(held.scopes, LONG_TTL_MS));
  }

  /** "can be refreshed as long as they are at least 24 hours old but have not expired" */
  function refresh(url: URL): Response {
    const query = named(url.searchParams, ["grant_type", "access_token"]);
    if (query["grant_type"] !== "th_refresh_token") throw refusal(100, "Unsupported grant type");
    const held = valid(query["access_token"] ?? "");
    if (held.ttlMs !== LONG_TTL_MS || now() - held.at < switches.renewableAfterMs)
      throw refusal(190, "This token cannot be refreshed yet");
    return renewed(issue(held.scopes, LONG_TTL_MS));
  }

  /**
   * A dead token is a 400 (https://developers.facebook.com/docs/graph-api/guides/error-handling, codes and subcodes).
   */
  function valid(token: string): Token {
    const subcode = revoked.get(token);
    if (subcode !== undefined) throw refusal(190, "Error validating access token", { subcode });
    const held = tokens.get(token);
    if (!held) throw refusal(190, "Invalid OAuth access token - Cannot parse access token");
    if (now() - held.at > held.ttlMs)
      throw refusal(190, "Error validating access token: Session has expired", { subcode: 463 });
    return held;
  }

  /** Whose request it is. The token comes in the header: in the address it would end in somebody's log. */
  function authorize(request: Request, needed: readonly string[]): void {
    const held = valid(/^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "");
    const missing = needed.find((scope) => !held.scopes.includes(scope));
    if (missing !== undefined)
      throw refusal(10, "Application does not have permission for this action", { status: 403 });
  }

  function forget(subcode: number): void {
    for (const token of tokens.keys()) revoked.set(token, subcode);
  }

  return { consent, short, long, refresh, authorize, forget };
}
