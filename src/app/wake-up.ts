import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Queue } from "@psn/core/ports/outside.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";

/** Who will publish deliveries that were just written. */
export interface Woken {
  /** Null where workers listen to the database. */
  readonly queue: string | null;
  /** Why the queue could not be told about some; the watchdog takes them. */
  readonly missed: PsnError | null;
  /** What the queue cannot serve: it goes out when a worker runs on the user's machine. */
  readonly atHome: readonly DeliverySummary[];
}

/** Where nothing was written. */
export const NOBODY_WOKEN: Woken = { queue: null, missed: null, atHome: [] };

/**
 * Tells the queue when these deliveries are due, or are to be asked about. Their rows are written, so whatever becomes
 * of this call nothing is lost; it never throws.
 */
export async function wakeUp(
  { queue }: Pick<World, "queue">,
  userId: string,
  deliveries: readonly DeliverySummary[],
): Promise<Woken> {
  if (!queue) return NOBODY_WOKEN;
  // Also what waits for an answer: nobody told the queue of it while its account had to be connected again.
  const waiting = deliveries.filter(({ nextAt, health }) => nextAt !== null && health === "ok");
  const atHome = waiting.filter(({ platform }) => !queue.serves(platform));
  let missed: PsnError | null = null;
  for (const delivery of waiting) {
    if (atHome.includes(delivery)) continue;
    // One failure says it all: a queue that is down must not be waited for once for each account.
    missed ??= await tell(queue, userId, delivery);
  }
  return { queue: queue.name, missed, atHome };
}

async function tell(queue: Queue, userId: string, delivery: DeliverySummary): Promise<PsnError | null> {
  const { id, accountId, platform, fence, state, wakeAt, nextAt } = delivery;
  try {
    await queue.wake({ deliveryId: id, userId, accountId, platform, fence, state, at: nextAt ?? wakeAt });
    return null;
  } catch (error) {
    return toPsnError(error);
  }
}
