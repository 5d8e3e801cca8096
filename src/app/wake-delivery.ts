import { PsnError } from "@psn/core/errors.ts";
import type { Claim, LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { WakeUp } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { LEASE_MS, nextLook } from "@psn/domain/delivery.ts";
import { type Moment, momentOf, since } from "./clocks.ts";
import { publishDelivery } from "./publish-delivery.ts";

/**
 * A wake-up may come before its time by the clock of the database, which decides; for this much it is waited for, in
 * milliseconds.
 */
const EARLY_MS = 10_000;
const EARLY_TRIES = 3;
const SOON_MS = 60_000;
/**
 * How long a run goes on to what else is due of its account, in milliseconds. What it begins last has nearly all of the
 * time that Trigger.dev gives a run (`maxDuration` in trigger.config.ts, 300 s); files, which may take minutes, have
 * runs of their own.
 */
const GOES_ON_MS = 30_000;
/** How often in a row another run may take the delivery that this one was about to. */
const MISSES = 5;
/** How long after the end of a lease to look, in milliseconds. */
const AFTER_LEASE_MS = 1_000;

export interface Wake {
  readonly world: World;
  readonly deliveryId: string;
  /** Whose delivery it is. */
  readonly userId: string;
  /** A name that no other attempt ever has. */
  readonly worker: string;
  /** Told what went wrong beside the delivery itself. */
  readonly onTrouble: (error: unknown) => void;
  /** After its own delivery it publishes what else is due of the account. Absent: it does not. */
  readonly goesOn?: boolean;
}

/** What came of a wake-up. */
export interface Woke {
  /** Null when there is no such delivery any more. */
  readonly state: DeliveryState | null;
  /** False when there was nothing to do: early, late, moved, cancelled, or another's. */
  readonly acted: boolean;
  /** What went wrong with the delivery; it is written in its history. */
  readonly failure: PsnError | null;
}

/**
 * Looks at one delivery and does what it needs: publishes it, settles it, asks about it, or nothing. Whatever it leaves
 * to be done later it asks the queue for, but for a failure that passes: that is the caller's to try again. Where all
 * went well it may go on to what else is due of the account (ADR 21). Throws DB_…, SCHEMA_….
 */
export async function wakeDelivery(wake: Wake): Promise<Woke> {
  const { world, worker } = wake;
  const { deliveries } = world.stores;
  const { ids: platforms } = world.platforms;
  const begun = momentOf(world);
  for (let attempt = 1; ; attempt += 1) {
    const askedAt = momentOf(world);
    const { claim, loaded, more } = await deliveries.claimOne({
      worker,
      leaseMs: LEASE_MS,
      platforms,
      userId: wake.userId,
      deliveryId: wake.deliveryId,
    });
    if (claim) {
      const woke = await act(wake, { claim, loaded, askedAt });
      if (wake.goesOn && more && loaded && !woke.failure)
        await goOn(wake, loaded.account.id, begun).catch(wake.onTrouble);
      return woke;
    }
    if (!loaded) return { state: null, acted: false, failure: null };
    const look = platforms.includes(loaded.account.platform) ? nextLook(loaded) : null;
    const early = look ? look.getTime() - loaded.readAt.getTime() : null;
    if (early !== null && early <= EARLY_MS && attempt <= EARLY_TRIES) {
      await world.sleep(Math.max(early, 0) + 50);
      continue;
    }
    // Moved, paused, or leased to another: a worker should look then, and perhaps none was notified.
    // Where that is soon, this very run may have the wake-up's name, and would be all that a second asking gets.
    // By a clock that is ahead of the database's it is over already: then it would come at once, over and over.
    const isOver = look !== null && early !== null && look.getTime() <= world.now().getTime();
    const at = isOver ? new Date(world.now().getTime() + Math.max(early, 0)) : look;
    if (at) await later(wake, { delivery: loaded, at, again: early !== null && early < SOON_MS ? worker : undefined });
    return { state: loaded.state, acted: false, failure: null };
  }
}

/**
 * Publishes what else is due of the account, one after the other, each under a claim of its own and under a name that
 * no other attempt has. Their own wake-ups find nothing to do. Whatever goes wrong ends it: each of them has a run of
 * its own, or a wake-up left here.
 */
async function goOn(wake: Wake, accountId: string, begun: Moment): Promise<void> {
  const { world, userId } = wake;
  const { ids: platforms } = world.platforms;
  let misses = 0;
  for (let count = 1; since(world, begun).ms < GOES_ON_MS; count += 1) {
    const askedAt = momentOf(world);
    const worker = `${wake.worker}.${count}`;
    const { claim, loaded, more } = await world.stores.deliveries.claimNext({
      worker,
      leaseMs: LEASE_MS,
      platforms,
      userId,
      accountId,
      skip: misses,
    });
    if (!claim) {
      misses += 1;
      // Another run looked at the same delivery and takes it: the next look leaves it out.
      if (more && misses < MISSES) continue;
      return;
    }
    misses = 0;
    const { state, failure } = await act({ ...wake, worker }, { claim, loaded, askedAt });
    // Nobody tries this one again as its own run would: that may have come and gone.
    if (failure && state === "scheduled" && loaded) {
      const inMs = failure.retryAfterMs ?? 0;
      await later(wake, {
        delivery: { ...loaded, fence: claim.fence, state },
        at: new Date(world.now().getTime() + inMs),
      });
    }
    if (failure || !more) return;
  }
}

async function act(
  wake: Wake,
  {
    claim,
    loaded,
    askedAt,
  }: { readonly claim: Claim; readonly loaded: LoadedDelivery | undefined; readonly askedAt: Moment },
): Promise<Woke> {
  const { world, worker, onTrouble } = wake;
  const mine = loaded ?? (await world.stores.deliveries.load(claim.userId, claim.deliveryId));
  if (!mine) return { state: null, acted: false, failure: null };
  const claimed = { ...mine, fence: claim.fence };
  // Should this process die, somebody looks when its lease is over. Asked for while the platform is asked, so that it
  // costs no time.
  const watch = later(wake, {
    delivery: { ...claimed, state: "sending" },
    at: new Date(askedAt.wallMs + LEASE_MS + AFTER_LEASE_MS),
  });
  const last = await publishDelivery({ world, claim, worker, leaseMs: LEASE_MS, askedAt, loaded: mine });
  const ended = last ? await afterwards(wake, claimed, last) : await whereItIs(wake, claim);
  const handle = await watch;
  if (handle !== undefined) await world.queue?.forget(handle).catch(onTrouble);
  return ended;
}

async function afterwards(wake: Wake, claimed: LoadedDelivery, last: DeliveryChange): Promise<Woke> {
  const inMs = last.leaseMs ?? (last.state === "pending" ? last.wakeInMs : null);
  if (inMs !== null)
    await later(wake, { delivery: { ...claimed, state: last.state }, at: new Date(wake.world.now().getTime() + inMs) });
  return { state: last.state, acted: true, failure: failureOf(last) };
}

/**
 * The last write was without effect: another worker has taken over, or the answer to an earlier try of the same write
 * was lost.
 */
async function whereItIs(wake: Wake, { userId, deliveryId, fence }: Claim): Promise<Woke> {
  const now = await wake.world.stores.deliveries.load(userId, deliveryId);
  if (!now) return { state: null, acted: false, failure: null };
  const look = nextLook(now);
  if (look) await later(wake, { delivery: now, at: look });
  return { state: now.state, acted: now.fence === fence, failure: null };
}

/** Never throws: what the queue is not told, the watchdog finds. */
async function later(
  { world, userId, onTrouble }: Wake,
  {
    delivery,
    at,
    again,
  }: { readonly delivery: LoadedDelivery; readonly at: Date; readonly again?: string | undefined },
): Promise<string | undefined> {
  const { id, account, fence, state } = delivery;
  const wakeUp: WakeUp = {
    deliveryId: id,
    userId,
    accountId: account.id,
    platform: account.platform,
    fence,
    state,
    at,
  };
  try {
    return await world.queue?.wake(wakeUp, again);
  } catch (error) {
    onTrouble(error);
    return undefined;
  }
}

function failureOf({ code, message, wakeInMs }: DeliveryChange): PsnError | null {
  if (code === null) return null;
  return new PsnError(code, message ?? "", wakeInMs === null ? {} : { retryAfterMs: wakeInMs });
}
