import { type ErrorCode, type ErrorOptions, PsnError } from "@psn/core/errors.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import type { z } from "zod";
import { isConfidential } from "./address.ts";

/** Longest a request may take, body included, in milliseconds. The engine's lease is longer (`domain/delivery.ts`). */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Longest an upload may take, in milliseconds. */
export const UPLOAD_TIMEOUT_MS = 120_000;
/** Longest pause a platform can ask for; a server's clock or unit may be wrong. */
const MAX_PAUSE_MS = 24 * 3_600_000;

/** A pause as a platform asks for it, in milliseconds: from 0 to a day, whatever number it sent. */
export function pauseWithin(ms: number): number {
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_PAUSE_MS);
}

/** Most of a platform's own words in one message, in UTF-16 units. */
export const SAID_MOST = 200;

/**
 * What a request can do that somebody may see.
 * `publish`: it can create a post, so a missing answer is an unknown outcome.
 * `none`: reading, uploading, signing in: a missing answer is only bad weather.
 */
export type Effect = "publish" | "none";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly url: string;
  readonly host: string;
  readonly effect: Effect;
  /** What was sent, where that was text: nothing of it may come back in a message. */
  readonly sent: string;
}

export interface CallOptions extends RequestInit {
  readonly effect: Effect;
  readonly timeoutMs?: number;
  /** Statuses to hand back in place of throwing, for an adapter that knows what they mean here. */
  readonly accept?: readonly number[];
  /** What helps where the platform redirects to this address; else to connect the account again. */
  readonly moved?: (to: URL) => string;
}

type Caller = Net & Partial<Pick<Session, "credentials" | "app">>;

/**
 * One request and its whole answer. Never follows a redirect: a token goes to no other host, and a redirect carried nothing out.
 * Goes nowhere but over https, or to this machine, whatever address an account's row or an answer has named (AUTH_REVOKED). Throws RATE_LIMITED, AUTH_EXPIRED, AUTH_SCOPE, PLATFORM_REJECTED on a clear answer, PLATFORM_UNREACHABLE when nothing
 * was sent, and OUTCOME_UNKNOWN (effect `publish`) or PLATFORM_DOWN (effect `none`) when the answer is missing or unclear.
 * What `session.fetch` itself throws as a PsnError (LEASE_LOST) passes through.
 */
export async function call(session: Caller, url: string | URL, options: CallOptions): Promise<Answer> {
  const { effect, timeoutMs = REQUEST_TIMEOUT_MS, accept = [], moved, ...init } = options;
  const address = new URL(url);
  const { host } = address;
  if (!isConfidential(address))
    throw new PsnError("AUTH_REVOKED", `${host} is not reached over https, and others could read a token on the way`, {
      hint: "psn connect PLATFORM",
    });
  session.signal.throwIfAborted();
  let answer: Answer;
  try {
    // Once the bytes of a publish leave, only its own time limit stops it: a stop must not turn a post into an unknown.
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = effect === "publish" ? timeout : AbortSignal.any([timeout, session.signal]);
    // A kept connection that the server has closed looks like a lost answer; a publish opens its own.
    const own = effect === "publish" ? { keepalive: false } : {};
    const response = await session.fetch(url, { ...own, ...init, redirect: "manual", signal });
    answer = {
      status: response.status,
      headers: response.headers,
      text: await response.text(),
      url: String(url),
      host,
      effect,
      sent: typeof init.body === "string" ? init.body : "",
    };
  } catch (cause) {
    const own = ownError(cause);
    if (own && own !== session.signal.reason) throw own;
    if (neverSent(cause)) throw new PsnError("PLATFORM_UNREACHABLE", `could not connect to ${host}`, { cause });
    throw noVerdict(effect, `no answer from ${host}`, { cause });
  }
  if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer;
  throw refusal(answer, session, moved);
}

/** What was thrown on purpose, also where a library has wrapped it. */
function ownError(thrown: unknown): PsnError | undefined {
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) if (error instanceof PsnError) return error;
  return undefined;
}

