import type {
  AccountHealth,
  DeliveryState,
  HeldReason,
  LatePolicy,
  Operation,
  Visibility,
} from "@psn/core/types/index.ts";
import type { Ref, Unit } from "@psn/core/types/platform.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import type { StoredUnit } from "./deliveries.ts";

/*
 * Posts, their parts and media, and what becomes of them, as a user sees it.
 */

export interface StoredPart {
  readonly text: string;
  /** Absent: plain text. All parts of a post have one format. */
  readonly format?: "markdown";
  readonly media: readonly string[];
}

export type StoredParts = readonly [StoredPart, ...StoredPart[]];

/** In its row, or in the bucket under this name. */
export type StoredMedia = (
  | { readonly content: Uint8Array }
  /** `bucket`: which one, as its `address`; null for what an older psn put there. */
  | { readonly objectKey: string; readonly bucket: string | null }
) & { readonly sha256: string };

/** The media of a post that is written, and where the bytes of each are. */
export type NewPostMedia = readonly (MediaInfo & StoredMedia)[];

export interface NewMedia extends MediaInfo {
  readonly sha256: string;
  readonly content: Uint8Array;
}

/** By platform id, then by name. */
export type StoredOptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What the author wrote, as it is stored: media by their ids. */
export interface StoredSource {
  readonly parts: StoredParts;
  readonly overrides: Readonly<Record<string, StoredParts>>;
  /** Null where an older psn wrote the post: it is unknown which options it had. */
  readonly options: StoredOptions | null;
  readonly title: string | null;
  readonly language: string | null;
  readonly visibility: Visibility | null;
  readonly contentWarning: string | null;
  readonly split: boolean;
  readonly numbered: boolean;
}

/** What made a post where it was no person's command. */
export interface Origin {
  /** Such as `folder`, `csv`, `series`, `feed` or `agent`. */
  readonly kind: string;
  /** Which file, row, occurrence or entry. */
  readonly ref: string;
}

export interface NewPost extends StoredSource {
  readonly id: string;
  readonly origin?: Origin;
  readonly idempotencyKey: string | null;
}

/** A post as it is now. */
export interface SourceRow extends StoredSource {
  readonly postId: string;
  /** Grows with every edit. */
  readonly revision: number;
  /** All its media, also of earlier revisions. */
  readonly media: readonly (MediaInfo & { readonly sha256: string })[];
}

export interface NewDelivery {
  readonly id: string;
  readonly accountId: string;
  readonly units: readonly { readonly id: string; readonly unit: Unit }[];
}

/** When a post is due. */
export interface NewDue {
  readonly at: Date;
  /** What becomes of it when nothing ran then; its user is asked if not given. */
  readonly late?: LatePolicy | undefined;
  /** The wall time that was meant, and its zone; null where an instant was. */
  readonly wallTime?: string | null;
  readonly timeZone?: string | null;
}

/** The next revision of a post, and what becomes of its deliveries. */
export interface NewRevision {
  readonly postId: string;
  /** The one that it is made of. */
  readonly revision: number;
  readonly source: StoredSource;
  /** New ones alone. */
  readonly media: NewPostMedia;
  /** All of which nothing has been sent, each as it was when it was composed. */
  readonly deliveries: readonly {
    readonly id: string;
    readonly fence: number;
    readonly units: NewDelivery["units"];
  }[];
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
  /** Null while it is not held. */
  readonly heldReason: HeldReason | null;
  /** Which revision of its post it carries. */
  readonly revision: number;
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

/** Where a page of a list ends: the next one begins behind it. */
export interface Place {
  /** What the list is ordered by: ISO 8601 in UTC, to the microsecond. */
  readonly at: string;
  /** Of the delivery, which orders those of one instant. */
  readonly id: string;
}

/** A page of a user's deliveries. */
export interface DeliveryRequest {
  /** `due`: the earliest due time first. `changed`: the latest change first. */
  readonly order: "due" | "changed";
  readonly states: DeliveryFilter | readonly DeliveryState[];
  /** Of these accounts alone. */
  readonly accountIds?: readonly string[] | undefined;
  /** Due at this instant or later. */
  readonly since?: Date | undefined;
  /** Some unit's text has these words, in upper or lower case. */
  readonly search?: string | undefined;
  /** Only what comes behind this place. */
  readonly after?: Place | undefined;
  /** How many deliveries at most; 1 or more. */
  readonly limit: number;
}

export interface DeliveryPage {
  readonly deliveries: readonly DeliverySummary[];
  /** Undefined where this is the last page. */
  readonly next: Place | undefined;
}

export interface Posts {
  /**
   * Post, media, deliveries and units at once. False when the idempotency key is taken, and then nothing is written.
   */
  schedule(
    userId: string,
    all: {
      readonly post: NewPost;
      readonly media: NewPostMedia;
      readonly deliveries: readonly NewDelivery[];
      readonly due: NewDue;
    },
  ): Promise<boolean>;
  findByKey(userId: string, idempotencyKey: string): Promise<string | undefined>;
  list(userId: string, filter: DeliveryFilter, most: number): Promise<readonly DeliverySummary[]>;
  /**
   * A page by its place in the order, not by a count: a delivery that nobody changes between two pages is on exactly
   * one of them, whatever becomes of the others.
   */
  page(userId: string, request: DeliveryRequest): Promise<DeliveryPage>;
  ofPost(userId: string, postId: string): Promise<readonly DeliverySummary[]>;
  detail(userId: string, deliveryIds: readonly string[]): Promise<readonly DeliveryDetail[]>;
  /** The deliveries whose own id or whose post's id is this, or ends in it; 200 at most. */
  find(userId: string, id: string): Promise<readonly DeliveryDetail[]>;
  /** What the author wrote; undefined for a post that is not there. */
  source(userId: string, postId: string): Promise<SourceRow | undefined>;
  /**
   * Writes the next revision and composes those deliveries again: all of it, or nothing. `revision`: the post has
   * another one by now. `deliveries`: one of them has gone on, or one that could be changed is not named.
   */
  edit(userId: string, next: NewRevision): Promise<"done" | "revision" | "deliveries">;
  /** Each returns the ids it changed; the others were not in one of these states any more. */
  cancel(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  /** @param meant the wall time that was meant, where `wallTime` only says what a clock shows then. */
  move(
    userId: string,
    to: {
      readonly ids: readonly string[];
      readonly dueAt: Date;
      readonly wallTime: string;
      readonly timeZone: string;
      readonly meant?: string | null | undefined;
    },
  ): Promise<readonly string[]>;
  retry(userId: string, deliveryIds: readonly string[]): Promise<readonly string[]>;
  /**
   * What is out of these is to be removed from its platform, from now on. Nothing of a disconnected account's. `unsent`
   * were not sent when they were looked at: those that are out by now are removed too, the others are cancelled. All of
   * it at once, or nothing.
   */
  remove(userId: string, deliveryIds: readonly string[], unsent?: readonly string[]): Promise<readonly string[]>;
  resolve(userId: string, deliveryId: string, verdict: { readonly live: Ref } | "not-live"): Promise<boolean>;
  /** Where a media file is; undefined once it is pruned. */
  findMedia(userId: string, mediaId: string): Promise<StoredMedia | undefined>;
}
