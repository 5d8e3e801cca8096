import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { shorten } from "@psn/domain/text.ts";
import { z } from "zod";
import { type Answer, bodyOf, demandWhole, pauseMs, SAID_MOST, unexpected } from "./http.ts";

/*
 * What token endpoints answer: the standard's own words (RFC 6749, 5.1 and 5.2), and what platforms make of them.
 */

/** Every status is the token endpoint's to explain. */
export const ANY_STATUS: readonly number[] = Array.from({ length: 300 }, (_, index) => 300 + index);

export interface Tokens {
  readonly access: string;
  readonly refresh?: string;
  readonly expiresAt?: Date;
  /** As granted; those asked for where the platform does not say. */
  readonly scopes: readonly string[];
  /** The whole answer, for what a platform adds to it (a user's id). Holds the tokens: never stored, never printed. */
  readonly answer: Readonly<Record<string, unknown>>;
}

/** What is beside the tokens is read where it can be: a rotated token must not be lost over how a number is written. */
const TokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().nullish().catch(undefined),
  /** Seconds; up to a lifetime. */
  expires_in: z.coerce.number().positive().max(1e10).nullish().catch(undefined),
  scope: z
    .union([z.string(), z.array(z.string())])
    .nullish()
    .catch(undefined),
});

/**
 * A token endpoint's answer, whatever its status: some say `error` within a 200, some name no token type, some count
 * seconds as text.
 *
 * @param asked the scopes that are meant where the answer names none.
 * @param secrets what was sent and must not come back in a message.
 * @throws PsnError AUTH_REVOKED, APP_REFUSED, PLATFORM_CHANGED, PLATFORM_DOWN, PLATFORM_REJECTED, RATE_LIMITED.
 */
export function readTokens(
  answer: Answer,
  {
    now,
    asked,
    secrets,
  }: { readonly now: Date; readonly asked: readonly string[]; readonly secrets: readonly string[] },
): Tokens {
  if (failureOf(answer) !== undefined || answer.status >= 300) throw refused(answer, now, secrets);
  demandWhole(answer);
  const result = TokenAnswer.safeParse(bodyOf(answer));
  if (!result.success) throw unexpected(answer, `${answer.host} answered ${answer.status} without a token`);
  const { access_token: access, refresh_token: refresh, expires_in: seconds, scope } = result.data;
  const granted = typeof scope === "string" ? scope.split(/[\s,]+/).filter((word) => word !== "") : scope;
  return {
    access,
    ...defined({
      refresh: refresh ? refresh : undefined,
      expiresAt: seconds ? new Date(now.getTime() + seconds * 1000) : undefined,
    }),
    scopes: granted && granted.length > 0 ? granted : asked,
    answer: result.data,
  };
}

/** Whether a revocation did its work (RFC 7009, 2.2): a token that the server does not know is as good as revoked. */
export function isRevoked(answer: Answer): boolean {
  const failure = failureOf(answer);
  return failure ? UNKNOWN_TOKEN.has(failure.error) : answer.status < 300;
}
const UNKNOWN_TOKEN: ReadonlySet<string> = new Set(["invalid_token", "invalid_grant"]);

interface Failure {
  readonly error: string;
  readonly words: string;
  /** Meta's number, and whether Meta says that the failure passes. */
  readonly code?: number;
  readonly passes?: boolean;
}

/**
 * RFC 6749, 5.2, or Meta's `{error: {type, message, code}}`
 * (https://developers.facebook.com/docs/graph-api/guides/error-handling, 2026-11), or Instagram's `{error_type,
 * error_message}`.
 */
function failureOf(answer: Answer): Failure | undefined {
  const body = bodyOf(answer);
  if (typeof body !== "object" || body === null) return undefined;
  const error: unknown = Reflect.get(body, "error") || Reflect.get(body, "error_type");
  if (typeof error === "string" && error !== "") {
    const words: unknown = Reflect.get(body, "error_description") ?? Reflect.get(body, "error_message");
    return { error, words: typeof words === "string" ? words : "" };
  }
  if (typeof error !== "object" || error === null) return undefined;
  const [type, message, code]: unknown[] = [
    Reflect.get(error, "type"),
    Reflect.get(error, "message"),
    Reflect.get(error, "code"),
  ];
  return {
    error: typeof type === "string" ? type : "error",
    words: typeof message === "string" ? message : "",
    ...defined({ code: typeof code === "number" ? code : undefined }),
    passes: Reflect.get(error, "is_transient") === true,
  };
}

type Verdict = "APP_REFUSED" | "AUTH_REVOKED" | "PLATFORM_DOWN" | "RATE_LIMITED" | "PLATFORM_REJECTED";

/**
 * RFC 6749, 4.1.2.1 and 5.2, and RFC 6750, 3.1: what the app is refused for, what the code or the token is, and what
 * passes.
 */