/** The answer's JSON in the shape an adapter relies on; throws PLATFORM_CHANGED when it is anything else. */
export function parse<T extends z.ZodType>(answer: Answer, schema: T): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch (cause) {
    throw new PsnError("PLATFORM_CHANGED", `${answer.host} answered ${answer.status} with something that is not JSON`, {
      cause,
      details: { status: answer.status },
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join(".") ?? "";
  throw new PsnError("PLATFORM_CHANGED", `${answer.host} answered ${answer.status} in a shape psn does not know (at "${where}")`, {
    details: { status: answer.status },
  });
}

/** The error for an answer that is not 2xx. Adapters call it for what they `accept` and then cannot explain. */
export function refusal(answer: Answer, session: Caller, moved?: CallOptions["moved"]): PsnError {
  const details = { status: answer.status };
  const { host, status } = answer;
  if (isRedirect(answer)) return redirected(answer, session, moved);
  const said = reason(answer, session);
  if (status === 401) return new PsnError("AUTH_EXPIRED", `${host} no longer accepts this token${said}`, { details });
  if (status === 403) return new PsnError("AUTH_SCOPE", `${host} does not allow this${said}`, { details });
  if (status === 429) {
    const retryAfterMs = pauseMs(answer.headers, session.now());
    return new PsnError(
      "RATE_LIMITED",
      `${host} asks for a pause${said}`,
      retryAfterMs === undefined ? { details } : { details, retryAfterMs },
    );
  }
  if (status === 408 || status >= 500 || status < 300)
    return noVerdict(answer.effect, `${host} answered ${status}${said}`, later(answer, session));
  return new PsnError("PLATFORM_REJECTED", `${host} refused with ${status}${said}`, { details });
}

/** A read or an upload that failed is tried again when the server says; what may be public is asked about sooner. */
function later(answer: Answer, { now }: Caller): ErrorOptions {
  const pause = answer.effect === "none" ? retryAfterMs(answer, now()) : undefined;
  return { details: { status: answer.status }, ...(pause === undefined ? {} : { retryAfterMs: pause }) };
}

/** What Retry-After asks for, in milliseconds: in any answer but a 429 the other headers only count down an allowance. */
export function retryAfterMs({ headers }: Pick<Answer, "headers">, now: Date): number | undefined {
  return headers.has("retry-after") ? pauseMs(headers, now) : undefined;
}

/** A refusal of a repeated request, which its adapter knows to speak of every attempt before it too. */
export function vouched({ code, message, cause, hint, retryAfterMs, details }: PsnError): PsnError {
  const more = { ...(hint === undefined ? {} : { hint }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new PsnError(code, message, { cause, details, ...more, neverTaken: true });
}

/** Whether what is not needed for a post has failed by something that the whole attempt must hear of: a stop, a token, a lost lease. */
export function concernsAll(error: unknown, { signal }: Pick<Net, "signal">): boolean {
  return signal.aborted || (error instanceof PsnError && (error.retry === "refresh" || error.code === "LEASE_LOST"));
}

/** Whether this is a platform's own no to what it was sent: a redirect is nobody's. */
export function isRefused(error: unknown): error is PsnError {
  return error instanceof PsnError && error.code === "PLATFORM_REJECTED" && Number(error.details["status"]) >= 400;
}

/** Whether the answer sends the request elsewhere, or (304) back: in any case it carried nothing out (RFC 9110, 15.4). */
export function isRedirect({ status }: Pick<Answer, "status">): boolean {
  return status >= 300 && status < 400;
}

/** Every redirect, for what `accept`s them. */
export const REDIRECTS: readonly number[] = Array.from({ length: 100 }, (_, index) => 300 + index);

/** Where a redirect leads, without what could be secret in it: a name, a password, a query. Undefined where it names no web address. */
export function targetOf({ headers, url }: Pick<Answer, "headers" | "url">): URL | undefined {
  const location = headers.get("location")?.trim();
  const to = location ? URL.parse(location, url) : null;
  if (!to || (to.protocol !== "https:" && to.protocol !== "http:")) return undefined;
  [to.username, to.password, to.search, to.hash] = ["", "", "", ""];
  return to;
}

/** A clear no, and nobody needs to try again before the address is another one. */
function redirected(answer: Answer, session: Caller, moved: CallOptions["moved"]): PsnError {
  const { host, status } = answer;
  const to = targetOf(answer);
  // A path that repeats what was sent, or a secret, is left out.
  const path = decoded(to?.pathname ?? "");
  if (to && (repeats(path, answer.sent) || secretsOf(session).some((secret) => path.includes(secret)))) to.pathname = "";
  const options = { details: { status }, hint: to && moved ? moved(to) : "psn connect PLATFORM" };
  if (!to) return new PsnError("PLATFORM_REJECTED", `${host} answered ${status}, a redirect that names no address`, options);
  return new PsnError(
    "PLATFORM_REJECTED",
    `${host} redirects to ${shorten(to.pathname === "/" ? to.origin : to.href, SAID_MOST)}`,
    options,
  );
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function noVerdict(effect: Effect, message: string, options: ErrorOptions): PsnError {
  const code: ErrorCode = effect === "publish" ? "OUTCOME_UNKNOWN" : "PLATFORM_DOWN";
  return new PsnError(code, message, options);
}

/**
 * How long the platform asks to be left alone, in milliseconds; undefined when it does not say.
 * Retry-After: seconds or an HTTP date (RFC 9110 §10.2.3). X-RateLimit-Reset: an ISO instant (Mastodon) or epoch seconds; X writes X-Rate-Limit-Reset.
 * RateLimit-Reset: epoch seconds (Bluesky's PDS, measured) or seconds from now (draft-ietf-httpapi-ratelimit-headers).
 */
export function pauseMs(headers: Headers, now: Date): number | undefined {
  // An absolute instant is the server's own; so must be the clock it is compared with.
  const told = Date.parse(headers.get("date") ?? "");
  const serverNow = Number.isNaN(told) ? now.getTime() : told;
  for (const name of ["retry-after", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"]) {
    const value = headers.get(name)?.trim();
    if (!value) continue;
    const at = /^\d+(\.\d+)?$/.test(value) ? instantOf(Number(value), serverNow) : Date.parse(value);
    if (!Number.isNaN(at)) return pauseWithin(at - serverNow);
  }
  return undefined;
}

/** Seconds since the epoch when large, seconds from now when small. */
function instantOf(seconds: number, now: number): number {
  return seconds > 1_000_000_000 ? seconds * 1000 : now + seconds * 1000;
}

/** Failures of the kind that happen before the first byte of a request: no name, no route, no listener, no TLS. */
const NEVER_SENT =
  /^(ECONNREFUSED|ConnectionRefused|ENOTFOUND|EAI_AGAIN|EAI_NODATA|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|FailedToOpenSocket|DNS\w*|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|HOSTNAME_MISMATCH|UNKNOWN_CERTIFICATE_\w+)$/;

/** Whether the failure proves that nothing of the request was sent. */
export function neverSent(cause: unknown): boolean {
  for (let error: unknown = cause; error instanceof Error; error = error.cause) {
    const code: unknown = Reflect.get(error, "code");
    if (typeof code === "string" && NEVER_SENT.test(code)) return true;
  }
  return false;
}

/** The answer's JSON, for what an adapter can do without; undefined when it is none. */
export function bodyOf({ text }: Pick<Answer, "text">): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The platform's own words, one short line, without anything secret. Empty when it gave none in JSON. */
function reason(answer: Answer, session: Caller): string {
  const body = bodyOf(answer);
  if (typeof body !== "object" || body === null) return "";
  const words = ["error", "error_description", "message", "detail", "title"]
    .map((name): unknown => Reflect.get(body, name))
    .filter((value): value is string => typeof value === "string" && value !== "");
  if (words.length === 0) return "";
  let line = [...new Set(words)].join(": ").replace(/\s+/g, " ");
  if (repeats(line, answer.sent)) return "";
  for (const secret of secretsOf(session)) line = line.replaceAll(secret, "•••");
  return `: ${shorten(line, SAID_MOST)}`;
}

/** So many characters in a row that were sent are the post's own and no accident. */
const REPEAT_CHARS = 16;

/** Whether a platform's words repeat what it was sent; a message is stored and printed, a post's text must not be in it. */
function repeats(words: string, sent: string): boolean {
  if (sent === "") return false;
  const plain = sent.replaceAll(/\\[nrt]|\s+/g, " ");
  for (let at = 0; at + REPEAT_CHARS <= words.length; at += 1) if (plain.includes(words.slice(at, at + REPEAT_CHARS))) return true;
  return false;
}

function secretsOf(session: Caller): string[] {
  const { access, refresh, secret } = session.credentials ?? {};
  return [access, refresh, secret, session.app?.secret].filter((value): value is string => value !== undefined && value !== "");
}
