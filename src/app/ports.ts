import type { AccountHealth, DeliveryState, Json, LatePolicy, Purpose, UnitState, Visibility } from "@psn/core/types/index.ts";
import type { AppGuide, Fetch, MediaInfo, OAuthApp, Platform, Profile, Ref, Unit } from "@psn/core/types/platform.ts";
import type { DeliveryChange } from "@psn/domain/delivery.ts";
import type { Faults } from "./fault-points.ts";

/*
 * What the use cases need from outside. Every verb of a store is atomic: one statement or one batch, because over HTTP
 * there is no transaction to hold. Every verb that touches rows takes the user whose rows they are.
 */

export interface User {
  readonly id: string;
  readonly handle: string;
  /** IANA. */
  readonly timeZone: string;
}

export interface Account {
  readonly id: string;
  readonly platform: string;
  readonly profile: Profile;
  readonly health: AccountHealth;
  readonly healthReason: string | null;
  readonly pausedUntil: Date | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly refreshedAt: Date | null;
  /** psn has something to renew the token with. */
  readonly renews: boolean;
}

/** Credentials as they lie in the database: every secret sealed. */
export interface SealedCredentials {
  readonly id: string;
  readonly access: string;
  readonly refresh: string | null;
  readonly secret: string | null;
  readonly expiresAt: Date | null;
  readonly scopes: readonly string[];
}

export interface Accounts {
  list(userId: string): Promise<readonly Account[]>;
  /** The account with this subject, connected now or before, and the id of its credentials' row. */
  find(
    userId: string,
    platform: string,
    subject: string,
  ): Promise<{ readonly id: string; readonly credentialsId: string | null } | undefined>;
  /** Inserts or reconnects; deliveries that were held for the account are scheduled again. */
  connect(
    userId: string,
    account: { readonly id: string; readonly platform: string; readonly profile: Profile },
    credentials: SealedCredentials,
  ): Promise<void>;
  /** Forgets the credentials, keeps the history, and cancels what is still to come; returns how many were cancelled. */
  disconnect(userId: string, accountId: string): Promise<number>;
  credentials(userId: string, accountId: string): Promise<SealedCredentials | undefined>;
  /** Takes the right to refresh for `leaseMs`, if nobody has it (`taken`) and the last exchange was long enough ago (else `resting`). */
  leaseRefresh(userId: string, accountId: string, leaseMs: number): Promise<"mine" | "taken" | "resting">;
  /**
   * Stores refreshed credentials in place of `previous`, gives the lease back, and lets nobody refresh again for `restMs`; false when
   * they were replaced meanwhile.
   */
  refreshed(
    userId: string,
    accountId: string,
    previous: SealedCredentials,
    credentials: SealedCredentials,
    restMs: number,
  ): Promise<boolean>;
  releaseRefresh(userId: string, accountId: string): Promise<void>;
  /** Marks an account that only its user can mend. */
  needsReconnect(userId: string, accountId: string, reason: string): Promise<void>;
}

export interface StoredPart {
  readonly text: string;
  readonly media: readonly string[];
}
export type StoredParts = readonly [StoredPart, ...StoredPart[]];

/** In its row, or in the bucket under this name. */
export type StoredMedia = ({ readonly content: Uint8Array } | { readonly objectKey: string }) & { readonly sha256: string };

export interface NewMedia extends MediaInfo {
  readonly sha256: string;
  readonly content: Uint8Array;
}

export interface NewPost {
  readonly id: string;
  readonly parts: StoredParts;
  readonly overrides: Readonly<Record<string, StoredParts>>;
  readonly title: string | null;
  readonly language: string | null;
  readonly visibility: Visibility | null;
  readonly contentWarning: string | null;
  readonly split: boolean;
  readonly numbered: boolean;
  readonly wallTime: string | null;
  readonly timeZone: string | null;
  readonly idempotencyKey: string | null;
}

export interface NewDelivery {
  readonly id: string;
  readonly accountId: string;
  readonly units: readonly { readonly id: string; readonly unit: Unit }[];
}

/** When a post is due, and what becomes of it when nothing ran then. */
export interface NewDue {
  readonly at: Date;
  readonly late: LatePolicy;
}

export interface DeliverySummary {
  readonly id: string;
  readonly postId: string;
  readonly accountId: string;
  readonly platform: string;
  readonly handle: string;
  readonly state: DeliveryState;
  readonly dueAt: Date;
  readonly wakeAt: Date;
  readonly attempt: number;
  readonly fence: number;
  readonly code: string | null;
  readonly message: string | null;
  readonly publishedAt: Date | null;
  /** The first unit's text and ref. */
  readonly text: string;
  readonly url: string | null;
  readonly units: number;
  readonly unitsPublished: number;
  readonly health: AccountHealth;
}

