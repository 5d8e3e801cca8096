import { PsnError } from "@psn/core/errors.ts";
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

/** Pages read before psn says it cannot tell: 1,000 posts since the unit was sent, where a page has 100. */
const PAGES_MOST = 10;

/**
 * Reads page after page until one has what is looked for, or none follows. `read` is given what the page before named
 * as the next. Throws PLATFORM_DOWN where there are too many.
 */
export async function findPaged<Found>(
  read: (
    after: string | undefined,
  ) => Promise<{ readonly found?: Found | undefined; readonly next?: string | undefined }>,
): Promise<Found | undefined> {
  let after: string | undefined;
  for (let page = 0; page < PAGES_MOST; page += 1) {
    const { found, next } = await read(after);
    if (found !== undefined || next === undefined) return found;
    after = next;
  }
  throw new PsnError("PLATFORM_DOWN", "the account has too many posts since then to find this one");
}
