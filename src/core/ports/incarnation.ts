import type { Notes, Sight } from "@psn/core/types/incarnation.ts";
import type { Parting } from "@psn/core/types/index.ts";
import type { Ref } from "@psn/core/types/platform.ts";

/*
 * Which life of the hub this is: a row in the database, and notes beside it (ADR 15).
 */

export interface Incarnations {
  look(): Promise<Sight>;
  /** The first incarnation, if there is none; or the next one, in place of this. Returns the one that holds. */
  become(id: string, instead?: string): Promise<string>;
  /**
   * Holds everything that is still to come, over all users; answers how many. `first` becomes the incarnation where
   * there is none.
   */
  part(why: Parting, first: string): Promise<number>;
}

/** The notes of a hub on this machine. */
export interface NoteFiles {
  /** The database is a folder on this machine, which can be copied with the hub. */
  readonly embedded: boolean;
  read(): Notes;
  /** Durably. Throws CONFIG_UNWRITABLE. */
  write(id: string | null, next?: string): void;
  /** Not synced, since a note that lags behind is harmless; never throws. */
  noteSeen(id: string, seen: number): void;
  /** One process at a time. Throws HUB_BUSY, CONFIG_UNWRITABLE. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** What became of a delivery whose database was copied or restored. */
export interface Recovered {
  readonly state: "published" | "scheduled" | "unconfirmed";
  /** Units that the platform has, and psn did not know of. */
  readonly found: readonly { readonly position: number; readonly ref: Ref }[];
  readonly why: string;
}

export interface Recovery {
  /**
   * Ids of this user's deliveries that another life of the hub may have published, or may publish; the earliest due
   * first.
   */
  open(userId: string): Promise<readonly string[]>;
  /** False when it was changed since it was loaded. */
  settle(
    userId: string,
    delivery: { readonly id: string; readonly fence: number },
    recovered: Recovered,
  ): Promise<boolean>;
}
