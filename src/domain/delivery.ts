import type { ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { AccountHealth, DeliveryState, Json, LatePolicy, UnitState } from "@psn/core/types/index.ts";
import type { Outcome, Ref } from "@psn/core/types/platform.ts";

/*
 * The state machine: what becomes of a delivery, decided without clock, chance or I/O.
 *
 *   held <--> scheduled --> claimed --> sending --> published
 *                 ^            |         |  ^  \--> pending --> published
 *                 \-- nothing was sent --/  |  \--> failed
 *                                           \ settle: an expired lease, a lost answer --> unconfirmed
 *
 * Only a clear refusal, or proof that nothing was sent, leads back to `scheduled`. A lost answer stays in `sending` until
 * the platform has been asked.
 */

/**
 * How long a worker may keep a delivery without a sign of life, in milliseconds: twice the time limit of a request
 * (`platforms/kit/http.ts`), so that nobody settles a send that can still succeed.
 */
export const LEASE_MS = 60_000;
/** How often a lease is renewed while media are uploaded, in milliseconds. */
export const RENEW_MS = LEASE_MS / 3;

const BACKOFF_FIRST_MS = 5_000;
const BACKOFF_MOST_MS = 15 * 60_000;
/** Some six hours of trying before a platform that cannot be reached is a failure. */
const MOST_ATTEMPTS = 30;
/** A pause where a platform asks for one and does not say how long. */
const PAUSE_MS = 60_000;

/** First question after a lost answer; later ones wait as long as the answer has been missing. */
const SETTLE_FIRST_MS = 2_000;
const SETTLE_MOST_MS = 15 * 60_000;
/**
 * Until then a platform that does not show the post may still be working on it: counted from the claim, after which a token may be
 * exchanged (30 s at most) and the request waited for (30 s), so that more than a minute has passed since psn stopped waiting.
 */
export const SETTLE_PATIENCE_MS = 150_000;
/** After a day without a verdict a person decides. */
const SETTLE_GIVE_UP_MS = 24 * 3_600_000;

/** What becomes of a claimed delivery: `psn.settle` writes it if the fence still holds. */
export interface DeliveryChange {
  readonly state: DeliveryState;
  /** When to look again; null leaves it. */
  readonly wakeInMs: number | null;
  /** How long the worker keeps it; null gives it back. */
  readonly leaseMs: number | null;
  readonly code: ErrorCode | null;
  readonly message: string | null;
  /** A line of the delivery's history; null writes none. */
  readonly event: string | null;
  readonly note: string | null;
  readonly unit: null | {
    readonly position: number;
    /** `waiting` forgets when it was sent: it certainly was not. */
    readonly state: UnitState;
    readonly prepared?: Json;
    readonly handle?: Json;
    readonly ref?: Ref;
  };
  /** The unit that is opened for sending by the same write. */
  readonly next: null | { readonly position: number };
  readonly account: null | { readonly pausedForMs: number } | { readonly health: AccountHealth; readonly reason: string };
}

const still = {
  wakeInMs: null,
  leaseMs: null,
  code: null,
  message: null,
  event: null,
  note: null,
  unit: null,
  next: null,
  account: null,
} as const;

/** The lease goes on; nothing else changes. */
export function renewed(state: "claimed" | "sending", leaseMs: number): DeliveryChange {
  return { ...still, state, leaseMs };
}

/** Written before the bytes of this unit leave. */
export function sending(position: number, prepared: Json, leaseMs: number): DeliveryChange {
  return { ...still, state: "sending", leaseMs, event: "sending", unit: { position, state: "sending", prepared } };
}

/** What a platform's clear answer makes of the delivery. `next` is the unit after this one, if the thread goes on. */
export function answered(
  position: number,
  outcome: Outcome,
  next: { readonly position: number; readonly ready: boolean } | undefined,
  leaseMs: number,
): DeliveryChange {
  if (outcome.status === "pending") {
    const unit = { position, state: "pending", handle: outcome.handle } as const;
    return { ...still, state: "pending", wakeInMs: outcome.checkAfterMs, event: "pending", unit };
  }
  const unit = { position, state: "published", handle: null, ref: outcome.ref } as const;
  if (!next) return { ...still, state: "published", event: "published", note: outcome.ref.url, unit };
  const done = { ...still, leaseMs, event: "unit published", note: outcome.ref.url, unit } as const;
  return next.ready ? { ...done, state: "sending", next: { position: next.position } } : { ...done, state: "claimed" };
}

/** Platforms keep for about a day what was uploaded and is not published; in milliseconds, with room to spare. */
const UPLOADS_LAST_MS = 12 * 3_600_000;

const USERS_OWN: ReadonlySet<ErrorCode> = new Set(["AUTH_REVOKED", "AUTH_EXPIRED", "AUTH_REQUIRED", "APP_MISSING", "APP_REFUSED"]);

/** True for what only the account's user can mend. */
export function needsUser({ code }: PsnError): boolean {
  return USERS_OWN.has(code);
}

/** What a failure makes of the delivery. `attempt` counts claims from 1; `random` in [0, 1) spreads the retries. */
export function failed(position: number, error: PsnError, attempt: number, random: number): DeliveryChange {
  const what = { ...still, code: error.code, message: error.message, note: error.message };
  const unit = { position, state: "waiting" } as const;
  if (error.retry === "reconcile") {
    return { ...what, state: "sending", leaseMs: SETTLE_FIRST_MS, event: "outcome unknown" };
  }
  if (needsUser(error)) {
    // Who knows for how long: what was uploaded may be gone by then.
    const account = { health: "needs-reconnect", reason: error.message } as const;
    return { ...what, state: "held", event: "held", unit: { ...unit, prepared: null }, account };
  }
  if (error.code === "RATE_LIMITED") {
    const pausedForMs = error.retryAfterMs ?? Math.max(PAUSE_MS, backoffMs(attempt, random));
    const kept = pausedForMs > UPLOADS_LAST_MS ? { ...unit, prepared: null } : unit;
    return { ...what, state: "scheduled", wakeInMs: pausedForMs, event: "paused", unit: kept, account: { pausedForMs } };
  }
  if (error.retry === "backoff" && attempt < MOST_ATTEMPTS) {
    return { ...what, state: "scheduled", wakeInMs: error.retryAfterMs ?? backoffMs(attempt, random), event: "retrying", unit };
  }
  return { ...what, state: "failed", event: "failed", unit };
}

/**
 * What a failure makes of a delivery whose earlier answer was lost. It says nothing about the earlier attempt, so unless the
 * platform refuses the post itself, the instant of that attempt is kept and the platform is asked again. An adapter that knows that
 * sending again is not safe says UNCONFIRMED, and a person decides.
 */
export function failedAgain(position: number, error: PsnError, ageMs: number): DeliveryChange {
  if (error.code === "UNCONFIRMED") return { ...unconfirmed(), message: error.message, note: error.message };
  if (error.retry === "never" && !needsUser(error) && error.code !== "AUTH_SCOPE") return failed(position, error, MOST_ATTEMPTS, 0);
  return stillUnknown(ageMs, error);
}

/** What a lost answer calls for, given how long ago the unit was sent and whether the platform shows it. */
export type Settlement = "published" | "send again" | "wait" | "unconfirmed";

/** `found`: whether the look-up saw the unit; undefined when the platform has none or could not be asked. */
export function settlement(duplicates: Capabilities["duplicates"], ageMs: number, found: boolean | undefined): Settlement {
  if (found) return "published";
  if (ageMs > SETTLE_GIVE_UP_MS) return "unconfirmed";
  switch (duplicates) {
    case "client-id":
      return "send again";
    case "idempotency-key":
      return found === false && ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";
    case "refused":
      return ageMs >= SETTLE_PATIENCE_MS ? "send again" : "wait";
    case "lookup":
      return found === false && ageMs >= SETTLE_PATIENCE_MS ? "unconfirmed" : "wait";
    case "ask-human":
      return "unconfirmed";
  }
}

/** Nothing is known yet; ask again later, the longer the answer has been missing. */
export function stillUnknown(ageMs: number, error: PsnError | undefined): DeliveryChange {
  const leaseMs = Math.min(Math.max(SETTLE_FIRST_MS, ageMs), SETTLE_MOST_MS);
  return {
    ...still,
    state: "sending",
    leaseMs: Math.max(leaseMs, error?.retryAfterMs ?? 0),
    code: error?.code ?? "OUTCOME_UNKNOWN",
    message: error?.message ?? "the platform does not show it yet",
    event: "still unknown",
    account: error && needsUser(error) ? { health: "needs-reconnect", reason: error.message } : null,
  };
}

/** Only a person can tell now. */
export function unconfirmed(): DeliveryChange {
  return {
    ...still,
    state: "unconfirmed",
    code: "UNCONFIRMED",
    message: "psn cannot find out whether the platform has it",
    event: "unconfirmed",
  };
}

/** A question about a pending unit that went unanswered. */
export function pollAgain(error: PsnError, attempt: number, random: number): DeliveryChange {
  const { code, message } = error;
  const wakeInMs = error.retryAfterMs ?? backoffMs(attempt, random);
  // The platform has accepted it; whoever cannot ask any more must not send it anew.
  const account = needsUser(error) ? ({ health: "needs-reconnect", reason: message } as const) : null;
  return { ...still, state: "pending", wakeInMs, code, message, event: "still pending", note: message, account };
}

/** Exponential with full jitter on the upper half, in milliseconds. */
export function backoffMs(attempt: number, random: number): number {
  const most = Math.min(BACKOFF_FIRST_MS * 2 ** Math.max(0, attempt - 1), BACKOFF_MOST_MS);
  return Math.round(most / 2 + (most / 2) * random);
}

/** States that only a person's explicit command leaves. */
export const TERMINAL: ReadonlySet<DeliveryState> = new Set(["published", "failed", "unconfirmed", "cancelled"]);

/** Later than this a post may do more harm than good: its user is asked, unless they said otherwise. In milliseconds. */
const LATE_MS = 24 * 3_600_000;

/** What becomes of a delivery that is so late that its policy decides; undefined where it goes out all the same. Nothing of it may have been sent. */
export function tooLate(position: number, lateMs: number, policy: LatePolicy): DeliveryChange | undefined {
  if (lateMs <= LATE_MS || policy === "publish") return undefined;
  const message = `it was due ${Math.round(lateMs / 3_600_000)} hours ago, and nothing ran then`;
  const what = { ...still, code: "LATE", message, note: message, unit: { position, state: "waiting" } } as const;
  return policy === "drop" ? { ...what, state: "cancelled", event: "dropped" } : { ...what, state: "held", event: "held" };
}

/** When somebody should look at a delivery again; null when nothing but its user can move it. */
export function nextLook(delivery: {
  readonly state: DeliveryState;
  readonly wakeAt: Date;
  readonly leaseUntil: Date | null;
  readonly account: { readonly health: AccountHealth; readonly pausedUntil: Date | null };
}): Date | null {
  const { state, wakeAt, leaseUntil, account } = delivery;
  if (account.health !== "ok") return null;
  const at = state === "scheduled" || state === "pending" ? wakeAt : state === "claimed" || state === "sending" ? leaseUntil : null;
  return at && account.pausedUntil && account.pausedUntil > at ? account.pausedUntil : at;
}
