import { DeliveriesDocument, deliveriesDocument } from "@psn/app/documents/delivery.ts";
import { queueOf } from "@psn/app/queries/queue.ts";
import { DELIVERY_STATES } from "@psn/core/types/index.ts";
import { z } from "zod";
import { instant } from "./inputs.ts";
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
    since: instant.optional().describe("Only what is due at this instant or later: ISO 8601 with its offset from UTC."),
    account: z.string().min(1).optional().describe("A platform, or the name, handle or id of an account."),
    state: z.array(z.enum(DELIVERY_STATES)).min(1).optional().describe("Only these states, also without `all`."),
    search: z.string().min(1).max(1000).optional().describe("Words of the text, in upper or lower case."),
    cursor: z.string().optional().describe("`nextCursor` of the page before; the rest of the input stays the same."),
  }),
  output: DeliveriesDocument,
  run: queueOf,
  document: deliveriesDocument,
});
