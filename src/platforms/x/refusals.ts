import { type ErrorCode, type ErrorOptions, PsnError } from "@psn/core/errors.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf, pauseMs, pauseWithin, refusal } from "@psn/platforms/kit/http.ts";
import { z } from "zod";

/*
 * X says why in the words of a problem document (`title`, `detail`, `type`) or in the list of codes of its older API
 * (https://docs.x.com/x-api/fundamentals/response-codes-and-errors, 2026-11). One status, 403, stands for a dozen
 * reasons.
 */

const Problem = z.object({
  title: z.string().catch(""),
  detail: z.string().catch(""),
  type: z.string().catch(""),
  reason: z.string().catch(""),
  errors: z
    .array(z.object({ code: z.coerce.number().catch(0), message: z.string().catch(""), detail: z.string().catch("") }))
    .catch([]),
});

interface Reason {
  readonly words: string;
  readonly codes: readonly number[];
}

function reasonOf(answer: Answer): Reason {
  const told = Problem.safeParse(bodyOf(answer));
  if (!told.success) return { words: "", codes: [] };
  const { title, detail, type, reason, errors } = told.data;
  const words = [title, detail, type, reason, ...errors.flatMap((error) => [error.message, error.detail])]
    .join(" ")
    .toLowerCase();
  return { words, codes: errors.map(({ code }) => code) };
}

/** Whether X refuses the post because the account has posted the same words already; 187 is its older code for that. */
export function isDuplicate(answer: Answer): boolean {
  if (answer.status !== 403) return false;
  const { words, codes } = reasonOf(answer);
  return codes.includes(187) || /duplicate content|status is a duplicate/.test(words);
}

/**
 * "You attempted to reply to a Tweet that is deleted or not visible to you"; 385 is the older API's number for it, 144
 * that of no such post.
 */
const PARENT_MISSING =
  /deleted or not visible|repl\w+ to a (tweet|post) that (is|was|has been) deleted|in_reply_to_tweet_id/;

/** Whether X refuses an answer because it does not see what is answered, yet or any more. */
export function isParentMissing(answer: Answer): boolean {
  const { words, codes } = reasonOf(answer);
  return codes.includes(385) || codes.includes(144) || PARENT_MISSING.test(words);
}

/** Whether X refuses a post because it does not have its media, yet or any more ("Your media IDs are invalid."). */
export function isMediaMissing(answer: Answer): boolean {
  return (
    answer.status === 400 &&
    /media.?ids? (is|are) invalid|media_ids?\b.*(invalid|not found|expired)/.test(reasonOf(answer).words)
  );
}

interface Rule {
  readonly when: RegExp;
  readonly codes?: readonly number[];
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint?: string;
}

const CONSOLE = "https://console.x.com";

/** Why X says 403, the particular before the general. The numbers are the older API's codes. */
const FORBIDDEN: readonly Rule[] = [
  {
    when: /duplicate content|status is a duplicate/,
    codes: [187],
    code: "PLATFORM_REJECTED",
    says: "X refuses the same text twice: change the text",
    hint: "change the text; X does not say after how long it takes the same one again",
  },
  {
    when: /suspended application|application (has been |is )?suspended|app (has been |is )?suspended/,
    codes: [416],
    code: "APP_REFUSED",
    says: "X has suspended your app",
    hint: `see the notice in ${CONSOLE}`,
  },
  {
    when: /suspended|temporarily locked|account is locked/,
    codes: [64, 326],
    code: "AUTH_REVOKED",
    says: "X has suspended or locked the account",
    hint: "log in at https://x.com and unlock it, then psn connect x",
  },
  {
    when: /daily status update limit|over the limit|update limit/,
    codes: [185],
    code: "RATE_LIMITED",
    says: "the account has posted too much",
  },
  {
    when: /problems\/(usage-capped|credits)|spend ?cap|credits/,
    code: "PLATFORM_REJECTED",
    says: "X asks for payment",
    hint: `buy credits at ${CONSOLE}`,
  },
  {
    when: /too long|shorter|longer than|exceeds/,
    codes: [186],
    code: "PLATFORM_REJECTED",
    says: "X finds the text or the video too long for this account",
    hint: "shorten it, or make a thread of it: --split",
  },
  {
    when: /\bquot(?:e|es|ed|ing)\b/,
    code: "PLATFORM_REJECTED",
    says: "X does not let this app quote posts",
    hint: "X keeps quoting for Enterprise plans: leave --option x.quote out and put the link into the text",
  },
  {
    when: /cashtag/,
    code: "PLATFORM_REJECTED",
    says: "X takes one cashtag in a post that an app makes",
    hint: "leave one $NAME in the text",
  },
  {
    when: /repl(y|ies)|conversation|mentioned or otherwise engaged/,
    codes: [385, 433],
    code: "PLATFORM_REJECTED",
    says: "X does not let this app answer that post",
    hint: "the post may be gone, or closed to answers; see docs/platforms/x.md",
  },
  {
    when: /oauth1-permissions|unsupported-authentication|client-forbidden|not-enrolled|not permitted|scope/,
    code: "AUTH_SCOPE",
    says: "X does not let this app do that",
    hint: `set the app to "Read and write" at ${CONSOLE}, then psn connect x`,
  },
];

