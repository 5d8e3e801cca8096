import type { PsnError } from "@psn/core/errors.ts";
import { type Answer, bodyOf, pauseMs, pauseWithin } from "@psn/platforms/kit/http.ts";
import { type Caller, matches, type Reason, type Refusals, type Rule, refusedBy } from "@psn/platforms/kit/refusals.ts";
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

function reasonOf(answer: Answer): Reason {
  const { data } = Problem.safeParse(bodyOf(answer));
  if (!data) return { codes: [], words: "" };
  const { errors, title, detail, type, reason } = data;
  const words = [title, detail, type, reason, ...errors.flatMap((error) => [error.message, error.detail])].join(" ");
  return { codes: errors.map(({ code }) => code), words: words.toLowerCase() };
}

const CONSOLE = "https://console.x.com";

/** The account has posted the same words already. */
const DUPLICATE: Rule = {
  status: 403,
  codes: [187],
  words: /duplicate content|status is a duplicate/,
  code: "PLATFORM_REJECTED",
  says: "X refuses a text that you posted before: change the text",
  hint: "change the text; X does not document when it accepts the same text again",
};
/** X does not see what is answered, yet or any more; 385 and 144 are the older API's for an answer and a post. */
const PARENT_MISSING: Rule = {
  codes: [385, 144],
  words: /deleted or not visible|repl\w+ to a (tweet|post) that (is|was|has been) deleted|in_reply_to_tweet_id/,
  code: "PLATFORM_REJECTED",
};
/** X does not have the media, yet or any more ("Your media IDs are invalid."). */
const MEDIA_MISSING: Rule = {
  status: 400,
  words: /media.?ids? (is|are) invalid|media_ids?\b.*(invalid|not found|expired)/,
  code: "PLATFORM_REJECTED",
};
const UNPAID = { code: "PLATFORM_REJECTED", says: "X asks for payment" } as const;
const RAISE = `buy credits or raise the spending limit at ${CONSOLE}, then psn retry ID`;

/** Why X says 403. The numbers are the older API's codes. */
const FORBIDDEN: readonly Rule[] = [
  {
    words: /suspended application|application (has been |is )?suspended|app (has been |is )?suspended/,
    codes: [416],
    code: "APP_REFUSED",
    says: "X has suspended your app",
    hint: `see the notice in ${CONSOLE}`,
  },
  {
    words: /suspended|temporarily locked|account is locked/,
    codes: [64, 326],
    code: "AUTH_REVOKED",
    says: "X has suspended or locked the account",
    hint: "log in at https://x.com and unlock it, then psn connect x",
  },
  {
    words: /daily status update limit|over the limit|update limit/,
    codes: [185],
    code: "RATE_LIMITED",
    says: "the account has posted too much",
  },
  { words: /problems\/(usage-capped|credits)|spend ?cap|credits/, ...UNPAID, hint: `buy credits at ${CONSOLE}` },
  {
    words: /too long|shorter|longer than|exceeds/,
    codes: [186],
    code: "PLATFORM_REJECTED",
    says: "X says that the text or the video is too long for this account",
    hint: "shorten it, or split it into a thread: --split",
  },
  {
    words: /\bquot(?:e|es|ed|ing)\b/,
    code: "PLATFORM_REJECTED",
    says: "X does not allow this app to quote posts",
    hint: "X allows quoting only for Enterprise plans: omit --option x.quote and put the link into the text",
  },
  {
    words: /cashtag/,
    code: "PLATFORM_REJECTED",
    says: "X accepts one cashtag in a post from an app",
    hint: "keep only one $NAME in the text",
  },
  {
    words: /repl(y|ies)|conversation|mentioned or otherwise engaged/,
    codes: [385, 433],
    code: "PLATFORM_REJECTED",
    says: "X does not allow this app to reply to that post",
    hint: "the post may be deleted or closed to replies; see docs/platforms/x.md",
  },
  {
    words: /oauth1-permissions|unsupported-authentication|client-forbidden|not-enrolled|not permitted|scope/,
    code: "AUTH_SCOPE",
    says: "X does not allow this app to do that",
    hint: `set the app to "Read and write" at ${CONSOLE}, then psn connect x`,
  },
];

const TABLE: Refusals = {
  reasonOf,
  rules: [
    { status: 402, ...UNPAID, hint: RAISE },
    { status: 429, words: /problems\/(usage-capped|credits)/, ...UNPAID, hint: RAISE },
    DUPLICATE,
    ...FORBIDDEN.map((rule) => ({ status: 403, ...rule })),
  ],
  pauseMs: pauseOf,
};

/** The error for a refusal, by X's own reason where it gives one. */
export const refusalOf = (answer: Answer, session: Caller): PsnError => refusedBy(TABLE, answer, session);

export const isDuplicate = (answer: Answer): boolean => matches(DUPLICATE, answer, reasonOf(answer));
export const isParentMissing = (answer: Answer): boolean => matches(PARENT_MISSING, answer, reasonOf(answer));
export const isMediaMissing = (answer: Answer): boolean => matches(MEDIA_MISSING, answer, reasonOf(answer));

/**
 * The windows of a limit: a quarter of an hour, and a day by user and by app (seen in answers; the page names only the
 * first).
 */
const WINDOWS = ["x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"] as const;

/**
 * How long until every window that is used up begins anew, in milliseconds; by the server's clock, since `…-reset` is
 * its instant in epoch seconds (https://docs.x.com/x-api/fundamentals/rate-limits, 2026-11). A 429 with no window used
 * up speaks of the first.
 */
function pauseOf({ headers }: Answer, now: Date): number | undefined {
  const told = Date.parse(headers.get("date") ?? "");
  const serverNow = Number.isNaN(told) ? now.getTime() : told;
  const windows = WINDOWS.flatMap((name) => {
    const reset = Number(headers.get(`${name}-reset`) || Number.NaN);
    const spent = headers.get(`${name}-remaining`)?.trim() === "0";
    return Number.isFinite(reset) ? [{ pause: reset * 1000 - serverNow, spent }] : [];
  });
  const spent = windows.filter((window) => window.spent);
  const pauses = (spent.length > 0 ? spent : windows.slice(0, 1)).map(({ pause }) => pause);
  return pauses.length > 0 ? pauseWithin(Math.max(0, ...pauses)) : pauseMs(headers, now);
}
