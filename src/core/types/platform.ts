import type {
  Auth,
  Authorization,
  AuthorizeRequest,
  Connection,
  Credentials,
  ExchangeRequest,
  Flaw,
  HubPlace,
  Known,
  OAuthApp,
  Profile,
} from "./account.ts";
import type { Capabilities, Limits } from "./capabilities.ts";
import type { Json } from "./index.ts";
import type { Media, Post } from "./post.ts";

export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

/** What every call of an adapter is given instead of globals. */
export interface Net {
  readonly fetch: Fetch;
  readonly now: () => Date;
  /** Stops a call before its bytes leave. */
  readonly signal: AbortSignal;
  /** Whose account it is. Absent where an adapter is used by itself. */
  readonly owner?: Owner;
  /** For a platform that publishes into a folder; absent in a task, which has no hub. */
  readonly hub?: HubPlace;
  /** For `connect`: it looks at everything, and writes to no disk. */
  readonly dryRun?: true;
}

export interface Owner {
  /** The user's id. It is made at random, and so no other hub has it. */
  readonly userId: string;
  /** Whether this is the user whose hub it is, and not a member of it. */
  readonly ownsHub: boolean;
}

export interface Session extends Net {
  readonly credentials: Credentials;
  readonly profile: Profile;
  /** The user's own app at the platform, for `refresh` and `revoke`; absent where there is none. */
  readonly app?: OAuthApp;
  /**
   * Throws LEASE_LOST where another worker acts on the unit by now. In `publish` and `remove`, `fetch` asks this before
   * each request that can change something; an adapter that writes without `fetch` awaits it last before the write.
   * Absent elsewhere.
   */
  readonly assertHeld?: () => Promise<void>;
}

// The words between the application and an adapter.

/** One thing that is wrong with a post for a platform. */
export interface Issue {
  /**
   * `text.too-long`, `text.empty`, `media.too-many`, `media.type`, `media.too-large`, `alt.too-long`, `visibility`, …
   */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** One request-sized piece, ready to be stored and sent. */
export interface Unit<Body extends Json = Json> {
  /** What the adapter sends, but for what is only known at the time of sending. */
  readonly body: Body;
  /** The text a reader will see, for previews and for finding it again. */
  readonly text: string;
  /** `text`, counted by the platform's own rule. */
  readonly length: number;
  /** Ids of this unit's media, in order. */
  readonly media: readonly string[];
  /** True when `prepare` must run before this unit may be sent. */
  readonly prepare: boolean;
  /** Links whose address is not in `text`; for previews, and not stored. */
  readonly links?: readonly { readonly text: string; readonly url: string }[];
  /** What is sent beside `text` as HTML; for previews, and not stored. */
  readonly html?: string;
  /** Its media are sent as links into the bucket, whatever their size. */
  readonly linked?: true;
}

export type Composed<Body extends Json = Json> =
  | { readonly ok: true; readonly units: readonly [Unit<Body>, ...Unit<Body>[]] }
  | { readonly ok: false; readonly issues: readonly [Issue, ...Issue[]] };

/** The platform's own name for a thing it now holds. */
export interface Ref {
  readonly id: string;
  readonly url: string;
  /** The platform's content id, where an answer must name it (atproto's `cid`). */
  readonly revision?: string;
}

export type Outcome =
  | { readonly status: "published"; readonly ref: Ref }
  | { readonly status: "pending"; readonly handle: Json; readonly checkAfterMs: number };

/**
 * What `prepare` came to. `pending`: the platform still works on what it was given; the engine calls `prepare` again,
 * with the handle.
 */
export type Preparation =
  | { readonly status: "prepared"; readonly prepared: Json }
  | {
      readonly status: "pending";
      readonly handle: Json;
      readonly checkAfterMs: number;
      /** The platform asks for a pause of the whole account. */
      readonly pausedForMs?: number;
    };

export interface PublishRequest<Body extends Json = Json> {
  readonly unit: Unit<Body>;
  /** What `prepare` made, kept durably; null before, and when the unit needs no preparing. */
  readonly prepared: Json;
  /** For `prepare`: the handle it was pending with, kept durably; absent on a first call. */
  readonly handle?: Json;
  /**
   * This unit's media, in order. In `publish` of an adapter without `prepare` they are in memory, and their links made,
   * already.
   */
  readonly media: readonly Media[];
  /** A UUID, stable for this unit across every attempt. */
  readonly key: string;
  /** When this unit was first about to be sent; stored before, stable across every attempt. */
  readonly at: Date;
  /** An earlier attempt may have reached the platform: what it refuses as said already may be this very unit. */
  readonly again?: true;
  /**
   * For `lookup`: it is unknown whether, when and under what key the unit was sent, only that it was not before `at`.
   * It is searched for by its words, as a person would.
   */
  readonly searching?: true;
  /** First unit of the thread and the one before; absent on the first unit. */
  readonly root?: Ref;
  readonly parent?: Ref;
  /** When the unit before was published; absent where this is unknown. */
  readonly parentAt?: Date;
}

// The contract.

/**
 * Everything psn knows about one platform. Optional verbs are absent, never stubs.
 * Verbs throw only `PsnError`; `tests/contract/platform.ts` holds every promise below to every platform.
 */
export interface Platform<Id extends string = string, Body extends Json = Json> {
  readonly id: Id;
  readonly name: string;
  /** The vendor's page this adapter was written from. */
  readonly docs: string;
  readonly capabilities: Capabilities;
  /** Present where `identify` asks nobody who could say no: what `psn doctor` says of the account then. */
  readonly unasked?: string;
  /**
   * What a token must be allowed, by verb, where the platform has scopes: one that is missing is said before anything
   * is sent. A scope before a colon holds those behind it (`write` holds `write:media`).
   */
  readonly scopes?: Readonly<Partial<Record<"prepare" | "publish" | "lookup" | "remove", readonly string[]>>>;
  /** The ways to connect; the first is the one taken when the user does not say. */
  readonly auth: readonly [Auth, ...Auth[]];

