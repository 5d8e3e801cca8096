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

/**
 * Wakes somebody up from outside, where no worker listens to the database. Losing a wake-up is harmless: the watchdog
 * looks too.
 */
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

/** Where large media are kept. Every name is `psn/USER/…`, so that hubs can share a bucket. */
/** What is put into a bucket. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly mime: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Bucket {
  /** The service's origin and the bucket's name, `https://host/name`: what tells this bucket from another. */
  readonly address: string;
  /** The service has checked the bytes, or they were read back. An aborted one may still be there. */
  put(key: string, content: Content): Promise<void>;
  /**
   * Undefined when it is not there, asked twice. Throws MEDIA_GONE when the bucket has other bytes under that name, by
   * its own word, and VENDOR_REFUSED when what comes is not what was put there, and the reason is unknown, by its
   * SHA-256 in hex. `most`: its size in bytes.
   */
  get(key: string, sha256: string, most?: number): Promise<Uint8Array | undefined>;
  /** An address under which anybody can fetch it for so many seconds, at most a week. */
  link(key: string, seconds: number): string;
  /** What is not there is no error. */
  remove(key: string): Promise<void>;
  /** Everything in a folder, `psn/USER/`. */
  list(folder: string): Promise<readonly ListedObject[]>;
  /** Writes something small into a folder, `psn/USER/`, reads it back and removes it. */
  check(folder: string): Promise<void>;
}

export interface ListedObject {
  readonly key: string;
  /** How long ago it was written, in milliseconds, by the service's own clock. */
  readonly ageMs: number;
}

/** Where a sealed value lives and what it is for; it opens nowhere else and for nothing else (ADR 19). */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly userId: string;
  /**
   * Which values of the row these are, from 1: every new token counts it up, so that an older value of the row does not
   * open.
   */
  readonly version: number;
  /**
   * What the value may be used for. Of a token: its account's platform, subject and home. Of an app's key: the key's
   * name.
   */
  readonly audience: readonly string[];
}

export interface Vault {
  seal(place: Place, plaintext: string): string;
  /** Throws VAULT_TAMPERED or VAULT_LOCKED. */
  open(place: Place, sealed: string): string;
}

/** The keys of the user's own apps at the platforms. */
export interface Apps {
  /**
   * By the names an adapter gives; undefined when there is no id. From the environment and keys.env, else from the hub.
   * Throws VAULT_…, DB_….
   */
  find(userId: string, names: AppGuide["keys"]): Promise<OAuthApp | undefined>;
}

export interface Platforms {
  readonly ids: readonly string[];
  /** Throws INPUT_INVALID for an id that is none. */
  load(id: string): Promise<Platform>;
}
