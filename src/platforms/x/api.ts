import { apiOf, NumberField, type Rule, TextField, type When } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";

/*
 * In this folder `…/` stands for https://docs.x.com/.
 *
 * X says why in the words of a problem document (`title`, `detail`, `type`) or in the list of codes of its older API
 * (…/x-api/fundamentals/response-codes-and-errors, 2026-11). One status, 403, stands for a dozen reasons.
 */

/** A decimal of at most 19 digits, as text: a number would lose its last digits (…/fundamentals/x-ids, 2026-11). */
export const Id = z.string().regex(/^\d{1,19}$/);

const Fault = z.object({ code: NumberField, message: TextField, detail: TextField });
const Words = z.object({ title: TextField, detail: TextField, type: TextField, reason: TextField });
const Problem = Words.extend({ errors: z.array(Fault).catch([]) })
  .transform(({ errors, title, detail, type, reason }) => {
    const words = [title, detail, type, reason, ...errors.flatMap((error) => [error.message, error.detail])].join(" ");
    return { codes: errors.map(({ code }) => code), words: words.toLowerCase() };
  })
  .catch({ codes: [], words: "" });

/** The account has posted the same words already. */
export const DUPLICATE: When = { status: 403, codes: [187], words: /duplicate content|status is a duplicate/ };
/** X does not see what is answered, yet or any more; 385 and 144 are the older API's for an answer and a post. */
export const PARENT_MISSING: When = {
  codes: [385, 144],
  words: /deleted or not visible|repl\w+ to a (tweet|post) that (is|was|has been) deleted|in_reply_to_tweet_id/,
};
/** X does not have the media, yet or any more ("Your media IDs are invalid."). */
export const MEDIA_MISSING: When = {
  status: 400,
  words: /media.?ids? (is|are) invalid|media_ids?\b.*(invalid|not found|expired)/,
};

/** Where accounts live; the API lives beside it (…/x-api/introduction, 2026-11). */
export const HOME = "https://x.com";
const CONSOLE = "https://console.x.com";
const RAISE = `buy credits or raise the spending limit at ${CONSOLE}, then psn retry ID`;
const unpaid = (hint: string) => ({ says: "X asks for payment", hint });

/** Why X says 403. The numbers are the older API's codes. */
const FORBIDDEN: readonly Rule[] = [
  {
    when: { words: /suspended application|app(lication)? (has been |is )?suspended/, codes: [416] },
    means: { code: "APP_REFUSED", says: "X has suspended your app", hint: `see the notice in ${CONSOLE}` },
  },
  {
    when: { words: /suspended|temporarily locked|account is locked/, codes: [64, 326] },
    means: {
      code: "AUTH_REVOKED",
      says: "X has suspended or locked the account",
      hint: "log in at https://x.com and unlock it, then psn connect x",
    },
  },
  {
    when: { words: /daily status update limit|over the limit|update limit/, codes: [185] },
    means: { code: "RATE_LIMITED", says: "the account has posted too much" },
  },
  {
    when: { words: /problems\/(usage-capped|credits)|spend ?cap|credits/ },
    means: unpaid(`buy credits at ${CONSOLE}`),
  },
  {
    when: { words: /too long|shorter|longer than|exceeds/, codes: [186] },
    means: {
      says: "X says that the text or the video is too long for this account",
      hint: "shorten it, or split it into a thread: --split",
    },
  },
  {
    when: { words: /\bquot(?:e|es|ed|ing)\b/ },
    means: {
      says: "X does not allow this app to quote posts",
      hint: "X allows quoting only for Enterprise plans: omit --option x.quote and put the link into the text",
    },
  },
  {
    when: { words: /cashtag/ },
    means: { says: "X accepts one cashtag in a post from an app", hint: "keep only one $NAME in the text" },
  },
  {
    when: { words: /repl(y|ies)|conversation|mentioned or otherwise engaged/, codes: [385, 433] },
    means: {
      says: "X does not allow this app to reply to that post",
      hint: "the post may be deleted or closed to replies; see docs/platforms/x.md",
    },
  },
  {
    when: { words: /oauth1-permissions|unsupported-authentication|client-forbidden|not-enrolled|not permitted|scope/ },
    means: {
      code: "AUTH_SCOPE",
      says: "X does not allow this app to do that",
      hint: `set the app to "Read and write" at ${CONSOLE}, then psn connect x`,
    },
  },
];

export const { api, refusalOf, says } = apiOf({
  origin: "https://api.x.com",
  reason: Problem,
  rules: [
    { when: { status: 402 }, means: unpaid(RAISE) },
    { when: { status: 429, words: /problems\/(usage-capped|credits)/ }, means: unpaid(RAISE) },
    {
      when: DUPLICATE,
      means: {
        says: "X refuses a text that you posted before: change the text",
        hint: "change the text; X does not document when it accepts the same text again",
      },
    },
    ...FORBIDDEN.map(({ when, means }) => ({ when: { status: 403, ...when }, means })),
  ],
});
