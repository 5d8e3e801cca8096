import { ACCOUNT_HEALTH, DELIVERY_STATES, UNIT_STATES } from "@psn/core/types/index.ts";
import { z } from "zod";

/*
 * What documents are made of. A document is what an edge gives to a program: `--json`, the library, an agent. Its zod
 * schema is its type, its JSON Schema and its page in docs/json.md. Fields are added, and never changed or taken away.
 */

/** A document of this schema; the type of all that builds or prints one. */
export type DocumentOf<Schema extends z.ZodType> = ReadonlyDeep<z.input<Schema>>;

type ReadonlyDeep<T> = T extends readonly (infer Item)[]
  ? readonly ReadonlyDeep<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> }
    : T;

export const Instant = z.iso.datetime().meta({ id: "Instant", description: "An instant: ISO 8601, UTC." });
export const Id = z.uuid();
export const Count = z.int().min(0);
export const DryRun = z.boolean().describe("True: nothing was changed; this is what would be.");

export const DeliveryState = z
  .enum(DELIVERY_STATES)
  .meta({ id: "DeliveryState", description: "Where one post to one account stands; docs/guarantees.md says more." });
export const UnitState = z.enum(UNIT_STATES);
export const AccountHealth = z
  .enum(ACCOUNT_HEALTH)
  .describe("`needs-reconnect`: nothing is published before its user connects it again.");

/** An instant as documents have it; null where there is none. */
export function instant(at: Date | null | undefined): string | null {
  return at?.toISOString() ?? null;
}
