import { PsnError } from "@psn/core/errors.ts";
import type { Connection, Credentials, Profile } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import { isConfidential, isLoopback } from "@psn/platforms/kit/address.ts";
import { type Answer, isRedirect, parse } from "@psn/platforms/kit/http.ts";
import { Writable } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import { imageLimits } from "./image-limit.ts";
import { type Caller, errorName, xrpc } from "./xrpc.ts";

const PASSWORD_HINT = "make an app password in Bluesky under Settings → Privacy and security → App passwords";
const SERVER_HINT = "--server bsky.social";

const DidDoc = z.object({ service: z.array(z.object({ id: z.string(), serviceEndpoint: z.unknown() })) });
const Account = z.object({
  did: Writable.startsWith("did:"),
  handle: Writable,
  didDoc: z.unknown().optional(),
  active: z.boolean().optional(),
  status: z.string().optional(),
});
const Tokens = Account.extend({ accessJwt: z.string().min(1), refreshJwt: z.string().min(1) });

/**
 * com.atproto.server.createSession with an app password
 * (https://docs.bsky.app/docs/api/com-atproto-server-create-session, 2026-11).
 */
export async function connect(form: Readonly<Record<string, string>>, net: Net): Promise<Connection> {
  const identifier = identifierOf(form["identifier"] ?? "");
  const password = (form["password"] ?? "").trim();
  if (password === "") throw new PsnError("INPUT_REQUIRED", "the app password is missing", { hint: PASSWORD_HINT });
  const server = originOf(form["server"] ?? "");
  const tokens = await login(net, { server, identifier, password });
  if (tokens.active === false)
    throw new PsnError(
      "AUTH_REVOKED",
      `this account is not active (${shorten(tokens.status ?? "no reason given", 60)})`,
    );
  const credentials = credentialsOf(tokens, password);
  return { credentials, profile: await withLimits(profileOf(tokens, server), { ...net, credentials }) };
}

/**
 * com.atproto.server.getSession. What images the server takes is asked when an account is connected, and known from
 * then on.
 */
export async function identify(session: Session): Promise<Profile> {
  const { home } = session.profile;
  const answer = await xrpc(session, {
    home,
    method: "com.atproto.server.getSession",
    options: {
      query: {},
      token: session.credentials.access,
    },
  });
  const { limits } = session.profile;
  return { ...profileOf(parse(answer, Account), home), ...defined({ limits }) };
}

/** A rehearsal asks nothing that a server would count as writing. */
export async function withLimits(profile: Profile, caller: Net & Pick<Session, "credentials">): Promise<Profile> {
  const limits = caller.dryRun ? {} : await imageLimits({ ...caller, profile });
  return limits.images ? { ...profile, limits } : profile;
}

/** com.atproto.server.refreshSession; when that token is dead too, a new session with the app password. */
export function refresh(session: Session): Promise<Credentials> {
  return renewed(session).catch((error: unknown) => {
    const status = error instanceof PsnError ? Number(error.details["status"]) : 0;
    if (!(error instanceof PsnError) || !isRedirect({ status })) throw error;
    // It says nothing of the token.
    throw new PsnError("PLATFORM_DOWN", error.message, {
      cause: error,
      details: error.details,
      hint: "psn connect bluesky",
    });
  });
}

async function renewed(session: Session): Promise<Credentials> {
  const { credentials, profile } = session;
  if (credentials.refresh !== undefined) {
    const answer = await refreshSession(session, credentials.refresh);
    if (answer !== undefined) return credentialsOf(parse(answer, Tokens), credentials.secret);
  }
  if (credentials.secret === undefined)
    throw new PsnError("AUTH_REVOKED", `${new URL(profile.home).host} has ended this session`);
  const tokens = await login(session, {
    server: profile.home,
    identifier: profile.subject,
    password: credentials.secret,
  });
  if (tokens.did !== profile.subject)
    throw new PsnError("AUTH_REVOKED", `${new URL(profile.home).host} answered for a different account`);
  return credentialsOf(tokens, credentials.secret);
}

/** com.atproto.server.deleteSession; what has ended already is success. The app password stays what it is. */
export async function endSession({ credentials, profile, ...net }: Session): Promise<void> {
  if (credentials.refresh === undefined) return;
  try {
    await xrpc(
      { ...net, credentials },
      {
        home: profile.home,
        method: "com.atproto.server.deleteSession",
        options: {
          token: credentials.refresh,
        },
      },
    );
  } catch (error) {
    if (!(error instanceof PsnError) || (error.code !== "AUTH_EXPIRED" && error.code !== "AUTH_REVOKED")) throw error;
  }
}

/** Undefined when the server no longer takes the token. */
async function refreshSession(session: Session, token: string): Promise<Answer | undefined> {
  try {
    return await xrpc(session, {
      home: session.profile.home,
      method: "com.atproto.server.refreshSession",
      options: { token },
    });
  } catch (error) {
    if (error instanceof PsnError && error.code === "AUTH_EXPIRED") return undefined;
    throw error;
  }
}

