import type { OAuthSession } from "@atproto/oauth-client";
import { PsnError } from "@psn/core/errors.ts";
import type {
  Authorization,
  AuthorizeRequest,
  Connection,
  Credentials,
  ExchangeRequest,
} from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { z } from "zod";
import { carrierOf, clientOf, failureOf, type SavedSession, type SavedState, SCOPES } from "./client.ts";
import { originsOf, type Saved, savedOf, sessionOf } from "./dpop.ts";
import { endSession, identifierOf, identify, originOf, refresh as refreshByPassword, withLimits } from "./session.ts";

const AGAIN = "psn connect bluesky --oauth";

/** What waits for the browser: the client's own state, with the session's key in it, and whose consent is asked. */
const Kept = z.object({ state: z.string(), saved: z.string(), did: z.string() });

/**
 * The page on which the account's owner consents (https://atproto.com/specs/oauth#summary-of-authorization-flow,
 * 2026-11). PAR, PKCE and DPoP are the client's, and so is the state that comes back with the browser.
 */
export async function authorize(request: AuthorizeRequest, net: Net): Promise<Authorization> {
  const identifier = identifierOf(request.form["identifier"] ?? "");
  const resolver = originOf(request.form["server"] ?? "");
  if (identifier.includes("@"))
    throw new PsnError("INPUT_INVALID", "the browser needs the handle, not an e-mail address", {
      hint: "--identifier ada.bsky.social",
    });
  if (!/^http:\/\/(127\.0\.0\.1|\[::1\])[:/]/.test(request.redirectUri))
    throw new PsnError("INPUT_INVALID", "Bluesky sends the browser back to http://127.0.0.1 only", {
      hint: "leave --redirect out",
    });
  const states = new Map<string, SavedState>();
  const carrier = carrierOf(net);
  try {
    const client = await clientOf({ redirectUri: request.redirectUri, resolver, fetch: carrier.fetch, states });
    const { did } = await client.identityResolver.resolve(identifier, { signal: net.signal });
    const url = await client.authorize(did, { signal: net.signal });
    const [[state, saved] = []] = states;
    if (state === undefined || saved === undefined) throw new PsnError("BUG", "the OAuth client stored no state");
    return { url: url.href, state, keep: { state, saved: JSON.stringify(saved), did } };
  } catch (error) {
    const words = `psn found no server for ${identifier} at which you can give consent`;
    throw await failureOf(error, carrier.trouble(), {
      refused: "PLATFORM_REJECTED",
      otherwise: "INPUT_INVALID",
      words,
      hint: "check the handle",
    });
  }
}

/**
 * From the browser's answer to a connection. Throws AUTH_REVOKED for a code that is refused and for another account's
 * consent.
 */
export async function exchange(request: ExchangeRequest, net: Net): Promise<Connection> {
  const kept = Kept.safeParse(request.keep);
  if (!kept.success) throw new PsnError("BUG", "the browser's answer does not have the expected state");
  const { state, saved, did } = kept.data;
  const { redirectUri } = request;
  const resolver = originOf(request.form["server"] ?? "");
  const sessions = new Map<string, SavedSession>();
  const carrier = carrierOf(net);
  let session: OAuthSession;
  try {
    const client = await clientOf({
      redirectUri,
      resolver,
      fetch: carrier.fetch,
      states: new Map([[state, JSON.parse(saved)]]),
      sessions,
    });
    // Whether the answer is the issuer's own, and the issuer the account's, is for the client to check.
    ({ session } = await client.callback(new URLSearchParams({ ...request.answer, state })));
  } catch (error) {
    const words = "the server refused the consent";
    throw await failureOf(error, carrier.trouble(), {
      refused: "AUTH_REVOKED",
      otherwise: "AUTH_REVOKED",
      words,
      hint: AGAIN,
    });
  }
  const held = sessions.get(session.did);
  if (!held) throw new PsnError("BUG", "the OAuth client stored no session");
  const credentials = credentialsOf(held, { redirectUri, server: serverOf(session) });
  const home = new URL(held.tokenSet.aud).origin;
  const made = { ...net, credentials, profile: { subject: session.did, handle: "", url: home, home } };
  if (session.did !== did) {
    await revoke(made).catch(() => undefined);
    throw new PsnError("AUTH_REVOKED", "a different account gave consent than the one that psn asked for", {
      hint: AGAIN,
    });
  }
  const missing = SCOPES.filter((scope) => !credentials.scopes.includes(scope));
  if (missing.length > 0)
    throw new PsnError("AUTH_SCOPE", `the consent does not include ${missing.join(", ")}`, { hint: AGAIN });
  return { credentials, profile: await withLimits(await identify(made), made) };
}

