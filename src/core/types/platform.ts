import type { Json, Visibility } from "./index.ts";

// What the author wrote, as an adapter sees it.

/** A `document` is a PDF that a platform shows page by page. */
export type MediaKind = "image" | "video" | "document";

/** A media file's description: all that composing needs. */
export interface MediaInfo {
  readonly id: string;
  readonly kind: MediaKind;
  /** IANA media type, found from the bytes and not from the file's name. */
  readonly mime: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** Pixels, when the format tells. */
  readonly width?: number;
  readonly height?: number;
  /** How long a video plays, in milliseconds, when the format tells. */
  readonly durationMs?: number;
  /** Text for people who cannot see it. */
  readonly alt?: string;
}

/** A media file that can be read. */
export interface Media extends MediaInfo {
  /** Opened lazily, so that a retry reads it anew from where it is kept. */
  readonly open: () => Promise<Blob>;
  /** A public address under which it can be fetched for so many seconds; absent where the hub has no bucket. Throws VENDOR_…. */
  readonly link?: (seconds: number) => Promise<string>;
}

export interface Part {
  readonly text: string;
  /** In the order in which they are to be shown. */
  readonly media: readonly MediaInfo[];
}

export interface Post {
  readonly id: string;
  /** One part, or the parts of a thread in order. */
  readonly parts: readonly [Part, ...Part[]];
  /** BCP 47, for example `en` or `pt-BR`. */
  readonly language?: string;
  readonly visibility?: Visibility;
  /** Shown in place of the post until the reader asks for it. */
  readonly contentWarning?: string;
  /** A title, where a platform has one (a feed). */
  readonly title?: string;
  /** Split what is too long into a thread. */
  readonly split?: boolean;
  /** Number the parts of a thread: `1/3`. */
  readonly numbered?: boolean;
  /** What only this platform knows, by the names in `Capabilities.options`. */
  readonly options?: Readonly<Record<string, string>>;
}

// What a platform allows: data, so that the CLI, the docs and the check agree.

export interface TextRule {
  /** Most that fit, in `unit`. */
  readonly max: number;
  /** What is counted. Graphemes are user-perceived characters (UAX #29). */
  readonly unit: "grapheme" | "codepoint" | "utf16" | "byte";
  /** What every URL counts, however long it is. */
  readonly urlCost?: number;
  /** A second bound in UTF-8 bytes, where the platform has one. */
  readonly maxBytes?: number;
  /** `local`: `@name@server` counts as `@name`. */
  readonly mention?: "local";
}

export interface MediaRule {
  /** Most files in one unit. */
  readonly max: number;
  readonly maxBytes: number;
  readonly mimes: readonly string[];
}

/** The limits one account works under: the platform's, with what its server says of itself laid over them. */
export interface Limits {
  readonly text: TextRule;
  readonly images?: MediaRule;
  readonly videos?: MediaRule;
  readonly documents?: MediaRule;
  /** Longest alt text in graphemes; false where the platform has none. */
  readonly altText: number | false;
}

export interface Capabilities extends Limits {
  /** `reply-chain`: each unit answers the one before. `merge`: no limit worth a thread, parts become one unit. */
  readonly thread: "reply-chain" | "merge";
  readonly visibilities: readonly Visibility[];
  readonly contentWarning: boolean;
  /**
   * How a lost answer is settled.
   * `client-id`: psn chose the id, so sending again is harmless and "already there" is success.
   * `idempotency-key`: look for the post first, then send again with the same key.
   * `refused`: the platform refuses the same content a second time and says which post it has, so sending again is harmless.
   * `lookup`: search, and ask a person when it is not found.
   * `ask-human`: nothing can be asked.
   */
  readonly duplicates: "client-id" | "idempotency-key" | "refused" | "lookup" | "ask-human";
  /** Most deliveries in flight for one account. */
  readonly concurrency: number;
  /** The platform fetches media from a public address, which only a hub with a bucket can give. */
  readonly mediaByLink?: true;
  /** What only this platform knows. */
  readonly options?: readonly OptionRule[];
}

/** Something a post may say to one platform alone: `--option x.reply=following`. */
export interface OptionRule {
  /** Lower case, without a dot. */
  readonly name: string;
  readonly help: string;
  /** All it may be; absent where it is free text, which `compose` judges. */
  readonly values?: readonly string[];
}

// How an account connects.

export interface FormField {
  /** The flag is `--<name>`; a secret is read by prompt, `--<name>-stdin` or `--<name>-file`, never from argv. */
  readonly name: string;
  readonly secret: boolean;
  readonly help: string;
  /** Used when nothing is given; a field without one is required. An empty string means "may be left out". */
  readonly fallback?: string;
}

/** Values that a person enters. */
export interface FormAuth {
  readonly kind: "form";
  readonly fields: readonly FormField[];
}

/** Consent in a browser: OAuth 2.0 (RFC 6749) by authorisation code, with PKCE (RFC 7636) where the platform knows it. */
export interface OAuthAuth {
  readonly kind: "oauth";
  /** What must be known before the browser opens: Mastodon's server. */
  readonly fields: readonly FormField[];
  /** The app that a person registers once with the platform; absent where psn registers itself. */
  readonly app?: AppGuide;
}

/** How a person gets an app of their own. */
export interface AppGuide {
  /** Where it is registered. */
  readonly page: string;
  /** At most five lines, each one thing to do there; `{redirect}` stands for the address the browser comes back to. */
  readonly steps: readonly string[];
  /** The names under which keys.env and `psn keys` hold what the platform then shows. */
  readonly keys: { readonly id: string; readonly secret?: string };
  /** Some apps there have no secret. */
  readonly secretOptional?: true;
  /** The platform refuses `http://127.0.0.1`: the person enters an address of their own and pastes what the browser shows. */
  readonly pasteOnly?: true;
}