async function login(
  net: Net,
  { server, identifier, password }: { readonly server: string; readonly identifier: string; readonly password: string },
): Promise<z.output<typeof Tokens>> {
  // The password is the caller's secret, so that no server can have it repeated in a message.
  const caller: Caller = {
    fetch: net.fetch,
    now: net.now,
    signal: net.signal,
    credentials: { access: "", secret: password, scopes: [] },
  };
  const accept = ["AuthenticationRequired", "AuthFactorTokenRequired", "XRPCNotSupported", "MethodNotImplemented"];
  const answer = await loginAnswer(caller, { server, body: { identifier, password }, accept });
  const name = errorName(answer);
  if (name === undefined) return parse(answer, Tokens);
  if (name === "AuthFactorTokenRequired")
    throw new PsnError("AUTH_REVOKED", `${answer.host} asks for a second factor`, { hint: PASSWORD_HINT });
  if (name === "AuthenticationRequired")
    throw new PsnError("AUTH_REVOKED", `${answer.host} does not accept this handle and app password`, {
      hint: PASSWORD_HINT,
    });
  throw new PsnError("INPUT_INVALID", `${answer.host} is not a server of Bluesky's network`, { hint: SERVER_HINT });
}

async function loginAnswer(
  caller: Caller,
  {
    server,
    body,
    accept,
  }: { readonly server: string; readonly body: { identifier: string; password: string }; readonly accept: string[] },
): Promise<Answer> {
  try {
    return await xrpc(caller, { home: server, method: "com.atproto.server.createSession", options: { body, accept } });
  } catch (error) {
    // No token was sent: a 401 in other words than atproto's is a refused password too.
    if (error instanceof PsnError && error.code === "AUTH_EXPIRED")
      throw new PsnError("AUTH_REVOKED", error.message, { hint: PASSWORD_HINT, details: error.details });
    throw error;
  }
}

function credentialsOf(tokens: z.output<typeof Tokens>, secret: string | undefined): Credentials {
  const { exp, scope } = claimsOf(tokens.accessJwt);
  return {
    access: tokens.accessJwt,
    refresh: tokens.refreshJwt,
    ...defined({ secret, expiresAt: exp === undefined ? undefined : new Date(exp * 1000) }),
    scopes: scope === undefined ? [] : scope.split(" "),
  };
}

const Claims = z.object({
  exp: z.number().int().positive().max(8.64e12).optional(),
  scope: z.string().min(1).optional(),
});

/** What an access token says of itself. Only a PDS can tell whether it is true, and nothing is decided by it. */
function claimsOf(jwt: string): z.output<typeof Claims> {
  try {
    return Claims.parse(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
  } catch {
    return {};
  }
}

function profileOf(account: z.output<typeof Account>, server: string): Profile {
  return {
    subject: account.did,
    handle: account.handle,
    url: profileUrl(account.did, account.handle),
    home: pdsOf(account.didDoc, server),
  };
}

/**
 * `handle.invalid` is what a server says of an account whose handle no longer leads to it
 * (https://atproto.com/specs/handle).
 */
export function profileUrl(did: string, handle: string): string {
  return `https://bsky.app/profile/${handle === "handle.invalid" ? did : handle}`;
}

/** Where the account's posts are kept: bsky.social only signs in. The DID document's `#atproto_pds`, else `server`. */
function pdsOf(didDoc: unknown, server: string): string {
  const doc = DidDoc.safeParse(didDoc);
  const endpoint = doc.success
    ? doc.data.service.find(({ id }) => id.endsWith("#atproto_pds"))?.serviceEndpoint
    : undefined;
  if (typeof endpoint !== "string" || !URL.canParse(endpoint)) return server;
  const url = new URL(endpoint);
  const local = isLoopback(url) && isLoopback(new URL(server));
  return url.protocol === "https:" || (url.protocol === "http:" && local) ? url.origin : server;
}

/** The handle or DID from what a person types. Throws INPUT_REQUIRED, INPUT_INVALID. */
export function identifierOf(typed: string): string {
  // A handle copied from an app brings marks of writing direction with it.
  const identifier = typed
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")
    .trim()
    .replace(/^@/, "");
  if (identifier === "")
    throw new PsnError("INPUT_REQUIRED", "the handle is missing", { hint: "--identifier ada.bsky.social" });
  if (/\s/.test(identifier))
    throw new PsnError("INPUT_INVALID", "the handle has a space in it", { hint: "--identifier ada.bsky.social" });
  return identifier;
}

/**
 * The server's origin from what a person types: `https` only, but for a server on this machine. Throws INPUT_INVALID.
 */
export function originOf(typed: string): string {
  const server = typed.trim() === "" ? "https://bsky.social" : typed.trim();
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`;
  if (!URL.canParse(full)) throw new PsnError("INPUT_INVALID", "the server is not a host name", { hint: SERVER_HINT });
  const url = new URL(full);
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new PsnError("INPUT_INVALID", "the server must be a host name only", { hint: `--server ${url.host}` });
  }
  if (isConfidential(url)) return url.origin;
  throw new PsnError("INPUT_INVALID", "the server must use https, or others could read the password on the network", {
    hint: `--server https://${url.host}`,
  });
}
