import { DeliveriesDocument, deliveriesDocument } from "@psn/app/documents/delivery.ts";
import { queueOf } from "@psn/app/queries/queue.ts";
import { z } from "zod";
import { defineVerb } from "./verb.ts";

/** How many deliveries may be asked for. */
export const MOST = 10_000;
/** How many are answered where nothing is said. */
export const USUAL = 50;

export const queue = defineVerb({
  name: "queue",
  summary: "list scheduled posts",
  effect: "read",
  idempotent: true,
  input: z.strictObject({
    all: z
      .boolean()
      .default(false)
      .describe("Also what was published, failed, was cancelled or removed; the latest first."),
    limit: z.int().min(1).max(MOST).default(USUAL),
  }),
  output: DeliveriesDocument,
  run: queueOf,
  document: deliveriesDocument,
});
