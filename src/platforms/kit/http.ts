import { type ErrorCode, type ErrorOptions, PsnError } from "@psn/core/errors.ts";
import { type AnswerBody, BODY_BYTES, ERROR_BYTES, readBody, textOf } from "@psn/core/net/answer-body.ts";
import { neverSent, whyNotReached } from "@psn/core/net/failures.ts";
import { pauseMs, retryAfterMs as retryAfterIn } from "@psn/core/net/pauses.ts";
import { authoredIn, withoutAuthored, wordsOf } from "@psn/core/net/words.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import type { z } from "zod";
import { isConfidential } from "./address.ts";

export { neverSent } from "@psn/core/net/failures.ts";
export { pauseMs, pauseWithin, serverNow } from "@psn/core/net/pauses.ts";

/** Longest a request may take, body included, in milliseconds. The engine's lease is longer (`domain/delivery.ts`). */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Longest an upload may take, in milliseconds. */
export const UPLOAD_TIMEOUT_MS = 120_000;
/**
 * Longest that the words of an error may take once its status is there, in milliseconds: the status says what has
 * become of it.
 */
const WORDS_TIMEOUT_MS = 5_000;

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
  /** The body, as far as it could be read. */
  readonly text: string;
  /**
   * The rest could not be read: a body can be endless, cut off, or not what its header says. `parse` refuses such an
   * answer.
   */
  readonly cut?: true;
  readonly url: string;
  readonly host: string;
  readonly effect: Effect;
  /** What was sent, where that was text: nothing that an author wrote in it may come back in a message. */
  readonly sent: string;
}

export interface CallOptions extends RequestInit {
  readonly effect: Effect;
  readonly timeoutMs?: number;
  /** Statuses to hand back in place of throwing, for an adapter that knows what they mean here. */
  readonly accept?: readonly number[];
  /** False where a 2xx says all there is to know: its body is not read. */
  readonly needsBody?: boolean;
  /** What helps where the platform redirects to this address; else to connect the account again. */
  readonly moved?: (to: URL) => string;
}

type Caller = Net & Partial<Pick<Session, "credentials" | "app">>;

/**
 * One request and its answer. Never follows a redirect: a token goes to no other host, and a redirect carried nothing
 * out. Of the body it reads a few megabytes at most (`core/net/answer-body.ts`); a body that cannot be read leaves the
 * status as it is. Goes nowhere but over https, or to this machine, whatever address an account's row or an answer has
 * named (AUTH_REVOKED). Throws RATE_LIMITED, AUTH_EXPIRED, AUTH_SCOPE, PLATFORM_REJECTED on a clear answer,
 * PLATFORM_UNREACHABLE when nothing was sent, and OUTCOME_UNKNOWN (effect `publish`) or PLATFORM_DOWN (effect `none`)
 * when the answer is missing or unclear. What `session.fetch` itself throws as a PsnError (LEASE_LOST) passes through.
 */
export async function call(session: Caller, url: string | URL, options: CallOptions): Promise<Answer> {
  const { effect, timeoutMs = REQUEST_TIMEOUT_MS, accept = [], needsBody = true, moved, ...init } = options;
  const address = new URL(url);
  const { host } = address;
  if (!isConfidential(address))
    throw new PsnError("AUTH_REVOKED", `${host} does not use https, so others could read a token on the network`, {
      hint: "psn connect PLATFORM",
    });
  session.signal.throwIfAborted();
  const connection = new AbortController();
  let answer: Answer;
  try {
    // Once the bytes of a publish leave, only its own time limit stops it: a stop must not turn a post into an unknown.
    const timeout = AbortSignal.timeout(timeoutMs);
    const signals = effect === "publish" ? [timeout] : [timeout, session.signal];
    const signal = AbortSignal.any([connection.signal, ...signals]);
    // A kept connection that the server has closed looks like a lost answer; a publish opens its own.
    const own = effect === "publish" ? { keepalive: false } : {};
    const response = await session.fetch(url, { ...own, ...init, redirect: "manual", signal });
    const { bytes, whole } = await bodyToRead(response, needsBody, AbortSignal.any(signals));
    if (!whole) connection.abort();
    const { status, headers } = response;
    // Of a success that is cut off nobody reads a part; the words of an error are at its beginning.
    const read = whole || !isSuccess(response) ? { text: textOf({ bytes }) } : { text: "" };
    answer = {
      status,
      headers,
      ...read,
      ...defined({ cut: whole ? undefined : true }),
      url: String(url),
      host,
      effect,
      sent: sentIn(init.body),
    };
  } catch (cause) {
    const own = ownError(cause);
    if (own && own !== session.signal.reason) throw own;
    const why = whyNotReached(cause);
    const options = { cause, ...defined({ hint: why?.hint }) };
    const because = why ? `: ${why.says}` : "";
    if (neverSent(cause)) throw new PsnError("PLATFORM_UNREACHABLE", `could not connect to ${host}${because}`, options);
    throw noVerdict(effect, `no answer from ${host}${because}`, options);
  }
  if (isSuccess(answer) || accept.includes(answer.status)) return answer;
  throw refusal(answer, session, moved);
}

