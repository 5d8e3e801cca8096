import type { PsnError } from "@psn/core/errors.ts";
import type { StoredUnit } from "@psn/core/ports/deliveries.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { disabled, LONG_FAILURE_MS, reschedule } from "@psn/domain/retry-schedule.ts";
import { ageMs, type Run } from "./delivery-run.ts";

/**
 * What a failed attempt makes of the delivery where its platform is tried on a schedule of its own; elsewhere `change`
 * as it is. An account of which nothing has gone out for days is disabled in place of giving up its posts.
 */
export async function onSchedule(
  run: Run,
  { unit, error, change }: { readonly unit: StoredUnit; readonly error: PsnError; readonly change: DeliveryChange },
): Promise<DeliveryChange> {
  const { retries } = run.platform.capabilities;
  if (!retries) return change;
  const { attempt, readAt, dueAt } = run.loaded;
  const tried = {
    retries,
    attempt,
    sinceDueMs: readAt.getTime() - dueAt.getTime(),
    ageMs: ageMs(run, unit),
    random: run.world.random(),
  };
  const rescheduled = reschedule(change, error, tried);
  if (!rescheduled.gaveUp || !(await hasFailedLong(run))) return rescheduled.change;
  return disabled({ change: rescheduled.change, error, position: unit.position });
}

async function hasFailedLong({ world, claim, loaded }: Run): Promise<boolean> {
  // Where the database does not answer, the delivery ends as any other does.
  return world.stores.accounts.hasFailed(claim.userId, loaded.account.id, LONG_FAILURE_MS).catch(() => false);
}
