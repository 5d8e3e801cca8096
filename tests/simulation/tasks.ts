import { PsnError } from "@psn/core/errors.ts";
import type { Payload } from "@psn/queue/trigger.ts";
import { onFailure, RETRY, runDelivery } from "@psn/trigger/delivery.ts";
import type { Ground } from "./ground.ts";
import type { Machine } from "./kernel.ts";
import { type Outside, spawn } from "./process.ts";

/*
 * A run on Trigger.dev: attempt after attempt, each a process of its own, as the task's own settings say.
 */

export function runTask(
  ground: Ground,
  outside: Outside,
  machine: Machine,
  name: string,
  payload: Payload,
  attempt = 1,
): void {
  const { kernel, watch } = ground;
  const living = spawn(ground, outside, attempt === 1 ? name : `${name}/${attempt}`, machine, "requests");
  const { process, world } = living;
  const work = async () => {
    try {
      await runDelivery(payload, world);
    } catch (error) {
      if (error instanceof PsnError && attempt < RETRY.maxAttempts) {
        const backoff = Math.min(RETRY.minTimeoutInMs * RETRY.factor ** (attempt - 1), RETRY.maxTimeoutInMs);
        const ms = error.retryAfterMs ?? backoff;
        kernel.note(process.name, `again in ${Math.round(ms)} ms: ${error.code}`);
        kernel.after(ms, undefined, () => runTask(ground, outside, machine, name, payload, attempt + 1));
      } else await onFailure({ payload, error }, world).catch(() => undefined);
    }
    process.alive = false;
  };
  kernel.after(
    1,
    process,
    () => void work().catch((error: unknown) => watch.broken.push(`${process.name} threw ${String(error)}`)),
  );
}
