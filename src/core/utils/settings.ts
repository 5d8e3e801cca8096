import { PsnError } from "@psn/core/errors.ts";
import { LATE_POLICIES } from "@psn/core/types/index.ts";
import { distance } from "fastest-levenshtein";

/*
 * What hub.env and keys.env may hold. `config/*.env.example`, `psn config list` and the checks are made from these
 * tables.
 */

export interface Setting {
  readonly name: string;
  /** Never shown, never handed to another program. */
  readonly secret: boolean;
  /** What counts when nothing is set. */
  readonly default?: string;
  /** What a value looks like, for the example file; never a real one. */
  readonly example: string;
  readonly meaning: string;
  /** Completes "NAME must be …". */
  readonly form: string;
  readonly isValid: (value: string) => boolean;
  /**
   * A stricter rule, for what is set from now on: what a file has from before stops no command, and is refused where it
   * is used.
   */
  readonly isValidAnew?: (value: string) => boolean;
}

/** Whether a setting may be given this value now. */
export function mayBeSet({ isValid, isValidAnew = isValid }: Setting, value: string): boolean {
  return isValid(value) && isValidAnew(value);
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const isKey = (value: string) => /^[0-9a-f]{64}$/i.test(value.trim());
const isSaid = (value: string) => value.trim() !== "";
const KEY_FORM = "64 hex characters (0-9, a-f)";
const URL_FORM =
  "postgres://user:password@host/database, with special characters of the password percent-encoded (# is %23, / is " +
  "%2F)";

const WEB_FORM = "http:// or https:// and a host";
/** Divisors of an hour or of a day: what a cron expression can say evenly. */
const WATCHDOG_MINUTES = [5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720];

/** hub.env: where this hub is. */
export const HUB_SETTINGS = [
  {
    name: "HUB_ENCRYPTION_KEY",
    secret: true,
    example: "",
    meaning:
      "The hub's key, 64 hex characters: seals every token. `psn init` makes it. Keep a copy elsewhere; without it " +
      "nothing that is sealed can be decrypted.",
    form: KEY_FORM,
    isValid: isKey,
  },
  {
    name: "HUB_ENCRYPTION_KEY_OLD",
    secret: true,
    example: "",
    meaning: "The previous key, while `psn vault rotate` runs, which also removes it.",
    form: KEY_FORM,
    isValid: isKey,
  },
  {
    name: "PSN_OBJECT_MARKS",
    secret: false,
    example: "0123456789",
    meaning:
      "How the names of files begin that this hub put into its bucket under an earlier key, with commas between. " +
      "`psn vault rotate` writes it; by it `psn destroy` and the daily sweep know these files.",
    form: "marks of 10 hex characters (0-9, a-f) with commas between",
    isValid: (value) => readObjectMarks(value) !== undefined,
  },
  {
    name: "PSN_USER",
    secret: false,
    example: "01930b1e-7c00-7000-8000-000000000000",
    meaning: "Id of the user whose accounts and posts these are.",
    form: "a UUID, as `psn init` wrote it",
    isValid: (value) => UUID.test(value),
  },
  {
    name: "DATABASE_URL",
    secret: true,
    example: "postgres://user:password@host/database",
    meaning:
      "The hub's Postgres, by the login with which psn runs. Without it psn keeps its own database in the data " +
      "folder.",
    form: URL_FORM,
    isValid: isPostgresUrl,
  },
  {
    name: "DATABASE_OWNER_URL",
    secret: true,
    example: "postgres://owner:password@host/database",
    meaning:
      "The same database, with the login that owns its tables. Only `psn init`, `psn db migrate` and `psn destroy` " +
      "use it.",
    form: URL_FORM,
    isValid: isPostgresUrl,
  },
  {
    name: "DATABASE_LISTEN_URL",
    secret: true,
    example: "postgres://user:password@direct-host/database",
    meaning:
      "The same database by an address that leads past a pooler, where DATABASE_URL leads to one in transaction " +
      "mode: `psn worker` hears of new posts by it at once. Without it the worker proves whether it hears, and " +
      "where it does not it looks every second.",
    form: URL_FORM,
    isValid: isPostgresUrl,
  },
  {
    name: "DATABASE_DRIVER",
    secret: false,
    example: "pg",
    meaning: "How to reach the database: pg, neon-http or neon-ws. Without it psn decides by the host.",
    form: "pg, neon-http or neon-ws",
    isValid: (value) => ["pg", "neon-http", "neon-ws"].includes(value),
  },
  {
    name: "NEON_PROJECT_ID",
    secret: false,
    example: "late-frost-12345678",
    meaning: "The hub's project on Neon, as `psn init --neon` found or made it.",
    form: "the id of a Neon project",
    isValid: (value) => /^[a-z0-9-]{1,60}$/.test(value),
  },
  {
    name: "NEON_API_HOST",
    secret: false,
    default: "https://console.neon.tech/api/v2",
    example: "https://console.neon.tech/api/v2",
    meaning: "Where Neon's management API is.",
    form: WEB_FORM,
    isValid: isWebUrl,
  },
  {
    name: "NEON_PROXY",
    secret: false,
    example: "https://my-hub.db.example.com",
    meaning:
      "A Neon proxy of your own: statements go to /sql and sessions to /v2 of this address. Its host and the host " +
      "in DATABASE_URL begin with the endpoint's name; where its host does not, add ?options=endpoint%3DENDPOINT " +
      "to DATABASE_URL.",
    form: WEB_FORM,
    isValid: isWebUrl,
  },
  {
    name: "TRIGGER_API_URL",
    secret: false,
    default: "https://api.trigger.dev",
    example: "https://api.trigger.dev",
    meaning: "Where Trigger.dev is: its cloud, or a server of your own.",
    form: WEB_FORM,
    isValid: isWebUrl,
  },
  {
    name: "TRIGGER_PROJECT_REF",
    secret: false,
    example: "proj_abcdefghijklmnopqrst",
    meaning: "The hub's project on Trigger.dev, as `psn init --trigger` found or made it.",
    form: "the ref of a Trigger.dev project, proj_…",
    isValid: (value) => /^proj_[a-z0-9]{1,60}$/.test(value),
  },
  {
    name: "TRIGGER_ACCESS_TOKEN",
    secret: true,
    example: "",
    meaning: "Your personal access token at Trigger.dev, by which `psn init`, `psn deploy` and `psn doctor` act there.",
    form: "a personal access token of Trigger.dev, tr_pat_…",
    isValid: (value) => /^tr_pat_\S+$/.test(value),
  },
  {
    name: "TRIGGER_SECRET_KEY",
    secret: true,
    example: "",
    meaning:
      "The secret key of the project's production environment: with it psn tells Trigger.dev when a post is due.",
    form: "a secret key of a Trigger.dev environment, tr_prod_…",
    isValid: (value) => /^tr_(?:dev|stg|prod|preview)_\S+$/.test(value),
  },
  {
    name: "PSN_WATCHDOG_MINUTES",
    secret: false,
    default: "30",
    example: "30",
    meaning:
      "How often the watchdog on Trigger.dev looks for what was missed, in minutes. Each look wakes the database, " +
      "which on Neon's free plan has some 400 hours a month. Counts from the next `psn deploy` on.",
    form: `one of ${WATCHDOG_MINUTES.join(", ")}`,
    isValid: (value) => WATCHDOG_MINUTES.some((minutes) => String(minutes) === value),
  },
  {
    name: "PSN_MADE",
    secret: false,
    example: "data trigger-project:psn-1a2b3c4d",
    meaning: "What psn made for this hub and did not find there: `psn destroy` undoes this and nothing else.",
    form: "words separated by spaces, as `psn init` wrote them",
    isValid: (value) => /^[a-z0-9:_ -]+$/.test(value),
  },
  {
    name: "S3_ENDPOINT",
    secret: false,
    example: "https://s3.eu-central-1.amazonaws.com",
    meaning: "An S3-compatible service for large media. Without a bucket all media are in the database.",
    form: `${WEB_FORM}, without a path: the bucket's name goes into S3_BUCKET`,
    isValid: isWebUrl,
    isValidAnew: (value) => originOf(value.trim()) !== undefined,
  },
  {
    name: "S3_REGION",
    secret: false,
    default: "auto",
    example: "eu-central-1",
    meaning: "The bucket's region.",
    form: "a region's name",
    isValid: isSaid,
  },
  {
    name: "S3_BUCKET",
    secret: false,
    example: "my-hub-media",
    meaning: "The bucket's name.",
    form: "a bucket's name: 3 to 63 small letters, digits, dots and hyphens",
    isValid: (value) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value),
  },
  {
    name: "S3_ACCESS_KEY_ID",
    secret: false,
    example: "",
    meaning: "The id of a key that may read, write and delete in the bucket.",
    form: "an access key's id",
    isValid: isSaid,
  },
  {
    name: "S3_SECRET_ACCESS_KEY",
    secret: true,
    example: "",
    meaning: "That key's secret.",
    form: "an access key's secret",
    isValid: isSaid,
  },
  {
    name: "PSN_DATA",
    secret: false,
    default: "data/",
    example: "data/",
    meaning: "The data folder, relative to the hub's folder.",
    form: "a folder",
    isValid: (value) => isSaid(value) && !value.includes("\0"),
  },
  {
    name: "PSN_LATE",
    secret: false,
    default: "ask",
    example: "ask",
    meaning:
      "What to do with a post that can be sent only a day or more after its time: publish, ask or drop. `psn post " +
      "--late` decides it for one post.",
    form: LATE_POLICIES.join(", "),
    isValid: (value) => LATE_POLICIES.some((policy) => policy === value),
  },
  {
    name: "PSN_NOTIFY_URL",
    secret: true,
    example: "https://ntfy.sh/a-topic-nobody-guesses",
    meaning:
      "Where psn sends a notification when it needs you: an account to reconnect, a post that failed, a post that " +
      "psn could not confirm. One line by POST, which never contains text of a post: an ntfy topic, or any " +
      "address that accepts POST.",
    form: "https:// and a host, or http:// on this machine",
    // The address of a topic is its secret.
    isValid: (value) => isWebUrl(value) && (value.startsWith("https:") || isLocal(new URL(value))),
  },
  {
    name: "PSN_ORIGINS",
    secret: false,
    example: "https://api.x.com=http://127.0.0.1:8080",
    meaning:
      "Sends what is meant for a platform's address to a server on this machine: to try psn against a platform's " +
      "own playground. Several, with spaces between.",
    form: "pairs such as https://api.x.com=http://127.0.0.1:8080, the second on this machine",
    isValid: (value) => readOrigins(value) !== undefined,
  },
  {
    name: "PSN_PRIVATE_ORIGINS",
    secret: false,
    example: "http://127.0.0.1:8080,https://social.lan.example.com",
    meaning:
      "Addresses of this machine and of private networks to which psn may send, with commas between; none for " +
      "none. Whatever else an account or a server names there is refused. `psn connect` adds what you connect to.",
    form: "origins such as http://127.0.0.1:8080 with commas between, or none",
    isValid: (value) => readPrivateOrigins(value) !== undefined,
  },
  {
    name: "PSN_TIME_ZONE",
    secret: false,
    example: "Europe/Paris",
    meaning: "IANA time zone in which times are read and shown. Without it psn takes the system's.",
    form: "an IANA time zone such as Europe/Paris or UTC",
    isValid: isTimeZone,
  },
] as const satisfies readonly Setting[];

