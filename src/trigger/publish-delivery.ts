import { task } from "@trigger.dev/sdk";
import { catchError, onFailure, RETRY, runDelivery } from "./delivery.ts";

/** Woken when a delivery is due, in its platform's queue. */
export const publishDelivery = task({
  id: "publish-delivery",
  retry: RETRY,
  run: (payload: unknown) => runDelivery(payload),
  catchError,
  onFailure: (failure) => onFailure(failure),
});
