import { PsnError } from "@psn/core/errors.ts";
import type { Credentials, OAuthAuth, Profile } from "@psn/core/types/account.ts";
import type { Session } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { credentialsOf, exchangeRefresh, type OAuthServer, oauthVerbs } from "@psn/platforms/kit/oauth.ts";
import type { Caller } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { api, HOME } from "./api.ts";

/** Who it is (`openid profile`), and to post as this member. Nothing self-serve lets an app read posts back. */
export const SCOPES = ["openid", "profile", "w_member_social"] as const;
/** What each verb needs of them. */
export const NEEDS = { prepare: [SCOPES[2]], publish: [SCOPES[2]], remove: [SCOPES[2]] } as const;

/**
 * https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow (2026-11): the secret goes
 * into the body. The page knows no PKCE: that is another flow, for native clients, which LinkedIn opens app by app
 * (https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow-native, 2026-11).
 */
const SERVER: OAuthServer = {
  authorizeUrl: "https://www.linkedin.com/oauth/v2/authorization",
  tokenUrl: "https://www.linkedin.com/oauth/v2/accessToken",
  revokeUrl: "https://www.linkedin.com/oauth/v2/revoke",
  scopes: SCOPES,
  appAuth: "body",
  pkce: false,
};

/** https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/share-on-linkedin (2026-11). */
export const OAUTH: OAuthAuth = {
  kind: "oauth",
  fields: [],
  app: {
    page: "https://www.linkedin.com/developers/apps",
    steps: [
      "create an app; it must belong to a LinkedIn page: choose one of yours, or create one",
      'on its Products tab request "Share on LinkedIn" and "Sign In with LinkedIn using OpenID Connect"; both are granted at once',
      "on its Auth tab add {redirect} as authorized redirect URL, exactly like this, and save",
      "on the same tab copy the Client ID and the Primary Client Secret",
    ],
    keys: { id: "LINKEDIN_CLIENT_ID", secret: "LINKEDIN_CLIENT_SECRET" },
  },
};

const PRODUCTS = "add both products to the app (https://www.linkedin.com/developers/apps), then psn connect linkedin";
export const VERBS = { ...oauthVerbs(SERVER, PRODUCTS, profileOf), refresh };

/** A member's id is another one for every app; one app sees always the same. */
const Member = z.object({
  sub: z.string().regex(/^[\w-]{1,64}$/),
  name: z
    .string()
    .transform((name) => shorten(name, 200).trim())
    .pipe(z.string().min(1)),
});

/**
 * GET /v2/userinfo
 * (https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2, 2026-11).
 */
async function profileOf(session: Caller): Promise<Profile> {
  const { sub, name } = parse(await api(session, "/v2/userinfo", { effect: "none" }), Member);
  // LinkedIn tells a self-serve app neither the member's address nor the name in it.
  return { subject: `urn:li:person:${sub}`, handle: name, url: `${HOME}/`, home: HOME };
}

/**
 * New tokens. Only apps of LinkedIn's partners are given a refresh token
 * (https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens, 2026-11).
 * Throws AUTH_REVOKED when only the person can help, which is always so where there is none.
 */
async function refresh(session: Session): Promise<Credentials> {
  const { refresh: renewal } = session.credentials;
  if (renewal === undefined)
    throw new PsnError(
      "AUTH_REVOKED",
      "the LinkedIn token has expired: it is valid for 60 days, and LinkedIn gave no refresh token",
      { hint: "psn connect linkedin" },
    );
  // The refresh token stays the same, and keeps its own end.
  return { refresh: renewal, ...credentialsOf(await exchangeRefresh(SERVER, session)) };
}
