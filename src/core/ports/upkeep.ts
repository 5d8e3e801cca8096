/*
 * What keeps a hub in order, over all its users.
 */

/** What keeps a hub in order; ids over all users. */
export interface Upkeep {
  /** Accounts whose tokens should be exchanged before somebody needs them. */
  staleTokens(platforms: readonly string[], aheadMs: number, idleMs: number): Promise<readonly StaleToken[]>;
  /** Accounts whose tokens end within `aheadMs` and cannot be renewed; each is given once, and noted on the account. */
  noteEndingTokens(platforms: readonly string[], aheadMs: number): Promise<readonly EndingToken[]>;
  /** Media that nobody can need any more, since every delivery of their post has ended so long ago. */
  spentMedia(ageMs: number, most: number): Promise<readonly SpentMedia[]>;
  /** Users whose folders of the bucket this hub keeps in order; none while the hub is a copy that nobody has judged. */
  users(): Promise<readonly string[]>;
  /** Which of these names of objects no media have. */
  unnamed(objectKeys: readonly string[]): Promise<readonly string[]>;
  /** Notes what is wrong with the hub for this user; true for the first process that notes it. */
  noteTrouble(userId: string, said: string): Promise<boolean>;
  /** Forgets it, and lets this user's deliveries that wait with this code go on now. Answers how many. */
  mendTrouble(userId: string, said: string, code: string): Promise<number>;
  /** Lets the deliveries of all users that wait with one of these codes go on now. Answers how many. */
  wakeTroubled(codes: readonly string[]): Promise<number>;
  /** Forgets the troubles that no delivery waits for any more; answers of how many users. */
  forgetTroubles(): Promise<number>;
  /** Forgets where these media are; their descriptions stay. */
  dropMedia(userId: string, mediaIds: readonly string[]): Promise<void>;
  /** Forgets the secrets whose time is over (`Credentials.secretUntil`); returns how many. */
  dropEndedSecrets(): Promise<number>;
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
  /**
   * Settings of the server, without which a power cut loses commits or damages the database. On Neon neither matters.
   */
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  /** Standbys of the server, none of which a commit waits for. 0 where a commit waits for one. */
  readonly asynchronousStandbys: number;
}

/** Something in the database that decides who may read and write, and that is not as the migrations made it. */
export interface Difference {
  /** `policy`, `grant`, `function`, `login` …: the words of `core/db/facts.ts`. */
  readonly kind: string;
  readonly said: string;
  /** What makes it so again, run by the tables' owner; empty where nothing safe can be named. */
  readonly sql: readonly string[];
  /** `psn db migrate --repair` runs it. */
  readonly repairable: boolean;
  /** False for what is a danger only where somebody else on the server means ill. */
  readonly severe: boolean;
}

/** Facts about the hub for `psn doctor`. */
export interface Inspection {
  /** When each worker was last heard of, in milliseconds ago, and the settings it went by then (`World.settings`). */
  workers(): Promise<
    readonly {
      readonly name: string;
      readonly version: string;
      readonly beatMsAgo: number;
      readonly settings: Readonly<Record<string, string>>;
    }[]
  >;
  /** What this user's posts wait for that is wrong with the hub (by code and message), and how many do. */
  troubles(
    userId: string,
    codes: readonly string[],
  ): Promise<readonly { readonly code: string; readonly message: string; readonly posts: number }[]>;
  /** The oldest delivery that should have gone out, in milliseconds late. */
  late(userId: string): Promise<{ readonly id: string; readonly lateMs: number } | undefined>;
  /** The database's clock minus this machine's, in milliseconds. */
  clockSkewMs(): Promise<number>;
  /** What the database server does to keep what it has committed. */
  durability(): Promise<Durability>;
  /** What is not as the migrations made it: policies, grants, functions, memberships and the login itself. */
  differences(): Promise<readonly Difference[]>;
  /** How many users and posts somebody sees who is no user of this hub. */
  strangerSees(): Promise<number>;
  /** How many sealed values each key id holds, over the rows of this user. */
  sealedByKey(userId: string): Promise<Readonly<Record<string, number>>>;
}
