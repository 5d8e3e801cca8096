import type { Step } from "@psn/app/recover-hub.ts";
import type { Parting } from "@psn/core/types/index.ts";
import { z } from "zod";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import { type DocumentOf, DryRun, Instant, instant } from "./values.ts";

export const RecoverDocument = z.strictObject({
  found: z
    .enum(["copied", "turned back", "unknown"])
    .nullable()
    .describe("What happened to the database; null: nothing is to be done."),
  since: Instant.nullable(),
  dryRun: DryRun,
  deliveries: z.array(
    z.strictObject({
      ...DeliveryDocument.shape,
      becomes: z.enum(["published", "scheduled", "unconfirmed", "pending", "ask"]),
      why: z.string(),
    }),
  ),
});

/** What a recovery did, or would do. */
export interface RecoverFacts {
  /** Why nothing is published from here; undefined where there is nothing to recover. */
  readonly found: Parting | undefined;
  /** When it was noticed. */
  readonly since: Date | null;
  readonly dryRun: boolean;
  /** Every user of the hub. */
  readonly users: readonly string[];
  readonly steps: readonly Step[];
}

export function recoverDocument(facts: RecoverFacts): DocumentOf<typeof RecoverDocument> {
  const { found, since, dryRun, steps } = facts;
  return {
    found: found ?? null,
    since: instant(since),
    dryRun,
    deliveries: steps.map(({ delivery, becomes, why, url }) => ({ ...deliveryDocument(delivery), becomes, why, url })),
  };
}
