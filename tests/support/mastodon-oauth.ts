import { createHash, randomBytes } from "node:crypto";

/*
 * Mastodon's OAuth for tests, as strict as its pages say: clients that register themselves, a person's consent, codes
 * that work once, PKCE, revocation. https://docs.joinmastodon.org/methods/apps/ and
 * https://docs.joinmastodon.org/methods/oauth/ (2026-11).
 */

interface Client {
  readonly id: string;
  readonly secret: string;
  readonly redirects: readonly string[];
  readonly scopes: readonly string[];
}

interface Code {
  readonly client: Client;
  readonly redirect: string;
  readonly scopes: readonly string[];
  readonly challenge: string | null;
  readonly endsAt: number;
}

export interface OAuthSwitches {
  /** False: a server before 4.3, which knows no PKCE and ignores what it does not know. */
  pkce: boolean;
  /** False: a server that lets no unknown program register. */
  registers: boolean;
  /** What the person leaves of what is asked for; null for all of it. */
  grants: readonly string[] | null;
}

export interface MastodonOAuth {
  /** Undefined for what is none of its business. */
  readonly answer: (request: Request, url: URL, switches: OAuthSwitches) => Promise<Response | undefined>;
  /** What a token may; undefined for one that it did not issue, or took back. */
  readonly scopesOf: (token: string) => readonly string[] | undefined;
  readonly clients: readonly Client[];
  /** Tokens that work. */
  readonly tokens: readonly string[];
}

/** https://docs.joinmastodon.org/api/oauth-scopes/ (2026-11), as far as psn could ask for them. */
const KNOWN = ["profile", "read", "write", "read:accounts", "read:statuses", "write:statuses", "write:media"];
/** Doorkeeper's authorization_code_expires_in, which Mastodon leaves as it is: ten minutes. */
const CODE_MS = 10 * 60_000;

const secretOf = () => randomBytes(32).toString("base64url");
const words = (text: string | null) => (text ?? "").split(/\s+/).filter((word) => word !== "");
const fail = (status: number, error: string, error_description: string) =>
  Response.json({ error, error_description }, { status });
const invalidGrant = () =>
  fail(
    400,
    "invalid_grant",
    "The provided authorization grant is invalid, expired, revoked, or was issued to another client.",
  );
const holds = (scopes: readonly string[], scope: string) =>
  scopes.some((has) => has === scope || has === scope.split(":")[0]);

