import { queueName, remotePlatforms, SETTLE_QUEUE } from "@psn/wiring/tasks.ts";
import { queue } from "@trigger.dev/sdk";

/*
 * Every queue a wake-up names must be declared: a run in an undeclared queue waits forever. Runs carry the
 * account as their concurrency key, so that a limit counts for each account. Each queue has two places at least: a
 * machine that is lost with a run on it keeps its place for five minutes, until the server notices (measured on
 * 4.5.12).
 */

export const publishQueues = Object.entries(remotePlatforms).map(([platform, concurrencyLimit]) =>
  queue({ name: queueName(platform), concurrencyLimit }),
);

/** Few at a time for an account: each asks its platform about a post. */
export const settleQueue = queue({ name: SETTLE_QUEUE, concurrencyLimit: 2 });
