/*
 * The settings that come with the archive of a hub.
 */

export interface TransferredSetting {
  readonly name: string;
  readonly place: "hub.env" | "keys.env" | "sealed in the hub";
  /** A secret masked, but for where a web address leads to. */
  readonly shown: string;
}

/** What a file says, by names, and the names of the keys that are sealed in its rows. */
export interface BroughtSettings {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly keys: Readonly<Record<string, unknown>>;
  readonly sealed: readonly string[];
}

export interface TransferredSettings {
  /** What the file would set. */
  readonly take: readonly TransferredSetting[];
  /** What this hub says already, which stands. */
  readonly kept: readonly string[];
  /** Names that psn does not take from a file; what is no name at all is not repeated. */
  readonly unknown: readonly string[];
}
