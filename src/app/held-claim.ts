import { PsnError } from "@psn/core/errors.ts";
import { type DeliveryChange, renewed } from "@psn/domain/delivery.ts";
import type { Claim } from "./ports/deliveries.ts";
import type { World } from "./ports/world.ts";

/*
 * A claim in a worker's hands: what is written under it, and how long it lasts.
 */

/** How long to wait before writing an outcome again when the database did not answer, in milliseconds. */
const WRITE_AGAIN_MS = [200, 1_000, 4_000] as const;

export interface HeldClaim {
  readonly world: World;
  readonly claim: Claim;
  readonly worker: string;
  readonly leaseMs: number;
  /**
   * Until when the lease is known to last, in epoch milliseconds of this machine's clock; and what was written last, if the lease was
   * not lost since.
   */
  readonly lease: { until: number; last: DeliveryChange | undefined };
}

/**
 * A request may take half a lease. Where less is left, since this machine slept or a token had to be exchanged, the lease is
 * renewed first. Throws LEASE_LOST, and then somebody else sends.
 */
export async function assertHeld(held: HeldClaim): Promise<void> {
  if (held.world.now().getTime() + held.leaseMs / 2 <= held.lease.until) return;
  if (!(await write(held, renewed("sending", held.leaseMs)))) throw new PsnError("LEASE_LOST", "another worker took over");
}

/** False when the lease is lost. An unanswered write is made again: the fence makes a repeat harmless. */
export async function write(held: HeldClaim, change: DeliveryChange): Promise<boolean> {
  const { world, claim, worker, lease } = held;
  for (let attempt = 0; ; attempt += 1) {
    const askedAt = world.now().getTime();
    try {
      const mine = await world.stores.deliveries.settle(claim, worker, change);
      if (mine && change.leaseMs !== null) lease.until = askedAt + change.leaseMs;
      lease.last = mine ? change : undefined;
      return mine;
    } catch (error) {
      const wait = WRITE_AGAIN_MS[attempt];
      if (wait === undefined || !(error instanceof PsnError) || error.code !== "DB_UNREACHABLE") throw error;
      await world.sleep(wait);
    }
  }
}

/** Renews the lease while the work is done: uploads may take longer than one. */
export async function keepingLease<T>(held: HeldClaim, work: () => Promise<T>): Promise<T> {
  let renewing: Promise<unknown> = Promise.resolve();
  const renew = () => {
    renewing = renewing.then(() => write(held, renewed("claimed", held.leaseMs))).catch(() => undefined);
  };
  const timer = setInterval(renew, held.leaseMs / 3);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    // One that came late would turn `sending` into `claimed` again.
    await renewing;
  }
}
