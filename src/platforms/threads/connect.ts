import { PsnError } from "@psn/core/errors.ts";
import type { AppGuide, Connection, Credentials, ExchangeRequest, Profile } from "@psn/core/types/account.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, call, parse } from "@psn/platforms/kit/http.ts";
import { exchangeCode, type OAuthServer, refusedForGood } from "@psn/platforms/kit/oauth.ts";
import { ANY_STATUS, readTokens, type Tokens } from "@psn/platforms/kit/oauth-answer.ts";
import type { Caller } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";
import { API, api, Id, reasonOf, refusalOf } from "./api.ts";

/**
 * To read the account, to publish, to answer (a thread is answers), to read answers back, and to delete (…/get-started
 * and …/posts/delete-posts, 2026-11).
 */
const WANTED = ["threads_content_publish", "threads_manage_replies", "threads_read_replies", "threads_delete"];
const SCOPES = ["threads_basic", ...WANTED];

/** What each verb needs of them. */
export const NEEDS = {
  prepare: ["threads_content_publish"],
  publish: ["threads_content_publish"],
  lookup: ["threads_basic", "threads_read_replies"],
  remove: ["threads_delete"],
} as const;

/** …/get-started/get-access-tokens-and-permissions (2026-11). No PKCE. */
export const SERVER: OAuthServer = {
  authorizeUrl: "https://threads.com/oauth/authorize",
  tokenUrl: `${API}/oauth/access_token`,
  scopes: SCOPES,
  scopeSeparator: ",",
  appAuth: "body",
  pkce: false,
};

/** https://developers.facebook.com/documentation/development/create-an-app/threads-use-case (2026-11). */
export const APP: AppGuide = {
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
};

/** From the code to a token of 60 days. Throws AUTH_REVOKED for a code that is refused. */
export async function exchange(request: ExchangeRequest, net: Net): Promise<Connection> {
  // Meta ends the address with `#_`, which a person may copy with the code.
  const code = request.code.replace(/#_$/, "");
  const { access } = await exchangeCode(SERVER, { ...request, code }, net);
  const secret = request.app?.secret ?? "";
  const query = { grant_type: "th_exchange_token", client_secret: secret, access_token: access };
  const credentials = credentialsOf(await tokensFor("/access_token", query, net), net.now());
  return { credentials, profile: await profileOf({ ...net, credentials }) };
}

const Me = z.object({ id: Id, username: z.string().regex(/^[\w.]{1,50}$/) });

/**
 * GET /me (…/reference/user, 2026-11). People see accounts at .com since Threads moved there; psn knows them by .net.
 */
export async function profileOf(session: Caller): Promise<Profile> {
  const { id, username } = parse(await api(session, "/me?fields=id,username", { effect: "none" }), Me);
  const url = `https://www.threads.com/@${username}`;
  return { subject: id, handle: username, url, home: "https://www.threads.net" };
}

/**
 * 60 more days. There is no refresh token: the token renews itself, once it is a day old and as long as it has not
 * expired (https://developers.facebook.com/docs/threads/get-started/long-lived-tokens, 2026-11). Throws AUTH_REVOKED
 * when only the person can help.
 */
export async function refresh(session: Session): Promise<Credentials> {
  const { access, scopes } = session.credentials;
  const query = { grant_type: "th_refresh_token", access_token: access };
  const tokens = await tokensFor("/refresh_access_token", query, session).catch(refusedForGood);
  return { ...credentialsOf(tokens, session.now()), scopes };
}

/**
 * Both exchanges are documented as GET with the secrets in the address: nothing of it is kept in an error, its cause
 * included, and the failure of a fetch names the whole address.
 */
async function tokensFor(path: string, query: Readonly<Record<string, string>>, net: Net & Partial<Session>) {
  const { access_token: access = "", client_secret: secret = "" } = query;
  const answer = await call(net, `${API}${path}?${new URLSearchParams(query)}`, {
    headers: { accept: "application/json" },
    effect: "none",
    keepalive: false,
    accept: ANY_STATUS,
  }).catch((error: unknown) => {
    if (!(error instanceof PsnError)) throw error;
    throw new PsnError(error.code, error.message, { details: error.details });
  });
  const guarded = { ...net, credentials: { access, secret, scopes: [] } };
  if (answer.status >= 400 && passes(answer, guarded)) throw refusalOf(answer, guarded);
  return readTokens(answer, { now: net.now(), asked: SCOPES, secrets: [access, secret] });
}

/**
 * Bad weather, which says nothing about the token. A wrong secret wears the number of a downtime
 * (facebookarchive/php-graph-sdk#538).
 */
function passes(answer: Answer, session: Caller): boolean {
  const { message } = reasonOf(answer) ?? {};
  if (message === undefined || /client secret|validating application/i.test(message)) return false;
  return ["PLATFORM_DOWN", "RATE_LIMITED"].includes(refusalOf(answer, session).code);
}

/** How long a token lives, in milliseconds (long-lived-tokens above). */
const LIFE_MS = 60 * 24 * 3_600_000;

/** The token is also what renews it: psn exchanges ahead of time only what has something to exchange. */
function credentialsOf({ access, expiresAt, scopes }: Tokens, now: Date): Credentials {
  return { access, refresh: access, expiresAt: expiresAt ?? new Date(now.getTime() + LIFE_MS), scopes };
}
