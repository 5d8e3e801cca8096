/** Exit codes of the `psn` command; `psn help exit-codes` prints them. */
export const EXIT = {
  /** Done, or nothing to do. */
  ok: 0,
  failed: 1,
  /** The input was not usable; nothing was sent. */
  usage: 2,
  /** The hub is not set up. */
  setup: 3,
  /** An account must be connected or reconnected. */
  auth: 4,
  /** Some accounts published, some did not. */
  partial: 5,
  /** Nothing is wrong with the input; try later. */
  later: 6,
  /** The outcome is unknown or still pending. */
  unknown: 8,
  /** The command did its work, and its output could not be written. */
  unwritten: 9,
  /** Stopped by SIGHUP, SIGINT, SIGTERM: 128 and the signal's number, as shells have it. */
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

/**
 * What the engine may do about a failure. never: nothing helps but a person. backoff: nothing was sent, try again
 * later. refresh: exchange the token once, then try again. reconcile: it may be public; ask the platform, never resend
 * blindly.
 */
export type Retry = "never" | "backoff" | "refresh" | "reconcile";

interface Spec {
  readonly exit: number;
  readonly retry: Retry;
  readonly meaning: string;
  /** The command or step that helps; an error that gives none has this one. */
  readonly hint?: string;
  /** What `psn explain` says in place of the hint, where what helps goes by the error's own message. */
  readonly helps?: string;
  /** Codes of their own by now for what this code meant too in an earlier psn. Their exit code is this one's. */
  readonly became?: readonly string[];
}

/**
 * Every way psn can fail. docs/errors.md and `psn explain CODE` are made from this table. A code that scripts may know
 * is never taken away: it keeps one of its meanings, and names what became of the others.
 */
export const ERRORS = {
  USAGE: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The command line is not one psn understands.",
    hint: "psn help",
    became: ["SECRET_IN_ARGUMENTS"],
  },
  SECRET_IN_ARGUMENTS: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "psn takes no secret on the command line, which other users on this machine can read.",
    helps:
      "pass it by standard input or in a file, with the option that the message names; a secret that others may have " +
      "read: replace it with a new one",
  },
  INPUT_REQUIRED: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A required value is missing, and there is no interactive terminal to ask for it.",
    helps: "give the value that the message names as an option, or by --stdin for a secret: psn help COMMAND",
  },
  INPUT_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A value does not have the required form.",
    helps: "the message says which form is required; see also psn help COMMAND",
    became: [
      "AMBIGUOUS",
      "ACCOUNT_MISMATCH",
      "PASSPHRASE_WRONG",
      "ARCHIVE_INVALID",
      "ARCHIVE_NEWER",
      "TEXT_INCOMPLETE",
      "PORT_TAKEN",
    ],
  },
  AMBIGUOUS: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A name or an id matches more than one thing, and psn does not choose.",
    helps: "the message lists them: give the full name or id of one",
  },
  ACCOUNT_MISMATCH: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "You logged in as another account than the one to reconnect; nothing was changed.",
    helps: "log in as the account that the message names; to connect both accounts: psn connect PLATFORM --another",
  },
  PASSPHRASE_WRONG: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The archive was encrypted with another passphrase.",
    helps: "run the command again with the passphrase that psn export was given",
  },
  ARCHIVE_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The file is not an archive that psn can read: it is of another kind, damaged or incomplete.",
    helps: "copy the file again, or create it again: psn export FILE",
  },
  ARCHIVE_NEWER: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The archive was created by a newer psn.",
    hint: "update psn",
  },
  TEXT_INCOMPLETE: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The text from a pipe does not end with a line break, so it may be cut off; nothing was stored.",
    helps: "end the text with a line break (printf '%s\\n', echo), or use --allow-partial; psn help files",
  },
  PORT_TAKEN: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "Another program listens on the port at which psn waits for the browser.",
    helps: "choose another port with --port N, and register http://127.0.0.1:N/callback with your app",
  },
  TIME_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The time is in the past or ambiguous, or psn cannot read it as a time.",
    hint: "psn help times",
  },
  FILE_UNREADABLE: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A file or a folder is missing, psn has no permission to read it, or its content is not what psn needs.",
    helps:
      "the message names the file or folder: check that it exists and that your user can read it (ls -ld); psn sends " +
      "the posts that wait for it once it is fixed",
    became: ["FILE_UNWRITABLE"],
  },
  FILE_UNWRITABLE: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "psn cannot write a file or a folder.",
    helps:
      "the message names the file or folder, and says why: check that your user can write it (ls -ld) and that the " +
      "disk is not read-only; psn sends the posts that wait for it once it is fixed",
  },
  MEDIA_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A media file has a format that psn cannot publish.",
    helps: "save the file in a format and size that the platform accepts (docs/platforms.md), then post again",
  },
  MEDIA_GONE: {
    exit: EXIT.failed,
    retry: "never",
    meaning:
      "A media file of the post is missing from the hub or its bucket, or was changed there; the post cannot be " +
      "published with it.",
    hint: "post it again with its files: psn post",
  },
  POST_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The post breaks a rule of one of its platforms.",
    hint: "psn post --dry-run …",
    became: ["DRAFT_INVALID", "MEDIA_OUTSIDE"],
  },
  DRAFT_INVALID: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A draft has a form, a key or a value that psn does not take, or says that it is not to be published.",
    helps: "the message names the file and the line: correct it there; see also psn help files",
  },
  MEDIA_OUTSIDE: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "A draft names a media file that is outside of the draft's folder.",
    helps: "copy the file into that folder; or, if you wrote the draft or have read it: --allow-outside",
  },
  NOT_FOUND: { exit: EXIT.usage, retry: "never", meaning: "Nothing has that name or id.", hint: "psn queue" },
  SETTING_UNKNOWN: {
    exit: EXIT.usage,
    retry: "never",
    meaning: "The name is neither a setting of hub.env nor a key of keys.env that psn knows; nothing was written.",
    hint: "psn config list",
  },
  STATE_CONFLICT: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The delivery's state does not allow this action.",
    hint: "psn show ID",
    became: [
      "ALREADY_EXISTS",
      "FOREIGN_CONTENT",
      "HUB_BUSY",
      "CHANGED_MEANWHILE",
      "WORKER_RUNNING",
      "DB_UNSUITABLE",
      "PUBLISH_CANCELLED",
    ],
  },
  ALREADY_EXISTS: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "What the command would create is already there.",
    helps: "the message says what is there: use it, or choose another name or folder",
  },
  FOREIGN_CONTENT: {
    exit: EXIT.failed,
    retry: "never",
    meaning:
      "Something that psn did not create, or cannot tell from its own, is in the place that psn would use; psn does " +
      "not change it.",
    helps: "the message says what is there, and where: choose another place, or remove it if you do not need it",
  },
  HUB_BUSY: {
    exit: EXIT.failed,
    retry: "backoff",
    meaning: "Another psn process is working on what this command would change.",
    helps: "wait until the other process is done, then run the command again",
  },
  CHANGED_MEANWHILE: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "Another command or a worker changed the same thing first; this change was not made.",
    hint: "psn show ID",
    helps: "see how it is now, then decide again: psn show ID",
  },
  WORKER_RUNNING: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "A worker is running that could not decrypt what this command would encrypt again.",
    helps:
      "the message names the worker: stop it (psn db migrate), or give it the new key first (psn vault rotate " +
      "--prepare)",
  },
  HUB_MISSING: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "There is no hub in this folder or in a folder above it.",
    hint: "psn init",
    helps: "run the command in the folder of your hub; to create a new hub: psn init",
  },
  CONFIG_INVALID: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "A setting of hub.env or keys.env is missing or has an invalid value.",
    hint: "psn config edit",
    helps:
      "the message names the setting: psn config set NAME; psn config edit opens the file; if tasks run on " +
      "Trigger.dev, run psn deploy afterwards",
    became: [
      "CONFIG_UNREADABLE",
      "CONFIG_UNWRITABLE",
      "CONFIG_CHANGED",
      "HUB_UNFINISHED",
      "DB_OWNER_REQUIRED",
      "BUCKET_MISSING",
      "TRIGGER_MISSING",
    ],
  },
  CONFIG_UNREADABLE: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "psn cannot read hub.env, keys.env, or a file that it keeps beside them.",
    helps: "the message names the file, and says why: check what it is, and who owns it (ls -ld)",
  },
  CONFIG_UNWRITABLE: {
    exit: EXIT.setup,
    retry: "never",
    meaning:
      "psn cannot change the hub's settings: it cannot write hub.env, keys.env or a file that it keeps beside them, " +
      "or the environment has the setting.",
    helps:
      "the message says which: check that your user can write the file (ls -ld), or move the setting from the " +
      "environment into config/hub.env",
  },
  CONFIG_CHANGED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "Another program changed hub.env or keys.env while you were editing it; your edit was not saved.",
    hint: "psn config edit",
  },
  HUB_UNFINISHED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "hub.env names no user, or none that the database has: psn init did not finish.",
    hint: "psn init",
  },
  BUCKET_MISSING: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "A media file of the post needs a bucket, and the hub's settings name none, or another one.",
    helps:
      "psn config set S3_BUCKET, S3_ENDPOINT and the keys of that bucket; if tasks run on Trigger.dev, run psn " +
      "deploy afterwards",
  },
  TRIGGER_MISSING: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "This hub has no project on Trigger.dev.",
    hint: "psn init --trigger",
  },
  CONFIG_EXPOSED: {
    exit: EXIT.setup,
    retry: "never",
    meaning:
      "A file or a folder of the hub belongs to another user, or other people on this machine can read or change it.",
    helps:
      "the message names the file or folder: chmod 600 for a file, chmod 700 for a folder, and it must belong to " +
      "your user",
  },
  SCHEMA_OUTDATED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The database is older than this psn.",
    hint: "psn db migrate",
  },
  SCHEMA_NEWER: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The database is newer than this psn.",
    hint: "update psn",
  },
  DB_REFUSED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The database refused the login, or the login lacks a permission.",
    hint: "psn config set DATABASE_URL",
  },
  DB_OWNER_REQUIRED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "Only the database's owner can do this, and hub.env has no login of the owner.",
    hint: "psn config set DATABASE_OWNER_URL",
  },
  DB_TLS: {
    exit: EXIT.setup,
    retry: "never",
    meaning:
      "psn could not make an encrypted connection to the database: the certificate is not trusted, or one side " +
      "does not offer the TLS that the other side requires.",
    hint: "psn config set DATABASE_URL",
  },
  DB_UNREACHABLE: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "The database does not answer.",
    hint: "psn doctor",
    helps:
      "check that the database server runs and that its address is right (psn config get DATABASE_URL); psn " +
      "tries again by itself",
  },
  DB_BUSY: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "Another psn process has the embedded database open and does not close it.",
    helps:
      "end the other process that uses this hub (ps ax | grep psn), or wait until its command is done, then try again",
  },
  DB_LOCKED: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "Another database session holds a lock that this command needs, and does not release it.",
    hint:
      "try again; to see which session holds the lock: SELECT usename, pid, xact_start FROM pg_stat_activity " +
      "ORDER BY xact_start",
  },
  DB_UNSUITABLE: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The tasks on Trigger.dev cannot reach the hub's database.",
    helps: "create a hub whose database they can reach: psn init --neon --trigger in another folder",
  },
  DB_FULL: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "The disk is full, or a quota on it is used up: the database or a file cannot be written.",
    hint: "free some space on the disk (df -h), then try again",
  },
  DB_FAILED: {
    exit: EXIT.failed,
    retry: "backoff",
    meaning: "A statement failed in the database.",
    helps: "run the command again; if it fails again, run psn doctor and read the log of the database server",
    became: ["DB_UNUSABLE", "DB_TOO_LARGE"],
  },
  DB_UNUSABLE: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The embedded database cannot be opened: its files may be incomplete or damaged.",
    helps:
      "move the folder data away and keep it; then restore it from a backup, or import an archive into a new hub: " +
      "psn import FILE",
  },
  DB_TOO_LARGE: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "A request to the database, or its answer, is larger than Neon accepts over HTTP.",
    hint: "psn config set DATABASE_DRIVER neon-ws",
  },
  VAULT_LOCKED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The hub's key is missing, malformed, or not the key that sealed this value.",
    hint: "psn vault status",
    helps: "restore the key that sealed this value: psn config set HUB_ENCRYPTION_KEY; psn vault status shows its id",
  },
  VAULT_TAMPERED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "A sealed value, or the data that it is bound to, was changed; it cannot be decrypted.",
    hint: "psn connect PLATFORM",
  },
  AUTH_REQUIRED: {
    exit: EXIT.auth,
    retry: "never",
    meaning: "No account is connected for this.",
    hint: "psn connect PLATFORM",
  },
  AUTH_EXPIRED: {
    exit: EXIT.auth,
    retry: "refresh",
    meaning: "The platform no longer accepts this token; psn may be able to refresh it.",
    helps: "nothing to do: psn refreshes the token by itself; if the error stays: psn connect PLATFORM",
  },
  AUTH_REVOKED: {
    exit: EXIT.auth,
    retry: "never",
    meaning: "The platform no longer accepts these credentials.",
    hint: "psn connect PLATFORM",
  },
  APP_MISSING: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The platform requires your own developer app, and psn has no key of one.",
    hint: "psn connect PLATFORM",
    helps:
      "set the keys of your own app: psn connect PLATFORM asks for them, psn keys set NAME changes one; if tasks " +
      "run on Trigger.dev, run psn deploy afterwards",
  },
  APP_REFUSED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "The platform does not accept your app's id or secret.",
    hint: "psn keys set NAME",
  },
  CONSENT_SHARED: {
    exit: EXIT.auth,
    retry: "never",
    meaning:
      "The address that psn gave your browser was opened twice. Another program could consent in your place, so " +
      "nothing was connected.",
    hint: "psn connect PLATFORM",
  },
  AUTH_SCOPE: {
    exit: EXIT.auth,
    retry: "never",
    meaning: "The account does not have permission to do this.",
    hint: "psn connect PLATFORM",
  },
  RATE_LIMITED: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "The platform limits how often psn may call it; nothing was published.",
    helps: "nothing to do: psn continues after the pause; psn show ID says when",
  },
  PLATFORM_UNREACHABLE: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "The platform could not be reached; nothing was sent.",
    helps:
      "check your network and the status page of the platform; psn tries again by itself, and psn show ID says when",
  },
  PRIVATE_ADDRESS: {
    exit: EXIT.failed,
    retry: "never",
    meaning:
      "The address belongs to this machine or to a private network, and the hub's owner has not allowed it; " +
      "nothing was sent.",
    hint: "psn config set PSN_PRIVATE_ORIGINS",
  },
  PLATFORM_DOWN: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "The platform failed before anything could be published.",
    helps:
      "nothing to do: psn tries again by itself, and psn show ID says when; the platform's status page may say more",
  },
  PLATFORM_REJECTED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The platform refused the post.",
    helps: "psn show ID says why; change the post, and post it again: psn post",
  },
  PLATFORM_CHANGED: {
    exit: EXIT.failed,
    retry: "reconcile",
    meaning: "The platform's answer has a format that psn does not know; please report it.",
    helps: "update psn; if the error stays, report it with the output of psn show ID",
  },
  OUTCOME_UNKNOWN: {
    exit: EXIT.unknown,
    retry: "reconcile",
    meaning: "It is not known yet whether the post is public; psn is checking.",
    hint: "psn show ID",
  },
  UNCONFIRMED: {
    exit: EXIT.unknown,
    retry: "never",
    meaning: "psn cannot find out whether the post is public.",
    hint: "psn resolve ID --live URL | --not-live",
  },
  LATE: {
    exit: EXIT.failed,
    retry: "never",
    meaning:
      "The post was due more than a day ago and could not be sent until now; psn publishes it only if you confirm.",
    hint: "psn retry ID | psn cancel ID",
  },
  STILL_PENDING: { exit: EXIT.unknown, retry: "never", meaning: "The post is not published yet.", hint: "psn show ID" },
  PUBLISH_PARTIAL: {
    exit: EXIT.partial,
    retry: "never",
    meaning: "The post was published to some of its accounts, not to all.",
    hint: "psn show ID",
  },
  PUBLISH_FAILED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The post was published to none of its accounts.",
    hint: "psn show ID",
  },
  PUBLISH_CANCELLED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The post was cancelled, and was published to none of its accounts.",
    hint: "psn show ID",
  },
  REMOVE_INCOMPLETE: {
    exit: EXIT.partial,
    retry: "never",
    meaning: "The post could not be deleted completely; the message says what is still public, and where.",
    hint: "psn show ID",
  },
  VENDOR_REFUSED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "Neon, Trigger.dev or the bucket refused what psn asked for.",
    helps:
      "the message says who refused what. The bucket: psn config set S3_ENDPOINT, S3_REGION or S3_BUCKET; Neon: " +
      "psn config set NEON_PROJECT_ID; Trigger.dev: psn deploy",
  },
  VENDOR_AUTH: {
    exit: EXIT.auth,
    retry: "never",
    meaning: "Neon, Trigger.dev or the bucket does not accept the key.",
    helps:
      "the message says whose key it is. The bucket: psn config set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, and " +
      "give the key the permission that the message names; Trigger.dev: psn init --trigger; Neon: NEON_API_KEY " +
      "in your shell; if a clock is wrong: set it (ntp)",
  },
  VENDOR_QUOTA: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "A limit is reached: the plan at Neon or Trigger.dev, or the bucket's quota or disk.",
    helps:
      "the message says which one. The bucket: delete files that are not needed, or raise its quota or enlarge its " +
      "disk; Neon and Trigger.dev: check the usage of your plan on the dashboard",
  },
  VENDOR_UNREACHABLE: {
    exit: EXIT.later,
    retry: "backoff",
    meaning: "Neon, Trigger.dev or the bucket does not answer.",
    helps:
      "check your network, the status page of the service and its address (psn config get S3_ENDPOINT, psn " +
      "config get TRIGGER_API_URL); psn tries again by itself",
  },
  VENDOR_CHANGED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The answer of Neon or Trigger.dev has a format that psn does not know; please report it.",
    helps:
      "check that the address is the service's own (psn config get TRIGGER_API_URL, psn config get " +
      "NEON_API_HOST), update psn, then run psn doctor; if the error stays, report it",
  },
  DEPLOY_FAILED: { exit: EXIT.failed, retry: "never", meaning: "The tasks could not be deployed.", hint: "psn doctor" },
  SERVICE_FAILED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "The service manager of this system (systemd, launchd) did not do what psn asked of it.",
    hint: "psn service print systemd",
  },
  CHECK_FAILED: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "A check found something wrong with the hub.",
    hint: "psn doctor",
  },
  HUB_COPIED: {
    exit: EXIT.setup,
    retry: "never",
    meaning: "This database was copied or restored; psn publishes nothing from it until you run psn recover.",
    hint: "psn recover",
  },
  LEASE_LOST: {
    exit: EXIT.later,
    retry: "never",
    meaning: "Another worker took over this delivery.",
    helps: "nothing to do: the other worker continues; psn show ID shows how far it is",
  },
  OUTPUT_FAILED: {
    exit: EXIT.unwritten,
    retry: "never",
    meaning: "The command did its work, and standard output could not be written; do not run it again.",
    helps: "psn queue shows what the command did; make sure that the next command can write its output (df -h)",
  },
  INTERRUPTED: {
    exit: EXIT.interrupted,
    retry: "never",
    meaning:
      "The command was stopped by Ctrl-C, or with exit code 143 by SIGTERM, 129 by SIGHUP; the message says what " +
      "is stored, if anything is.",
    helps: "the message says what is stored; psn queue shows it",
  },
  BUG: {
    exit: EXIT.failed,
    retry: "never",
    meaning: "This is a bug in psn; please report it.",
    helps: "report it with the output of the command; psn doctor checks whether the hub is in order",
  },
} as const satisfies Record<string, Spec>;

