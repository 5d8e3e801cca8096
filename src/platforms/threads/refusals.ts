import { type Details, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf, pauseMs, pauseWithin, refusal } from "@psn/platforms/kit/http.ts";
import { z } from "zod";

/*
 * Graph says why by a number and a finer one (https://developers.facebook.com/docs/graph-api/guides/error-handling,
 * 2026-11). The status says little: an expired token is a 400, and a 500 can be a refusal, or come after the post was
 * made.
 */

const GraphError = z.object({
  error: z.object({
    message: z.string().catch(""),
    code: z.coerce.number().catch(0),
    error_subcode: z.coerce.number().catch(0),
    is_transient: z.boolean().catch(false),
    error_user_title: z.string().catch(""),
    error_user_msg: z.string().catch(""),
  }),
});
export type Reason = z.output<typeof GraphError>["error"];

/** What the body says; undefined where it is not Graph that speaks. */
export function reasonOf(answer: Answer): Reason | undefined {
  return GraphError.safeParse(bodyOf(answer)).data?.error;
}

/** 102 is an older name for 190. */
const TOKEN: ReadonlySet<number> = new Set([190, 102]);
/**
 * Subcodes of a token that no exchange mends: 458 app removed, 459 and 464 the account must log in, 460 password
 * changed, 467 invalidated, 492 no access.
 */
const DEAD: ReadonlySet<number> = new Set([458, 459, 460, 464, 467, 492]);
/**
 * 4, 17, 32, 613: too many calls; 341, 368: a limit, or a block for a while. 9 is too many posts in a day in
 * Instagram's list, from which Threads has its numbers
 * (https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes, 2026-11).
 */
const THROTTLED: ReadonlySet<number> = new Set([4, 9, 17, 32, 341, 368, 613]);
/** Down for a moment; below zero is Instagram's own server and its download of media (same list). */
const DOWN: ReadonlySet<number> = new Set([1, 2, -1, -2]);
/**
 * How long to wait where a day's posts are used up, in milliseconds: the day moves along, so one of them is free again
 * before it ends.
 */
export const QUOTA_PAUSE_MS = 3_600_000;

/**
 * No such container, post or account, or not yet: Graph's servers hear of a container one after the other
 * (gitroomhq/postiz-app#2047).
 */
export function isMissing(reason: Reason | undefined): boolean {
  return (
    reason?.error_subcode === 4279009 || reason?.code === 24 || (reason?.code === 100 && reason.error_subcode === 33)
  );
}

/**
 * Meta could not fetch a file, which comes with code 1 (gitroomhq/postiz-app#1364), or not in time, with code -2
 * (Instagram's list). Whether the bucket or the line is at fault it does not say.
 */
const NOT_FETCHED: ReadonlySet<unknown> = new Set([2207052, 2207003]);
export const NOT_FETCHED_HINT =
  "Threads fetches media itself: the bucket must be reachable from the Internet; psn doctor";

/** True for a refusal that says that Threads could not fetch a file. */
export const isNotFetched = (error: unknown): boolean =>
  error instanceof PsnError && NOT_FETCHED.has(error.details["subcode"]);

function codeOf(
  { code, error_subcode: subcode, is_transient: transient }: Reason,
  { effect }: Answer,
): ErrorCode | undefined {
  if (TOKEN.has(code)) return DEAD.has(subcode) ? "AUTH_REVOKED" : "AUTH_EXPIRED";
  if (THROTTLED.has(code)) return "RATE_LIMITED";
  if (NOT_FETCHED.has(subcode) && effect === "none") return "PLATFORM_DOWN";
  if (DOWN.has(code) || transient) return effect === "publish" ? "OUTCOME_UNKNOWN" : "PLATFORM_DOWN";
  if (code === 3 || code === 10 || (code >= 200 && code <= 299)) return "AUTH_SCOPE";
  // A wrong parameter, a thing that is not there: clear, even as a 500.
  return code === 100 || code === 24 ? "PLATFORM_REJECTED" : undefined;
}

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  AUTH_SCOPE:
    "add the permissions to your app at https://developers.facebook.com/apps, then psn connect threads and allow " +
    "all of them",
};

export type Caller = Net & Pick<Session, "credentials"> & Partial<Pick<Session, "app">>;

/** The error for a refusal, by Graph's own reason where it gives one. */
export function refusalOf(answer: Answer, session: Caller): PsnError {
  const reason = reasonOf(answer);
  const plain = refusal(reason ? { ...answer, ...told(reason) } : answer, session);
  if (!reason) return plain;
  // Of a 5xx to a publish nothing is believed: one that speaks of a missing permission has been seen after the post was
  // out (tirthpatell/threads-go#30).
  if (answer.effect === "publish" && answer.status >= 500) return plain;
  const details: Details = {
    status: answer.status,
    code: reason.code,
    ...(reason.error_subcode > 0 ? { subcode: reason.error_subcode } : {}),
  };
  const code = codeOf(reason, answer) ?? plain.code;
  const pause = code === "RATE_LIMITED" ? pauseOf(answer, reason, session.now()) : undefined;
  const hint = hintOf(code, reason);
  return new PsnError(code, plain.message, {
    cause: plain,
    details,
    ...(hint === undefined ? {} : { hint }),
    ...(pause === undefined ? {} : { retryAfterMs: pause }),
  });
}

const Usage = z.record(
  z.string(),
  z.array(z.object({ estimated_time_to_regain_access: z.coerce.number().min(0).catch(0) })),
);

/**
 * What the headers say; in minutes by https://developers.facebook.com/docs/graph-api/overview/rate-limiting (2026-11).
 */
function pauseOf({ headers }: Answer, { code }: Reason, now: Date): number | undefined {
  const said = pauseMs(headers, now);
  if (said !== undefined) return said;
  try {
    const usage = Usage.parse(JSON.parse(headers.get("x-business-use-case-usage") ?? ""));
    const minutes = Math.max(
      0,
      ...Object.values(usage).flatMap((uses) => uses.map((use) => use.estimated_time_to_regain_access)),
    );
    if (minutes > 0) return pauseWithin(minutes * 60_000);
  } catch {
    // Not every answer has it.
  }
  return code === 9 ? QUOTA_PAUSE_MS : undefined;
}

function hintOf(
  code: ErrorCode,
  { message, error_subcode: subcode, error_user_title: title }: Reason,
): string | undefined {
  if (NOT_FETCHED.has(subcode)) return NOT_FETCHED_HINT;
  if (/LINK_LIMIT_EXCEEDED/.test(`${message} ${title}`))
    return "Threads takes 5 links in a post: put the others into another part";
  return HINTS[code];
}

/** Graph's words where `refusal` looks for them. */
function told({ message, error_user_title: title, error_user_msg: words }: Reason): Pick<Answer, "text"> {
  return { text: JSON.stringify({ message, detail: words, title }) };
}
