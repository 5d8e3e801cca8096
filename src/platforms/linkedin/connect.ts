import { shorten } from "@psn/domain/text.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { revocableOf } from "@psn/platforms/kit/oauth.ts";
import { z } from "zod";
import { api, HOME } from "./api.ts";

const Name = z.string().transform((name) => shorten(name, 200).trim());
/** A member's id is another one for every app; one app sees always the same. */
const Member = z.object({ sub: z.string().regex(/^[\w-]{1,64}$/), name: Name.pipe(z.string().min(1)) });

export const CONNECT = revocableOf({
  // …/shared/authentication/authorization-code-flow (2026-11): the secret goes into the body. The page knows no PKCE:
  // that is another flow, for native clients, which LinkedIn opens app by app (…/authorization-code-flow-native beside
  // it).
  server: {
    authorizeUrl: "https://www.linkedin.com/oauth/v2/authorization",
    tokenUrl: "https://www.linkedin.com/oauth/v2/accessToken",
    revokeUrl: "https://www.linkedin.com/oauth/v2/revoke",
    // Who it is, and to post as this member. Nothing self-serve lets an app read posts back.
    scopes: ["openid", "profile", "w_member_social"],
    appAuth: "body",
    pkce: false,
    // Only apps of LinkedIn's partners are given a refresh token, which keeps its own end
    // (…/shared/authentication/programmatic-refresh-tokens, 2026-11).
    refreshStays: true,
    noRefresh: {
      says: "the LinkedIn token has expired: it is valid for 60 days, and LinkedIn gave no refresh token",
      hint: "psn connect linkedin",
    },
  },
  // …/consumer/integrations/self-serve/share-on-linkedin (2026-11).
  app: {
    page: "https://www.linkedin.com/developers/apps",
    steps: [
      "create an app; it must belong to a LinkedIn page: choose one of yours, or create one",
      'on its Products tab request "Share on LinkedIn" and "Sign In with LinkedIn using OpenID Connect"; both are ' +
        "granted at once",
      "on its Auth tab add {redirect} as authorized redirect URL, exactly like this, and save",
      "on the same tab copy the Client ID and the Primary Client Secret",
    ],
    keys: { id: "LINKEDIN_CLIENT_ID", secret: "LINKEDIN_CLIENT_SECRET" },
  },
  scopes: { prepare: ["w_member_social"], publish: ["w_member_social"], remove: ["w_member_social"] },
  hint: "add both products to the app (https://www.linkedin.com/developers/apps), then psn connect linkedin",
  // GET /v2/userinfo (…/consumer/integrations/self-serve/sign-in-with-linkedin-v2, 2026-11). It tells a self-serve app
  // neither the member's address nor the name in it.
  async profileOf(session) {
    const { sub, name } = parse(await api(session, "/v2/userinfo", { effect: "none" }), Member);
    return { subject: `urn:li:person:${sub}`, handle: name, url: `${HOME}/`, home: HOME };
  },
});
