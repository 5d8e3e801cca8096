import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import { printable } from "@psn/core/utils/printable.ts";
import { logger } from "@trigger.dev/sdk";
import { verdict } from "./delivery.ts";

/** A cron comes again by itself: a few tries are enough. */
export const CRON_RETRY = {
  maxAttempts: 3,
  factor: 2,
  minTimeoutInMs: 2_000,
  maxTimeoutInMs: 30_000,
  randomize: true,
} as const;

/** Runs one piece of upkeep; what it returns is what the dashboard shows. */
export async function upkeep<T extends object>(work: (onTrouble: (error: unknown) => void) => Promise<T>): Promise<T> {
  const onTrouble = (error: unknown) => {
    const { code, message }: PsnError = toPsnError(error);
    logger.warn(printable(message), { code });
  };
  try {
    return await work(onTrouble);
  } catch (error) {
    throw verdict(toPsnError(error));
  }
}
