/*
 * A hub as a whole: whatever is sealed, and every row of it.
 */

/** A row with sealed values, by column; null where there is none. */
export interface SealedRow {
  readonly table: "oauth_tokens" | "api_keys";
  readonly id: string;
  readonly values: Readonly<Record<string, string | null>>;
  /** What they are bound to: see `Place`. */
  readonly version: number;
  readonly audience: readonly string[];
  /** Somebody is exchanging its token just now. */
  readonly leased: boolean;
}

/** Whatever is sealed, for a rotation of the key. */
export interface Sealed {
  /** Rows that hold a value of this key, ordered by table and id, after this one. */
  ofKey(
    userId: string,
    page: { readonly keyId: string; readonly most: number; readonly after?: SealedRow | undefined },
  ): Promise<readonly SealedRow[]>;
  /** Rows that hold a value of none of these keys. */
  ofOthers(userId: string, keyIds: readonly string[], most: number): Promise<readonly SealedRow[]>;
  /**
   * Puts these values in place of the row's own; false when they are other ones by now, or their token is being
   * exchanged.
   */
  reseal(userId: string, row: SealedRow, values: SealedRow["values"]): Promise<boolean>;
  /** How many values each key id has sealed. */
  count(userId: string): Promise<Readonly<Record<string, number>>>;
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
   * Hands over every row of these users as of one instant. `moving` also holds, in the same transaction, everything
   * that has not gone out, from before the rows are read until `take` is done. Throws HUB_BUSY while something is
   * on its way.
   */
  read<T>(users: readonly string[], moving: boolean, take: (rows: AsyncIterable<HubRow>) => Promise<T>): Promise<T>;
  /** How many rows `read` would hand over just now. */
  count(users: readonly string[]): Promise<number>;
  /** Inserts them; `finish` is the last thing before they count. Answers how many. */
  write(rows: AsyncIterable<HubRow>, finish: () => Promise<void>): Promise<number>;
  /** True while none of these users has a post or an account. */
  isEmpty(users: readonly string[]): Promise<boolean>;
  /** Schedules what `read` with `moving`, or an import, left held; answers how many. */
  start(users: readonly string[]): Promise<number>;
}
