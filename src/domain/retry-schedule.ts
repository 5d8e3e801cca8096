import type { ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import { unconfirmed } from "./delivery.ts";

/*
 * A platform that is tried on a schedule of its own (`capabilities.retries`): how long until the next attempt, and when
 * psn gives up.
 */

/**
 * What passes, and is the platform's own. psn's own trouble, with its bucket or its database, keeps psn's own pauses.
 */
const WEATHER: ReadonlySet<ErrorCode> = new Set([
  "RATE_LIMITED",
  "PLATFORM_UNREACHABLE",
  "PLATFORM_DOWN",
  "OUTCOME_UNKNOWN",
  "PLATFORM_CHANGED",
]);

/** A pause is made longer by up to this share of it, so that what failed together is not tried together again. */
const JITTER = 0.1;

/** How far a delivery has come. */
export interface Tried {
  readonly retries: readonly number[];
  /** Counts claims for sending, from 1. */
  readonly attempt: number;
  /** How long ago it was due, in milliseconds. */
  readonly sinceDueMs: number;
  /** How long ago the unit was first sent, where its answer is missing, in milliseconds; 0 otherwise. */
  readonly ageMs: number;
  /** In [0, 1). */
  readonly random: number;
}

/** The change, by the platform's schedule. `gaveUp`: there is no further attempt in it. */
export interface Rescheduled {
  readonly change: DeliveryChange;
  readonly gaveUp: boolean;
}

/**
 * `change` is what psn's own pauses make of the failure. A pause that the platform asked for, and what psn adds to it,
 * is never shortened.
 */
export function reschedule(change: DeliveryChange, error: PsnError, tried: Tried): Rescheduled {
  const kept = { change, gaveUp: false };
  if (!WEATHER.has(error.code)) return kept;
  const isAsked = error.retryAfterMs !== undefined || (change.account !== null && "pausedForMs" in change.account);
  const asked = isAsked ? (change.wakeInMs ?? change.leaseMs ?? 0) : 0;
  // psn's own pauses give up after other counts.
  if (change.state === "scheduled" || (change.state === "failed" && error.retry === "backoff")) {
    const pause = pauseOf({ ...tried, attempt: change.attempt ?? tried.attempt });
    if (pause === undefined)
      return { change: { ...change, state: "failed", wakeInMs: null, event: "failed" }, gaveUp: true };
    const again = change.state === "scheduled" ? change : { ...change, state: "scheduled" as const, event: "retrying" };
    return { change: { ...again, wakeInMs: Math.max(pause, asked) }, gaveUp: false };
  }
  if (change.state !== "sending") return kept;
  const pause = repeatOf(tried);
  if (pause === undefined) return { change: noClearAnswer(error, tried), gaveUp: true };
  return { change: { ...change, leaseMs: Math.max(pause, asked) }, gaveUp: false };
}

/**
 * A repeat that psn could not even make ready is not tried forever either: after the schedule's last attempt a person
 * decides.
 */
export function unlessOver(
  change: DeliveryChange,
  error: PsnError,
  tried: Pick<Tried, "retries" | "ageMs">,
): DeliveryChange {
  return change.state === "sending" && tried.ageMs > totalOf(tried.retries) ? noClearAnswer(error, tried) : change;
}

function noClearAnswer({ message: why }: PsnError, { retries }: Pick<Tried, "retries">): DeliveryChange {
  const message = `there was no clear answer for ${days(totalOf(retries))} days: ${why}`;
  return { ...unconfirmed(), message, note: message };
}

/** Nothing was sent. Attempts that psn's own trouble has used up do not end it early. */
function pauseOf({ retries, attempt, sinceDueMs, random }: Tried): number | undefined {
  const pause = retries[attempt - 1] ?? (sinceDueMs < totalOf(retries) ? retries.at(-1) : undefined);
  return pause === undefined ? undefined : Math.round(pause * (1 + JITTER * random));
}

/** Something may have been sent, `ageMs` ago: until the next instant of the schedule. */
function repeatOf({ retries, ageMs, random }: Tried): number | undefined {
  let at = 0;
  for (const pause of retries) {
    at += pause;
    // Pauses are up to a tenth longer than printed, and so is what lies behind.
    if (at > ageMs) return Math.round(Math.max(at - ageMs, pause / 2) * (1 + JITTER * random));
  }
  return undefined;
}

/** From the first attempt to the last, in milliseconds. */
export function totalOf(retries: readonly number[]): number {
  return retries.reduce((sum, pause) => sum + pause, 0);
}

const days = (ms: number) => Math.round(ms / (24 * 3_600_000));

/**
 * An account is disabled when nothing of it has gone out for so long, in milliseconds, and a delivery of it has come to
 * its end.
 */
export const LONG_FAILURE_MS = 3 * 24 * 3_600_000;

/**
 * In place of giving up one delivery after the other: its user must connect the account again, and then all of it goes
 * on. What was never taken is held; what may have been taken is asked about again then.
 */
export function disabled({
  change,
  error,
  position,
}: {
  change: DeliveryChange;
  error: PsnError;
  position: number;
}): DeliveryChange {
  const reason = `every post to it has failed for ${days(LONG_FAILURE_MS)} days, the last one since ${error.message}`;
  const account = { health: "needs-reconnect", reason } as const;
  const said = { ...change, code: error.code, message: error.message, note: error.message, account };
  if (change.state === "unconfirmed") return { ...said, state: "sending", leaseMs: 0, event: "still unknown" };
  return { ...said, state: "held", event: "held", unit: { position, state: "waiting", handle: null } };
}