export type HubSettingName = (typeof HUB_SETTINGS)[number]["name"];

const appKey = (name: string, secret: boolean, meaning: string): Setting => ({
  name,
  secret,
  example: "",
  meaning,
  form: "what the platform gave for your app",
  isValid: isSaid,
});

/**
 * keys.env: the keys of the user's own apps at the platforms. A name that is not here is listed, kept and never used.
 */
export const APP_KEYS: readonly Setting[] = [
  appKey("X_CLIENT_ID", false, "X: the app's OAuth 2.0 client id."),
  appKey("X_CLIENT_SECRET", true, "X: the app's OAuth 2.0 client secret."),
  appKey("LINKEDIN_CLIENT_ID", false, "LinkedIn: the app's client id."),
  appKey("LINKEDIN_CLIENT_SECRET", true, "LinkedIn: the app's primary client secret."),
  appKey("THREADS_APP_ID", false, "Threads: the app's id."),
  appKey("THREADS_APP_SECRET", true, "Threads: the app's secret."),
];

/** The setting of hub.env by this name. */
export function hubSetting(name: string): (Setting & { readonly name: HubSettingName }) | undefined {
  return HUB_SETTINGS.find((setting) => setting.name === name);
}

/** The app key of keys.env by this name. */
export function appKeySetting(name: string): Setting | undefined {
  return APP_KEYS.find((setting) => setting.name === name);
}

