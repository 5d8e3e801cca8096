import { queueName, remotePlatforms, SETTLE_QUEUE } from "@psn/compose.tasks.ts";
import { queue } from "@trigger.dev/sdk";

/*
 * Every queue a wake-up names must be declared: a run in a queue that nobody declared waits for ever. Runs carry the account as
 * their concurrency key, so that a limit counts for each account.
 */

export const publishQueues = Object.entries(remotePlatforms).map(([platform, concurrencyLimit]) =>
  queue({ name: queueName(platform), concurrencyLimit }),
);

/** One at a time for an account: two that ask about the same account could disturb each other. */
export const settleQueue = queue({ name: SETTLE_QUEUE, concurrencyLimit: 1 });
