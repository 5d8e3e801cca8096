import { createHash, randomUUID } from "node:crypto";
import { Problem, problem } from "./problem.ts";

/*
 * X's authorisation server: https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code and
 * …/user-access-token. What the pages leave open (the words of a refusal) is as developers report it.
 */

/** https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code#scopes, those that matter here. */
const SCOPES = [
  "tweet.read",
  "tweet.write",
  "users.read",
  "media.write",
  "offline.access",
  "dm.read",
  "like.read",
  "follows.read",
];
/** "You will have to exchange it within 30 seconds" (same page, glossary). */
const CODE_TTL_MS = 30_000;
/** "will only stay valid for two hours" (same page). */
const ACCESS_TTL_MS = 2 * 3_600_000;

export interface App {
  readonly id: string;
  /** Absent or empty: a public client. */
  readonly secret?: string;
  readonly redirects: readonly string[];
}

interface Grant {
  readonly redirect: string;
  readonly challenge: string;
  readonly scopes: readonly string[];
  readonly at: number;
}

export interface Token {
  readonly scopes: readonly string[];
  readonly at: number;
}

export interface Authorizing {
  /** Null: the person says no; otherwise what is granted, whatever was asked for. */
  grants: readonly string[] | null | "all";
}

export function openAuthorization(app: App, switches: Authorizing, now: () => number) {
  const codes = new Map<string, Grant>();
  const access = new Map<string, Token>();
  const renewals = new Map<string, Token>();

  /**
   * What a person does on the page at this address: the query with which the browser comes back. Throws for a page that
   * shows an error.
   */
  async function consent(address: string): Promise<Record<string, string>> {
    const url = new URL(address);
    const param = (name: string) => url.searchParams.get(name) ?? "";
    if (`${url.origin}${url.pathname}` !== "https://x.com/i/oauth2/authorize") throw new Error(`no page at ${address}`);
    if (param("response_type") !== "code") throw new Error("response_type must be code");
    if (param("client_id") !== app.id)
      throw new Error("Something went wrong: You weren't able to give access to the App");
    // "exact match validation"
    if (!app.redirects.includes(param("redirect_uri")))
      throw new Error("Callback URL not approved for this client application");
    const scopes = param("scope").split(" ");
    for (const scope of scopes) if (!SCOPES.includes(scope)) throw new Error(`unknown scope ${scope}`);
    const state = param("state");
    if (state === "" || state.length > 500) throw new Error("state must have 1 to 500 characters");
    if (param("code_challenge_method") !== "S256" || !/^[\w-]{43}$/.test(param("code_challenge")))
      throw new Error("PKCE is missing");
    if (switches.grants === null) return { error: "access_denied", state };
    const code = `code-${randomUUID()}`;
    const granted = switches.grants === "all" ? scopes : switches.grants;
    codes.set(code, {
      redirect: param("redirect_uri"),
      challenge: param("code_challenge"),
      scopes: granted,
      at: now(),
    });
    return { state, code };
  }

  async function formOf(request: Request): Promise<URLSearchParams> {
    if (!/^application\/x-www-form-urlencoded\b/.test(request.headers.get("content-type") ?? "")) throw problem(415);
    const form = new URLSearchParams(await request.text());
    const basic = /^Basic (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (app.secret) {
      // A confidential client proves itself by Basic and by nothing else.
      const [id = "", secret = ""] = Buffer.from(basic ?? "", "base64")
        .toString()
        .split(":")
        .map(decodeURIComponent);
      if (id !== app.id || secret !== app.secret)
        throw refused(401, "unauthorized_client", "Missing valid authorization header");
    } else if (basic !== undefined || form.get("client_id") !== app.id) {
      throw refused(401, "unauthorized_client", "Missing required parameter [client_id].");
    }
    return form;
  }

  function issue(scopes: readonly string[]): Response {
    const token = { scopes, at: now() };
    const [next, renewal] = [`at-${randomUUID()}`, `rt-${randomUUID()}`];
    access.set(next, token);
    const renews = scopes.includes("offline.access");
    if (renews) renewals.set(renewal, token);
    return Response.json({
      token_type: "bearer",
      // A number as text, to be awkward.
      expires_in: String(ACCESS_TTL_MS / 1000),
      access_token: next,
      scope: scopes.join(" "),
      ...(renews ? { refresh_token: renewal } : {}),
    });
  }

  async function token(request: Request): Promise<Response> {
    const form = await formOf(request);
    if (form.get("grant_type") === "refresh_token") {
      const used = form.get("refresh_token") ?? "";
      const held = renewals.get(used);
      // It works once.
      renewals.delete(used);
      if (!held) throw refused(400, "invalid_request", "Value passed for the token was invalid.");
      return issue(held.scopes);
    }
    if (form.get("grant_type") !== "authorization_code") throw refused(400, "unsupported_grant_type", "");
    const code = form.get("code") ?? "";
    const grant = codes.get(code);
    codes.delete(code);
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (!grant || now() - grant.at > CODE_TTL_MS || form.get("redirect_uri") !== grant.redirect)
      throw refused(400, "invalid_request", "Value passed for the authorization code was invalid.");
    if (challenge !== grant.challenge)
      throw refused(400, "invalid_request", "Value passed for the code verifier did not match the code challenge.");
    return issue(grant.scopes);
  }

  async function revoke(request: Request): Promise<Response> {
    const token = (await formOf(request)).get("token") ?? "";
    const known = access.delete(token) || renewals.delete(token);
    if (!known) throw refused(400, "invalid_request", "Value passed for the token was invalid.");
    return Response.json({ revoked: true });
  }

  /** Whose request it is. Throws 401, and 403 where the token may not. */
  function authorize(request: Request, needed: readonly string[]): void {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const held = access.get(bearer ?? "");
    if (!held || now() - held.at > ACCESS_TTL_MS) throw problem(401);
    if (needed.some((scope) => !held.scopes.includes(scope))) throw problem(403);
  }

  return { consent, token, revoke, authorize, access, renewals };
}

function refused(status: number, error: string, description: string): Problem {
  return new Problem(status, { error, error_description: description });
}
