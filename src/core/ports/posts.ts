import type { AccountHealth, DeliveryState, LatePolicy, Operation, Visibility } from "@psn/core/types/index.ts";
import type { Ref, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import type { StoredUnit } from "./deliveries.ts";

/*
 * Posts, their parts and media, and what becomes of them, as a user sees it.
 */

export interface StoredPart {
  readonly text: string;
  readonly media: readonly string[];
}

export type StoredParts = readonly [StoredPart, ...StoredPart[]];

/** In its row, or in the bucket under this name. */
export type StoredMedia = (
  | { readonly content: Uint8Array }
  /** `bucket`: which one, as its `address`; null for what an older psn put there. */
  | { readonly objectKey: string; readonly bucket: string | null }
) & { readonly sha256: string };

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
  readonly operation: Operation;
  readonly dueAt: Date;
  /**
   * While it is scheduled or pending: the earliest instant at which somebody can act, after any pause of its account.
   */
  readonly wakeAt: Date;
  /**
   * Until somebody can act, in milliseconds, by the database's clock: until then, or until a missing answer is asked
   * for again.
   */
  readonly aheadMs: number;
  /**
   * When the next attempt or look is planned; past where no worker ran then. Null while a worker is at work, and where
   * none is planned.
   */
  readonly nextAt: Date | null;
  /** A worker holds it, and may be sending. */
  readonly atWork: boolean;
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
  /**
   * Post, media, deliveries and units at once. False when the idempotency key is taken, and then nothing is written.
   */
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
  /** The deliveries whose own id or whose post's id is this, or ends in it; 200 at most. */
  find(userId: string, id: string): Promise<readonly DeliveryDetail[]>;
  /** Each returns the ids it changed; the others were not in one of these states any more. */
  cancel(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  move(
    userId: string,
    deliveryIds: readonly string[],
    dueAt: Date,
    wallTime: string,
    timeZone: string,
  ): Promise<readonly string[]>;
  retry(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  /** What is out of these is to be removed from its platform, from now on. Nothing of a disconnected account's. */
  remove(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  resolve(userId: string, deliveryId: string, verdict: { readonly live: Ref } | "not-live"): Promise<boolean>;
  /** Where a media file is; undefined once it is pruned. */
  findMedia(userId: string, mediaId: string): Promise<StoredMedia | undefined>;
}
