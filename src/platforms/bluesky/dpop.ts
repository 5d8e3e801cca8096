import type { Credentials } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Fetch, Net, Session } from "@psn/core/types/platform.ts";
import { z } from "zod";
import { clientOf, type SavedSession } from "./client.ts";

/*
 * Requests of a session that began with OAuth: each is signed anew with the session's own key (DPoP, RFC 9449).
 */

/** What such a session is made of beside its two tokens: what `Credentials.secret` holds, as JSON. */
const Saved = z.object({
  redirectUri: z.string(),
  /** The key that the tokens are bound to. */
  dpopJwk: z.looseObject({ kty: z.string() }),
  /** As the server told of itself. */
  server: z.looseObject({ issuer: z.string() }),
  token: z.object({ iss: z.string(), sub: z.string(), aud: z.string(), scope: z.string() }),
});
export type Saved = z.output<typeof Saved>;

/** Undefined for a session that began with an app password, which is the secret then. */
export function savedOf({ secret }: Credentials): Saved | undefined {
  if (!secret?.startsWith("{")) return undefined;
  try {
    return Saved.parse(JSON.parse(secret));
  } catch {
    return undefined;
  }
}

/**
 * Where the session's tokens are exchanged and ended: the servers that told of themselves when the consent was given.
 */
export function originsOf({ server, token }: Saved): ReadonlySet<string> {
  const endpoint: unknown = server["token_endpoint"];
  return new Set([token.iss, server.issuer, endpoint].flatMap((url) => URL.parse(String(url))?.origin ?? []));
}

/** The session as the client keeps it, with these tokens. */
export function sessionOf({ dpopJwk, token }: Saved, access: string, refresh?: string): SavedSession {
  const saved = {
    dpopJwk,
    authMethod: { method: "none" },
    tokenSet: {
      ...token,
      token_type: "DPoP",
      access_token: access,
      ...defined({ refresh_token: refresh }),
    },
  };
  // Made by the client itself and sealed since: it checks it again where it uses it.
  return saved as unknown as SavedSession;
}

/**
 * A `fetch` that authorises and signs; undefined for a session that began with an app password. The client is given
 * neither the refresh token nor the time at which the other one ends: it would exchange them by itself, and psn would
 * not know the new ones.
 */
export async function signing(caller: Net & Pick<Session, "credentials">): Promise<Fetch | undefined> {
  const saved = savedOf(caller.credentials);
  if (!saved) return undefined;
  const { oauthAuthorizationServerMetadataSchema } = await import("@atproto/oauth-client");
  const { sub, iss } = saved.token;
  let init: RequestInit | undefined;
  const client = await clientOf({
    redirectUri: saved.redirectUri,
    resolver: iss,
    server: oauthAuthorizationServerMetadataSchema.parse(saved.server),
    sessions: new Map([[sub, sessionOf(saved, caller.credentials.access)]]),
    // Only the headers are the client's; how a request travels stays the caller's.
    fetch: async (input) => {
      const { url, headers } = new Request(input);
      return caller.fetch(url, { ...init, headers });
    },
  });
  const session = await client.restore(sub, false);
  return async (url, given) => {
    init = given;
    return session.fetchHandler(String(url), given);
  };
}
