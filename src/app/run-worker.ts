import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import type { Claim, Concurrency } from "./ports/deliveries.ts";
import type { World } from "./ports/world.ts";
import { publishDelivery, type Turn } from "./publish-delivery.ts";

/**
 * Deliveries one worker has in flight at most. More would share each round trip among more of them, and leave more lost answers
 * behind when the worker dies. What each account allows is the adapter's, and less.
 */
const MOST_IN_FLIGHT = 128;
/** Of those, how many at most hold media in memory to upload them. */
const MOST_UPLOADS = 8;
/** A notification can be lost with its connection; the worker looks by itself this often, in milliseconds. */
const LOOK_ANYWAY_MS = 30_000;
/** Something is overdue but cannot be taken, since another worker holds the account: look again after this, in milliseconds. */
const LOOK_SOON_MS = 100;
/** Two readings of this machine's clock may be this far from the time between them, in milliseconds: it counts whole ones. */
const CLOCK_MS = 2;
const BEAT_MS = 15_000;
/** setTimeout counts in 32 bits; also bounds what a wrong clock can do. */
const SLEEP_MOST_MS = LOOK_ANYWAY_MS;

export interface WorkerOptions {
  readonly world: World;
  readonly name: string;
  readonly version: string;
  /** First signal: take nothing new, finish what is in flight. */
  readonly stop: AbortSignal;
  /** Only these deliveries. */
  readonly only?: readonly string[];
  readonly leaseMs?: number;
  readonly mostInFlight?: number;
  /** Told about every claim that ended, and about trouble that is not a delivery's own. */
  readonly onDone?: (claim: Claim) => void;
  readonly onTrouble?: (error: PsnError) => void;
}

/** The most each platform allows in flight for one account, from the adapters themselves. */
export async function concurrencyOf({ platforms }: World): Promise<Concurrency> {
  const entries = await Promise.all(platforms.ids.map(async (id) => [id, (await platforms.load(id)).capabilities.concurrency] as const));
  return Object.fromEntries(entries);
}

/** Publishes what is due until told to stop: wakes at the next due instant and when something new is due, and never polls blindly. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { world, name, stop, only, leaseMs = LEASE_MS, mostInFlight = MOST_IN_FLIGHT } = options;
  const { deliveries } = world.stores;
  const concurrency = await concurrencyOf(world);
  const inFlight = new Set<Promise<void>>();
  // Two halves: while one is sent and settled, the other is claimed.
  const half = Math.ceil(mostInFlight / 2);
  const turn = makeTurns(MOST_UPLOADS);
  const bell = makeBell();
  stop.addEventListener("abort", bell.ring, { once: true });
  const trouble = (error: unknown) => options.onTrouble?.(toPsnError(error));
  let unlisten: (() => Promise<void>) | undefined;
  const heart = only ? undefined : beating(options, trouble);
  const start = (claim: Claim, askedAt: Date) => {
    const work: Promise<void> = publishDelivery({ world, claim, worker: name, leaseMs, askedAt, turn })
      .then(() => undefined, trouble)
      .finally(() => {
        inFlight.delete(work);
        options.onDone?.(claim);
        bell.ring();
      });
    inFlight.add(work);
  };
  try {
    let failures = 0;
    // A database that was away has forgotten who listens, and the connection that was lost does not say so.
    let deaf = true;
    while (!stop.aborted) {
      try {
        if (deaf) {
          await unlisten?.().catch(() => undefined);
          unlisten = await deliveries.listen(bell.ring);
          deaf = false;
        }
        const most = Math.min(mostInFlight - inFlight.size, half);
        const askedAt = world.now();
        const claims = most > 0 ? await deliveries.claim({ worker: name, most, leaseMs, concurrency, ...(only ? { only } : {}) }) : [];
        for (const claim of claims) start(claim, askedAt);
        if (claims.length === most && inFlight.size < mostInFlight) {
          failures = 0;
          continue;
        }
        // Full: what matters next is a delivery that ends. Else everything that could be taken is taken.
        await bell.wait(inFlight.size >= mostInFlight ? LOOK_ANYWAY_MS : await pause(options, concurrency, askedAt));
        failures = 0;
      } catch (error) {
        trouble(error);
        failures += 1;
        await bell.wait(Math.min(500 * 2 ** failures, LOOK_ANYWAY_MS));
        deaf = true;
      }
    }
  } finally {
    await unlisten?.().catch(() => undefined);
    heart?.stop();
    await Promise.all(inFlight);
    if (!only) await deliveries.gone(name).catch(() => undefined);
  }
}

/** How long nothing can be taken, in milliseconds, after a claim that was asked for at `askedAt` took what it could. */
async function pause({ world, only }: WorkerOptions, concurrency: Concurrency, askedAt: Date): Promise<number> {
  const next = await world.stores.deliveries.nextWake(concurrency, only);
  if (next === null) return LOOK_ANYWAY_MS;
  // It became due since the claim.
  if (next <= 0 && -next <= world.now().getTime() - askedAt.getTime() + CLOCK_MS) return 0;
  // Overdue and not ours to take: an account at its limit, here or at another worker.
  if (next <= 0) return LOOK_SOON_MS;
  return Math.min(Math.max(1, next), SLEEP_MOST_MS);
}

function beating({ world, name, version }: WorkerOptions, trouble: (error: unknown) => void) {
  const beat = () => void world.stores.deliveries.beat(name, version).catch(trouble);
  beat();
  const timer = setInterval(beat, BEAT_MS);
  return { stop: () => clearInterval(timer) };
}

/** Turns in the order in which they were asked for, so many at a time. */
function makeTurns(most: number): Turn {
  let taken = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    // Whoever ends hands the turn on, so that nobody who comes in between takes it.
    if (taken < most) taken += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else taken -= 1;
    }
  };
}

interface Bell {
  readonly ring: () => void;
  /** Until it rings or the time is over; a ring while nobody waits is kept. */
  readonly wait: (ms: number) => Promise<void>;
}

function makeBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: async (ms) => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      rung = false;
    },
  };
}
