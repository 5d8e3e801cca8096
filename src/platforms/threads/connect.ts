import { parse } from "@psn/platforms/kit/http.ts";
import { oauthOf } from "@psn/platforms/kit/oauth.ts";
import { z } from "zod";
import { API, api, Id, SCOPE_HINT } from "./api.ts";

/**
 * To publish, to answer (a thread is answers), to read answers back, and to delete (…/get-started and
 * …/posts/delete-posts, 2026-11).
 */
const WANTED = ["threads_content_publish", "threads_manage_replies", "threads_read_replies", "threads_delete"];

const Me = z.object({ id: Id, username: z.string().regex(/^[\w.]{1,50}$/) });

export const CONNECT = oauthOf({
  // …/get-started/get-access-tokens-and-permissions and
  // https://developers.facebook.com/docs/threads/get-started/long-lived-tokens (2026-11): no PKCE, and a token of 60
  // days, which renews itself once it is a day old and as long as it has not expired.
  server: {
    authorizeUrl: "https://threads.com/oauth/authorize",
    tokenUrl: `${API}/oauth/access_token`,
    // Also to read the account.
    scopes: ["threads_basic", ...WANTED],
    scopeSeparator: ",",
    appAuth: "body",
    pkce: false,
    codeEnd: "#_",
    longLived: {
      exchange: { url: `${API}/access_token`, grant: "th_exchange_token" },
      renew: { url: `${API}/refresh_access_token`, grant: "th_refresh_token" },
      lifeMs: 60 * 24 * 3_600_000,
    },
  },
  // https://developers.facebook.com/documentation/development/create-an-app/threads-use-case (2026-11).
  app: {
    page: "https://developers.facebook.com/apps",
    steps: [
      'create an app with the use case "Access the Threads API"',
      `in Use cases, Customize, add the permissions ${WANTED.join(", ")}`,
      "in its Settings enter {redirect} as redirect, deauthorise and delete callback URL, exactly like this",
      "in App roles, Roles, add your Threads account as Threads Tester, and accept in Threads: Settings, Account, " +
        "Website permissions",
      "copy the Threads app ID and the Threads app secret from the Settings; they are not the app's own",
    ],
    keys: { id: "THREADS_APP_ID", secret: "THREADS_APP_SECRET" },
    pasteOnly: true,
  },
  scopes: {
    prepare: ["threads_content_publish"],
    publish: ["threads_content_publish"],
    lookup: ["threads_basic", "threads_read_replies"],
    remove: ["threads_delete"],
  },
  hint: SCOPE_HINT,
  // GET /me (…/reference/user, 2026-11). People see accounts at .com since Threads moved there; psn knows them by .net.
  async profileOf(session) {
    const { id, username } = parse(await api(session, "/me?fields=id,username", { effect: "none" }), Me);
    const url = `https://www.threads.com/@${username}`;
    return { subject: id, handle: username, url, home: "https://www.threads.net" };
  },
});
