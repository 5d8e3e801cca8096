import type { HubPlace } from "@psn/core/types/account.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import type { Accounts, Keys, Users } from "./accounts.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Faults } from "./fault-points.ts";
import type { Sealed } from "./hub.ts";
import type { Incarnations, Recovery } from "./incarnation.ts";
import type { Apps, Bucket, Platforms, Queue, Vault } from "./outside.ts";
import type { Posts } from "./posts.ts";
import type { Inspection, Upkeep } from "./upkeep.ts";

/*
 * What the use cases need from outside. Every verb of a store is atomic: one statement or one batch, because over HTTP
 * there is no transaction to hold. Every verb that touches rows takes the user whose rows they are.
 */

export interface Stores {
  readonly users: Users;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly posts: Posts;
  readonly deliveries: Deliveries;
  readonly incarnation: Incarnations;
  readonly inspection: Inspection;
  readonly upkeep: Upkeep;
  readonly recovery: Recovery;
  readonly sealed: Sealed;
}

/** The world as the use cases see it; nothing in app/ reaches for a global. */
export interface World extends Faults {
  readonly stores: Stores;
  readonly vault: Vault;
  readonly platforms: Platforms;
  readonly apps: Apps;
  /** Absent where workers listen to the database. */
  readonly queue?: Queue;
  /** Absent where all media are in the database. Throws CONFIG_INVALID while the settings name half a bucket. */
  readonly bucket?: Bucket | undefined;
  /**
   * What the names of this hub's objects begin with, behind their user's folder: a hub that was imported from another
   * has its users, and may have its bucket. Absent: nothing.
   */
  readonly objectMark?: string;
  /** The same of the objects that it put there under earlier keys. Absent: none. */
  readonly formerMarks?: readonly string[];
  /**
   * Most bytes of a media file that a row may hold, where the way to the database sets a limit; larger ones need the
   * bucket.
   */
  readonly rowHolds?: number;
  readonly fetch: Fetch;
  /** Id of the user whose hub this is. Absent in the tasks, where no platform needs the user's own machine. */
  readonly hubUserId?: string;
  /** Absent in a task. */
  readonly hub?: HubPlace;
  /** Tells the user one line, outside of psn. Absent where the hub has no address for that. May throw anything. */
  readonly notify?: ((line: string) => Promise<void>) | undefined;
  /**
   * What this process goes by now, also what it read only when it started, by the name of a setting: `file` or `shell`,
   * where it is from, and a digest that tells it from another value. Absent in a task, whose settings come with its
   * deployment.
   */
  readonly settings?: () => Readonly<Record<string, string>>;
  /** The wall clock, which may be wrong and may step. */
  readonly now: () => Date;
  /** Milliseconds of a clock that never steps, since an instant that means nothing. */
  readonly elapsedMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** UUIDv7. */
  readonly newId: () => string;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
