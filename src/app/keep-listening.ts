import { type PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Deliveries, Hearing } from "@psn/core/ports/deliveries.ts";
import { READ_ONCE } from "@psn/core/types/index.ts";
import { RESTART } from "./advice.ts";

/*
 * How a worker learns of what is new: it is notified, where that is proven to arrive, and else it looks. The proof is
 * made when it begins to listen, and again whenever nothing was heard for a while, since a connection can be lost
 * without a word.
 */

/**
 * Where notifications arrive a worker looks by itself this often, in milliseconds: one can be lost with its connection.
 */
export const LOOK_ANYWAY_MS = 30_000;
/** Where none arrive it looks this often, in milliseconds: that is how late a new post may be. */
export const LOOK_DEAF_MS = 1_000;
/**
 * When to try again to listen where notifications do not arrive, in milliseconds: the pooler's operator may have
 * changed it.
 */
const AGAIN_MS = 300_000;

/** The address is read when the hub is opened. */
const FOR_A_WORKER = `where a worker runs, ${RESTART}`;

/** Why a worker looks for what is new in place of being told; "heard" when it is told again. */
export type Listening = Hearing | PsnError;

/** What is wrong, and how to fix it; undefined where nothing is wrong or nothing can be done. */
export function deafness(now: Listening): { readonly said: string; readonly fix: string } | undefined {
  const late = "a worker checks for new posts every second instead of being notified";
  if (now === "heard" || now === "served") return undefined;
  if (now === "pooled")
    return {
      said: `${late}: the address leads to a pooler in transaction mode, which delivers no notifications (LISTEN)`,
      fix:
        `set the database server's own address, without the pooler: psn config set DATABASE_LISTEN_URL; ` +
        `${FOR_A_WORKER}`,
    };
  if (now === "elsewhere")
    return {
      said: `${late}: DATABASE_LISTEN_URL and DATABASE_URL lead to different databases`,
      fix: `psn config set DATABASE_LISTEN_URL; ${FOR_A_WORKER}`,
    };
  const { message, hint = "psn doctor" } = now;
  const isRead = READ_ONCE.some((name) => hint.includes(name));
  return { said: `${late}: LISTEN fails: ${message}`, fix: isRead ? `${hint}; ${FOR_A_WORKER}` : hint };
}

export interface Ears {
  /** How long the worker may sleep without looking, in milliseconds. */
  readonly lookMs: () => number;
  /** Something went wrong with the database: whether notifications arrive is proven again. */
  readonly doubt: () => void;
  readonly stop: () => Promise<void>;
}

export interface ListenOptions {
  readonly listen: Deliveries["listen"];
  /** Something may have become due. */
  readonly onWake: () => void;
  /** Told of each change; at first only where nothing is heard. */
  readonly onChange: (now: Listening) => void;
  /** Whether everything else fails too: then a failure to listen is no news. */
  readonly isAway: () => boolean;
  /** In milliseconds; default 30 s. */
  readonly lookAnywayMs?: number;
}

/** Listens until it is stopped. Never throws. */
export function keepListening({
  listen,
  onWake,
  onChange,
  isAway,
  lookAnywayMs = LOOK_ANYWAY_MS,
}: ListenOptions): Ears {
  const rest = makeRest();
  let stopped = false;
  let now: Listening | undefined;
  let told = "heard";
  const become = (next: Listening | undefined) => {
    const changed = (next === "heard") !== (now === "heard");
    now = next;
    // What became due meanwhile was told to nobody, and how long to sleep is another question now.
    if (changed) onWake();
  };
  const tell = (what: Listening) => {
    const name = typeof what === "string" ? what : what.message;
    // Beside another process that holds the embedded database nothing is wrong: to look is all that can be done.
    if (name === told || stopped || what === "served") return;
    told = name;
    onChange(what);
  };
  /**
   * Listens as long as it is heard. Resolves to how long to wait before another try, in milliseconds; undefined where
   * it cannot be.
   */
  const once = async (): Promise<number | undefined> => {
    let [woken, lost] = [false, false];
    const subscription = await listen(
      () => {
        woken = true;
        onWake();
      },
      () => {
        lost = true;
        rest.end();
      },
    );
    if (!subscription) return undefined;
    try {
      for (let before = false; !stopped && !lost; before = true) {
        const found = woken ? "heard" : await subscription.prove();
        // A worker that received one may receive more: its connection may have ended silently.
        if (before && found !== "heard") return 0;
        if (lost || stopped) break;
        become(found);
        tell(found);
        if (found !== "heard") return AGAIN_MS;
        woken = false;
        // What was heard meanwhile is proof enough, but not where something went wrong meanwhile.
        if (await rest.for(lookAnywayMs)) woken = false;
      }
      return LOOK_DEAF_MS;
    } finally {
      if (now === "heard") become(undefined);
      await subscription.close().catch(() => undefined);
    }
  };
  const keep = async () => {
    for (let failures = 0; !stopped; ) {
      try {
        const waitMs = await once();
        if (waitMs === undefined) return;
        failures = 0;
        // The end of the wait within was the stop itself: another one would begin again.
        if (!stopped) await rest.for(waitMs);
      } catch (error) {
        failures += 1;
        const failure = toPsnError(error);
        become(failure);
        // The next query reports an outage.
        if (failures > 1 && !isAway()) tell(failure);
        if (!stopped) await rest.for(Math.min(500 * 2 ** failures, LOOK_ANYWAY_MS));
      }
    }
  };
  const kept = keep();
  return {
    lookMs: () => (now === "heard" ? lookAnywayMs : LOOK_DEAF_MS),
    doubt: rest.end,
    stop: async () => {
      stopped = true;
      rest.end();
      await kept;
    },
  };
}

/** A wait that can be ended; ended while nobody waits, the next one does not begin. Tells whether it was ended. */
function makeRest() {
  let ended = false;
  let wake = () => {};
  return {
    end: () => {
      ended = true;
      wake();
    },
    for: async (ms: number): Promise<boolean> => {
      if (!ended && ms > 0)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      const was = ended;
      ended = false;
      return was;
    },
  };
}
