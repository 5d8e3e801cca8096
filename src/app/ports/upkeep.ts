/*
 * What keeps a hub in order, over all its users.
 */

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

export interface Durability {
  /** Settings of the server, without which a power cut loses commits or damages the database. On Neon neither matters. */
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  /** Standbys of the server, none of which a commit waits for. 0 where a commit waits for one. */
  readonly asynchronousStandbys: number;
}

/** Facts about the hub for `psn doctor`. */
export interface Inspection {
  /** When each worker was last heard of, in milliseconds ago. */
  workers(): Promise<readonly { readonly name: string; readonly version: string; readonly beatMsAgo: number }[]>;
  /** The oldest delivery that should have gone out, in milliseconds late. */
  late(userId: string): Promise<{ readonly id: string; readonly lateMs: number } | undefined>;
  /** The database's clock minus this machine's, in milliseconds. */
  clockSkewMs(): Promise<number>;
  /** What the database server does to keep what it has committed. */
  durability(): Promise<Durability>;
  /** Tables whose rows are not guarded, and whether a stranger sees rows. */
  rowSecurity(): Promise<{ readonly unguarded: readonly string[]; readonly strangerSees: number }>;
  /** How many sealed values each key id holds, over the rows of this user. */
  sealedByKey(userId: string): Promise<Readonly<Record<string, number>>>;
}
