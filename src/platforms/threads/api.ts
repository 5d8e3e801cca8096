import { defined } from "@psn/core/types/defined.ts";
import { type Answer, pauseMs } from "@psn/platforms/kit/http.ts";
import { META } from "@psn/platforms/kit/oauth-answer.ts";
import { apiOf, NumberField, TextField, type When } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";

/*
 * In this folder `…/` stands for https://developers.facebook.com/documentation/threads/.
 *
 * Graph says why by a number and a finer one (https://developers.facebook.com/docs/graph-api/guides/error-handling,
 * 2026-11). The status says little: an expired token is a 400, and a 500 can be a refusal, or come after the post was
 * made.
 */

/** `graph.threads.com` answers the same (…/overview, 2026-11). */
export const API = "https://graph.threads.net";

/** A decimal of some 17 digits, as text: a number would lose its last digits. */
export const Id = z.string().regex(/^\d{1,25}$/);

const GraphError = z
  .object({
    error: z.object({
      message: TextField,
      code: NumberField,
      error_subcode: NumberField,
      is_transient: z.boolean().catch(false),
      error_user_title: TextField,
      error_user_msg: TextField,
    }),
  })
  .transform(({ error }) => ({
    codes: [error.code, ...(error.is_transient ? ["transient"] : [])],
    subcodes: [error.error_subcode],
    words: `${error.message} ${error.error_user_msg} ${error.error_user_title}`,
  }));

/**
 * How long to wait where a day's posts are used up, in milliseconds: the day moves along, so one of them is free again
 * before it ends.
 */
export const QUOTA_PAUSE_MS = 3_600_000;

/**
 * No such container, post or account, or not yet: Graph's servers hear of a container one after the other
 * (gitroomhq/postiz-app#2047).
 */
const MISSING: readonly When[] = [{ subcodes: [4279009] }, { codes: [24] }, { codes: [100], subcodes: [33] }];
export const isMissing = (answer: Answer): boolean => says(answer, ...MISSING);

/**
 * Meta could not fetch a file, which comes with code 1 (gitroomhq/postiz-app#1364), or not in time, with code -2
 * (Instagram's list). Whether the bucket or the line is at fault it does not say.
 */
export const NOT_FETCHED: When = { subcodes: [2207052, 2207003], effect: "none" };
export const NOT_FETCHED_HINT =
  "Threads fetches media itself: the bucket must be reachable from the Internet; psn doctor";

export const SCOPE_HINT =
  "add the permissions to your app at https://developers.facebook.com/apps, then psn connect threads and allow all " +
  "of them";

const DOWN = [...META.down, "transient"];
const PERMISSION = [3, 10, ...Array.from({ length: 100 }, (_, index) => 200 + index)];

export const { api, refusalOf, says } = apiOf({
  origin: `${API}/v1.0`,
  reason: GraphError,
  // One that speaks of a missing permission has been seen after the post was out (tirthpatell/threads-go#30).
  isDoubtful: ({ effect, status }) => effect === "publish" && status >= 500,
  rules: [
    // What no exchange mends: 458 app removed, 459 and 464 the account must log in, 460 password changed, 467
    // invalidated, 492 no access.
    { when: { codes: META.token, subcodes: [458, 459, 460, 464, 467, 492] }, means: { code: "AUTH_REVOKED" } },
    { when: { codes: META.token }, means: { code: "AUTH_EXPIRED" } },
    { when: { codes: META.throttled }, means: { code: "RATE_LIMITED" } },
    { when: NOT_FETCHED, means: { code: "PLATFORM_DOWN", hint: NOT_FETCHED_HINT } },
    { when: { codes: DOWN, effect: "publish" }, means: { code: "OUTCOME_UNKNOWN" } },
    { when: { codes: DOWN }, means: { code: "PLATFORM_DOWN" } },
    { when: { codes: PERMISSION }, means: { code: "AUTH_SCOPE" } },
    {
      when: { words: /LINK_LIMIT_EXCEEDED/ },
      means: { hint: "Threads accepts 5 links in a post: move the others to another part" },
    },
    // A wrong parameter, a thing that is not there: clear, even as a 500.
    { when: { codes: [100, 24] }, means: {} },
  ],
  // A day's posts used up is the one limit of which the headers do not say how long it lasts.
  pauseMs: ({ headers }, now, { codes }) => pauseMs(headers, now) ?? (codes.includes(9) ? QUOTA_PAUSE_MS : undefined),
  hints: { AUTH_SCOPE: SCOPE_HINT },
  details: ({ codes: [code], subcodes: [subcode = 0] = [] }) => ({
    code: Number(code),
    ...defined({ subcode: subcode > 0 ? subcode : undefined }),
  }),
});