  /** From the form's values to a connection. Present where one way is a form. Changes nothing the platform shows. */
  connect?(form: Readonly<Record<string, string>>, net: Net, known?: Known): Promise<Connection>;

  /** The page on which a person consents. Present where one way is OAuth. */
  authorize?(request: AuthorizeRequest, net: Net): Promise<Authorization>;

  /**
   * From the browser's answer to a connection. Present where one way is OAuth. Throws AUTH_REVOKED for a code that is
   * refused.
   */
  exchange?(request: ExchangeRequest, net: Net): Promise<Connection>;

  /** Pure. Those of the credentials' secrets that no second account should have; absent where that cannot be. */
  sole?(credentials: Credentials): readonly string[];

  /** Pure. What is wrong with stored credentials that work nevertheless; undefined where nothing is. */
  flaw?(credentials: Credentials): Flaw | undefined;

  /** Who owns these credentials, asked again. Read-only. */
  identify(session: Session): Promise<Profile>;

  /** Pure. Turns a post into units, or says everything that is wrong with it at once. Never throws. */
  compose(post: Post, limits: Limits): Composed<Body>;

  /**
   * All that must happen before a unit can be sent and shows nothing to anybody: uploads, look-ups. May run again after
   * a crash. What it made is stored and handed to every attempt of `publish`. Never waits for a platform that works on
   * something: it is `pending` then, and goes on from `request.handle`.
   */
  prepare?(request: PublishRequest<Body>, session: Session): Promise<Preparation>;

  /**
   * Sends exactly one unit, by exactly one request that can create it.
   * Throws OUTCOME_UNKNOWN once bytes may have reached the platform and it gave no clear answer.
   */
  publish(request: PublishRequest<Body>, session: Session): Promise<Outcome>;

  /** Asks about a `pending` outcome. Read-only; safe any number of times. */
  poll?(handle: Json, session: Session): Promise<Outcome>;

  /**
   * Searches for a unit that may already be public. Read-only. Ids in `known` belong to other units.
   * Resolves to undefined when it is not there.
   */
  lookup?(request: PublishRequest<Body>, session: Session, known: ReadonlySet<string>): Promise<Ref | undefined>;

  /**
   * The account's own post that a person sees at this address. Read-only. Resolves to undefined when none is found
   * there. Absent where no unit ever answers another.
   */
  locate?(url: string, session: Session): Promise<Ref | undefined>;

  /** New credentials in exchange for old ones. Throws AUTH_REVOKED when only the user can help. */
  refresh?(session: Session): Promise<Credentials>;

  /** Tells the platform to forget the credentials. What it has forgotten already is success. */
  revoke?(session: Session): Promise<void>;

  /**
   * Takes a published unit back. Idempotent: what is gone already is success, so that a lost answer is settled by
   * asking again. A refusal after which the adapter has seen the post still there says so (`neverTaken`).
   */
  remove(ref: Ref, session: Session): Promise<void>;
}