const VERDICTS: readonly (readonly [RegExp, Verdict])[] = [
  [/^(invalid_client|unauthorized_client)$/, "APP_REFUSED"],
  [/^(invalid_grant|invalid_token|access_denied|invalid_request)$/, "AUTH_REVOKED"],
  [/^(temporarily_unavailable|server_error|internal_(server_)?error)$/, "PLATFORM_DOWN"],
  [/^(rate_limit\w*|too_many_requests|slow_down)$/, "RATE_LIMITED"],
];
/**
 * Numbers of Meta's that are the same in all its APIs, and what they speak of. `token`: 102 is an older name for 190.
 * `down`: for a moment; below zero is Instagram's own server and its download of media. `throttled`: 4, 17, 32, 613 too
 * many calls; 341, 368 a limit, or a block for a while; 9 too many posts in a day. From the page above and
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes (2026-11).
 */
export const META = {
  token: [190, 102],
  down: [1, 2, -1, -2],
  throttled: [4, 9, 17, 32, 341, 368, 613],
} as const satisfies Record<string, readonly number[]>;

function verdictOf({ error, words, code, passes }: Failure): Verdict {
  // Meta calls nearly everything so. Of an app that it does not accept it says so in words, under the number of a
  // downtime (facebookarchive/php-graph-sdk#538).
  const isMeta = error === "OAuthException";
  if (isMeta && /client secret|validating application/i.test(words)) return "APP_REFUSED";
  const isOf = (codes: readonly number[]) => code !== undefined && codes.includes(code);
  if (isOf(META.throttled)) return "RATE_LIMITED";
  if (isOf(META.down) || (passes && !isOf(META.token))) return "PLATFORM_DOWN";
  if (isMeta) return "AUTH_REVOKED";
  return VERDICTS.find(([names]) => names.test(error))?.[1] ?? "PLATFORM_REJECTED";
}

/**
 * The standard refuses with 400 and 401 and in its own words; anything else may be a gateway's and is no verdict on a
 * token.
 */
export function refused(answer: Answer, now: Date, secrets: readonly string[]): PsnError {
  const { host, status } = answer;
  const failure = failureOf(answer);
  const said = safe(failure ? [failure.error, failure.words] : wordsOf(answer), secrets);
  const verdict = failure && verdictOf(failure);
  // Some count down to the next allowance in every answer; after a failure only Retry-After is meant (RFC 9110,
  // 10.2.3).
  const limited = status === 429 || verdict === "RATE_LIMITED";
  const pause = limited || answer.headers.has("retry-after") ? pauseMs(answer.headers, now) : undefined;
  const later = { details: { status }, ...defined({ retryAfterMs: pause }) };
  if (status === 429) return new PsnError("RATE_LIMITED", `${host} limits how often psn may call it${said}`, later);
  if (status >= 500 || status === 408 || (status >= 300 && status < 400))
    return new PsnError("PLATFORM_DOWN", `${host} answered ${status}${said}`, later);
  if (!verdict) {
    // Without the standard's words a 401 here speaks of the app.
    if (status === 401)
      return new PsnError("APP_REFUSED", `${host} does not accept the app${said}`, { details: { status } });
    if (status === 400 && isObject(bodyOf(answer)))
      return new PsnError("PLATFORM_REJECTED", `${host} refused${said}`, { details: { status } });
    return new PsnError("PLATFORM_DOWN", `${host} answered ${status}${said}`, later);
  }
  if (verdict === "PLATFORM_DOWN") return new PsnError(verdict, `${host} answered${said}`, later);
  if (verdict === "RATE_LIMITED")
    return new PsnError(verdict, `${host} limits how often psn may call it${said}`, later);
  return new PsnError(verdict, `${host} ${verdict === "APP_REFUSED" ? "does not accept the app" : "refused"}${said}`, {
    details: { status },
  });
}

/** A gateway's page is none. */
const isObject = (body: unknown): boolean => typeof body === "object" && body !== null;

/** What a server says that does not know the standard's names. */
function wordsOf(answer: Answer): readonly string[] {
  const body = bodyOf(answer);
  if (typeof body !== "object" || body === null) return [];
  const words = ["message", "detail", "title"].map((name): unknown => Reflect.get(body, name));
  return words.filter((word) => typeof word === "string");
}

/** So many characters in a row of a secret are no accident. */
const PIECE_CHARS = 12;

/**
 * The server's words as one line to append, without anything that was sent in confidence: nothing at all if a piece of
 * it is left.
 */
function safe(words: readonly string[], secrets: readonly string[]): string {
  let line = words
    .filter((word) => word !== "")
    .join(": ")
    .replace(/\s+/g, " ");
  const hidden = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]).filter(({ length }) => length > 3);
  for (const secret of hidden) line = line.replaceAll(secret, "•••");
  for (let at = 0; at + PIECE_CHARS <= line.length; at += 1)
    if (hidden.some((secret) => secret.includes(line.slice(at, at + PIECE_CHARS)))) return "";
  if (line === "") return "";
  return `: ${shorten(line, SAID_MOST)}`;
}
