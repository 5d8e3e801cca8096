import { type Answer, type CallOptions, call } from "@psn/platforms/kit/http.ts";
import { type Caller, refusalOf, UPDATE } from "./refusals.ts";

/** Where the API lives (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts, 2026-11). */
export const API = "https://api.linkedin.com";
/** Where members live, and where their consent is asked. */
export const HOME = "https://www.linkedin.com";

/**
 * The version of the API psn speaks, `YYYYMM`, and nowhere else. Checked 2026-11: released September 2026, and every
 * version works for at least a year (https://learn.microsoft.com/en-us/linkedin/marketing/versioning); afterwards
 * LinkedIn answers 426.
 */
export const VERSION = "202609";
/** https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/protocol-version (2026-11). */
const PROTOCOL = "2.0.0";

/** Statuses whose reason LinkedIn gives as a code of its own (`refusalOf`). */
const EXPLAINED = [400, 401, 403, 409, 426, 429];

/**
 * One request with the account's token. Throws what `call` throws, and LinkedIn's own refusals by their reason
 * (`refusalOf`).
 */
export async function api(session: Caller, path: string, options: CallOptions): Promise<Answer> {
  const headers = {
    accept: "application/json",
    ...Object.fromEntries(new Headers(options.headers)),
    authorization: `Bearer ${session.credentials.access}`,
    // Only what is below /rest has versions.
    ...(path.startsWith("/rest/") ? { "linkedin-version": VERSION, "x-restli-protocol-version": PROTOCOL } : {}),
  };
  const accept = options.accept ?? [];
  const answer = await call(session, `${API}${path}`, {
    ...options,
    headers,
    accept: [...accept, ...EXPLAINED],
    moved: () => UPDATE,
  });
  if (answer.status >= 400 && !accept.includes(answer.status)) throw refusalOf(answer, session, VERSION);
  return answer;
}

/** A JSON body and the header that says so. */
export function json(body: object): Pick<CallOptions, "method" | "headers" | "body"> {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** A URN as a key in a path: its colons, parentheses and commas encoded too (protocol-version page above). */
export function keyOf(urn: string): string {
  return encodeURIComponent(urn).replaceAll("(", "%28").replaceAll(")", "%29");
}
