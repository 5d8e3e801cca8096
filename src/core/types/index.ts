/*
 * The words of this house. Nowhere does a synonym appear.
 *
 * - hub:       one installation: a database, a key, a set of accounts. `config/hub.env` says where it is.
 * - user:      a person the hub knows. Every row that belongs to somebody carries `user_id`.
 * - platform:  a network psn can publish to; one folder in `src/platforms/`.
 * - account:   one identity on one platform, connected by its user. `subject` never changes, `handle` may.
 * - post:      what the author wrote, before any platform shaped it. A post has one part, or several as a thread.
 * - source:    all that the author wrote of a post; an edit makes its next revision, and the units are composed of it.
 * - unit:      one request-sized piece of a composed post; a thread is several units.
 * - delivery:  one post going to one account; it owns the attempts, the units and the refs.
 * - operation: what is done to a delivery's units on the platform: publish, edit or remove.
 * - ref:       the platform's own name (id, url) for a thing it now holds.
 * - vault:     where tokens and API keys are sealed.
 * - archive:   a hub as one sealed file, as `psn export` makes it; `transfer` takes a hub elsewhere by it.
 * - compose:   to shape a post into the units of one platform.
 * - move:      to give a post another time.
 * - settle:    to find out what became of a request whose answer is missing. What is known is recorded; the function of
 *              the database that records is `psn.settle`, a name of before.
 * - wake-up:   a request to look at a delivery at a time; `wakeUp` in names.
 * - slot:      a weekly time at which a user likes to publish.
 * - worker:    whatever runs due deliveries.
 */

export type {
  BroughtSettings,
  TransferredSetting as MovedSetting,
  TransferredSettings as MovedSettings,
} from "./transfer.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * What a delivery is doing. Terminal: `published`, `failed`, `unconfirmed`, `cancelled`, `removed`. See
 * `domain/delivery.ts`.
 */
export const DELIVERY_STATES = [
  /** Waits for its user: the account needs reconnecting, or the post has no time yet. */
  "held",
  /** Due at an instant. The row is the truth; a wake-up is only a hint. */
  "scheduled",
  /** A worker holds the lease; nothing has been sent. */
  "claimed",
  /** Written before the bytes leave; an expired lease here is an unknown outcome. */
  "sending",
  /** The platform has accepted it and is still processing. */
  "pending",
  "published",
  "failed",
  /** psn does not know and cannot find out; a person decides with `psn resolve`. */
  "unconfirmed",
  "cancelled",
  /** Its user asked for it, and nothing of it is on the platform any more. */
  "removed",
] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/**
 * Why a delivery is held. reconnect: its account must be connected again. late: its time passed long ago. imported: it
 * came with an archive. moved: another hub has it now. copied: the database is a copy. bucket: the bucket is missing.
 * after: another delivery of its post comes first. draft, approval: its post is not ready.
 */
export const HELD_REASONS = [
  "reconnect",
  "late",
  "imported",
  "moved",
  "copied",
  "bucket",
  "after",
  "draft",
  "approval",
] as const;
export type HeldReason = (typeof HELD_REASONS)[number];

/** Whether a post is finished. `approval` waits for another person's word; nothing makes such posts yet. */
export const POST_STATES = ["draft", "ready", "approval"] as const;
export type PostState = (typeof POST_STATES)[number];

/** Nothing of the next unit has been sent: what its user may still cancel or move. */
export const TO_COME: readonly DeliveryState[] = ["held", "scheduled", "claimed"];
/**
 * What ended without being published, or waits for its user: `psn retry` takes these and nothing that will go out by
 * itself.
 */
export const RETRYABLE: readonly DeliveryState[] = ["held", "failed", "cancelled"];
/** A unit may be out, and the platform has not said so. */
export const UNDER_WAY: readonly DeliveryState[] = ["sending", "pending"];

/** In a removal `sending` is a unit that may be gone, and `published` one that is certainly still out. */
export const UNIT_STATES = ["waiting", "sending", "pending", "published", "removed"] as const;
export type UnitState = (typeof UNIT_STATES)[number];

/** What is done to a delivery's units. Nothing edits yet. */
export const OPERATIONS = ["publish", "edit", "remove"] as const;
export type Operation = (typeof OPERATIONS)[number];

export const ACCOUNT_HEALTH = ["ok", "needs-reconnect", "disconnected"] as const;
export type AccountHealth = (typeof ACCOUNT_HEALTH)[number];

/** Who may see a post; a platform maps it to its own words or refuses it. */
export const VISIBILITIES = ["public", "unlisted", "followers", "direct"] as const;
export type Visibility = (typeof VISIBILITIES)[number];

/** What a claim is for: sending, finding out what became of a lost answer, or asking a platform that is processing. */
export type Purpose = "publish" | "settle" | "poll";

/** Settings that a process goes by for as long as it runs, since it opens the hub by them. */
export const READ_ONCE = [
  "DATABASE_URL",
  "DATABASE_LISTEN_URL",
  "DATABASE_DRIVER",
  "NEON_PROXY",
  "PSN_DATA",
  "PSN_USER",
  "TRIGGER_API_URL",
  "TRIGGER_SECRET_KEY",
] as const;

/**
 * What becomes of a post whose time passed long ago, and that could not be sent until now: it is published anyway,
 * its user is asked, or it is dropped.
 */
export const LATE_POLICIES = ["publish", "ask", "drop"] as const;
export type LatePolicy = (typeof LATE_POLICIES)[number];

/**
 * How a database can part from what its hub knew of it. copied: the same rows in another place, whose original may go
 * on. turned back: rows as they were some time ago. unknown: nobody here remembers this database.
 */
export const PARTINGS = ["copied", "turned back", "unknown"] as const;
export type Parting = (typeof PARTINGS)[number];
