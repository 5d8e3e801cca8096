import { parse } from "@psn/platforms/kit/http.ts";
import { revocableOf } from "@psn/platforms/kit/oauth.ts";
import { z } from "zod";
import { api, HOME, Id } from "./api.ts";

/** All that psn asks for: also to read the account, and to go on without the person (`offline.access`). */
export const SCOPES = ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"] as const;

/** GET /2/users/me (…/x-api/users/get-my-user, 2026-11). */
const Me = z.object({ data: z.object({ id: Id, username: z.string().regex(/^\w{1,50}$/) }) });

export const CONNECT = revocableOf({
  // …/fundamentals/authentication/oauth-2-0/user-access-token (2026-11): a confidential client proves
  // itself by Basic, a public one (without a secret) by its id in the body. A refresh token works once: every refresh
  // brings the next.
  server: {
    authorizeUrl: "https://x.com/i/oauth2/authorize",
    tokenUrl: "https://api.x.com/2/oauth2/token",
    revokeUrl: "https://api.x.com/2/oauth2/revoke",
    scopes: SCOPES,
    appAuth: "basic",
    pkce: true,
  },
  // …/fundamentals/developer-apps (2026-11).
  app: {
    page: "https://console.x.com",
    steps: [
      "sign in, create an app, and buy credits: X charges for every post and look-up that an app makes",
      "in the app's settings open User authentication settings; permissions: Read and write; type: Web App, " +
        "Automated App or Bot",
      "enter {redirect} as callback URL, exactly like this, and any page of yours as website",
      "save, and copy the OAuth 2.0 Client ID and Client Secret; X shows the secret once",
    ],
    keys: { id: "X_CLIENT_ID", secret: "X_CLIENT_SECRET" },
    secretOptional: true,
  },
  scopes: { prepare: ["media.write"], publish: ["tweet.write"], lookup: ["tweet.read"], remove: ["tweet.write"] },
  hint: "psn connect x, and allow all that psn asks for",
  async profileOf(session) {
    const { id, username } = parse(await api(session, "/2/users/me", { effect: "none" }), Me).data;
    return { subject: id, handle: username, url: `${HOME}/${username}`, home: HOME };
  },
});
