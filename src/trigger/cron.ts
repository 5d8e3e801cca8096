/**
 * When the watchdog looks, as a cron expression in UTC: every so many minutes, a divisor of an hour or of a day. Each
 * of them fires at 00:00 and 12:00, which is when the other crons follow within minutes, so that they share one wake of
 * the database.
 */
export function watchdogCron(minutes: number): string {
  return minutes < 60 ? `*/${minutes} * * * *` : minutes === 60 ? "0 * * * *" : `0 */${minutes / 60} * * *`;
}

/** Put in by the build (trigger.config.ts); where nothing was built, as in a test, the default counts. */
declare const PSN_WATCHDOG_CRON: string | undefined;

export const WATCHDOG_CRON = typeof PSN_WATCHDOG_CRON === "string" ? PSN_WATCHDOG_CRON : watchdogCron(30);
export const REFRESH_CRON = "2 */12 * * *";
export const PRUNE_CRON = "4 0 * * *";
