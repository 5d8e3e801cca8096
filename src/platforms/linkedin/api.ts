import { type Answer, bodyOf, pauseMs, serverNow } from "@psn/platforms/kit/http.ts";
import { apiOf, NumberField, type Reason, refusalsBy, TextField, UPDATE } from "@psn/platforms/kit/refusals.ts";
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
const Refusal = z.object({ code: TextField, message: TextField, serviceErrorCode: NumberField, errorDetails: Inputs });

function reasonOf(answer: Answer): Reason {
  const { data } = Refusal.safeParse(bodyOf(answer));
  if (!data) return { codes: [], words: "" };
  const { code, serviceErrorCode, errorDetails, message } = data;
  return { codes: [code, serviceErrorCode, ...errorDetails.inputErrors.map((one) => one.code)], words: message };
}

const DAY_MS = 24 * 3_600_000;

/** A clear no, and no attempt of this psn will fare better: nothing is left to be reconciled. */
const SWITCHED_OFF = {
  says: `LinkedIn has switched off version ${VERSION} of its API, which this version of psn uses`,
  hint: UPDATE,
};

/** The error for a refusal, by LinkedIn's own reason where it gives one. */
export const refusalOf = refusalsBy({
  reasonOf,
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

/** …/shared/api-guide/concepts/protocol-version (2026-11); only what is below /rest has versions. */
const VERSIONED = { "linkedin-version": VERSION, "x-restli-protocol-version": "2.0.0" };

/**
 * One request with the account's token (…/shared/api-guide/concepts, 2026-11). Throws what `call` throws, and
 * LinkedIn's own refusals by their reason.
 */
export const api = apiOf({
  origin: "https://api.linkedin.com",
  headers: (path) => (path.startsWith("/rest/") ? VERSIONED : {}),
  refusalOf,
});

/** A URN as a key in a path: its colons, parentheses and commas encoded too (protocol-version page above). */
export function keyOf(urn: string): string {
  return encodeURIComponent(urn).replaceAll("(", "%28").replaceAll(")", "%29");
}

/**
 * Present where LinkedIn refuses a post because it has the same one already, with the URN it names, if it names one:
 * 422 with the code DUPLICATE_POST and "Content is a duplicate of urn:li:share:…". No page describes it; these are the
 * words of answers that developers quote (for example github.com/Arisamiga/Linkedin-RSS/issues/5).
 */
export function duplicateOf(answer: Answer): { readonly urn: string | undefined } | undefined {
  if (answer.status < 400 || answer.status > 499) return undefined;
  const { codes, words } = reasonOf(answer);
  if (!codes.includes("DUPLICATE_POST") && !/\bduplicate of urn:li:|\bduplicate post\b/i.test(words)) return undefined;
  return { urn: /\burn:li:(?:share|ugcPost):\d{1,19}\b/.exec(words)?.[0] };
}