export type ErrorCode = keyof typeof ERRORS;

/** What `psn explain` and docs/errors.md say helps. */
export function helpOf(code: ErrorCode): string | undefined {
  const { helps, hint }: Spec = ERRORS[code];
  return helps ?? hint;
}

/** Codes of their own by now for what this code meant too in an earlier psn. */
export function becameOf(code: ErrorCode): readonly ErrorCode[] {
  const { became = [] }: Spec = ERRORS[code];
  return became.filter((one): one is ErrorCode => one in ERRORS);
}

type Detail = string | number | boolean;
/** Facts by name; a list holds one of a kind each, such as the deliveries of a post. */
export type Details = Readonly<Record<string, Detail | readonly Readonly<Record<string, Detail | null>>[]>>;

/** The verb that helps, as data: each edge says in its own way how it is called. */
export interface Hint {
  /** The name of the verb. */
  readonly run: string;
  /** Its input, as far as it is known. */
  readonly args?: Readonly<Record<string, string>>;
}

export interface ErrorOptions {
  readonly cause?: unknown;
  /** The verb or the step that helps; replaces the table's. */
  readonly hint?: string | Hint;
  /** When the platform said it may be asked again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /**
   * Said by an adapter of a refusal to a repeated request, or to a question about a pending post: it proves that
   * nothing was taken, by no attempt. Of a removal: the post is still there. Without it such a refusal proves nothing.
   */
  readonly neverTaken?: boolean;
  /** Safe to print and to store: no token, no post body. */
  readonly details?: Details;
}

