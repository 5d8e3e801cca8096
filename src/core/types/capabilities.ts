import type { Visibility } from "./index.ts";

/* What a platform allows: data, so that the CLI, the docs and the check agree. */

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
  /** Of `MEDIA_TYPES`, since psn reads no others. */
  readonly mimes: readonly string[];
  /** Most pixels, width times height; absent where nobody says. */
  readonly maxPixels?: number;
  /** Most frames a second of a video; absent where nobody says. */
  readonly maxFrameRate?: number;
  /** Shortest and longest a video may play, in milliseconds; absent where nobody says. */
  readonly durationMs?: { readonly least: number; readonly most: number };
  /** Most that the width may be, divided by the height; absent where nobody says. */
  readonly maxAspect?: number;
  /** A media type of which a unit takes one file and nothing beside it, with its own bound in bytes (X's GIF). */
  readonly alone?: { readonly mime: string; readonly maxBytes: number };
}

/** The limits one account works under: the platform's, with what its server says of itself laid over them. */
export interface Limits {
  readonly text: TextRule;
  readonly images?: MediaRule;
  readonly videos?: MediaRule;
  readonly documents?: MediaRule;
  /** Most files of one unit in which kinds stand together; absent: a unit takes files of one kind. */
  readonly mixed?: number;
  /** Longest alt text, in `altUnit`; false where the platform has none. */
  readonly altText: number | false;
  /** What of an alt text is counted; absent: graphemes. */
  readonly altUnit?: TextRule["unit"];
  /**
   * How media travel to an account that may choose: by a link into the hub's bucket, or within the request. Absent: by
   * their size.
   */
  readonly mediaBy?: "link" | "inline";
  /**
   * Whether the hub has a bucket, and so a link for every file. Not the account's own: laid over its limits when a post
   * is composed.
   */
  readonly links?: boolean;
}

export interface Capabilities extends Limits {
  /** `reply-chain`: each unit answers the one before. `merge`: no limit worth a thread, parts become one unit. */
  readonly thread: "reply-chain" | "merge";
  /**
   * What a post in Markdown becomes. `html`: HTML beside its plain text. `links`: plain text whose links have their own
   * words. Absent: plain text, in which the address follows a link's words.
   */
  readonly markup?: "html" | "links";
  readonly visibilities: readonly Visibility[];
  readonly contentWarning: boolean;
  /**
   * How a lost answer is settled. `client-id`: psn chose the id, so sending again is harmless and "already there" is
   * success. `idempotency-key`: look for the post first, then send again with the same key. `refused`: the platform
   * refuses the same content a second time and says which post it has, so sending again is harmless. `lookup`: search,
   * and ask a person when it is not found. `ask-human`: nothing can be asked.
   */
  readonly duplicates: "client-id" | "idempotency-key" | "refused" | "lookup" | "ask-human";
  /** Most deliveries in flight for one account. */
  readonly concurrency: number;
  /**
   * Pauses between the attempts, in milliseconds, where the platform is tried on a schedule of its own; after the last
   * one psn gives up. Absent: psn's own pauses, for some six hours, or a day after a lost answer.
   */
  readonly retries?: readonly number[];
  /** The platform fetches media from a public address, which only a hub with a bucket can give. */
  readonly mediaByLink?: true;
  /** It publishes on the user's own machine: Trigger.dev's tasks cannot, and only a worker there does. */
  readonly needsMachine?: true;
  /** What only this platform knows. */
  readonly options?: readonly OptionRule[];
}

/** Something a post may say to one platform alone: `--option x.reply=following`. */
export interface OptionRule {
  /** Lower case, without a dot. */
  readonly name: string;
  readonly help: string;
  /** All it may be; absent where it is free text, which the adapter judges. */
  readonly values?: readonly string[];
}
