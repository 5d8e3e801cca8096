import type { WakeUp } from "./ports/outside.ts";
import type { World } from "./ports/world.ts";

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

/**
 * Makes a lost wake-up harmless: asks the queue for everything that is overdue, and once more for everything that will be due
 * before the next look, which the queue knows already if nothing was lost. Publishes nothing itself. Returns how many it asked
 * for. Throws DB_…, SCHEMA_….
 */
export async function watchHub({
  world,
  version,
  everyMs,
  onTrouble,
}: Watch): Promise<{ readonly overdue: number; readonly ahead: number }> {
  const { queue, platforms, stores } = world;
  const wakeUps = await stores.deliveries.wakeUps({ worker: WATCHDOG, version, platforms: platforms.ids, aheadMs: everyMs, most: MOST });
  const now = world.now().getTime();
  // A run that has ended keeps the name of its wake-up; what is overdue needs one of another name, and one for each look is enough.
  const look = `late-${Math.floor(now / everyMs)}`;
  const ask = async (wakeUp: WakeUp) => {
    await queue?.wake(wakeUp, wakeUp.at.getTime() <= now ? look : undefined).catch(onTrouble);
  };
  for (let from = 0; from < wakeUps.length; from += AT_ONCE) await Promise.all(wakeUps.slice(from, from + AT_ONCE).map(ask));
  const overdue = wakeUps.filter(({ at }) => at.getTime() <= now).length;
  return { overdue, ahead: wakeUps.length - overdue };
}
