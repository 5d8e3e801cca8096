import { type Details, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { isProxys, layersOf, proxyError } from "./neon-refusals.ts";
import { REFUSALS } from "./refusals.ts";

/** Fields of a Postgres error that hold names and never values. */
const SAFE_FIELDS = ["constraint", "table", "routine"] as const;

/** Five letters or digits; what Node names its failures by (EPIPE, EPERM) has no digit at this length. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
/** io_error and internal_error, under which Postgres reports what has no code of its own: a quota that is used up. */
const TROUBLE = /^(58030|XX000)$/;
const SYSTEM_CODES = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_\\w+",
  "EADDRNOTAVAIL",
  "DNS\\w*",
  "ETIMEDOUT",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
];
const BUNS_CODES = ["ConnectionRefused", "FailedToOpenSocket", "ERR_SOCKET_CLOSED"];
const NETWORK = new RegExp(`^(${[...SYSTEM_CODES, ...BUNS_CODES].join("|")})$`);
/** The files that an address names are read while it is taken apart. */
const UNREADABLE = /^(ENOENT|EACCES|EISDIR|ENOTDIR)$/;
/** What `pg` throws without a code when TLS is asked for in vain (its lib/connection.js, 8.23.1). */
const NO_TLS = /does not support SSL connections|error establishing an SSL connection/;
/** What `ws` throws for a redirect, which it does not follow (its lib/websocket.js, 8). */
const MOVED = /Unexpected server response: 3\d\d/;

/**
 * Any failure of a driver as a PsnError. Drizzle puts a statement's parameters into its message and Postgres puts
 * values into its own, so neither is kept, not even as a cause: a token must not reach a log that way.
 */
export function databaseError(error: unknown): PsnError {
  let details: Details = {};
  /** The first code of all layers, and what the layer says that has it. */
  let [code, coded] = ["", ""];
  let network = false;
  let said = "";
  let full = false;
  for (const layer of layersOf(error)) {
    if (layer instanceof PsnError) return layer;
    const field = (name: string) => textOf(layer, name);
    const unreadable = UNREADABLE.test(field("code")) && field("syscall") === "open" && field("path") !== "";
    if (unreadable) return fileUnreadable(field("path"));
    if (code === "" && field("code") !== "") [code, coded] = [field("code"), `${field("message")} ${field("detail")}`];
    if (NETWORK.test(field("code"))) network = true;
    if (TROUBLE.test(field("code"))) full ||= /No space left|[Qq]uota exceeded/.test(field("message"));
    for (const name of SAFE_FIELDS)
      if (field(name) !== "" && details[name] === undefined) details = { ...details, [name]: field(name) };
    // A WebSocket that cannot connect says so by an event without a code.
    if (field("type") === "error" && field("code") === "") said += " socket";
    // Drizzle's message holds a statement and what it carries: a post may have any of the words below.
    if (Reflect.get(layer, "params") === undefined) said += ` ${field("message")}`;
  }
  const isState = SQLSTATE.test(code);
  if (code !== "") details = isState ? { code, ...details } : { reason: code, ...details };
  if (full || code === "53100")
    return new PsnError("DB_FULL", "the database cannot write: its disk is full or its quota is used up", {
      details,
    });
  if (network) return new PsnError("DB_UNREACHABLE", "the database does not answer", { details });
  const routine = String(details["routine"] ?? "");
  const refusal = REFUSALS.find(
    (row) =>
      row.code.test(code) && (row.routine?.test(routine) ?? true) && (row.said?.test(`${coded} ${code}`) ?? true),
  );
  if (refusal)
    return new PsnError(refusal.is, refusal.message, {
      details,
      ...defined({ hint: refusal.hint }),
    });
  if (code === "" && NO_TLS.test(said))
    return new PsnError("DB_TLS", "the address requires an encrypted connection, and the database server offers none", {
      hint:
        "turn on ssl in the server's settings; on a network that you trust, remove sslmode from the address: psn " +
        "config set DATABASE_URL",
    });
  if (MOVED.test(said)) return redirected(undefined);
  const isRefusal = isProxys(code, details["routine"]);
  const proxys = isRefusal ? proxyError(said) : undefined;
  if (proxys) return proxys;
  if (isRefusal && code !== "")
    return new PsnError("DB_UNREACHABLE", "Neon's proxy refused the connection", { details });
  if (
    code === "" &&
    /HTTP status (429|5\d\d)|connection|socket|timeout|terminated|fetch|closed|network|read to its end/i.test(said)
  )
    return new PsnError("DB_UNREACHABLE", "the connection to the database was lost");
  const named = isState ? ` (SQLSTATE ${code})` : code === "" ? "" : ` (${code})`;
  return new PsnError("DB_FAILED", `a statement failed in the database${named}`, { details });
}

/** A redirect is never followed: the request holds the database's password. */
export function redirected(origin: string | undefined): PsnError {
  return new PsnError(
    "DB_REFUSED",
    `the database's address redirects${origin === undefined ? "" : ` to ${origin}`}, and psn does not send its ` +
      `password to another address`,
    {
      hint:
        `if that address is yours too: psn config set ` +
        `NEON_PROXY${origin === undefined ? ", to where it redirects" : ` ${origin}`}`,
    },
  );
}

function textOf(layer: object, name: string): string {
  const value: unknown = Reflect.get(layer, name);
  return typeof value === "string" ? value : "";
}

function fileUnreadable(path: string): PsnError {
  return new PsnError("CONFIG_INVALID", `the database's address names a file that cannot be read: ${path}`, {
    hint: "correct sslrootcert, sslcert or sslkey in the address: psn config set DATABASE_URL",
  });
}

/** The constraint a write ran into, if that is what stopped it. */
export function violated(error: unknown): string | undefined {
  if (!(error instanceof PsnError)) return undefined;
  const constraint = error.details["constraint"];
  return typeof constraint === "string" ? constraint : undefined;
}

/** The SQLSTATE of what a driver's own client has thrown; empty if it has none. */
export function sqlStateOf(error: unknown): string {
  const code = typeof error === "object" && error !== null ? textOf(error, "code") : "";
  return SQLSTATE.test(code) ? code : "";
}