const EVERY: readonly Setting[] = [...HUB_SETTINGS, ...APP_KEYS];

/** The setting by this name, of hub.env or keys.env if not said otherwise. Throws SETTING_UNKNOWN. */
export function knownSetting(name: string, among: readonly Setting[] = EVERY): Setting {
  const found = among.find((setting) => setting.name === name);
  if (found) return found;
  throw unknownSetting(name, among);
}

/** With the name that was probably meant. */
export function unknownSetting(name: string, among: readonly Setting[] = EVERY): PsnError {
  const meant = nearestName(name, among) ?? nearestName(name, EVERY);
  return new PsnError(
    "SETTING_UNKNOWN",
    `psn knows no setting ${name}`,
    meant === undefined ? {} : { hint: `did you mean ${meant}?` },
  );
}

/**
 * The known name that was most likely meant: at most three letters away, and no more than a third of the name; else one
 * that is this one written in full, as PSN_TIME_ZONE is PSN_TZ.
 */
export function nearestName(name: string, known: readonly { readonly name: string }[]): string | undefined {
  const near = known
    .map((candidate) => ({ name: candidate.name, steps: distance(name.toUpperCase(), candidate.name) }))
    .filter(({ name: candidate, steps }) => steps <= Math.min(3, Math.floor(candidate.length / 3)));
  const [nearest] = near.toSorted((a, b) => a.steps - b.steps);
  return nearest?.name ?? known.find((candidate) => isShortFor(name.toUpperCase(), candidate.name))?.name;
}

