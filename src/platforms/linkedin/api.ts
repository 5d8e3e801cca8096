import { apiOf } from "@psn/platforms/kit/refusals.ts";
import { refusalOf, VERSION } from "./refusals.ts";

export { VERSION };

/** Where the API lives (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts, 2026-11). */
export const API = "https://api.linkedin.com";
/** Where members live, and where their consent is asked. */
export const HOME = "https://www.linkedin.com";

/** https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/protocol-version (2026-11). */
const VERSIONED = { "linkedin-version": VERSION, "x-restli-protocol-version": "2.0.0" };

/**
 * One request with the account's token; only what is below /rest has versions. Throws what `call` throws, and
 * LinkedIn's own refusals by their reason.
 */
export const api = apiOf({
  origin: API,
  headers: (path) => (path.startsWith("/rest/") ? VERSIONED : {}),
  refusalOf,
});

/** A URN as a key in a path: its colons, parentheses and commas encoded too (protocol-version page above). */
export function keyOf(urn: string): string {
  return encodeURIComponent(urn).replaceAll("(", "%28").replaceAll(")", "%29");
}
