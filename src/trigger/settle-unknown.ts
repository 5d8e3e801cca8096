import { task } from "@trigger.dev/sdk";
import { catchError, onFailure, RETRY, runDelivery } from "./delivery.ts";
import { settleQueue } from "./queues.ts";

/** Woken when a lease is over: whoever held it died, or got no answer after the bytes had left. Asks the platform. */
export const settleUnknown = task({
  id: "settle-unknown",
  queue: settleQueue,
  retry: RETRY,
  run: (payload: unknown) => runDelivery(payload),
  catchError,
  onFailure: (failure) => onFailure(failure),
});
