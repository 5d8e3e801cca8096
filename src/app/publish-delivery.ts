import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { LoadedDelivery, StoredUnit } from "@psn/core/ports/deliveries.ts";
import { pass } from "@psn/core/ports/fault-points.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { Outcome, Session } from "@psn/core/types/platform.ts";
import * as delivery from "@psn/domain/delivery.ts";
import { lastOut, notBegun as removalNotBegun } from "@psn/domain/removal.ts";
import { type Moment, momentOf } from "./clocks.ts";
import { ageMs, type Held, out, type Run, requestOf, withRefresh, written } from "./delivery-run.ts";
import type { HeldClaim } from "./held-claim.ts";
import { mendAfter } from "./hub-trouble.ts";
import { whenReady } from "./make-ready.ts";
import { removeUnit } from "./remove-unit.ts";
import { sendUnit } from "./send-unit.ts";
import { openSession } from "./session.ts";
import { findLost } from "./settle-unknown.ts";

export interface Attempt extends Omit<HeldClaim, "lease">, Pick<Held, "turn"> {
  /** When the claim was asked for: the lease lasts at least `leaseMs` from then. Absent: just now. */
  readonly askedAt?: Moment;
  /** Where it was loaded with the claim. */
  readonly loaded?: LoadedDelivery | undefined;
}

/**
 * Acts on one claim until the delivery is out, given back, or taken over by another worker. What a platform says
 * becomes a state; only the database's own failures are thrown, and then the lease decides. Returns what it wrote last,
 * and undefined when somebody else acts now.
 */
export async function publishDelivery({ loaded: first, ...attempt }: Attempt): Promise<DeliveryChange | undefined> {
  const { world, claim, leaseMs, askedAt = momentOf(world) } = attempt;
  const held: Held = { ...attempt, lease: { from: askedAt, ms: leaseMs, last: undefined } };
  let { purpose } = claim;
  await pass(world, "claimed");
  let loaded = first ?? (await world.stores.deliveries.load(claim.userId, claim.deliveryId));
  const before = { code: loaded?.code ?? null, message: loaded?.message ?? null };
  let unit = loaded && openUnit(loaded);
  const late = loaded && unit && purpose === "publish" ? lateness(loaded, unit) : undefined;
  if (loaded && late) {
    await written({ ...held, loaded }, late, false);
    return held.lease.last;
  }
  while (loaded && unit) {
    const run = await begin(held, { loaded, unit, purpose, earlier: before.code });
    if (!run || !(await advance(run, unit))) break;
    await pass(world, "between units");
    // The next unit's instant is the database's: a worker that resumes after a crash must build the same request from
    // it.
    loaded = await world.stores.deliveries.load(claim.userId, claim.deliveryId);
    unit = loaded && openUnit(loaded);
    purpose = "publish";
  }
  await mendAfter(world, { userId: claim.userId, before, last: held.lease.last });
  return held.lease.last;
}

/**
 * Only of what nothing has been sent: a thread that has begun goes on. A delivery that its platform failed waits for
 * its next try, and one whose account was asked to pause waits for the end of that: until then it is not late. The
 * hub's own trouble excuses nothing.
 */
function lateness(loaded: LoadedDelivery, unit: StoredUnit): DeliveryChange | undefined {
  const { units, operation, dueAt, wakeAt, code, attempt, readAt, account, late } = loaded;
  if (operation === "remove") return undefined;
  if (units.some(({ state }) => state === "published")) return undefined;
  // A reconnect forgets the failure, and not that there was a try, nor when.
  const tried = (code !== null || attempt > 1) && !delivery.isHubs(code);
  const from = Math.max(dueAt.getTime(), account.pausedUntil?.getTime() ?? 0, tried ? wakeAt.getTime() : 0);
  return delivery.tooLate(unit.position, readAt.getTime() - from, late);
}

interface Begun extends Pick<Run, "loaded" | "purpose" | "earlier"> {
  readonly unit: StoredUnit;
}

