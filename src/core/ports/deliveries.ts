import type { Profile } from "@psn/core/types/account.ts";
import type { DeliveryChange } from "@psn/core/types/delivery.ts";
import type {
  AccountHealth,
  DeliveryState,
  Json,
  LatePolicy,
  Operation,
  Purpose,
  UnitState,
} from "@psn/core/types/index.ts";
import type { Ref, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import type { StoredCredentials } from "./accounts.ts";
import type { WakeUp } from "./outside.ts";

/*
 * Deliveries as a worker sees them: one worker at a time.
 */

/** The right to act on a delivery until the lease ends or somebody raises the fence. */
export interface Claim {
  readonly deliveryId: string;
  readonly userId: string;
  readonly fence: number;
  readonly purpose: Purpose;
}

export interface StoredUnit {
  /** The unit's key. */
  readonly id: string;
  readonly position: number;
  readonly state: UnitState;
  readonly unit: Unit;
  readonly prepared: Json;
  readonly sentAt: Date | null;
  readonly handle: Json;
  readonly ref: Ref | null;
  readonly publishedAt: Date | null;
  /** When its removal was first about to be asked for; null where it is certainly not asked for. */
  readonly askedAt: Date | null;
  /** When the platform had it no more. */
  readonly removedAt: Date | null;
}

/** All that publishing a claimed delivery needs. */
export interface LoadedDelivery {
  readonly id: string;
  readonly state: DeliveryState;
  readonly operation: Operation;
  readonly attempt: number;
  readonly fence: number;
  readonly dueAt: Date;
  readonly late: LatePolicy;
  readonly wakeAt: Date;
  readonly leaseUntil: Date | null;
  /** Of the last failure, until something else becomes of the delivery. */
  readonly code: string | null;
  readonly message: string | null;
  /** When this was read, by the database's clock, which decides what is due. */
  readonly readAt: Date;
  readonly account: {
    readonly id: string;
    readonly platform: string;
    readonly profile: Profile;
    readonly health: AccountHealth;
    readonly pausedUntil: Date | null;
  };
  readonly credentials: StoredCredentials | null;
  readonly units: readonly StoredUnit[];
  readonly media: readonly MediaInfo[];
}

/**
 * Whether notifications arrive. pooled: LISTEN was accepted and none arrives, as behind a pooler in transaction mode.
 * elsewhere: the address for LISTEN leads to another database. served: another process has the embedded database, and
 * hears them instead.
 */
export type Hearing = "heard" | "pooled" | "elsewhere" | "served";

export interface Subscription {
  /** Sends a notification by another connection, and tells whether it arrived. Throws DB_…. */
  prove(): Promise<Hearing>;
  close(): Promise<void>;
}

/** One delivery, claimed and loaded in one round trip. */
export interface ClaimedOne {
  readonly claim: Claim | undefined;
  readonly loaded: LoadedDelivery | undefined;
  /** More of its account is due that `claimNext` would claim. */
  readonly more: boolean;
}

export interface Deliveries {
  claim(request: {
    readonly worker: string;
    readonly most: number;
    readonly leaseMs: number;
    readonly concurrency: Concurrency;
    readonly only?: readonly string[];
    /**
     * What this process is acting on already: never claimed again, though a clock that stepped says that its lease is
     * over.
     */
    readonly busy?: readonly string[];
  }): Promise<readonly Claim[]>;
  /**
   * Claims this delivery, if it needs a worker now, and loads it, in one round trip. `worker` is a name that no other
   * attempt ever has: asked again under it the answer is the same claim. Throws SCHEMA_OUTDATED, SCHEMA_NEWER.
   */
  claimOne(request: {
    readonly worker: string;
    readonly leaseMs: number;
    readonly platforms: readonly string[];
    readonly userId: string;
    readonly deliveryId: string;
  }): Promise<ClaimedOne>;
  /**
   * The same for whichever delivery of this account is due longest, is scheduled and holds no media; no claim where
   * there is none, or where somebody else took it in this instant.
   */
  claimNext(request: {
    readonly worker: string;
    readonly leaseMs: number;
    readonly platforms: readonly string[];
    readonly userId: string;
    readonly accountId: string;
    /** How many of the longest due to leave to others who are taking them; default none. */
    readonly skip?: number;
  }): Promise<ClaimedOne>;
  /**
   * What a worker must wake up for within `aheadMs`, soonest first, over all users; and the heartbeat of the caller,
   * where there is nothing. Throws SCHEMA_OUTDATED, SCHEMA_NEWER.
   */
  wakeUps(request: {
    readonly worker: string;
    readonly version: string;
    readonly platforms: readonly string[];
    readonly aheadMs: number;
    readonly most: number;
  }): Promise<readonly WakeUp[]>;
  /** A line of the delivery's history that changes nothing. */
  note(
    userId: string,
    line: { readonly deliveryId: string; readonly event: string; readonly text: string; readonly actor: string },
  ): Promise<void>;
  /** Milliseconds until something is due for these platforms; not positive when it is, null when nothing waits. */
  nextWake(concurrency: Concurrency, only?: readonly string[]): Promise<number | null>;
  load(userId: string, deliveryId: string): Promise<LoadedDelivery | undefined>;
  /** Ref ids this account's other deliveries own. */
  knownRefs(userId: string, deliveryId: string, accountId: string): Promise<ReadonlySet<string>>;
  /** False when the lease is lost: somebody else acts now, and the caller must stop without sending. */
  record(claim: Claim, worker: string, change: DeliveryChange): Promise<boolean>;
  /** Calls back when something became due, and when it hears no more; undefined where the driver cannot. */
  listen(onWake: () => void, onLost?: () => void): Promise<Subscription | undefined>;
  /** Writes that this worker lives, and by which settings (`World.settings`); answers the database's clock. */
  beat(worker: string, version: string, settings?: Readonly<Record<string, string>>): Promise<Date>;
  gone(worker: string): Promise<void>;
}

/** Most deliveries in flight for one account, by platform id. */
export type Concurrency = Readonly<Record<string, number>>;
