import type { ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { DeliveryState, UnitState } from "@psn/core/types/index.ts";
import { failed, needsUser, SETTLE_GIVE_UP_MS, stillUnknown, unconfirmed } from "./delivery.ts";

/*
 * What becomes of a delivery whose operation is `remove` (ADR 25).
 *
 *   published --> scheduled --> (claimed -->) sending --> removed
 *                  ^   |                       |  ^ \--> published: the platform does not remove it
 *                  |   v                       |  |
 *                 held <-- a clear refusal ----/  \-- settle: an expired lease, a lost answer --> unconfirmed
 *
 * Its units go the same way, the last of a thread first: `published` is certainly out, `sending` may be gone, `removed`
 * is gone. Asking again for what is gone is success (`Platform.remove`), so that a lost answer is settled by asking.
 */

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
  mends: null,
} as const;

/** The unit to remove next: the last one that is out, or may be. Undefined where nothing is out any more. */
export function lastOut<U extends { readonly state: UnitState }>(units: readonly U[]): U | undefined {
  return units.findLast(({ state }) => state === "published" || state === "sending");
}

/** Written before the removal of this unit is asked for, where the claim has not written it. */
export function removing(position: number, leaseMs: number): DeliveryChange {
  return { ...still, state: "sending", leaseMs, event: "sending", unit: { position, state: "sending" } };
}

/** The platform has the unit no more. `next` is the position of the unit before it, if there is one. */
export function removed(position: number, next: number | undefined, leaseMs: number): DeliveryChange {
  const unit = { position, state: "removed" } as const;
  if (next === undefined) return { ...still, state: "removed", event: "removed", unit };
  return { ...still, state: "sending", leaseMs, event: "unit removed", unit, next: { position: next } };
}

/** These say that this request removed nothing, where they are the answer to it. */
const CLEAR: ReadonlySet<ErrorCode> = new Set([
  "PLATFORM_REJECTED",
  "PLATFORM_UNREACHABLE",
  "RATE_LIMITED",
  "AUTH_SCOPE",
  "INPUT_INVALID",
  "NOT_FOUND",
]);

export interface Refusal {
  readonly position: number;
  readonly error: PsnError;
  /** An earlier request for the same removal may have succeeded. */
  readonly again: boolean;
  /** The error is the answer to the one request that removes, or comes from before it. */
  readonly isAnswer: boolean;
  /** How long ago the removal was first about to be asked for, in milliseconds. */
  readonly ageMs: number;
  readonly attempt: number;
  /** In [0, 1). */
  readonly random: number;
  /** The code of the failure before this one. */
  readonly earlier: string | null;
}

/**
 * What a failed removal makes of the delivery. Only a clear no to the one request leaves the unit out: what failed in
 * any other way may have removed it, and is asked again, for a day. A no to a repeat proves nothing about the request
 * before it, unless the adapter has looked and the post is still there (`neverTaken`).
 */
export function notRemoved(refusal: Refusal): DeliveryChange {
  const { position, error, again, isAnswer, ageMs, random } = refusal;
  if (error.neverTaken) return kept(position, error);
  if (again && error.code === "PLATFORM_REJECTED") {
    const message = `the first answer was lost, and a second request was refused: ${error.message}`;
    return { ...nobodyKnows(), message, note: message };
  }
  if (!again && isAnswer && (CLEAR.has(error.code) || needsUser(error))) return notBegun(refusal);
  if (ageMs > SETTLE_GIVE_UP_MS) return { ...nobodyKnows(), note: error.message };
  const change = stillUnknown(ageMs, error, random);
  return again ? change : { ...change, event: "outcome unknown", note: error.message };
}

/** What failed before the removal was asked for, or was clearly refused: the unit is still out. */
export function notBegun(
  refusal: Pick<Refusal, "position" | "error" | "attempt" | "random" | "earlier">,
): DeliveryChange {
  const { position, error, attempt, random, earlier } = refusal;
  const change = failed(position, { error, attempt, random, earlier });
  // A lost answer of a request that came before: nothing was asked for yet.
  const state: DeliveryState = change.state === "sending" ? "scheduled" : change.state;
  if (state === "failed") return kept(position, error);
  const wakeInMs = change.wakeInMs ?? change.leaseMs;
  return { ...change, state, wakeInMs, leaseMs: null, unit: { position, state: "published" } };
}

/** The platform does not remove it: what is left of the delivery stays out. */
function kept(position: number, { code, message }: PsnError): DeliveryChange {
  const unit = { position, state: "published" } as const;
  return { ...still, state: "published", code, message, event: "not removed", note: message, unit };
}

const nobodyKnows = (): DeliveryChange => ({
  ...unconfirmed(),
  message: "psn cannot find out whether the platform still has it",
});
