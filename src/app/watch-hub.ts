import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { WakeUp } from "@psn/core/ports/outside.ts";
import type { World } from "@psn/core/ports/world.ts";

/** The name under which the watchdog is heard of among the workers. */
export const WATCHDOG = "trigger.dev";
/** Most wake-ups one look asks for; the next look takes the rest. */
const MOST = 500;
/** How many are asked for at once. */
const AT_ONCE = 10;

export interface Watch {
  readonly world: World;
  readonly version: string;
  /** Until the next look, in milliseconds. */
  readonly everyMs: number;
  readonly onTrouble: (error: unknown) => void;
}

/** What one look of the watchdog asked for. */
export interface Looked {
  /** What was overdue. */
  readonly overdue: number;
  /** What will be due before the next look. */
  readonly ahead: number;
  /** Of both, what the queue could not be asked for; the next look asks again. */
  readonly missed: number;
}

/**
 * Makes a lost wake-up harmless: asks the queue for everything that is overdue, and once more for everything that will
 * be due before the next look, which the queue knows already if nothing was lost. Publishes nothing itself. Where
 * nothing overdue could be asked for, or nothing at all, it throws what the queue says (VENDOR_…) and is not heard of
 * among the workers: then it can be tried again, and psn doctor shows it. Throws DB_…, SCHEMA_….
 */
export async function watchHub({ world, version, everyMs, onTrouble }: Watch): Promise<Looked> {
  const { queue, platforms, stores } = world;
  const wakeUps = await stores.deliveries.wakeUps({
    worker: WATCHDOG,
    version,
    platforms: platforms.ids,
    aheadMs: everyMs,
    most: MOST,
  });
  if (wakeUps.length === 0) return { overdue: 0, ahead: 0, missed: 0 };
  const now = world.now().getTime();
  const isOverdue = ({ at }: WakeUp) => at.getTime() <= now;
  // A run that has ended keeps the name of its wake-up; what is overdue needs one of another name, and one for each
  // look is enough.
  const look = `late-${Math.floor(now / everyMs)}`;
  const asked: WakeUp[] = [];
  const failures: PsnError[] = [];
  const ask = async (wakeUp: WakeUp) => {
    try {
      await queue?.wake(wakeUp, isOverdue(wakeUp) ? look : undefined);
      asked.push(wakeUp);
    } catch (error) {
      failures.push(toPsnError(error));
      onTrouble(error);
    }
  };
  for (let from = 0; from < wakeUps.length; from += AT_ONCE) {
    await Promise.all(wakeUps.slice(from, from + AT_ONCE).map(ask));
    // A queue that is away answers none of them, and each would wait for it.
    if (asked.length === 0) break;
  }
  const overdue = wakeUps.filter(isOverdue).length;
  if (asked.length === 0 || (overdue > 0 && !asked.some(isOverdue))) throw nobodyWoken(wakeUps.length, failures);
  await stores.deliveries.beat(WATCHDOG, version);
  return { overdue, ahead: wakeUps.length - overdue, missed: wakeUps.length - asked.length };
}

/** As the first that may pass, so that it is tried again where that can help. */
function nobodyWoken(count: number, failures: readonly PsnError[]): PsnError {
  const cause = failures.find(({ retry }) => retry === "backoff") ?? failures[0];
  return new PsnError(
    cause?.code ?? "VENDOR_UNREACHABLE",
    `Trigger.dev started no task for ${count} due ${count === 1 ? "post" : "posts"}: ` +
      `${cause?.message ?? "there is no queue"}`,
    { hint: cause?.hint ?? "psn doctor" },
  );
}