/** Of a form with files only the fields. */
function sentIn(body: unknown): string {
  if (typeof body === "string") return body;
  if (!(body instanceof FormData)) return "";
  const fields = [...body.entries()].flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []));
  return new URLSearchParams(fields).toString();
}

const isSuccess = ({ status }: Pick<Answer, "status">) => status >= 200 && status < 300;

/** As much of the body as its status leaves to be known. */
function bodyToRead(response: Response, needsBody: boolean, signal: AbortSignal): Promise<AnswerBody> {
  if (isSuccess(response))
    return needsBody ? readBody(response, BODY_BYTES, signal) : readBody(response, 0, AbortSignal.abort());
  return readBody(response, ERROR_BYTES, AbortSignal.any([signal, AbortSignal.timeout(WORDS_TIMEOUT_MS)]));
}

/** What was thrown on purpose, also where a library has wrapped it. */
function ownError(thrown: unknown): PsnError | undefined {
  for (let error: unknown = thrown; error instanceof Error; error = error.cause)
    if (error instanceof PsnError) return error;
  return undefined;
}

/**
 * Throws OUTCOME_UNKNOWN (effect `publish`) or PLATFORM_DOWN where the body of an answer is needed and could not be
 * read to its end.
 */
export function demandWhole({ cut, effect, host, status }: Answer): void {
  if (!cut) return;
  throw noVerdict(effect, `${host} answered ${status}, and psn cannot read the rest of the answer`, {
    details: { status },
  });
}

/**
 * The answer's JSON in the shape an adapter relies on; throws as `demandWhole`, and PLATFORM_CHANGED when it is
 * anything else.
 */
export function parse<T extends z.ZodType>(answer: Answer, schema: T): z.output<T> {
  demandWhole(answer);
  const answered = `${answer.host} answered ${answer.status}`;
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch (cause) {
    throw unexpected(answer, `${answered} with something that is not JSON`, cause);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join(".") ?? "";
  throw unexpected(answer, `${answered} in a format that psn does not know (at "${where}")`);
}

/**
 * The error for an answer that is not 2xx. Adapters call it for what they `accept` and then cannot explain. It keeps
 * the pause that the server asks for by Retry-After, and on a 429 by any header.
 */
export function refusal(answer: Answer, session: Caller, moved?: CallOptions["moved"]): PsnError {
  const { host, status } = answer;
  const pause = status === 429 ? pauseMs(answer.headers, session.now()) : retryAfterMs(answer, session.now());
  const options = { details: { status }, ...defined({ retryAfterMs: pause }) };
  if (isRedirect(answer)) return redirected(answer, session, moved);
  const said = reason(answer, session);
  if (status === 401) return new PsnError("AUTH_EXPIRED", `${host} no longer accepts this token${said}`, options);
  if (status === 403) return new PsnError("AUTH_SCOPE", `${host} does not allow this${said}`, options);
  if (status === 429) return new PsnError("RATE_LIMITED", `${host} limits how often psn may call it${said}`, options);
  if (status === 408 || status >= 500 || status < 300)
    return noVerdict(answer.effect, `${host} answered ${status}${said}`, options);
  return new PsnError("PLATFORM_REJECTED", `${host} refused with ${status}${said}`, options);
}

/** What Retry-After asks for, in milliseconds. */
export function retryAfterMs({ headers }: Pick<Answer, "headers">, now: Date): number | undefined {
  return retryAfterIn(headers, now);
}

/** A refusal of a repeated request, which its adapter knows to speak of every attempt before it too. */
export function vouched({ code, message, cause, hint, retryAfterMs, details }: PsnError): PsnError {
  return new PsnError(code, message, { cause, details, ...defined({ hint, retryAfterMs }), neverTaken: true });
}

/** A failure that its adapter understands better. Its words, unless `says` has others, and its details stay. */
export function renamed(code: ErrorCode, error: PsnError, means: Renamed = {}): PsnError {
  const { says = error.message, ...more } = means;
  return new PsnError(code, says, { cause: error, details: error.details, ...more });
}
type Renamed = Pick<ErrorOptions, "hint" | "retryAfterMs"> & { readonly says?: string };

/** For an answer that no adapter of this psn expects. */
export function unexpected({ status }: Pick<Answer, "status">, says: string, cause?: unknown): PsnError {
  return new PsnError("PLATFORM_CHANGED", says, { cause, details: { status } });
}

/** The failure of a removal after which the post was seen still there. */
export function stillThere(says: string, hint: string): PsnError {
  return new PsnError("PLATFORM_REJECTED", says, { hint, neverTaken: true });
}

/**
 * Work that a post can do without: undefined where it failed. Throws what the whole attempt must hear of: a stop, a
 * token, a lost lease.
 */
export function dispensable<T>({ signal }: Pick<Net, "signal">, work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    const isOfAll = error instanceof PsnError && (error.retry === "refresh" || error.code === "LEASE_LOST");
    if (signal.aborted || isOfAll) throw error;
    return undefined;
  });
}

