import type { World } from "@psn/core/ports/world.ts";
import { SETTLE_PATIENCE_MS } from "@psn/domain/delivery.ts";

/*
 * The wall clock can step, and the steady clock can stand still while a machine sleeps. What depends on time inside a
 * process asks both, and believes neither alone.
 */

type Clocks = Pick<World, "now" | "elapsedMs">;

/** What both clocks say at one moment, in milliseconds. */
export interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

export function momentOf({ now, elapsedMs }: Clocks): Moment {
  return { wallMs: now().getTime(), steadyMs: elapsedMs() };
}

/**
 * Two clocks that both run may part by so much between two readings, in milliseconds, and by a thousandth of the time.
 */
const APART_MS = 1_000;
const APART_SHARE = 1 / 1_000;

/** How long ago that was, in milliseconds, by whichever clock says more; `trusted` is false where they disagree. */
export function since(
  clocks: Clocks,
  { wallMs, steadyMs }: Moment,
): { readonly ms: number; readonly trusted: boolean } {
  const now = momentOf(clocks);
  const [wall, steady] = [now.wallMs - wallMs, now.steadyMs - steadyMs];
  return { ms: Math.max(wall, steady), trusted: Math.abs(wall - steady) <= APART_MS + Math.abs(steady) * APART_SHARE };
}

/** The same for the database's clock, which is read over a round trip that may take seconds. */
const DATABASE_APART_MS = 10_000;

interface Watched {
  /** The database's clock minus this process's steady one, when it was last read. */
  offsetMs: number;
  readAtMs: number;
  readonly firstReadAtMs: number;
  /** When the database's clock was last seen to have stepped, by the steady clock. */
  steppedAtMs: number | undefined;
}

const watched = new WeakMap<object, Watched>();

/**
 * Takes note of the database's clock and answers how old something can be that the database calls `ageMs` old: where
 * its clock has stepped since this process first read it, no older than the step. What lies in the future was written
 * before the clock stepped back: it is as old as that step, or as this process's knowledge of the clock; and at least
 * half as old as the patience, so that processes that live for one look do not ask every two seconds.
 */
export function steadyAge(
  { elapsedMs, stores }: Pick<World, "elapsedMs" | "stores">,
  readAt: Date,
  ageMs: number,
): number {
  const now = elapsedMs();
  const offsetMs = readAt.getTime() - now;
  const known = watched.get(stores) ?? { offsetMs, readAtMs: now, firstReadAtMs: now, steppedAtMs: undefined };
  const apart = Math.abs(offsetMs - known.offsetMs);
  const steppedAtMs = apart > DATABASE_APART_MS + (now - known.readAtMs) * APART_SHARE ? now : known.steppedAtMs;
  const { firstReadAtMs } = known;
  watched.set(stores, { offsetMs, readAtMs: now, firstReadAtMs, steppedAtMs });
  const since = now - (steppedAtMs ?? firstReadAtMs);
  if (ageMs < 0) return Math.max(since, SETTLE_PATIENCE_MS / 2);
  return steppedAtMs === undefined ? ageMs : Math.min(ageMs, since);
}
