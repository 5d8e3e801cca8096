import type { Changed } from "@psn/app/change-deliveries.ts";
import type { Woken } from "@psn/app/wake-up.ts";
import { z } from "zod";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import { ErrorDocument } from "./failure.ts";
import { type DocumentOf, DryRun, Id, Instant } from "./values.ts";

/** Who publishes what was just written. */
export const WakeDocument = z
  .strictObject({
    queue: z.string().nullable().describe("The queue that was told; null where workers listen to the database."),
    missed: ErrorDocument.nullable().describe("Why the queue could not be told; its watchdog finds the post."),
    atHome: z.array(Id).describe("Deliveries that only a worker on the user's own machine can publish."),
  })
  .meta({ id: "Wake", description: "Who publishes what was just written." });

export function wakeDocument({ queue, missed, atHome }: Woken): DocumentOf<typeof WakeDocument> {
  return { queue, missed: missed?.toJSON() ?? null, atHome: atHome.map(({ id }) => id) };
}

/** What a change did to the deliveries that an id means. */
export const ChangeDocument = z.strictObject({
  dryRun: DryRun,
  wake: WakeDocument,
  deliveries: z.array(DeliveryDocument).describe("What was changed."),
  left: z.array(DeliveryDocument).describe("What the id means too, and what was left as it is."),
});

/** The same of `move`, with the new time. */
export const MoveDocument = z.strictObject({
  dryRun: DryRun,
  due: Instant.describe("The new time."),
  ...ChangeDocument.omit({ dryRun: true }).shape,
});

export function changeDocument({
  dryRun,
  deliveries,
  left,
  woken,
}: Changed & { readonly dryRun: boolean }): DocumentOf<typeof ChangeDocument> {
  return {
    dryRun,
    wake: wakeDocument(woken),
    deliveries: deliveries.map(deliveryDocument),
    left: left.map(deliveryDocument),
  };
}

export function moveDocument(
  moved: Changed & { readonly dryRun: boolean; readonly due: Date },
): DocumentOf<typeof MoveDocument> {
  const { dryRun, ...rest } = changeDocument(moved);
  return { dryRun, due: moved.due.toISOString(), ...rest };
}