/** Whether this is a platform's own no to what it was sent: a redirect is nobody's. */
export function isRefused(error: unknown): error is PsnError {
  return error instanceof PsnError && error.code === "PLATFORM_REJECTED" && Number(error.details["status"]) >= 400;
}

/**
 * Whether the answer sends the request elsewhere, or (304) back: in any case it carried nothing out (RFC 9110, 15.4).
 */
export function isRedirect({ status }: Pick<Answer, "status">): boolean {
  return status >= 300 && status < 400;
}

/** Every redirect, for what `accept`s them. */
export const REDIRECTS: readonly number[] = Array.from({ length: 100 }, (_, index) => 300 + index);

/**
 * Where a redirect leads, without what could be secret in it: a name, a password, a query. Undefined where it names no
 * web address.
 */
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
  if (
    to &&
    (withoutAuthored(path, authoredIn(answer.sent)) !== path ||
      secretsOf(session).some((secret) => path.includes(secret)))
  )
    to.pathname = "";
  const options = { details: { status }, hint: to && moved ? moved(to) : "psn connect PLATFORM" };
  if (!to)
    return new PsnError("PLATFORM_REJECTED", `${host} answered ${status}, a redirect without an address`, options);
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

/** The answer's JSON, for what an adapter can do without; undefined when it is none. */
export function bodyOf({ text }: Pick<Answer, "text">): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Most words that are looked through for what must not be repeated, in UTF-16 units; what is shown is shorter. */
const WORDS_MOST = 2_000;

/**
 * The platform's own words, one short line, without anything secret and without the author's own. Empty when it gave
 * none.
 */
function reason(answer: Answer, session: Caller): string {
  const words = isPlainText(answer) ? [answer.text.replaceAll(/\s+/g, " ").trim()] : wordsOf(bodyOf(answer));
  let line = shorten(words.join(": "), WORDS_MOST);
  for (const secret of secretsOf(session)) line = line.replaceAll(secret, "•••");
  line = withoutAuthored(line, authoredIn(answer.sent));
  return line === "" ? "" : `: ${shorten(line, SAID_MOST)}`;
}

/** Some say why in plain words; a page for a browser is none. */
function isPlainText({ headers, text }: Answer): boolean {
  return (
    /^text\/plain\b/i.test(headers.get("content-type") ?? "") && bodyOf({ text }) === undefined && !text.includes("<")
  );
}

function secretsOf(session: Caller): string[] {
  const { access, refresh, secret } = session.credentials ?? {};
  return [access, refresh, secret, session.app?.secret].filter(
    (value): value is string => value !== undefined && value !== "",
  );
}