/** The same first word, and the letters of the rest in their order. */
function isShortFor(short: string, long: string): boolean {
  const [word = "", ...rest] = short.split("_");
  if (rest.join("") === "" || !long.startsWith(`${word}_`)) return false;
  let at = word.length;
  for (const letter of rest.join("")) {
    at = long.indexOf(letter, at + 1);
    if (at < 0) return false;
  }
  return true;
}

/** An IANA name that this runtime knows; an offset such as +01:00 is none. */
export function isTimeZone(value: string): boolean {
  if (!/^[A-Za-z]/.test(value)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

/** `PSN_ORIGINS` as pairs; undefined when it is not of that form, or leads away from this machine. */
export function readOrigins(value: string): ReadonlyMap<string, string> | undefined {
  const pairs = value
    .trim()
    .split(/\s+/)
    .map((pair) => pair.split("=").map((side) => URL.parse(side)));
  const origins = pairs.flatMap(([from, to, ...more]) =>
    from && to && more.length === 0 && /^https?:$/.test(from.protocol) && isLocal(to)
      ? [[from.origin, to.origin] as const]
      : [],
  );
  return origins.length === pairs.length ? new Map(origins) : undefined;
}

function isLocal({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(hostname);
}

/** `PSN_OBJECT_MARKS` as marks; undefined when it is not of that form. */
export function readObjectMarks(value: string): readonly string[] | undefined {
  const marks = value.split(",").map((each) => each.trim());
  return marks.every((mark) => /^[0-9a-f]{10}$/.test(mark)) ? marks : undefined;
}

/** `PSN_PRIVATE_ORIGINS` as origins; undefined when it is not of that form. */
export function readPrivateOrigins(value: string): ReadonlySet<string> | undefined {
  if (value.trim() === "none") return new Set();
  const origins = value.split(",").map((each) => originOf(each.trim()));
  return origins.includes(undefined) ? undefined : new Set(origins.filter((origin) => origin !== undefined));
}

function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  return url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` ? url.origin : undefined;
}

/** Of `postgres:///database?host=/run/postgresql`, a Unix socket, the host is a parameter. */
function isPostgresUrl(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null && /^postgres(?:ql)?:$/.test(url.protocol) && (url.hostname !== "" || url.searchParams.has("host"))
  );
}

function isWebUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}