export function createMastodonOAuth(): MastodonOAuth {
  const clients: Client[] = [];
  const codes = new Map<string, Code>();
  const tokens = new Map<string, { readonly client: Client; readonly scopes: readonly string[] }>();

  function register(form: URLSearchParams): Response {
    const invalid = (what: string) => Response.json({ error: `Validation failed: ${what}` }, { status: 422 });
    if (!form.get("client_name")) return invalid("Application name can't be blank");
    const redirects = words(form.get("redirect_uris"));
    if (redirects.length === 0 || !redirects.every((uri) => URL.canParse(uri)))
      return invalid("Redirect URI must be an absolute URI.");
    const scopes = form.has("scopes") ? words(form.get("scopes")) : ["read"];
    if (!scopes.every((scope) => KNOWN.includes(scope)))
      return invalid("Scopes doesn't match configured on the server.");
    const client = { id: secretOf(), secret: secretOf(), redirects, scopes };
    clients.push(client);
    return Response.json({
      id: String(clients.length),
      name: "psn",
      redirect_uri: redirects[0],
      client_id: client.id,
      client_secret: client.secret,
    });
  }

  /**
   * The form a person sees, or (POST) what they pressed. A bad client or address is told to the person and never
   * redirected.
   */
  function authorize(method: string, query: URLSearchParams, { pkce, grants }: Readonly<OAuthSwitches>): Response {
    const client = clients.find(({ id }) => id === query.get("client_id"));
    const redirect = query.get("redirect_uri") ?? "";
    if (!client) return new Response("<p>Client authentication failed due to unknown client</p>", { status: 401 });
    if (!client.redirects.includes(redirect))
      return new Response("<p>The redirect URI included is not valid.</p>", { status: 400 });
    const back = (answer: Record<string, string>) => {
      const url = new URL(redirect);
      for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
      if (query.has("state")) url.searchParams.set("state", query.get("state") ?? "");
      return new Response(null, { status: 302, headers: { location: url.href } });
    };
    if (query.get("response_type") !== "code") return back({ error: "unsupported_response_type" });
    const asked = query.has("scope") ? words(query.get("scope")) : ["read"];
    if (!asked.every((scope) => holds(client.scopes, scope))) return back({ error: "invalid_scope" });
    const challenge = pkce ? query.get("code_challenge") : null;
    if (challenge !== null && query.get("code_challenge_method") !== "S256")
      return back({ error: "invalid_code_challenge_method" });
    if (method === "GET") return new Response("<form method=post><button>Authorize</button></form>");
    if (method === "DELETE") return back({ error: "access_denied" });
    const code = secretOf();
    const scopes = grants ? asked.filter((scope) => grants.includes(scope)) : asked;
    codes.set(code, { client, redirect, scopes, challenge, endsAt: Date.now() + CODE_MS });
    return back({ code });
  }

  function proven(form: URLSearchParams): Client | undefined {
    return clients.find(({ id, secret }) => id === form.get("client_id") && secret === form.get("client_secret"));
  }

  function exchange(form: URLSearchParams): Response {
    const client = proven(form);
    if (!client) return fail(401, "invalid_client", "Client authentication failed due to unknown client.");
    if (form.get("grant_type") !== "authorization_code")
      return fail(400, "unsupported_grant_type", "The grant type is not supported.");
    const name = form.get("code") ?? "";
    const code = codes.get(name);
    codes.delete(name);
    if (!code || code.client !== client || code.redirect !== form.get("redirect_uri") || Date.now() > code.endsAt)
      return invalidGrant();
    const proof = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (code.challenge !== null && code.challenge !== proof) return invalidGrant();
    const token = secretOf();
    tokens.set(token, { client, scopes: code.scopes });
    return Response.json({
      access_token: token,
      token_type: "Bearer",
      scope: code.scopes.join(" "),
      created_at: Math.floor(Date.now() / 1000),
    });
  }

  /** Idempotent: what is no token any more is fine. */
  function revoke(form: URLSearchParams): Response {
    const token = form.get("token") ?? "";
    const held = tokens.get(token);
    const client = proven(form);
    if (!client || token === "" || (held && held.client !== client))
      return fail(403, "unauthorized_client", "You are not authorized to revoke this token");
    tokens.delete(token);
    return Response.json({});
  }

  return {
    clients,
    get tokens() {
      return [...tokens.keys()];
    },
    scopesOf: (token) => tokens.get(token)?.scopes,
    answer: async (request, url, switches) => {
      const route = `${request.method} ${url.pathname}`;
      if (url.pathname === "/oauth/authorize") return authorize(request.method, url.searchParams, switches);
      if (!["POST /api/v1/apps", "POST /oauth/token", "POST /oauth/revoke"].includes(route)) return undefined;
      if (!(request.headers.get("content-type") ?? "").startsWith("application/x-www-form-urlencoded"))
        return new Response("", { status: 415 });
      const form = new URLSearchParams(await request.text());
      if (route === "POST /oauth/token") return exchange(form);
      if (route === "POST /oauth/revoke") return revoke(form);
      return switches.registers
        ? register(form)
        : Response.json({ error: "This action is not allowed" }, { status: 403 });
    },
  };
}

/**
 * What the person does at `url`: looks at the form, presses a button, and is sent back. Resolves to the query they come
 * back with.
 */
export async function consentAt(
  url: string,
  pressed: "authorize" | "deny" = "authorize",
): Promise<Readonly<Record<string, string>>> {
  const page = await fetch(url, { redirect: "manual", keepalive: false });
  const answer =
    page.status === 200
      ? await fetch(url, { method: pressed === "authorize" ? "POST" : "DELETE", redirect: "manual", keepalive: false })
      : page;
  const location = answer.headers.get("location");
  if (location === null) throw new Error(`the person sees a page that says: ${answer.status} ${await answer.text()}`);
  return Object.fromEntries(new URL(location).searchParams);
}