export type Caller = Net & Pick<Session, "credentials"> & Partial<Pick<Session, "app">>;

/** With the app's secret among what no message may repeat. */
export function guarded<T extends Caller>(session: T): T {
  const secret = session.app?.secret;
  return secret === undefined ? session : { ...session, credentials: { ...session.credentials, secret } };
}

/** The error for a refusal, by X's own reason where it gives one. */
export function refusalOf(answer: Answer, session: Caller): PsnError {
  const error = refusal(answer, guarded(session));
  const { words, codes } = reasonOf(answer);
  const say = (code: ErrorCode, says: string, hint?: string, retryAfterMs?: number) => {
    const options: ErrorOptions = { cause: error, details: error.details };
    const more = { ...(hint === undefined ? {} : { hint }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    return new PsnError(code, `${says} (${error.message})`, { ...options, ...more });
  };
  const unpaid = /problems\/(usage-capped|credits)/.test(words);
  if (answer.status === 402 || (answer.status === 429 && unpaid))
    return say(
      "PLATFORM_REJECTED",
      "X asks for payment",
      `buy credits or raise the spending limit at ${CONSOLE}, then psn retry ID`,
    );
  if (answer.status === 429)
    return new PsnError("RATE_LIMITED", error.message, { cause: error, ...pauseOf(answer, session.now()) });
  if (answer.status !== 403) return error;
  const rule = FORBIDDEN.find(
    ({ when, codes: known = [] }) => known.some((code) => codes.includes(code)) || when.test(words),
  );
  if (rule)
    return say(
      rule.code,
      rule.says,
      rule.hint,
      rule.code === "RATE_LIMITED" ? pauseOf(answer, session.now()).retryAfterMs : undefined,
    );
  return error;
}

/**
 * The windows of a limit: a quarter of an hour, and a day by user and by app (seen in answers; the page names only the
 * first).
 */
const WINDOWS = ["x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"] as const;

/**
 * How long until every window that is used up begins anew; by the server's clock, since `…-reset` is its instant in
 * epoch seconds (https://docs.x.com/x-api/fundamentals/rate-limits, 2026-11). A 429 with no window used up speaks of
 * the first.
 */
function pauseOf(
  answer: Answer,
  now: Date,
): { readonly retryAfterMs?: number; readonly details: { readonly status: number } } {
  const { headers, status } = answer;
  const told = Date.parse(headers.get("date") ?? "");
  const serverNow = Number.isNaN(told) ? now.getTime() : told;
  const windows = WINDOWS.flatMap((name) => {
    const reset = Number(headers.get(`${name}-reset`) || Number.NaN);
    return Number.isFinite(reset)
      ? [{ pause: reset * 1000 - serverNow, spent: headers.get(`${name}-remaining`)?.trim() === "0" }]
      : [];
  });
  const spent = windows.filter((window) => window.spent);
  const pauses = (spent.length > 0 ? spent : windows.slice(0, 1)).map(({ pause }) => pause);
  const asked = pauses.length > 0 ? pauseWithin(Math.max(0, ...pauses)) : pauseMs(headers, now);
  return asked === undefined ? { details: { status } } : { retryAfterMs: asked, details: { status } };
}
