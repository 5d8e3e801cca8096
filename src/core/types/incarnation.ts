import type { Parting } from "./index.ts";

/** The database's own word. */
export interface Sight {
  /** Undefined in a database that no hub has opened yet. */
  readonly id: string | undefined;
  /** Ids it had before. */
  readonly past: readonly string[];
  /** Grows with every look, and goes back only with the database. */
  readonly seen: number;
  /** What was seen is committed, and so may be noted. */
  readonly counted: boolean;
  /** Since when nothing is published from here, and why. */
  readonly parted: { readonly at: Date; readonly why: Parting } | undefined;
  /** The server, the database or the line of its history is not the one this incarnation began in. */
  readonly elsewhere: boolean;
  /** It holds deliveries. */
  readonly used: boolean;
}

/** What lies beside the database, on this machine. Every part of it may be missing. */
export interface Notes {
  /** The incarnation; null while the first one is being made. */
  readonly id: string | null | undefined;
  /** The one that is about to take its place. */
  readonly next: string | undefined;
  /** The embedded database lies in another folder than it did then. */
  readonly moved: boolean;
  /** Where the hub was when that was noted. */
  readonly folder: string | undefined;
  /** The most that was seen of `id`; 0 where nobody remembers. */
  readonly seen: number;
}
