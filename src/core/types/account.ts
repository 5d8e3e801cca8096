import type { Limits } from "./capabilities.ts";
import type { Json } from "./index.ts";

/* How an account connects. */

/** Where the hub is on this machine. */
export interface HubPlace {
  readonly folder: string;
  /** Where it was before it was moved or copied. */
  readonly before: readonly string[];
}

export interface FormField {
  /** The flag is `--<name>`; a secret is read by prompt, `--<name>-stdin` or `--<name>-file`, never from argv. */
  readonly name: string;
  readonly secret: boolean;
  readonly help: string;
  /** Used when nothing is given; a field without one is required. An empty string means "may be left out". */
  readonly fallback?: string;
  /** What a connected account has in this field: its user is not asked for it again when they reconnect it. */
  readonly known?: (profile: Profile, hub?: HubPlace) => string;
  /**
   * Throws INPUT_INVALID or INPUT_REQUIRED for a value that can never be right: a person who typed it is asked for this
   * field again.
   */
  readonly check?: (value: string) => void;
  /** A secret that psn can make itself: with `--<name>-new` it does, and nobody is asked. */
  readonly make?: () => string;
  /**
   * A secret that an account which is connected again keeps where none is given; `connect` is then given an empty
   * string.
   */
  readonly keeps?: true;
}

/** Values that a person enters. */
export interface FormAuth {
  readonly kind: "form";
  readonly fields: readonly FormField[];
}

/**
 * Consent in a browser: OAuth 2.0 (RFC 6749) by authorisation code, with PKCE (RFC 7636) where token accepted.
 */
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
  /**
   * The platform refuses `http://127.0.0.1`: the person enters an address of their own and pastes what the browser
   * shows.
   */
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
  /**
   * What comes back with the browser in place of the state that was asked for, where the platform's own library makes
   * one.
   */
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
  /**
   * What can begin or end a session beside the tokens: an app password, the client psn was registered as. The adapter's
   * own form.
   */
  readonly secret?: string;
  /** When `secret` ends and is forgotten; absent: with the rest. */
  readonly secretUntil?: Date;
  readonly expiresAt?: Date;
  readonly scopes: readonly string[];
}

/** What is wrong with credentials that work. */
export interface Flaw {
  readonly said: string;
  /** What fixes it, after `psn connect ACCOUNT`. */
  readonly flags: string;
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

export interface Connection {
  readonly credentials: Credentials;
  readonly profile: Profile;
  /** What the other side must be given to know psn by: no secret. */
  readonly publicKey?: string;
}

/**
 * What psn has of the account with this subject, where it was connected before. Without credentials where none of it
 * opens any more.
 */
export type Known = (
  subject: string,
) => Promise<{ readonly profile: Profile; readonly credentials?: Credentials } | undefined>;

/** What a person enters to connect by a form; nothing where the platform has none. */
export function formFields({ auth }: { readonly auth: readonly Auth[] }): readonly FormField[] {
  return auth.find(({ kind }) => kind === "form")?.fields ?? [];
}
