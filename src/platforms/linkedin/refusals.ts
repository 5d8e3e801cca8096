import { PsnError } from "@psn/core/errors.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, bodyOf, pauseMs, refusal } from "@psn/platforms/kit/http.ts";
import { z } from "zod";

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

export type Caller = Net & Pick<Session, "credentials"> & Partial<Pick<Session, "app">>;

interface Reason {
  readonly codes: readonly string[];
  readonly message: string;
  readonly service: number;
}

function reasonOf(answer: Answer): Reason {
  const told = Refusal.safeParse(bodyOf(answer));
  if (!told.success) return { codes: [], message: "", service: 0 };
  const { code, message, serviceErrorCode, errorDetails } = told.data;
  return { codes: [code, ...errorDetails.inputErrors.map((one) => one.code)], message, service: serviceErrorCode };
}

/** Against a version that LinkedIn has switched off, and an address that its API has left. */
export const UPDATE = "update psn";

/** What LinkedIn says of a token that its member took back (seen in answers; the page above does not list it). */
const REVOKED = { code: "REVOKED_ACCESS_TOKEN", service: 65_601 };

/** The error for a refusal, by LinkedIn's own reason where it gives one. `version` is the one that was asked for. */
export function refusalOf(answer: Answer, session: Caller, version: string): PsnError {
  const error = refusal(answer, session);
  const { codes, service } = reasonOf(answer);
  const options = { cause: error, details: error.details };
  const { status } = answer;
  // A clear no, and no attempt of this psn will fare better: nothing is left to be reconciled.
  if (status === 426 || codes.includes("NONEXISTENT_VERSION"))
    return new PsnError(
      "PLATFORM_REJECTED",
      `LinkedIn has switched off version ${version} of its API, which is the one this psn speaks`,
      {
        ...options,
        hint: UPDATE,
      },
    );
  if (status === 401 && (codes.includes(REVOKED.code) || service === REVOKED.service))
    return new PsnError("AUTH_REVOKED", error.message, { ...options, hint: "psn connect linkedin" });
  if (status === 429) {
    const retryAfterMs = pauseMs(answer.headers, session.now()) ?? untilMidnight(answer, session.now());
    return new PsnError("RATE_LIMITED", error.message, { ...options, retryAfterMs });
  }
  // Two writes met ("Retry the request"); nothing was made.
  if (status === 409 && codes.includes("CONFLICT")) return new PsnError("PLATFORM_DOWN", error.message, options);
  if (codes.includes("FIELD_LENGTH_TOO_LONG"))
    return new PsnError("PLATFORM_REJECTED", `LinkedIn finds a text too long (${error.message})`, {
      ...options,
      hint: "shorten it",
    });
  return error;
}

const DAY_MS = 24 * 3_600_000;

/**
 * Limits are counted by the day, which ends at midnight UTC
 * (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/rate-limits, 2026-11). By the server's own
 * clock.
 */
function untilMidnight(answer: Answer, now: Date): number {
  const at = now.getTime() + clockAheadMs(answer, now);
  return DAY_MS - (at % DAY_MS);
}

/** How far LinkedIn's clock is ahead of psn's, in milliseconds. */
export function clockAheadMs({ headers }: Answer, now: Date): number {
  const told = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(told) ? 0 : told - now.getTime();
}

/**
 * Present where LinkedIn refuses a post because it has the same one already; with the URN it names, if it names one.
 */
export interface Duplicate {
  readonly urn?: string;
}

/**
 * 422 with the code DUPLICATE_POST and "Content is a duplicate of urn:li:share:…". No page describes it; these are the
 * words of answers that developers quote (for example github.com/Arisamiga/Linkedin-RSS/issues/5).
 */
export function duplicateOf(answer: Answer): Duplicate | undefined {
  if (answer.status < 400 || answer.status > 499) return undefined;
  const { codes, message } = reasonOf(answer);
  if (!codes.includes("DUPLICATE_POST") && !/\bduplicate of urn:li:|\bduplicate post\b/i.test(message))
    return undefined;
  const urn = /\burn:li:(?:share|ugcPost):\d{1,19}\b/.exec(message)?.[0];
  return urn === undefined ? {} : { urn };
}
