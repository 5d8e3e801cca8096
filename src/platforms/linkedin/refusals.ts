import type { PsnError } from "@psn/core/errors.ts";
import { type Answer, bodyOf, pauseMs } from "@psn/platforms/kit/http.ts";
import { type Caller, type Reason, type Refusals, refusedBy, UPDATE } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";

/**
 * The version of the API psn speaks, `YYYYMM`, and nowhere else. Checked 2026-11: released September 2026, and every
 * version works for at least a year (https://learn.microsoft.com/en-us/linkedin/marketing/versioning); afterwards
 * LinkedIn answers 426.
 */
export const VERSION = "202609";

/*
 * LinkedIn refuses with {status, code, message, serviceErrorCode}
 * (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling, 2026-11); the Posts API puts
 * the code of a refused field into errorDetails.inputErrors.
 */
const Refusal = z.object({
  code: z.string().catch(""),
  message: z.string().catch(""),
  serviceErrorCode: z.coerce.number().catch(0),
  errorDetails: z
    .object({ inputErrors: z.array(z.object({ code: z.string().catch("") })).catch([]) })
    .catch({ inputErrors: [] }),
});

function reasonOf(answer: Answer): Reason {
  const { data } = Refusal.safeParse(bodyOf(answer));
  if (!data) return { codes: [], words: "" };
  const { code, serviceErrorCode, errorDetails, message } = data;
  return { codes: [code, serviceErrorCode, ...errorDetails.inputErrors.map((one) => one.code)], words: message };
}

/** A clear no, and no attempt of this psn will fare better: nothing is left to be reconciled. */
const SWITCHED_OFF = {
  code: "PLATFORM_REJECTED",
  says: `LinkedIn has switched off version ${VERSION} of its API, which this version of psn uses`,
  hint: UPDATE,
} as const;

const TABLE: Refusals = {
  reasonOf,
  rules: [
    { status: 426, ...SWITCHED_OFF },
    { codes: ["NONEXISTENT_VERSION"], ...SWITCHED_OFF },
    // Its member took the token back (seen in answers; the page above does not list it).
    { status: 401, codes: ["REVOKED_ACCESS_TOKEN", 65_601], code: "AUTH_REVOKED", hint: "psn connect linkedin" },
    { status: 429, code: "RATE_LIMITED" },
    // Two writes met ("Retry the request"); nothing was made.
    { status: 409, codes: ["CONFLICT"], code: "PLATFORM_DOWN" },
    {
      codes: ["FIELD_LENGTH_TOO_LONG"],
      code: "PLATFORM_REJECTED",
      says: "LinkedIn says that a text is too long",
      hint: "shorten it",
    },
  ],
  pauseMs: (answer, now) => pauseMs(answer.headers, now) ?? untilMidnight(answer, now),
};

/** The error for a refusal, by LinkedIn's own reason where it gives one. */
export const refusalOf = (answer: Answer, session: Caller): PsnError => refusedBy(TABLE, answer, session);

/**
 * Limits are counted by the day, which ends at midnight UTC
 * (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/rate-limits, 2026-11). By the server's clock.
 */
function untilMidnight(answer: Answer, now: Date): number {
  const day = 24 * 3_600_000;
  return day - ((now.getTime() + clockAheadMs(answer, now)) % day);
}

/** How far LinkedIn's clock is ahead of psn's, in milliseconds. */
export function clockAheadMs({ headers }: Answer, now: Date): number {
  const told = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(told) ? 0 : told - now.getTime();
}

/**
 * Present where LinkedIn refuses a post because it has the same one already, with the URN it names, if it names one:
 * 422 with the code DUPLICATE_POST and "Content is a duplicate of urn:li:share:…". No page describes it; these are the
 * words of answers that developers quote (for example github.com/Arisamiga/Linkedin-RSS/issues/5).
 */
export function duplicateOf(answer: Answer): { readonly urn?: string } | undefined {
  if (answer.status < 400 || answer.status > 499) return undefined;
  const { codes, words } = reasonOf(answer);
  if (!codes.includes("DUPLICATE_POST") && !/\bduplicate of urn:li:|\bduplicate post\b/i.test(words)) return undefined;
  const urn = /\burn:li:(?:share|ugcPost):\d{1,19}\b/.exec(words)?.[0];
  return urn === undefined ? {} : { urn };
}
