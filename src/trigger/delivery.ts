import { noteFailedRun } from "@psn/app/note-failed-run.ts";
import { type Woke, wakeDelivery } from "@psn/app/wake-delivery.ts";
import { ERRORS, PsnError, type Retry, toPsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import { printable } from "@psn/core/utils/printable.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { AbortTaskRunError, logger } from "@trigger.dev/sdk";
import { z } from "zod";

/*
 * What the tasks about one delivery have in common. Trigger.dev's verdict on an attempt follows from the ERRORS table:
 * `never` aborts the run, `backoff` tries again at the platform's own time, and what may have been sent is never tried
 * again: a run that settles has been asked for.
 */

/** More fields may come, and go, while runs with older ones are still waiting. */
const payloadSchema = z.object({ deliveryId: z.uuid(), userId: z.uuid() });

/**
 * As often as a delivery is claimed before it counts as failed (`domain/delivery.ts`), and some for a database that is
 * away.
 */
export const RETRY = {
  maxAttempts: 40,
  factor: 2,
  minTimeoutInMs: 1_000,
  maxTimeoutInMs: 15 * 60_000,
  randomize: true,
} as const;

/** Failures that stand in the delivery's history already. */
const recorded = new WeakSet<object>();

/**
 * One attempt. `account`: it goes on to what else is due of the account. Throws what makes Trigger.dev abort the run or
 * try again.
 */
export async function runDelivery(
  payload: unknown,
  world?: World,
  scope: "account" | "delivery" = "account",
): Promise<Pick<Woke, "state" | "acted">> {
  const { deliveryId, userId } = idsOf(payload);
  let woke: Woke;
  try {
    const opened = world ?? openWorld().world;
    const worker = `trigger.dev-${opened.newId().slice(-12)}`;
    woke = await wakeDelivery({
      world: opened,
      deliveryId,
      userId,
      worker,
      onTrouble: tell,
      goesOn: scope === "account",
    });
  } catch (error) {
    throw verdict(toPsnError(error));
  }
  const { state, acted, failure } = woke;
  logger.info("delivery", { deliveryId, state, acted, code: failure?.code ?? null });
  // Whatever waits for an answer has a run of its own by now. What is wrong with the hub is waited for, whatever the
  // table says of it.
  if (failure && state === "scheduled") throw record(failure);
  // It has ended: whatever the code says, another attempt has nothing to do.
  if (failure && state !== "sending" && state !== "pending") throw record(aborted(failure));
  return { state, acted };
}

/** A payload that is none can never be run; the watchdog finds the delivery it may have been about. */
function idsOf(payload: unknown): z.output<typeof payloadSchema> {
  const parsed = payloadSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  throw new AbortTaskRunError("INPUT_INVALID: this run carries no delivery");
}

/** The error that says to Trigger.dev what the table says. Exported for its test. */
export function verdict(failure: PsnError): Error {
  const retry: Retry = ERRORS[failure.code].retry;
  return retry === "backoff" ? failure : aborted(failure);
}

const aborted = ({ code, message }: PsnError) => new AbortTaskRunError(`${code}: ${message}`);

function record<T extends Error>(error: T): T {
  recorded.add(error);
  return error;
}

/** When to try again: at the time the platform named, else by `RETRY`. */
export function catchError({ error }: { readonly error: unknown }): { retryAt: Date } | undefined {
  if (!(error instanceof PsnError) || error.retryAfterMs === undefined) return undefined;
  return { retryAt: new Date(Date.now() + error.retryAfterMs) };
}

/** A run that failed beside its delivery leaves a line in the delivery's history. Throws when even that fails. */
export async function onFailure(
  { payload, error }: { readonly payload: unknown; readonly error: unknown },
  world?: World,
): Promise<void> {
  logger.error("run failed", { message: error instanceof Error ? printable(error.message) : "unknown" });
  if (typeof error === "object" && error !== null && recorded.has(error)) return;
  const parsed = payloadSchema.safeParse(payload);
  if (!parsed.success) return;
  const { deliveryId, userId } = parsed.data;
  const said =
    error instanceof PsnError
      ? `${error.code}: ${error.message}`
      : error instanceof AbortTaskRunError
        ? error.message
        : "unexpected failure";
  const { world: opened } = world ? { world } : openWorld();
  await noteFailedRun({ world: opened, userId, deliveryId, said, actor: "trigger.dev" });
}

function tell(error: unknown): void {
  const { code, message } = toPsnError(error);
  logger.warn(printable(message), { code });
}
