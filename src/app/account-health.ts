import type { Account } from "@psn/core/ports/accounts.ts";

/** A person needs some days to see it and to come back to the platform's page; in milliseconds. */
export const NOTICE_MS = 7 * 24 * 3_600_000;

/** Its token ends within a week, and psn has nothing to renew it with. */
export function endsSoon(
  { health, expiresAt, renews }: Pick<Account, "health" | "expiresAt" | "renews">,
  now: Date,
): boolean {
  return health === "ok" && !renews && expiresAt !== null && expiresAt.getTime() - now.getTime() < NOTICE_MS;
}
