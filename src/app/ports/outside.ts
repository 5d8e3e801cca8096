import type { AppGuide, OAuthApp } from "@psn/core/types/account.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import type { Platform } from "@psn/core/types/platform.ts";

/*
 * What is neither the database nor a platform: the queue, the bucket, the vault.
 */

/** Somebody should look at a delivery at an instant. A hint: the row decides whether there is something to do. */
export interface WakeUp {
  readonly deliveryId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly platform: string;
  /** As it was when this was asked for. */
  readonly fence: number;
  /** `claimed` and `sending` mean that a lease ends then. */
  readonly state: DeliveryState;
  readonly at: Date;
}

/** Wakes somebody up from outside, where no worker listens to the database. Losing a wake-up is harmless: the watchdog looks too. */
export interface Queue {
  /** What it is called in messages. */
  readonly name: string;
  /** False for a platform that only a worker on the user's machine can reach. */
  serves(platform: string): boolean;
  /**
   * Asks for one; the same wake-up twice is one. `again` makes it another than all before it. Returns its handle.
   * Throws VENDOR_….
   */
  wake(wakeUp: WakeUp, again?: string): Promise<string>;
  /** Takes one back, if it has not happened yet. */
  forget(handle: string): Promise<void>;
}

/** Where large media are kept. */
export interface Bucket {
  /** An aborted one may be there all the same. */
  put(key: string, bytes: Uint8Array, mime: string, signal?: AbortSignal): Promise<void>;
  /**
   * Undefined when it is not there. Throws FILE_UNREADABLE when it is not what was put there, going by its SHA-256 in hex. `bytes`: how many
   * it has; more are not read.
   */
  get(key: string, sha256: string, bytes?: number): Promise<Uint8Array | undefined>;
  /** An address under which anybody can fetch it for so many seconds, at most a week. */
  link(key: string, seconds: number): string;
  /** What is not there is no error. */
  remove(key: string): Promise<void>;
  /** Writes something small, reads it back and removes it. */
  check(): Promise<void>;
}

/** Where a sealed value lives and what it is for; it opens nowhere else and for nothing else (ADR 19). */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly userId: string;
  /** Which values of the row these are, from 1: every new token counts it up, so that an older value of the row does not open. */
  readonly version: number;
  /** What the value may be used for. Of a token: its account's platform, subject and home. Of an app's key: the key's name. */
  readonly audience: readonly string[];
}

export interface Vault {
  seal(place: Place, plaintext: string): string;
  /** Throws VAULT_TAMPERED or VAULT_LOCKED. */
  open(place: Place, sealed: string): string;
}

/** The keys of the user's own apps at the platforms. */
export interface Apps {
  /** By the names an adapter gives; undefined when there is no id. From the environment and keys.env, else from the hub. Throws VAULT_…, DB_…. */
  find(userId: string, names: AppGuide["keys"]): Promise<OAuthApp | undefined>;
}

export interface Platforms {
  readonly ids: readonly string[];
  /** Throws INPUT_INVALID for an id that is none. */
  load(id: string): Promise<Platform>;
}
