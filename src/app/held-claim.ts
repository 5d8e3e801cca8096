import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { renewed, unconfirmed, wordless } from "@psn/domain/delivery.ts";
import { type Moment, momentOf, since } from "./clocks.ts";

/*
 * A claim in a worker's hands: what is written under it, and how long it lasts.
 */

/**
 * How long to wait before writing an outcome again when the database did not answer or somebody held its row, in
 * milliseconds.
 */
const WRITE_AGAIN_MS = [200, 1_000, 4_000] as const;

/** Nothing was written, or it is unknown whether it was. */
const AGAIN: readonly ErrorCode[] = ["DB_UNREACHABLE", "DB_LOCKED"];

export interface HeldClaim {
  readonly world: World;
  readonly claim: Claim;
  readonly worker: string;
  readonly leaseMs: number;
  /**
   * Since when the lease is known to run, and for how long, in milliseconds; and what was written last, if it was not
   * lost since.
   */
  readonly lease: { from: Moment; ms: number; last: DeliveryChange | undefined };
}

/** A renewal whose answer takes longer than half a lease says nothing; so many are made. */
const MOST_RENEWALS = 3;

/**
 * A request may take half a lease. Where less is left, or this machine's clocks disagree about it, since it slept or
 * its wall clock stepped, the database is asked: the lease is renewed, and looked at once more, since the answer may
 * come late. `ask` asks it in any case: the account may have been disconnected since. Throws LEASE_LOST, and then
 * somebody else sends, or nobody does; and DB_UNREACHABLE where no answer comes in time, and then nothing was sent.
 */
export async function assertHeld(held: HeldClaim, ask = false): Promise<void> {
  for (let renewals = 0; ; renewals += 1) {
    const { ms, trusted } = since(held.world, held.lease.from);
    if ((renewals > 0 || !ask) && trusted && ms + held.leaseMs / 2 <= held.lease.ms) return;
    if (renewals === MOST_RENEWALS)
      throw new PsnError("DB_UNREACHABLE", "the database answers too slowly to keep a claim");
    if (!(await write(held, renewed("sending", held.leaseMs))))
      throw new PsnError("LEASE_LOST", "another worker took over, or the account was disconnected");
  }
}

/**
 * False when the lease is lost. An unanswered write is made again: the fence makes a repeat harmless. A write that the
 * database refuses for what is in it is made once more without the platform's words, and then without anything but the
 * state: what cannot be written would be sent again forever.
 */
export async function write(held: HeldClaim, change: DeliveryChange): Promise<boolean> {
  try {
    return await writeAsIs(held, change);
  } catch (error) {
    if (!isRefusedAsData(error)) throw error;
    return writeAsIs(held, wordless(change)).catch((again: unknown) => {
      if (!isRefusedAsData(again) || change.state === "claimed") throw again;
      return writeAsIs(held, change.unit?.state === "waiting" ? { ...wordless(change), unit: null } : unconfirmed());
    });
  }
}

async function writeAsIs({ world, claim, worker, lease }: HeldClaim, change: DeliveryChange): Promise<boolean> {
  for (let attempt = 0; ; attempt += 1) {
    const askedAt = momentOf(world);
    try {
      const mine = await world.stores.deliveries.record(claim, worker, change);
      if (mine && change.leaseMs !== null) Object.assign(lease, { from: askedAt, ms: change.leaseMs });
      lease.last = mine ? change : undefined;
      return mine;
    } catch (error) {
      const wait = WRITE_AGAIN_MS[attempt];
      if (wait === undefined || !(error instanceof PsnError) || !AGAIN.includes(error.code)) throw error;
      await world.sleep(wait);
    }
  }
}

/**
 * SQLSTATE classes: 22 data exception, 23 integrity constraint violation, 54 program limit exceeded (PostgreSQL 18,
 * Appendix A).
 */
function isRefusedAsData(error: unknown): boolean {
  return (
    error instanceof PsnError && error.code === "DB_FAILED" && /^(22|23|54)/.test(String(error.details["code"] ?? ""))
  );
}

/** Renews the lease while the work is done: uploads, and files from a slow bucket, may take longer than one. */
export async function keepingLease<T>(
  held: HeldClaim,
  state: "claimed" | "sending" | "pending",
  work: () => Promise<T>,
): Promise<T> {
  let renewing: Promise<unknown> = Promise.resolve();
  const renew = () => {
    // One that fails is made up for by the next; the write that follows the work tells whether the lease was lost.
    renewing = renewing.then(() => write(held, renewed(state, held.leaseMs))).catch(() => undefined);
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
