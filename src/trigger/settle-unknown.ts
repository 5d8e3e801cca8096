import { task } from "@trigger.dev/sdk";
import { catchError, onFailure, RETRY, runDelivery } from "./delivery.ts";
import { settleQueue } from "./queues.ts";

/** Woken when a lease is over: its holder died, or got no answer after the bytes had left. Asks the platform. */
export const settleUnknown = task({
  id: "settle-unknown",
  queue: settleQueue,
  retry: RETRY,
  // It has a place in another queue than publishing: what it began beside that would be over the platform's limit for
  // an account.
  run: (payload: unknown) => runDelivery(payload, undefined, "delivery"),
  catchError,
  onFailure: (failure) => onFailure(failure),
});