export interface DeliveryEvent {
  readonly at: Date;
  readonly event: string;
  readonly attempt: number;
  readonly unit: number | null;
  readonly code: string | null;
  readonly note: string | null;
  readonly actor: string;
}

export interface DeliveryDetail extends DeliverySummary {
  readonly unitList: readonly StoredUnit[];
  readonly events: readonly DeliveryEvent[];
}

export type DeliveryFilter = "open" | "all";

export interface Posts {
  /** Post, media, deliveries and units at once. False when the idempotency key is taken, and then nothing is written. */
  schedule(
    userId: string,
    post: NewPost,
    media: readonly (MediaInfo & StoredMedia)[],
    deliveries: readonly NewDelivery[],
    dueAt: Date,
    late?: LatePolicy,
  ): Promise<boolean>;
  findByKey(userId: string, idempotencyKey: string): Promise<string | undefined>;
  list(userId: string, filter: DeliveryFilter, most: number): Promise<readonly DeliverySummary[]>;
  ofPost(userId: string, postId: string): Promise<readonly DeliverySummary[]>;
  detail(userId: string, deliveryIds: readonly string[]): Promise<readonly DeliveryDetail[]>;
  /** Deliveries whose own id or whose post's id is this, or ends in it. */
  resolveId(userId: string, id: string): Promise<readonly { readonly id: string; readonly postId: string }[]>;
  /** Each returns the ids it changed; the others were not in one of these states any more. */
  cancel(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  move(userId: string, deliveryIds: readonly string[], dueAt: Date, wallTime: string, timeZone: string): Promise<readonly string[]>;
  retry(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  resolve(userId: string, deliveryId: string, verdict: { readonly live: Ref } | "not-live"): Promise<boolean>;
  /** Where a media file is; undefined once it is pruned. */
  findMedia(userId: string, mediaId: string): Promise<StoredMedia | undefined>;
}

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
}

/** All that publishing a claimed delivery needs. */
export interface LoadedDelivery {
  readonly id: string;
  readonly state: DeliveryState;
  readonly attempt: number;
  readonly fence: number;
  readonly dueAt: Date;
  readonly late: LatePolicy;
  readonly wakeAt: Date;
  readonly leaseUntil: Date | null;
  /** When this was read, by the database's clock, which decides what is due. */
  readonly readAt: Date;
  readonly account: {
    readonly id: string;
    readonly platform: string;
    readonly profile: Profile;
    readonly health: AccountHealth;
    readonly pausedUntil: Date | null;
  };
  readonly credentials: SealedCredentials | null;
  readonly units: readonly StoredUnit[];
  readonly media: readonly MediaInfo[];
}

export interface Deliveries {
  claim(request: {
    readonly worker: string;
    readonly most: number;
    readonly leaseMs: number;
    readonly concurrency: Concurrency;
    readonly only?: readonly string[];
  }): Promise<readonly Claim[]>;
  /**
   * Claims this delivery, if it needs a worker now, and loads it, in one round trip. `worker` is a name that no other attempt
   * ever has: asked again under it the answer is the same claim. Throws SCHEMA_OUTDATED, SCHEMA_NEWER.
   */
  claimOne(request: {
    readonly worker: string;
    readonly leaseMs: number;
    readonly platforms: readonly string[];
    readonly userId: string;
    readonly deliveryId: string;
  }): Promise<{ readonly claim: Claim | undefined; readonly loaded: LoadedDelivery | undefined }>;
  /**
   * What somebody must wake up for within `aheadMs`, soonest first, over all users; and the heartbeat of whoever asks. Throws
   * SCHEMA_OUTDATED, SCHEMA_NEWER.
   */
  wakeUps(request: {
    readonly worker: string;
    readonly version: string;
    readonly platforms: readonly string[];
    readonly aheadMs: number;
    readonly most: number;
  }): Promise<readonly WakeUp[]>;
  /** A line of the delivery's history that changes nothing. */
  note(userId: string, deliveryId: string, event: string, text: string, actor: string): Promise<void>;
  /** Milliseconds until something is due for these platforms; not positive when it is, null when nothing waits. */
  nextWake(concurrency: Concurrency, only?: readonly string[]): Promise<number | null>;
  load(userId: string, deliveryId: string): Promise<LoadedDelivery | undefined>;
  /** Ref ids this account's other deliveries own. */
  knownRefs(userId: string, deliveryId: string, accountId: string): Promise<ReadonlySet<string>>;
  /** False when the lease is lost: somebody else acts now, and the caller must stop without sending. */
  settle(claim: Claim, worker: string, change: DeliveryChange): Promise<boolean>;
  /** Calls back when something became due; undefined where the driver cannot. */
  listen(onWake: () => void): Promise<(() => Promise<void>) | undefined>;
  beat(worker: string, version: string): Promise<void>;
  gone(worker: string): Promise<void>;
}

/** Somebody should look at a delivery at an instant. A hint: the row decides whether there is something to do. */
export interface WakeUp {
  readonly deliveryId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly platform: string;
  /** As it was when this was asked for. */
  readonly fence: number;
  /** `claimed` and `sending` mean that a lease ends then. */
  readonly state: DeliveryState;
  readonly at: Date;
}

/** Wakes somebody up from outside, where no worker listens to the database. Losing a wake-up is harmless: the watchdog looks too. */
export interface Queue {
  /** What it is called in messages. */
  readonly name: string;
  /** False for a platform that only a worker on the user's machine can reach. */
  serves(platform: string): boolean;
  /**
   * Asks for one; the same wake-up twice is one. `again` makes it another than all before it. Returns its handle.
   * Throws VENDOR_….
   */
  wake(wakeUp: WakeUp, again?: string): Promise<string>;
  /** Takes one back, if it has not happened yet. */
  forget(handle: string): Promise<void>;
}

/** Where large media are kept. */
export interface Bucket {
  put(key: string, bytes: Uint8Array, mime: string): Promise<void>;
  /** Undefined when it is not there. Throws FILE_UNREADABLE when it is not what was put there, going by its SHA-256 in hex. */
  get(key: string, sha256: string): Promise<Uint8Array | undefined>;
  /** An address under which anybody can fetch it for so many seconds, at most a week. */
  link(key: string, seconds: number): string;
  /** What is not there is no error. */
  remove(key: string): Promise<void>;
  /** Writes something small, reads it back and removes it. */
  check(): Promise<void>;
}

/** Most deliveries in flight for one account, by platform id. */
export type Concurrency = Readonly<Record<string, number>>;

/** What keeps a hub in order; ids over all users. */
export interface Upkeep {
  /** Accounts whose tokens should be exchanged before somebody needs them. */
  staleTokens(platforms: readonly string[], aheadMs: number, idleMs: number): Promise<readonly StaleToken[]>;
  /** Accounts whose tokens end within `aheadMs` and cannot be renewed; each is given once, and noted on the account. */
  noteEndingTokens(platforms: readonly string[], aheadMs: number): Promise<readonly EndingToken[]>;
  /** Media that nobody can need any more, since every delivery of their post ended well so long ago. */
  spentMedia(ageMs: number, most: number): Promise<readonly SpentMedia[]>;
  /** Forgets where these media are; their descriptions stay. */
  dropMedia(userId: string, mediaIds: readonly string[]): Promise<void>;
  /** Forgets workers that have been silent for so long; returns how many. */
  dropWorkers(silentMs: number): Promise<number>;
}

export interface StaleToken {
  readonly accountId: string;
  readonly userId: string;
  readonly platform: string;
}

export interface EndingToken extends StaleToken {
  readonly handle: string;
  readonly endsAt: Date;
}

export interface SpentMedia {
  readonly mediaId: string;
  readonly userId: string;
  readonly objectKey: string | null;
}

export interface Users {
  add(user: User): Promise<void>;
  get(userId: string): Promise<User | undefined>;
}

/** Facts about the hub for `psn doctor`. */
export interface Inspection {
  /** When each worker was last heard of, in milliseconds ago. */
  workers(): Promise<readonly { readonly name: string; readonly version: string; readonly beatMsAgo: number }[]>;
  /** The oldest delivery that should have gone out, in milliseconds late. */
  late(userId: string): Promise<{ readonly id: string; readonly lateMs: number } | undefined>;
  /** The database's clock minus this machine's, in milliseconds. */
  clockSkewMs(): Promise<number>;
  /** Tables whose rows are not guarded, and whether a stranger sees rows. */
  rowSecurity(): Promise<{ readonly unguarded: readonly string[]; readonly strangerSees: number }>;
  /** How many sealed values each key id holds, over the rows of this user. */
  sealedByKey(userId: string): Promise<Readonly<Record<string, number>>>;
}

/** A key of the user's own app at a platform, as it lies in the database. */
export interface SealedKey {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly updatedAt: Date;
}

export interface Keys {
  /** By name. */
  list(userId: string): Promise<readonly SealedKey[]>;
  /** In place of one by the same name. */
  put(userId: string, key: Omit<SealedKey, "updatedAt">): Promise<void>;
  /** False when there was none. */
  remove(userId: string, name: string): Promise<boolean>;
}

/** A row with sealed values, by column; null where there is none. */
export interface SealedRow {
  readonly table: "oauth_tokens" | "api_keys";
  readonly id: string;
  readonly values: Readonly<Record<string, string | null>>;
  /** Somebody is exchanging its token just now. */
  readonly leased: boolean;
}

/** Whatever is sealed, for a rotation of the key. */
export interface Sealed {
  /** Rows that hold a value of this key, ordered by table and id, after this one. */
  ofKey(userId: string, keyId: string, most: number, after?: SealedRow): Promise<readonly SealedRow[]>;
  /** Rows that hold a value of none of these keys. */
  ofOthers(userId: string, keyIds: readonly string[], most: number): Promise<readonly SealedRow[]>;
  /** Puts these values in place of the row's own; false when they are other ones by now, or their token is being exchanged. */
  reseal(userId: string, row: SealedRow, values: SealedRow["values"]): Promise<boolean>;
  /** How many values each key id has sealed. */
  count(userId: string): Promise<Readonly<Record<string, number>>>;
}

export interface Stores {
  readonly users: Users;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly posts: Posts;
  readonly deliveries: Deliveries;
  readonly inspection: Inspection;
  readonly upkeep: Upkeep;
  readonly sealed: Sealed;
}

/** A table whose rows move with a hub. */
export type HubTable =
  | "users"
  | "accounts"
  | "oauth_tokens"
  | "api_keys"
  | "posts"
  | "media"
  | "deliveries"
  | "delivery_units"
  | "delivery_events"
  | "slots";

/** A row as the database wrote it. */
export interface HubRow {
  readonly table: HubTable;
  readonly json: string;
}

/** All rows of a hub. Each verb is one transaction. */
export interface HubRows {
  /** Number of migrations. */
  readonly schema: number;
  /**
   * Hands over every row of these users as of one instant. `moving` also holds, in the same transaction, everything that has not
   * gone out, from before the rows are read until `take` is done. Throws STATE_CONFLICT while something is on its way.
   */
  read<T>(users: readonly string[], moving: boolean, take: (rows: AsyncIterable<HubRow>) => Promise<T>): Promise<T>;
  /** Inserts them; `finish` is the last thing before they count. Answers how many. */
  write(rows: AsyncIterable<HubRow>, finish: () => Promise<void>): Promise<number>;
  /** True while none of these users has a post or an account. */
  isEmpty(users: readonly string[]): Promise<boolean>;
  /** Schedules what `read` with `moving`, or an import, left held; answers how many. */
  start(users: readonly string[]): Promise<number>;
}

/** Where a sealed value lives; a value moved elsewhere does not open. */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly userId: string;
}

