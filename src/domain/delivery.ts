import type { ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type { AccountHealth, DeliveryState, Json, LatePolicy } from "@psn/core/types/index.ts";
import type { Outcome, Preparation, Unit } from "@psn/core/types/platform.ts";

/*
 * The state machine: what becomes of a delivery, decided without clock, chance or I/O.
 *
 *   held <--> scheduled --> claimed --> sending --> published
 *                 ^          |  ^ |      |  ^  \--> pending --> published
 *                 |          v  | |      |  |  \--> failed
 *                 |        pending|      |  |
 *                 \-- nothing was sent --/  |
 *                                           \ settle: an expired lease, a lost answer --> unconfirmed
 *
 * `pending` before `sending` is a platform that works on an upload: nothing was sent, and its unit has no instant. Only
 * a clear refusal, or proof that nothing was sent, leads back to `scheduled`. A lost answer stays in `sending` until
 * the platform has been asked. What takes a post back goes the same way: `removal.ts`.
 */

/**
 * How long a worker may keep a delivery without a sign of life, in milliseconds: twice the time limit of a request
 * (`platforms/kit/http.ts`), so that nobody settles a send that can still succeed.
 */
export const LEASE_MS = 60_000;

const BACKOFF_FIRST_MS = 5_000;
const BACKOFF_MOST_MS = 15 * 60_000;
/** Some six hours of trying before a platform that cannot be reached is a failure. */
const MOST_ATTEMPTS = 30;
/** A pause where a platform asks for one and does not say how long. */
const PAUSE_MS = 60_000;

/**
 * Gateways and servers that are down or too busy (RFC 9110, 15.6.3 to 15.6.5): the account's other posts would fare no
 * better. A post that causes the failure itself must not hold up the others, so that the pause is short where the
 * server names none, and this post's own next try comes a little after it (`afterPause`).
 */
const DOWN: ReadonlySet<unknown> = new Set([502, 503, 504]);
const DOWN_CODES: ReadonlySet<ErrorCode> = new Set(["PLATFORM_DOWN", "OUTCOME_UNKNOWN"]);
const DOWN_PAUSE_MS = 5_000;

/** First question after a lost answer; later ones wait as long as the answer has been missing. */
const SETTLE_FIRST_MS = 2_000;
const SETTLE_MOST_MS = 15 * 60_000;
/**
 * Until then a platform that does not show the post may still be working on it: counted from the claim, after which a
 * token may be exchanged (30 s at most) and the request waited for (30 s), so that more than a minute has passed since
 * psn stopped waiting.
 */
export const SETTLE_PATIENCE_MS = 150_000;
/** After a day without a verdict a person decides. */
export const SETTLE_GIVE_UP_MS = 24 * 3_600_000;

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

/** The lease goes on; nothing else changes. */
export function renewed(state: "claimed" | "sending" | "pending", leaseMs: number): DeliveryChange {
  // Somebody else looks at what is pending when it wakes, and not when a lease ends.
  return { ...still, state, leaseMs, wakeInMs: state === "pending" ? leaseMs : null };
}

/** Written before the bytes of this unit leave. `prepared` is undefined for a unit that needs no preparing. */
export function sending(position: number, prepared: Json | undefined, leaseMs: number): DeliveryChange {
  const made = prepared === undefined ? {} : { prepared, handle: null };
  return { ...still, state: "sending", leaseMs, event: "sending", unit: { position, state: "sending", ...made } };
}

/** The platform works on what `prepare` gave it, or asks for a pause; nothing was sent. */
export function preparing(position: number, { handle, checkAfterMs, pausedForMs }: Pending): DeliveryChange {
  const unit = { position, state: "pending", handle } as const;
  const account = pausedForMs === undefined ? null : { pausedForMs };
  return { ...still, state: "pending", wakeInMs: checkAfterMs, event: "preparing", unit, account };
}
type Pending = Extract<Preparation, { status: "pending" }>;

/** A passing failure while the platform works on an upload: what it has been given stays. */
export function stillPreparing(error: PsnError, attempt: number, random: number): DeliveryChange {
  const { code, message } = error;
  const account = pauseOf(error, attempt, random);
  const wakeInMs = account
    ? afterPause(account.pausedForMs, pauseMs(error, attempt, random), random)
    : pauseMs(error, attempt, random);
  return { ...still, state: "pending", wakeInMs, code, message, event: "still preparing", note: message, account };
}

/** A unit that can be sent right after the claim: nothing must be uploaded and no file opened. */
export function isReady({
  unit,
  prepared,
}: {
  readonly unit: Pick<Unit, "prepare" | "media">;
  readonly prepared: Json;
}): boolean {
  return prepared !== null || !(unit.prepare || unit.media.length > 0);
}

/** A token that ends sooner is exchanged before the claim is used, in milliseconds; `psn.claim_due` has the same. */
export const TOKEN_LASTS_MS = 30_000;

/** What a platform's clear answer makes of the delivery. `next` is the unit after this one, if the thread goes on. */
export function answered(
  position: number,
  {
    outcome,
    next,
    leaseMs,
  }: {
    readonly outcome: Outcome;
    readonly next: { readonly position: number; readonly ready: boolean } | undefined;
    readonly leaseMs: number;
  },
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

const USERS_OWN: ReadonlySet<ErrorCode> = new Set([
  "AUTH_REVOKED",
  "AUTH_EXPIRED",
  "AUTH_REQUIRED",
  "APP_REFUSED",
  "VAULT_TAMPERED",
]);

/**
 * What is wrong with the hub and not with the post: its settings and keys, its bucket, its folders and its database.
 * None of it ends a delivery, which waits until it is fixed.
 */
export const HUBS_OWN: readonly ErrorCode[] = [
  "CONFIG_INVALID",
  "CONFIG_EXPOSED",
  "CONFIG_UNREADABLE",
  "CONFIG_UNWRITABLE",
  "HUB_MISSING",
  "HUB_UNFINISHED",
  "BUCKET_MISSING",
  "SCHEMA_OUTDATED",
  "SCHEMA_NEWER",
  "DB_REFUSED",
  "DB_TLS",
  "DB_UNREACHABLE",
  "DB_BUSY",
  "DB_LOCKED",
  "DB_FULL",
  "DB_FAILED",
  "DB_UNUSABLE",
  "DB_TOO_LARGE",
  "VAULT_LOCKED",
  "APP_MISSING",
  "PRIVATE_ADDRESS",
  "FILE_UNREADABLE",
  "FILE_UNWRITABLE",
  "VENDOR_AUTH",
  "VENDOR_REFUSED",
  "VENDOR_QUOTA",
  "VENDOR_CHANGED",
  "VENDOR_UNREACHABLE",
];

/** True for what is wrong with the hub, by an error's code. */
export function isHubs(code: string | null): boolean {
  return HUBS_OWN.some((one) => one === code);
}

/** True for what only the account's user can fix. */
export function needsUser({ code }: PsnError): boolean {
  return USERS_OWN.has(code);
}

/**
 * True for a failure whose attempts count for nothing against a platform that fails after it: the hub's own, and a
 * pause that was asked for.
 */
function isExcused(code: string | null): boolean {
  return isHubs(code) || code === "RATE_LIMITED";
}

/**
 * What a failure makes of the delivery. `attempt` counts claims from 1; `random` in [0, 1) spreads the retries;
 * `earlier` is the code of the failure before this one.
 */
export function failed(
  position: number,
  {
    error,
    attempt,
    random,
    earlier = null,
  }: {
    readonly error: PsnError;
    readonly attempt: number;
    readonly random: number;
    readonly earlier?: string | null | undefined;
  },
): DeliveryChange {
  const what = { ...still, code: error.code, message: error.message, note: error.message };
  const unit = { position, state: "waiting", handle: null } as const;
  if (error.retry === "reconcile") {
    const account = unknownPauseOf(error);
    return {
      ...what,
      state: "sending",
      leaseMs: afterPause(account?.pausedForMs, Math.max(SETTLE_FIRST_MS, asked(error)), random),
      event: "outcome unknown",
      account,
    };
  }
  if (needsUser(error)) {
    // Who knows for how long: what was uploaded may be gone by then.
    const account = { health: "needs-reconnect", reason: error.message } as const;
    return { ...what, state: "held", event: "held", unit: { ...unit, prepared: null }, account };
  }
  if (error.code === "RATE_LIMITED") {
    const pausedForMs = pauseMs(error, attempt, random);
    const kept = pausedForMs > UPLOADS_LAST_MS ? { ...unit, prepared: null } : unit;
    return {
      ...what,
      state: "scheduled",
      wakeInMs: pausedForMs,
      event: "paused",
      unit: kept,
      account: { pausedForMs },
    };
  }
  if (isHubs(error.code)) {
    // Who knows for how long: what was uploaded may be gone by then.
    const wakeInMs = pauseMs(error, attempt, random);
    return {
      ...what,
      state: "scheduled",
      wakeInMs,
      event: "retrying",
      unit: { ...unit, prepared: null },
      mends: error.hint ?? null,
    };
  }
  const counted = isExcused(earlier) ? 1 : attempt;
  if (error.retry === "backoff" && counted < MOST_ATTEMPTS) {
    const account = pauseOf(error, counted, random);
    const wakeInMs = afterPause(account?.pausedForMs, pauseMs(error, counted, random), random);
    const again = counted === attempt ? {} : { attempt: counted };
    return { ...what, state: "scheduled", wakeInMs, event: "retrying", unit, account, ...again };
  }
  return { ...what, state: "failed", event: "failed", unit };
}

/** How long until another try, in milliseconds: the platform's own word, or a pause that grows. */
function pauseMs(error: PsnError, attempt: number, random: number): number {
  const { code, retryAfterMs } = error;
  // A pause that is over when it is told is none to go by.
  if (retryAfterMs) return retryAfterMs;
  const backoff = backoffMs(attempt, random);
  return code === "RATE_LIMITED" && retryAfterMs === undefined ? Math.max(PAUSE_MS, backoff) : backoff;
}

/**
 * For how long a failure before anything was sent pauses the whole account; null where it speaks of this post alone.
 */
function pauseOf(error: PsnError, attempt: number, random: number): { readonly pausedForMs: number } | null {
  if (error.code === "RATE_LIMITED") return { pausedForMs: pauseMs(error, attempt, random) };
  return isDown(error) ? { pausedForMs: error.retryAfterMs || DOWN_PAUSE_MS } : null;
}

/** The same for an answer that says nothing about the post. */
function unknownPauseOf(error: PsnError): { readonly pausedForMs: number } | null {
  return isDown(error) ? { pausedForMs: asked(error) || DOWN_PAUSE_MS } : null;
}

const isDown = ({ code, details }: PsnError) => DOWN_CODES.has(code) && DOWN.has(details["status"]);
/** What the platform asked for while an answer is missing; 0 where it asked for nothing. */
const asked = ({ retryAfterMs = 0 }: PsnError) => retryAfterMs;

/** This post's own next try, in milliseconds: where the account is paused, a little after its other posts. */
function afterPause(pausedForMs: number | undefined, waitMs: number, random: number): number {
  if (pausedForMs === undefined) return waitMs;
  return Math.max(waitMs, pausedForMs + SETTLE_FIRST_MS + jitterMs(pausedForMs, random));
}

/** Up to a tenth, in milliseconds, so that what waited together does not come back together. */
const jitterMs = (ms: number, random: number) => Math.round((ms / 10) * random);

/**
 * What a failure makes of a delivery whose earlier answer was lost. Nothing of psn's own ends it: a file that cannot be
 * read or a request that cannot be built says nothing about the attempt before. The platform's no ends it only where
 * the adapter says that it proves that nothing was ever taken (`neverTaken`), and not before an earlier request can be
 * over; any other no, and UNCONFIRMED from an adapter that may not send again, leave it to a person.
 */
export function failedAgain(
  position: number,
  {
    error,
    ageMs,
    random = 0,
  }: { readonly error: PsnError; readonly ageMs: number; readonly random?: number | undefined },
): DeliveryChange {
  if (error.code === "UNCONFIRMED") return { ...unconfirmed(), message: error.message, note: error.message };
  if (error.code !== "PLATFORM_REJECTED") return stillUnknown(ageMs, error, random);
  if (error.neverTaken)
    return ageMs < SETTLE_PATIENCE_MS
      ? stillUnknown(ageMs, error, random)
      : failed(position, { error, attempt: MOST_ATTEMPTS, random: 0 });
  const message = `the first answer was lost, and a second request was refused: ${error.message}`;
  return { ...unconfirmed(), message, note: message };
}

/** What a lost answer calls for, given how long ago the unit was sent and whether the platform shows it. */
export type Settlement = "published" | "send again" | "wait" | "unconfirmed";

/**
 * For how long a lost answer has been asked about, in milliseconds: a pause that the platform asked for and that has
 * just ended counts for at most a day, so that psn asks once more after it. `sincePauseMs`: how long ago the account's
 * last pause ended.
 */
export function askedForMs(ageMs: number, sincePauseMs: number | undefined): number {
  const justPaused = sincePauseMs !== undefined && sincePauseMs < SETTLE_MOST_MS && ageMs < 3 * SETTLE_GIVE_UP_MS;
  return justPaused ? Math.min(ageMs, SETTLE_GIVE_UP_MS) : ageMs;
}

/**
 * `found`: whether the look-up saw the unit; undefined when the platform has none or could not be asked. `scheduled`:
 * the platform is tried on a schedule of its own, and a repeat that fails after its last attempt gives up
 * (`retry-schedule.ts`).
 */
export function settlement(
  duplicates: Capabilities["duplicates"],
  {
    ageMs,
    found,
    scheduled = false,
  }: { readonly ageMs: number; readonly found: boolean | undefined; readonly scheduled?: boolean | undefined },
): Settlement {
  if (found) return "published";
  if (ageMs > SETTLE_GIVE_UP_MS && !scheduled) return "unconfirmed";
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

/**
 * Nothing is known yet; ask again later, the longer the answer has been missing, but no later than the moment from
 * which a platform that does not show the post counts as not having it; and no sooner than the platform asks to be
 * asked. `random` in [0, 1) spreads what went missing together.
 */
export function stillUnknown(ageMs: number, error: PsnError | undefined, random = 0): DeliveryChange {
  const most = ageMs < SETTLE_PATIENCE_MS ? Math.max(SETTLE_FIRST_MS, SETTLE_PATIENCE_MS - ageMs) : SETTLE_MOST_MS;
  const growing = Math.max(SETTLE_FIRST_MS, ageMs);
  // Later by up to a quarter; where that would pass the most there is, by little.
  const spread = ageMs < SETTLE_PATIENCE_MS ? SETTLE_FIRST_MS : SETTLE_MOST_MS / 20;
  const leaseMs = Math.min(Math.round(growing * (1 + random / 4)), most + Math.round(spread * random));
  const account = error ? accountAfter(error, asked(error) || PAUSE_MS) : null;
  const pausedForMs = account && "pausedForMs" in account ? account.pausedForMs : undefined;
  return {
    ...still,
    state: "sending",
    leaseMs: Math.max(leaseMs, error ? afterPause(pausedForMs, asked(error), random) : 0),
    code: error?.code ?? "OUTCOME_UNKNOWN",
    message: error?.message ?? "the platform does not show it yet",
    event: "still unknown",
    account,
  };
}

/**
 * What a failed question says of the account: that its user must connect it again, or that the platform asks for a
 * pause.
 */
function accountAfter(error: PsnError, pausedForMs: number): DeliveryChange["account"] {
  if (needsUser(error)) return { health: "needs-reconnect", reason: error.message };
  if (error.code === "RATE_LIMITED") return { pausedForMs };
  return unknownPauseOf(error);
}

/** The same change without a platform's words, for a database that refuses to keep them. */
export function wordless(change: DeliveryChange): DeliveryChange {
  const { account } = change;
  return {
    ...change,
    message: change.message === null ? null : "what the platform said cannot be kept",
    note: null,
    account:
      account && "health" in account ? { ...account, reason: "the platform said why, and it cannot be kept" } : account,
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

/** A question about a pending unit that went unanswered; after a day without a verdict a person decides. */
export function pollAgain(
  error: PsnError,
  {
    attempt,
    random,
    ageMs = 0,
  }: { readonly attempt: number; readonly random: number; readonly ageMs?: number | undefined },
): DeliveryChange {
  const { code, message } = error;
  if (ageMs > SETTLE_GIVE_UP_MS) return { ...unconfirmed(), message, note: message };
  const wakeInMs = pauseMs(error, attempt, random);
  // The platform has accepted it; if psn can no longer ask, it must not send it again.
  return {
    ...still,
    state: "pending",
    wakeInMs,
    code,
    message,
    event: "still pending",
    note: message,
    account: accountAfter(error, wakeInMs),
  };
}

/** Exponential with full jitter on the upper half, in milliseconds. */
export function backoffMs(attempt: number, random: number): number {
  const most = Math.min(BACKOFF_FIRST_MS * 2 ** Math.max(0, attempt - 1), BACKOFF_MOST_MS);
  return Math.round(most / 2 + (most / 2) * random);
}

/** States that only a person's explicit command leaves. */
export const TERMINAL: ReadonlySet<DeliveryState> = new Set([
  "published",
  "failed",
  "unconfirmed",
  "cancelled",
  "removed",
]);

/**
 * Later than this a post may do more harm than good: its user is asked, unless they said otherwise. In milliseconds.
 */
const LATE_MS = 24 * 3_600_000;

/**
 * What becomes of a delivery that is so late that its policy decides; undefined where it is published anyway. Nothing
 * of it may have been sent.
 */
export function tooLate(position: number, lateMs: number, policy: LatePolicy): DeliveryChange | undefined {
  if (lateMs <= LATE_MS || policy === "publish") return undefined;
  const message = `it was due ${Math.round(lateMs / 3_600_000)} hours ago, and could not be sent until now`;
  const what = { ...still, code: "LATE", message, note: message, unit: { position, state: "waiting" } } as const;
  return policy === "drop"
    ? { ...what, state: "cancelled", event: "dropped" }
    : { ...what, state: "held", event: "held" };
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
  const at =
    state === "scheduled" || state === "pending"
      ? wakeAt
      : state === "claimed" || state === "sending"
        ? leaseUntil
        : null;
  return at && account.pausedUntil && account.pausedUntil > at ? account.pausedUntil : at;
}
