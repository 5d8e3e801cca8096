import { type Deleted, type Planned, STEPS } from "@psn/app/delete-post.ts";
import { z } from "zod";
import { WakeDocument, wakeDocument } from "./change.ts";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import { type DocumentOf, DryRun } from "./values.ts";

const DeletionStep = z
  .strictObject({
    ...DeliveryDocument.shape,
    step: z
      .enum(STEPS)
      .describe(
        "What deleting does with it now. `remove`: it is out, all or a part. `cancel`: nothing of it was sent. " +
          "`going`: psn is removing it. `gone`: nothing of it is public. `busy`: it is being sent. `unsure`: " +
          "psn could not confirm whether it is out. `by-hand`: it is out, and its account is disconnected.",
      ),
    addresses: z.array(z.string()).describe("Where its units are that are out, or may be."),
  })
  .meta({ id: "DeletionStep", description: "A delivery, and what deleting does with it." });

/** What `delete` did, or would do, with the deliveries that an id means. */
export const DeletionDocument = z.strictObject({
  dryRun: DryRun,
  wake: WakeDocument,
  deliveries: z.array(DeletionStep).describe("As they are afterwards; with `dryRun` as they are now."),
});

export function deletionDocument({
  dryRun,
  deliveries,
  woken,
}: Deleted & { readonly dryRun: boolean }): DocumentOf<typeof DeletionDocument> {
  return { dryRun, wake: wakeDocument(woken), deliveries: deliveries.map(stepDocument) };
}

function stepDocument({ delivery, step, addresses }: Planned): DocumentOf<typeof DeletionStep> {
  return { ...deliveryDocument(delivery), step, addresses };
}
