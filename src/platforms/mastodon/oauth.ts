import { PsnError } from "@psn/core/errors.ts";
import type {
  Authorization,
  AuthorizeRequest,
  Connection,
  ExchangeRequest,
  OAuthApp,
} from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { call, isRedirect, parse, REDIRECTS, refusal } from "@psn/platforms/kit/http.ts";
import { authorizationUrl, exchangeCode, type OAuthServer, revokeToken } from "@psn/platforms/kit/oauth.ts";
import { form } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { api } from "./api.ts";
import { elsewhere, identified, missingOf, notMastodon, originOf, SCOPES } from "./connect.ts";

/** https://docs.joinmastodon.org/methods/apps/#create (2026-11). */
const Registered = z.object({ client_id: z.string().min(1), client_secret: z.string().min(1) });

/**
 * What this adapter keeps of the registered client: in `keep` until the browser comes back, then in the credentials'
 * `secret`.
 */
const Client = z.object({ id: z.string().min(1), secret: z.string().min(1) });

/**
 * https://docs.joinmastodon.org/methods/oauth/ (2026-11). PKCE is always offered: a server that does not know it
 * ignores what it does not know (RFC 6749, 3.1 and 3.2; snac does, measured), and asking each one first would be a
 * request more.
 */
function serverAt(home: string): OAuthServer {
  return {
    authorizeUrl: `${home}/oauth/authorize`,
    tokenUrl: `${home}/oauth/token`,
    revokeUrl: `${home}/oauth/revoke`,
    scopes: SCOPES,
    appAuth: "body",
    pkce: true,
  };
}

/** Registers a client of its own at the server, for this one account, and names the page there. */
export async function authorize(request: AuthorizeRequest, net: Net): Promise<Authorization> {
  const home = originOf(request.form["server"] ?? "");
  const client = await register(home, request.redirectUri, net);
  return {
    ...authorizationUrl(serverAt(home), { ...request, app: client }),
    keep: { id: client.id, secret: client.secret },
  };
}

/** POST /api/v1/apps, which any program may (https://docs.joinmastodon.org/client/token/#app, 2026-11). */
async function register(home: string, redirectUri: string, net: Net): Promise<z.output<typeof Client>> {
  const answer = await call(net, `${home}/api/v1/apps`, {
    ...form({ client_name: "psn", redirect_uris: redirectUri, scopes: SCOPES.join(" ") }),
    effect: "none",
    keepalive: false,
    accept: [...REDIRECTS, 401, 403, 404, 405, 422],
  });
  const { status, host } = answer;
  if (status < 300) {
    const { client_id: id, client_secret: secret } = parse(answer, Registered);
    return { id, secret };
  }
  if (isRedirect(answer)) throw elsewhere(answer);
  if (status === 404 || status === 405) throw notMastodon(host);
  if (status === 422) throw refusal(answer, net);
  throw new PsnError("PLATFORM_REJECTED", `${host} does not allow new apps to register`, {
    hint: "connect with a token from Preferences → Development: --token-stdin",
    details: { status },
  });
}

/**
 * From the code to a connection. Throws AUTH_REVOKED for a code that is refused, AUTH_SCOPE for a consent that lacks
 * something.
 */
export async function exchange(request: ExchangeRequest, net: Net): Promise<Connection> {
  const home = originOf(request.form["server"] ?? "");
  const client = Client.safeParse(request.keep);
  if (!client.success) throw new PsnError("BUG", "the browser's answer does not have the expected client");
  const server = serverAt(home);
  const { access, expiresAt, scopes } = await exchangeCode(server, { ...request, app: client.data }, net);
  const secret = JSON.stringify(client.data);
  const credentials = { access, secret, ...defined({ expiresAt }), scopes };
  const session = { ...net, credentials, profile: { home } };
  const missing = missingOf(scopes);
  if (missing.length > 0)
    throw new PsnError("AUTH_SCOPE", `the consent does not include ${missing.join(", ")}`, {
      hint: "psn connect mastodon, and allow all that psn asks for",
    });
  return { credentials, profile: await identified(session) };
}

/**
 * POST /oauth/revoke (https://docs.joinmastodon.org/methods/oauth/#revoke, 2026-11). A token that was entered belongs
 * to a client whose secret psn never saw, so only its owner can take it back. Throws PLATFORM_REJECTED for that.
 */
export async function revoke(session: Session): Promise<void> {
  const { credentials, profile } = session;
  const client = clientOf(credentials.secret);
  if (!client)
    throw new PsnError("PLATFORM_REJECTED", "psn cannot revoke a token that you entered by hand", {
      hint: `delete it under Preferences → Development: ${profile.home}/settings/applications`,
    });
  try {
    await revokeToken(serverAt(profile.home), { ...session, app: client }, credentials.access);
  } catch (error) {
    // 403 is what Mastodon says of another client's token, and snac of one it does not know (measured).
    if (!(error instanceof PsnError) || error.details["status"] !== 403 || (await stillWorks(session))) throw error;
  }
}

async function stillWorks(session: Session): Promise<boolean> {
  const answer = await api(session, "/api/v1/accounts/verify_credentials", { effect: "none", accept: [401, 403, 422] });
  return answer.status < 400;
}

function clientOf(secret: string | undefined): OAuthApp | undefined {
  try {
    return Client.parse(JSON.parse(secret ?? ""));
  } catch {
    return undefined;
  }
}
