import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Claim, Concurrency } from "@psn/core/ports/deliveries.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import { HUBS_OWN, LEASE_MS } from "@psn/domain/delivery.ts";
import { type Moment, momentOf, since, steadyAge } from "./clocks.ts";
import { keepListening, type Listening, LOOK_ANYWAY_MS, LOOK_DEAF_MS } from "./keep-listening.ts";
import { publishDelivery } from "./publish-delivery.ts";
import { makeTurns } from "./turns.ts";

/**
 * Deliveries one worker has in flight at most. More would share each round trip among more of them, and leave more lost
 * answers behind when the worker dies. What each account allows is the adapter's, and less.
 */
const MOST_IN_FLIGHT = 128;
/**
 * Of those, how many at most hold media in memory, and how many bytes together; a file that is larger is held alone.
 */
const MOST_WITH_MEDIA = { deliveries: 8, bytes: 64 * 1024 * 1024 } as const;
/**
 * Anyone with a login can notify as often as they like; a worker looks no more often than this because of it, in
 * milliseconds.
 */
const HEAR_MS = 20;
/**
 * Something is overdue but cannot be taken, since another worker holds the account: look again after this, in
 * milliseconds.
 */
const LOOK_SOON_MS = 100;
/**
 * Two readings of this machine's clock may be this far from the time between them, in milliseconds: it counts whole
 * ones.
 */
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
  /** Only these deliveries. Such a worker is not notified, and looks every second. */
  readonly only?: readonly string[];
  readonly leaseMs?: number;
  readonly mostInFlight?: number;
  /**
   * How often to look though nothing was heard, and to prove again that something would be, in milliseconds. Default 30
   * s.
   */
  readonly lookAnywayMs?: number;
  /** Told about every claim that ended, and about trouble that is not a delivery's own. */
  readonly onDone?: (claim: Claim) => void;
  readonly onTrouble?: (error: PsnError) => void;
  /** Told once, when others can see that this worker runs, or when that could not be written. */
  readonly onBegun?: () => void;
  /** Told where the worker must look for what is new, since it is not notified of it; and when it is notified again. */
  readonly onListening?: (now: Listening) => void;
}

/** The most each platform allows in flight for one account, from the adapters themselves. */
export async function concurrencyOf({ platforms }: World): Promise<Concurrency> {
  const entries = await Promise.all(
    platforms.ids.map(async (id) => [id, (await platforms.load(id)).capabilities.concurrency] as const),
  );
  return Object.fromEntries(entries);
}

/**
 * Publishes what is due until told to stop: wakes at the next due instant and when something new is due, and never
 * polls blindly.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { world, name, stop, only, leaseMs = LEASE_MS, mostInFlight = MOST_IN_FLIGHT, lookAnywayMs } = options;
  const { deliveries } = world.stores;
  const concurrency = await concurrencyOf(world);
  const inFlight = new Map<string, Promise<void>>();
  // Two halves: while one is sent and settled, the other is claimed.
  const half = Math.ceil(mostInFlight / 2);
  const turnOf = makeTurns(MOST_WITH_MEDIA);
  const bell = makeBell();
  const heard = atMostEvery(HEAR_MS, bell.ring);
  stop.addEventListener("abort", bell.ring, { once: true });
  const trouble = (error: unknown) => options.onTrouble?.(toPsnError(error));
  let failures = 0;
  // To follow a few deliveries is over within seconds, as long as it takes to prove that a notification arrives.
  const ears = only
    ? undefined
    : keepListening({
        listen: deliveries.listen,
        onWake: heard,
        onChange: (now) => options.onListening?.(now),
        isAway: () => failures > 0,
        ...defined({ lookAnywayMs }),
      });
  const heart = only ? undefined : beating(options, trouble);
  const start = (claim: Claim, askedAt: Moment) => {
    const work = publishDelivery({ world, claim, worker: name, leaseMs, askedAt, turn: turnOf(claim.userId) })
      .then(() => undefined, trouble)
      .finally(() => {
        inFlight.delete(claim.deliveryId);
        options.onDone?.(claim);
        bell.ring();
      });
    inFlight.set(claim.deliveryId, work);
  };
  try {
    while (!stop.aborted) {
      try {
        const most = Math.min(mostInFlight - inFlight.size, half);
        const askedAt = momentOf(world);
        const busy = [...inFlight.keys()];
        const claims =
          most > 0
            ? await deliveries.claim({ worker: name, most, leaseMs, concurrency, busy, ...defined({ only }) })
            : [];
        for (const claim of claims) start(claim, askedAt);
        if (claims.length === most && inFlight.size < mostInFlight) {
          failures = 0;
          continue;
        }
        // Full: what matters next is a delivery that ends. Else everything that could be taken is taken.
        await bell.wait(
          inFlight.size >= mostInFlight
            ? LOOK_ANYWAY_MS
            : Math.min(await pause(options, concurrency, askedAt), ears?.lookMs() ?? LOOK_DEAF_MS),
        );
        failures = 0;
      } catch (error) {
        trouble(error);
        failures += 1;
        // A database that was away has forgotten who listens, and a connection that was lost may not say so.
        ears?.doubt();
        await bell.wait(Math.min(500 * 2 ** failures, LOOK_ANYWAY_MS));
      }
    }
  } finally {
    heart?.stop();
    await Promise.all([ears?.stop(), ...inFlight.values()]);
    if (!only) await deliveries.gone(name).catch(() => undefined);
  }
}

/** How long nothing can be taken, in milliseconds, after a claim that was asked for at `askedAt` took what it could. */
async function pause({ world, only }: WorkerOptions, concurrency: Concurrency, askedAt: Moment): Promise<number> {
  const next = await world.stores.deliveries.nextWake(concurrency, only);
  if (next === null) return LOOK_ANYWAY_MS;
  // It became due since the claim.
  if (next <= 0 && -next <= since(world, askedAt).ms + CLOCK_MS) return 0;
  // Overdue and not ours to take: an account at its limit, here or at another worker.
  if (next <= 0) return LOOK_SOON_MS;
  return Math.min(Math.max(1, next), SLEEP_MOST_MS);
}

function beating({ world, name, version, onBegun }: WorkerOptions, trouble: (error: unknown) => void) {
  const { deliveries, upkeep } = world.stores;
  let known: string | undefined;
  const beat = async () => {
    const settings = world.settings?.();
    // Each beat shows whether the database's clock has stepped since the one before.
    steadyAge(world, await deliveries.beat(name, version, settings), 0);
    const now = JSON.stringify(settings);
    // What waits for the hub may go on by other settings.
    if (known !== undefined && known !== now) await upkeep.wakeTroubled(HUBS_OWN);
    known = now;
  };
  void beat()
    .catch(trouble)
    .finally(() => onBegun?.());
  const timer = setInterval(() => void beat().catch(trouble), BEAT_MS);
  return { stop: () => clearInterval(timer) };
}

/** Calls at once, and what is asked for sooner than `ms` after that, once, when they are over. */
function atMostEvery(ms: number, call: () => void): () => void {
  let resting = false;
  let again = false;
  const asked = () => {
    if (resting) {
      again = true;
      return;
    }
    resting = true;
    call();
    const timer = setTimeout(() => {
      resting = false;
      if (!again) return;
      again = false;
      asked();
    }, ms);
    timer.unref?.();
  };
  return asked;
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