/**
 * New tokens, by whichever way the session began. A refresh token works once; used again, it ends the whole session.
 */
export async function refresh(session: Session): Promise<Credentials> {
  const saved = savedOf(session.credentials);
  if (!saved) return refreshByPassword(session);
  const { access, refresh: renewal } = session.credentials;
  const { sub, aud } = saved.token;
  const before = sessionOf(saved, access, renewal);
  const sessions = new Map([[sub, before]]);
  const carrier = carrierOf(session, originsOf(saved));
  let thrown: unknown;
  try {
    const client = await clientOf({
      redirectUri: saved.redirectUri,
      resolver: new URL(aud).origin,
      fetch: carrier.fetch,
      sessions,
    });
    await client.restore(sub, true);
  } catch (error) {
    thrown = error;
  }
  // New tokens are kept, whatever went wrong after them: the old ones are dead.
  const after = sessions.get(sub);
  if (after && after !== before) return credentialsOf(after, saved);
  const words = `${new URL(aud).host} did not refresh this session`;
  throw await failureOf(thrown, carrier.trouble(), {
    refused: "AUTH_REVOKED",
    otherwise: "PLATFORM_DOWN",
    words,
    hint: AGAIN,
  });
}

/** Ends the session at its server, by whichever way it began. One that is over already is success. */
export async function revoke(session: Session): Promise<void> {
  const saved = savedOf(session.credentials);
  if (!saved) return endSession(session);
  const { sub, aud } = saved.token;
  // Either token ends the session, and the longer-lived one surely is known still.
  const held = sessionOf(saved, session.credentials.refresh ?? session.credentials.access);
  const carrier = carrierOf(session, originsOf(saved));
  const client = await clientOf({
    redirectUri: saved.redirectUri,
    resolver: new URL(aud).origin,
    fetch: carrier.fetch,
    sessions: new Map([[sub, held]]),
  });
  try {
    await client.revoke(sub);
  } catch (error) {
    const words = `${new URL(aud).host} could not be notified`;
    throw await failureOf(error, carrier.trouble(), { refused: "PLATFORM_DOWN", otherwise: "PLATFORM_DOWN", words });
  }
  // The client takes silence for success.
  const trouble = carrier.trouble();
  if (trouble) throw trouble;
}

function credentialsOf(
  { dpopJwk, tokenSet }: SavedSession,
  { redirectUri, server }: Pick<Saved, "redirectUri" | "server">,
): Credentials {
  const { access_token: access, refresh_token: renewal, expires_at: end, iss, sub, aud, scope } = tokenSet;
  return {
    access,
    ...defined({ refresh: renewal }),
    secret: JSON.stringify({ redirectUri, dpopJwk, server, token: { iss, sub, aud, scope } }),
    ...defined({ expiresAt: end === undefined ? undefined : new Date(end) }),
    scopes: scope.split(" "),
  };
}

/** What the client must know of the server to sign for it. */
function serverOf({ serverMetadata }: OAuthSession): Saved["server"] {
  const {
    issuer,
    authorization_endpoint,
    token_endpoint,
    token_endpoint_auth_methods_supported,
    dpop_signing_alg_values_supported,
  } = serverMetadata;
  return {
    issuer,
    authorization_endpoint,
    token_endpoint,
    token_endpoint_auth_methods_supported,
    dpop_signing_alg_values_supported,
  };
}