export type Auth = FormAuth | OAuthAuth;

/** What a platform knows an app by. */
export interface OAuthApp {
  readonly id: string;
  readonly secret?: string;
}

/** What leads to the page on which a person consents. */
export interface AuthorizeRequest {
  readonly form: Readonly<Record<string, string>>;
  /** The user's own app; absent where psn registers itself. */
  readonly app?: OAuthApp;
  readonly redirectUri: string;
  /** Random; comes back with the browser. */
  readonly state: string;
  /** S256 of the verifier (RFC 7636, 4.2), in base64url. */
  readonly challenge: string;
}

export interface Authorization {
  /** Where the browser goes. */
  readonly url: string;
  /** What comes back with the browser in place of the state that was asked for, where the platform's own library makes one. */
  readonly state?: string;
  /** What `exchange` must know beside the answer; kept in memory only. */
  readonly keep?: Json;
}

/** What came back with the browser. */
export interface ExchangeRequest extends AuthorizeRequest {
  readonly code: string;
  readonly verifier: string;
  /** Everything in the query of the address the browser came back to. */
  readonly answer: Readonly<Record<string, string>>;
  readonly keep?: Json;
}

/** Opened by the vault for one call; never logged, never stored by an adapter. */
export interface Credentials {
  /** What a request is signed or authorised with; empty where a platform needs none. */
  readonly access: string;
  readonly refresh?: string;
  /** What can begin or end a session beside the tokens: an app password, the client psn was registered as. The adapter's own form. */
  readonly secret?: string;
  readonly expiresAt?: Date;
  readonly scopes: readonly string[];
}

export interface Profile {
  /** The platform's immutable id for this account; a handle may change, this may not. */
  readonly subject: string;
  readonly handle: string;
  /** Where a person sees the account: `https:`, or `file:` for a local feed. */
  readonly url: string;
  /** Where the account lives: the server's origin, the webhook's URL, the feed's folder. No secret. */
  readonly home: string;
  /** Only what differs from the platform's own capabilities, for example a Mastodon server's limits. */
  readonly limits?: Partial<Limits>;
}

export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

/** What every call of an adapter is given instead of globals. */
export interface Net {
  readonly fetch: Fetch;
  readonly now: () => Date;
  /** Stops a call before its bytes leave. */
  readonly signal: AbortSignal;
}

export interface Session extends Net {
  readonly credentials: Credentials;
  readonly profile: Profile;
  /** The user's own app at the platform, for `refresh` and `revoke`; absent where there is none. */
  readonly app?: OAuthApp;
}

// The words between the application and an adapter.

/** One thing that is wrong with a post for a platform. */
export interface Issue {
  /** `text.too-long`, `text.empty`, `media.too-many`, `media.type`, `media.too-large`, `alt.too-long`, `visibility`, … */
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

export interface PublishRequest<Body extends Json = Json> {
  readonly unit: Unit<Body>;
  /** What `prepare` returned, kept durably; null when the unit needs no preparing. */
  readonly prepared: Json;
  /** This unit's media, in order. */
  readonly media: readonly Media[];
  /** A UUID, stable for this unit across every attempt. */
  readonly key: string;
  /** When this unit was first about to be sent; stored before, stable across every attempt. */
  readonly at: Date;
  /** An earlier attempt may have reached the platform: what it refuses as said already may be this very unit. */
  readonly again?: true;
  /** First unit of the thread and the one before; absent on the first unit. */
  readonly root?: Ref;
  readonly parent?: Ref;
}

export interface Connection {
  readonly credentials: Credentials;
  readonly profile: Profile;
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
  /** The ways to connect; the first is the one taken when the user does not say. */
  readonly auth: readonly [Auth, ...Auth[]];

  /** From the form's values to a connection. Present where one way is a form. Changes nothing the platform shows. */
  connect?(form: Readonly<Record<string, string>>, net: Net): Promise<Connection>;

  /** The page on which a person consents. Present where one way is OAuth. */
  authorize?(request: AuthorizeRequest, net: Net): Promise<Authorization>;

  /** From the browser's answer to a connection. Present where one way is OAuth. Throws AUTH_REVOKED for a code that is refused. */
  exchange?(request: ExchangeRequest, net: Net): Promise<Connection>;

  /** Who owns these credentials, asked anew. Read-only. */
  identify(session: Session): Promise<Profile>;

  /** Pure. Turns a post into units, or says everything that is wrong with it at once. Never throws. */
  compose(post: Post, limits: Limits): Composed<Body>;

  /**
   * All that must happen before a unit can be sent and shows nothing to anybody: uploads, look-ups.
   * May run again after a crash. Its result is stored and handed to every attempt of `publish`.
   */
  prepare?(request: PublishRequest<Body>, session: Session): Promise<Json>;

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
   * The account's own post that a person sees at this address. Read-only. Resolves to undefined when none is found there. Absent where
   * no unit ever answers another.
   */
  locate?(url: string, session: Session): Promise<Ref | undefined>;

  /** New credentials in exchange for old ones. Throws AUTH_REVOKED when only the user can help. */
  refresh?(session: Session): Promise<Credentials>;

  /** Tells the platform to forget the credentials. What it has forgotten already is success. */
  revoke?(session: Session): Promise<void>;

  /** Takes a published unit back. Idempotent: what is gone already is success. */
  remove(ref: Ref, session: Session): Promise<void>;
}

/** What a person enters to connect by a form; nothing where the platform has none. */
export function formFields({ auth }: Pick<Platform, "auth">): readonly FormField[] {
  return auth.find(({ kind }) => kind === "form")?.fields ?? [];
}