/** The one error psn throws on purpose. Its message and details are safe to print and to store. */
export class PsnError extends Error {
  override readonly name = "PsnError";
  readonly code: ErrorCode;
  /** What helps, as the command line says it. */
  readonly hint: string | undefined;
  /** The verb that helps, for every other edge; undefined where none does. */
  readonly remedy: Hint | undefined;
  readonly retryAfterMs: number | undefined;
  readonly neverTaken: boolean;
  readonly details: Details;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    const spec: Spec = ERRORS[code];
    this.code = code;
    const { hint = spec.hint } = options;
    this.remedy = typeof hint === "object" ? hint : undefined;
    this.hint = typeof hint === "object" ? commandOf(hint) : hint;
    this.retryAfterMs = options.retryAfterMs;
    this.neverTaken = options.neverTaken ?? false;
    this.details = options.details ?? {};
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }

  /** What `--json` prints under `error`: no cause, no stack. JSON has no place for what is undefined. */
  toJSON() {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint ?? null,
      retry: this.retry,
      next: this.hint?.startsWith("psn ") ? this.hint : null,
      retryAfterMs: this.retryAfterMs,
      details: Object.keys(this.details).length === 0 ? undefined : this.details,
    };
  }
}

/** What stands for an input that is not known. */
const UNKNOWN: Readonly<Record<string, string>> = { connect: "PLATFORM", show: "ID" };
/** What a person says behind the id, where a program has an input for it. */
const BEHIND: Readonly<Record<string, string>> = { resolve: "--live URL | --not-live", move: "--in 1s" };