export interface Vault {
  seal(place: Place, plaintext: string): string;
  /** Throws VAULT_TAMPERED or VAULT_LOCKED. */
  open(place: Place, sealed: string): string;
}

/** The keys of the user's own apps at the platforms. */
export interface Apps {
  /** By the names an adapter gives; undefined when there is no id. From the environment and keys.env, else from the hub. Throws VAULT_…, DB_…. */
  find(userId: string, names: AppGuide["keys"]): Promise<OAuthApp | undefined>;
}

export interface Platforms {
  readonly ids: readonly string[];
  /** Throws INPUT_INVALID for an id that is none. */
  load(id: string): Promise<Platform>;
}

/** The world as the use cases see it; nothing in app/ reaches for a global. */
export interface World extends Faults {
  readonly stores: Stores;
  readonly vault: Vault;
  readonly platforms: Platforms;
  readonly apps: Apps;
  /** Absent where workers listen to the database. */
  readonly queue?: Queue;
  /** Absent where all media are in the database. */
  readonly bucket?: Bucket;
  /** Most bytes of a media file that a row may hold, where the way to the database sets a limit; larger ones need the bucket. */
  readonly rowHolds?: number;
  readonly fetch: Fetch;
  /** Tells the user one line, outside of psn. Absent where the hub has no address for that. May throw anything. */
  readonly notify?: (line: string) => Promise<void>;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  /** UUIDv7. */
  readonly newId: () => string;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
