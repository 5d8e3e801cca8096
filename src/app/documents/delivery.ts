import type { QueuePage } from "@psn/app/queries/queue.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { OPERATIONS } from "@psn/core/types/index.ts";
import { z } from "zod";
import { Count, DeliveryState, type DocumentOf, Id, Instant, instant } from "./values.ts";

/** One post to one account. */
export const DeliveryDocument = z
  .strictObject({
    id: Id,
    post: Id.describe("The post that it is a delivery of."),
    account: z.strictObject({ id: Id, platform: z.string(), handle: z.string() }),
    state: DeliveryState,
    operation: z.enum(OPERATIONS).describe("What is done to it: `publish`; `remove` once its user asked to delete it."),
    due: Instant,
    next: Instant.nullable().describe(
      "When psn tries or looks again; null while it is at work on it, and where nothing is planned.",
    ),
    published: Instant.nullable(),
    url: z.string().nullable().describe("Where the first unit is public."),
    units: z
      .strictObject({ all: Count, published: Count })
      .describe("A unit is one message at the platform; a thread has several."),
    attempt: Count.describe("How often it was tried."),
    reason: z
      .strictObject({ code: z.string(), message: z.string().nullable() })
      .nullable()
      .describe("Why it is not published, or not removed: the code of an error, and what was said."),
    text: z.string().describe("The text of the first unit."),
  })
  .meta({ id: "Delivery", description: "One post to one account." });

export function deliveryDocument(delivery: DeliverySummary): DocumentOf<typeof DeliveryDocument> {
  const { id, postId, accountId, platform, handle, state, operation, attempt, code, message, text, url } = delivery;
  return {
    id,
    post: postId,
    account: { id: accountId, platform, handle },
    state,
    operation,
    due: delivery.dueAt.toISOString(),
    next: instant(delivery.nextAt),
    published: instant(delivery.publishedAt),
    url,
    units: { all: delivery.units, published: delivery.unitsPublished },
    attempt,
    reason: code === null ? null : { code, message },
    text,
  };
}

/** Deliveries, in the order in which they were asked for. */
export const DeliveriesDocument = z.strictObject({
  deliveries: z.array(DeliveryDocument),
  nextCursor: z
    .string()
    .nullable()
    .describe("Pass it back as `cursor`, with the same input, for the next page; null where this is the last one."),
});

export function deliveriesDocument({ deliveries, nextCursor }: QueuePage): DocumentOf<typeof DeliveriesDocument> {
  return { deliveries: deliveries.map(deliveryDocument), nextCursor };
}
