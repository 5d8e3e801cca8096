import type { Answer } from "./http.ts";

/*
 * To find one's own post among an account's posts: by time first, since the same words may have been posted before.
 */

/**
 * How much older than the unit a post may look, in milliseconds: three clocks are involved, and some servers cut
 * seconds off.
 */
export const ALLOWANCE_MS = 2 * 60_000;
/** The same where nobody says which posts belong to other units. */
export const ALLOWANCE_NARROW_MS = 10_000;
/** The same where the server does not tell its time. */
const ALLOWANCE_WITHOUT_DATE_MS = 10 * 60_000;

/**
 * The earliest instant, by the server's clock, at which a unit sent at `at` can have appeared, in milliseconds since
 * the epoch.
 */
export function notBefore({ headers }: Answer, at: Date, now: Date, allowanceMs = ALLOWANCE_MS): number {
  const date = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(date)) return at.getTime() - ALLOWANCE_WITHOUT_DATE_MS;
  return at.getTime() + (date - now.getTime()) - allowanceMs;
}