/** Everything a request needs, before anything is sent. */
async function begin(held: Held, begun: Begun): Promise<Run | undefined> {
  const { world, claim } = held;
  const { loaded, purpose, earlier } = begun;
  try {
    const platform = await world.platforms.load(loaded.account.platform);
    const session = openSession(world, { userId: claim.userId, account: loaded.account, sealed: loaded.credentials });
    return { ...held, loaded, purpose, earlier, platform, session: { ...session, now: databaseClock(world, loaded) } };
  } catch (error) {
    await written({ ...held, loaded }, notBegun(world, begun, toPsnError(error)), false);
    return undefined;
  }
}

/**
 * What an adapter compares with a unit's instant must go by the clock that set it; this machine's own may be wrong, and
 * may step.
 */
function databaseClock(world: World, { readAt }: LoadedDelivery): () => Date {
  const then = world.elapsedMs();
  return () => new Date(readAt.getTime() + world.elapsedMs() - then);
}

function notBegun(world: World, { loaded, unit, purpose, earlier }: Begun, failure: PsnError): DeliveryChange {
  // Nothing was asked for under this claim, also where the claim has written `sending`.
  if (loaded.operation === "remove" && purpose === "publish") {
    const { attempt } = loaded;
    return removalNotBegun({ position: unit.position, error: failure, attempt, random: world.random(), earlier });
  }
  if (purpose === "settle") {
    const age = Math.max(ageMs({ world, loaded }, unit), delivery.SETTLE_PATIENCE_MS);
    return delivery.stillUnknown(age, failure, world.random());
  }
  if (purpose === "poll" && unit.sentAt !== null)
    return delivery.pollAgain(failure, { attempt: loaded.attempt, random: world.random() });
  return delivery.failed(unit.position, { error: failure, attempt: loaded.attempt, random: world.random(), earlier });
}

/** One unit, one step. True when it is out and the thread goes on under the same claim. */
async function advance(run: Run, unit: StoredUnit): Promise<boolean> {
  if (run.loaded.operation === "remove") return removeUnit(run, unit);
  if (run.purpose === "poll" && unit.sentAt !== null) return poll(run, unit);
  if (run.purpose === "settle") {
    const { world, claim, platform, loaded } = run;
    await pass(world, "before asking");
    const ask = <T>(work: (session: Session) => Promise<T>) => withRefresh(run, work);
    const verdict = await findLost({
      world,
      claim,
      platform,
      loaded,
      ask,
      request: requestOf(run, unit),
      ageMs: ageMs(run, unit),
    });
    await pass(world, "asked, not settled");
    if ("change" in verdict) return written(run, verdict.change, false);
    if ("ref" in verdict) return out(run, unit, { status: "published", ref: verdict.ref });
  }
  // The claim itself has written `sending` for a unit that needs nothing first.
  if (run.purpose === "publish" && unit.state === "sending") return sendUnit({ run, unit, opened: new Map() });
  return whenReady(run, unit, sendUnit);
}

async function poll(run: Run, unit: StoredUnit): Promise<boolean> {
  let outcome: Outcome;
  try {
    outcome = await withRefresh(run, (session) => {
      if (!run.platform.poll) throw new PsnError("BUG", `${run.platform.id} offers no way to ask about a pending post`);
      return run.platform.poll(unit.handle, session);
    });
  } catch (error) {
    const failure =
      error instanceof PsnError
        ? error
        : new PsnError("PLATFORM_DOWN", "asking the platform failed with an unexpected error", { cause: error });
    const { attempt } = run.loaded;
    const random = run.world.random();
    // The platform has accepted the post. A no to this question is none to the post, unless the adapter says that it
    // is; after a day a person decides.
    const change =
      failure.code === "PLATFORM_REJECTED" && failure.neverTaken
        ? delivery.failed(unit.position, { error: failure, attempt, random, earlier: run.earlier })
        : delivery.pollAgain(failure, { attempt, random, ageMs: ageMs(run, unit) });
    return written(run, change, false);
  }
  return out(run, unit, outcome);
}

function openUnit(loaded: LoadedDelivery): StoredUnit | undefined {
  if (loaded.operation === "remove") return lastOut(loaded.units);
  return loaded.units.find(({ state }) => state !== "published" && state !== "removed");
}