/** The command that a person types. */
function commandOf({ run, args = {} }: Hint): string {
  const given = Object.values(args);
  const known = given.length > 0 ? given : [UNKNOWN[run] ?? ""];
  return ["psn", run, ...known, BEHIND[run] ?? ""].filter((word) => word !== "").join(" ");
}

/** Why nothing goes out, and in the same words why a delivery is held. */
export function copied(): PsnError {
  return new PsnError(
    "HUB_COPIED",
    "this hub's database was copied or restored; psn publishes nothing from it until you run psn recover",
  );
}

/** ENOSPC and EDQUOT of the operating system, SQLITE_FULL of a lock. */
const FULL: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "SQLITE_FULL"]);

/**
 * DB_FULL where the failure, or what caused it, is a full disk; undefined where it is another one. `what`: what cannot
 * be written.
 */
export function diskFull(what: string, error: unknown): PsnError | undefined {
  for (let layer = error; layer instanceof Error; layer = layer.cause) {
    const code: unknown = Reflect.get(layer, "code");
    if (!FULL.has(code)) continue;
    const why = code === "EDQUOT" ? "your quota on the disk is used up" : "the disk is full";
    return new PsnError("DB_FULL", `${why}: ${what} cannot be written`, { cause: error });
  }
  return undefined;
}

/** Any thrown value as a PsnError; what psn did not foresee is a BUG and keeps its cause. */
export function toPsnError(error: unknown): PsnError {
  if (error instanceof PsnError) return error;
  return new PsnError("BUG", error instanceof Error ? `${error.name}: unexpected failure` : "unexpected failure", {
    cause: error,
  });
}
