import type { Profile } from "@psn/core/types/account.ts";
import type { AccountHealth } from "@psn/core/types/index.ts";

/*
 * Users, their accounts, and the keys of their own apps at the platforms.
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
  /** See `Place`. */
  readonly version: number;
  readonly access: string;
  readonly refresh: string | null;
  readonly secret: string | null;
  /** When `secret` ends and is forgotten, where it does so by itself. */
  readonly secretUntil: Date | null;
  readonly expiresAt: Date | null;
  readonly scopes: readonly string[];
}

/** Credentials that were read, with what their account was in the same instant. */
export interface StoredCredentials extends SealedCredentials {
  /** The account's platform, subject and home. */
  readonly audience: readonly string[];
}

/** How many of an account's deliveries its end has changed. */
export interface Disconnected {
  readonly cancelled: number;
  readonly unconfirmed: number;
}

export interface Accounts {
  list(userId: string): Promise<readonly Account[]>;
  /** Id of the account with this subject, connected now or before. */
  find(userId: string, platform: string, subject: string): Promise<string | undefined>;
  /** Inserts or reconnects; deliveries that were held for the account are scheduled again. */
  connect(
    userId: string,
    account: { readonly id: string; readonly platform: string; readonly profile: Profile },
    credentials: SealedCredentials,
  ): Promise<void>;
  /**
   * Forgets the credentials, keeps the history, cancels what is still to come and makes unconfirmed what waits for an
   * answer.
   */
  disconnect(userId: string, accountId: string): Promise<Disconnected>;
  credentials(userId: string, accountId: string): Promise<StoredCredentials | undefined>;
  /**
   * Takes the right to refresh for `leaseMs`, if nobody has it (`taken`) and the last exchange was long enough ago
   * (else `resting`).
   */
  leaseRefresh(userId: string, accountId: string, leaseMs: number): Promise<"mine" | "taken" | "resting">;
  /**
   * Stores refreshed credentials in place of `previous`, gives the lease back, and lets nobody refresh again for
   * `restMs`; false when they were replaced meanwhile.
   */
  refreshed(
    userId: string,
    exchange: {
      readonly accountId: string;
      readonly previous: SealedCredentials;
      readonly credentials: SealedCredentials;
      readonly restMs: number;
    },
  ): Promise<boolean>;
  releaseRefresh(userId: string, accountId: string): Promise<void>;
  /** Whether nothing of the account has gone out for so long, though it was connected all the time. */
  hasFailed(userId: string, accountId: string, forMs: number): Promise<boolean>;
  /** Marks an account that only its user can fix. */
  needsReconnect(userId: string, accountId: string, reason: string): Promise<void>;
}

export interface Users {
  add(user: User): Promise<void>;
  /** Answers the user as they are then. */
  change(userId: string, change: Partial<Omit<User, "id">>): Promise<User | undefined>;
  get(userId: string): Promise<User | undefined>;
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
