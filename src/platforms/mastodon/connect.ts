import { PsnError } from "@psn/core/errors.ts";
import type { Connection, Profile } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net } from "@psn/core/types/platform.ts";
import { isConfidential } from "@psn/platforms/kit/address.ts";
import {
  type Answer,
  bodyOf,
  demandWhole,
  isRedirect,
  parse,
  REDIRECTS,
  refusal,
  targetOf,
} from "@psn/platforms/kit/http.ts";
import { z } from "zod";
import { Account, api, type Caller, redirection, subjectOf } from "./api.ts";
import { Instance, limitsOf } from "./limits.ts";

/** What psn asks for (https://docs.joinmastodon.org/api/oauth-scopes/, 2026-11); `read` and `write` hold them. */
export const SCOPES = ["read:accounts", "read:statuses", "write:statuses", "write:media"] as const;
const HINT = `make a token under Preferences → Development with ${SCOPES.join(", ")}`;

/** From a server and a token to a connection. Reads only. */
export async function connect(form: Readonly<Record<string, string>>, net: Net): Promise<Connection> {
  const home = originOf(form["server"] ?? "");
  const access = (form["token"] ?? "").trim();
  if (!/^[\x21-\x7e]+$/.test(access))
    throw new PsnError("INPUT_INVALID", "the token is empty or has characters a token cannot have", { hint: HINT });
  const session: Caller = { ...net, credentials: { access, scopes: [] }, profile: { home } };
  const account = await accountOf(session);
  const scopes = await scopesOf(session);
  return { credentials: { access, scopes }, profile: await profileOf(account, session) };
}

/** Whose token this is, and what the server says of itself. Reads only. */
export async function identified(session: Caller): Promise<Profile> {
  return profileOf(await accountOf(session), session);
}

async function profileOf(account: z.output<typeof Account>, session: Caller): Promise<Profile> {
  const { home } = session.profile;
  const instance = await instanceOf(session);
  const limits = limitsOf(instance);
  return {
    subject: subjectOf(account.id, home),
    handle: `${account.username}@${domainOf(instance, home)}`,
    url: account.url,
    home,
    ...defined({ limits: Object.keys(limits).length > 0 ? limits : undefined }),
  };
}

/**
 * GET /api/v1/accounts/verify_credentials (https://docs.joinmastodon.org/methods/accounts/#verify_credentials,
 * 2026-11).
 */
async function accountOf(session: Caller): Promise<z.output<typeof Account>> {
  const answer = await api(session, "/api/v1/accounts/verify_credentials", {
    effect: "none",
    accept: [...REDIRECTS, 401, 403, 404, 422],
  });
  const { status, host } = answer;
  if (status === 200) return parse(answer, Account);
  // 422: a token that stands for no user (Mastodon), or one that is not known (snac).
  if (status === 401 || status === 422)
    throw new PsnError("AUTH_REVOKED", `${host} does not accept this token`, { hint: HINT, details: { status } });
  if (status === 403)
    throw new PsnError("AUTH_SCOPE", `${host} does not allow this token to read its account`, {
      hint: HINT,
      details: { status },
    });
  if (status === 404) throw notMastodon(host);
  if (isRedirect(answer)) throw elsewhere(answer);
  throw refusal(answer, session);
}

/** For a redirect, which is never followed: the account's server has another name. */
export function elsewhere(answer: Answer): PsnError {
  const { status, host } = answer;
  const to = targetOf(answer);
  return new PsnError(
    "INPUT_INVALID",
    to ? `${host} redirects to ${to.origin}` : `${host} answered ${status}, a redirect without an address`,
    {
      hint: to ? redirection(to) : "check the server's name",
      details: { status },
    },
  );
}

/**
 * What the token may do, where the server tells: GET /api/v1/apps/verify_credentials names scopes since Mastodon 4.3
 * (https://docs.joinmastodon.org/methods/apps/#verify_credentials, 2026-11). Throws AUTH_SCOPE when one is missing.
 */
async function scopesOf(session: Caller): Promise<string[]> {
  const answer = await api(session, "/api/v1/apps/verify_credentials", {
    effect: "none",
    accept: [400, 401, 403, 404, 405, 422, 501],
  });
  if (answer.status === 200) demandWhole(answer);
  const told = answer.status === 200 ? z.object({ scopes: z.array(z.string()) }).safeParse(bodyOf(answer)) : undefined;
  if (!told?.success) return [];
  const { scopes } = told.data;
  const missing = missingOf(scopes);
  if (missing.length > 0)
    throw new PsnError("AUTH_SCOPE", `the token does not include ${missing.join(", ")}`, { hint: HINT });
  return scopes;
}

/** What psn needs and these do not hold. */
export function missingOf(scopes: readonly string[]): string[] {
  // `profile` is all that asking who one is needs, since Mastodon 4.3.
  const holds = (scope: string) =>
    scopes.some(
      (has) => has === scope || has === scope.split(":")[0] || (has === "profile" && scope === "read:accounts"),
    );
  return SCOPES.filter((scope) => !holds(scope));
}

/**
 * Version 2 of the instance, else version 1, else nothing: servers answer 404 with an empty body or a page for either.
 */
async function instanceOf(session: Caller): Promise<Instance> {
  for (const path of ["/api/v2/instance", "/api/v1/instance"]) {
    const answer = await api(session, path, { effect: "none", accept: [400, 401, 403, 404, 405, 410, 422, 501] });
    if (answer.status === 200) demandWhole(answer);
    const told = answer.status === 200 ? Instance.safeParse(bodyOf(answer)) : undefined;
    if (told?.success) return told.data;
  }
  return Instance.parse({});
}

function domainOf(instance: Instance, home: string): string {
  const named = instance.domain ?? instance.uri ?? "";
  const domain = URL.canParse(named) && /^https?:/.test(named) ? new URL(named).host : named;
  return /^[^\s/@\p{C}]{1,253}$/u.test(domain) ? domain : new URL(home).host;
}

/** The server's origin from what a person types. Throws INPUT_INVALID. */
export function originOf(typed: string): string {
  const hint = "--server mastodon.social";
  const server = typed.trim().replace(/\/+$/, "");
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`;
  if (server === "" || !URL.canParse(full))
    throw new PsnError("INPUT_INVALID", "the server is not a host name", { hint });
  const url = new URL(full);
  if (url.username !== "" || url.password !== "")
    throw new PsnError("INPUT_INVALID", "the server is a host name, not an address with a user", { hint });
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    throw new PsnError("INPUT_INVALID", "the server is a host name without a path", { hint: `--server ${url.host}` });
  if (isConfidential(url)) return url.origin;
  throw new PsnError("INPUT_INVALID", "the server must use https, or others could read the token on the network", {
    hint: `--server https://${url.host}`,
  });
}

/** For a host that knows nothing of the API. */
export function notMastodon(host: string): PsnError {
  return new PsnError("INPUT_INVALID", `${host} does not offer Mastodon's API`, {
    hint: "enter the host of the server's web page, without a path",
  });
}
