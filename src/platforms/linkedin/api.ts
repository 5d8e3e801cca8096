import { pauseMs, serverNow } from "@psn/platforms/kit/http.ts";
import { apiOf, NumberField, TextField, UPDATE, type When } from "@psn/platforms/kit/refusals.ts";
import { z } from "zod";

/*
 * In this folder `…/` stands for https://learn.microsoft.com/en-us/linkedin/.
 *
 * LinkedIn refuses with {status, code, message, serviceErrorCode} (…/shared/api-guide/concepts/error-handling,
 * 2026-11); the Posts API puts the code of a refused field into errorDetails.inputErrors.
 */

/** Where members live, and where their consent is asked. */
export const HOME = "https://www.linkedin.com";
/**
 * The version of the API psn speaks, `YYYYMM`, and nowhere else. Checked 2026-11: released September 2026, and every
 * version works for at least a year (…/marketing/versioning); afterwards LinkedIn answers 426.
 */
export const VERSION = "202609";

const Inputs = z.object({ inputErrors: z.array(z.object({ code: TextField })).catch([]) }).catch({ inputErrors: [] });
const Refusal = z
  .object({ code: TextField, message: TextField, serviceErrorCode: NumberField, errorDetails: Inputs })
  .transform(({ code, message, serviceErrorCode, errorDetails }) => ({
    codes: [code, serviceErrorCode, ...errorDetails.inputErrors.map((one) => one.code)],
    words: message,
  }))
  .catch({ codes: [], words: "" });

const DAY_MS = 24 * 3_600_000;

/** A clear no, and no attempt of this psn will fare better: nothing is left to be reconciled. */
const SWITCHED_OFF = {
  says: `LinkedIn has switched off version ${VERSION} of its API, which this version of psn uses`,
  hint: UPDATE,
};

/** …/shared/api-guide/concepts/protocol-version (2026-11); only what is below /rest has versions. */
const VERSIONED = { "linkedin-version": VERSION, "x-restli-protocol-version": "2.0.0" };

/** …/shared/api-guide/concepts (2026-11). */
export const { api, refusalOf, reasonOf, says } = apiOf({
  origin: "https://api.linkedin.com",
  headers: (path) => (path.startsWith("/rest/") ? VERSIONED : {}),
  reason: Refusal,
  rules: [
    { when: { status: 426 }, means: SWITCHED_OFF },
    { when: { codes: ["NONEXISTENT_VERSION"] }, means: SWITCHED_OFF },
    // Its member took the token back (seen in answers; the page above does not list it).
    {
      when: { status: 401, codes: ["REVOKED_ACCESS_TOKEN", 65_601] },
      means: { code: "AUTH_REVOKED", hint: "psn connect linkedin" },
    },
    { when: { status: 429 }, means: { code: "RATE_LIMITED" } },
    // Two writes met ("Retry the request"); nothing was made.
    { when: { status: 409, codes: ["CONFLICT"] }, means: { code: "PLATFORM_DOWN" } },
    {
      when: { codes: ["FIELD_LENGTH_TOO_LONG"] },
      means: { says: "LinkedIn says that a text is too long", hint: "shorten it" },
    },
  ],
  // Limits are counted by the day, which ends at midnight UTC (…/shared/api-guide/concepts/rate-limits, 2026-11); by
  // the server's clock.
  pauseMs: ({ headers }, now) => pauseMs(headers, now) ?? DAY_MS - (serverNow(headers, now) % DAY_MS),
});

/** A URN as a key in a path: its colons, parentheses and commas encoded too (protocol-version page above). */
export function keyOf(urn: string): string {
  return encodeURIComponent(urn).replaceAll("(", "%28").replaceAll(")", "%29");
}

/**
 * LinkedIn has the same post already: 422 with the code DUPLICATE_POST and "Content is a duplicate of urn:li:share:…".
 * No page describes it; these are the words of answers that developers quote (for example
 * github.com/Arisamiga/Linkedin-RSS/issues/5).
 */
export const DUPLICATE: When = { codes: ["DUPLICATE_POST"], words: /\bduplicate of urn:li:|\bduplicate post\b/i };
