import { type Details, PsnError } from "@psn/core/errors.ts";

/** Fields of a Postgres error that hold names and never values. */
const SAFE_FIELDS = ["code", "constraint", "table", "routine"] as const;

/** SQLSTATE classes and codes: https://www.postgresql.org/docs/18/errcodes-appendix.html (2026-11). */
const REFUSED = /^(28|3D000|0LP01|42501$)/;
const NO_SCHEMA = /^(3F000|42P01|42883|42703)$/;
const GONE = /^(08|57P0|53300|57014)/;
/** io_error and internal_error, under which Postgres reports what has no code of its own: a quota that is used up. */
const TROUBLE = /^(58030|XX000)$/;
const NETWORK =
  /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|ENOENT|ConnectionRefused|FailedToOpenSocket)$/;

/**
 * Any failure of a driver as a PsnError. Drizzle puts a statement's parameters into its message and Postgres puts values
 * into its own, so neither is kept, not even as a cause: a token must not reach a log that way.
 */
export function databaseError(error: unknown): PsnError {
  let details: Details = {};
  let network: string | undefined;
  let said = "";
  let full = false;
  for (
    let layer: unknown = error;
    layer instanceof Error || (typeof layer === "object" && layer !== null);
    layer = Reflect.get(layer, "cause") ?? Reflect.get(layer, "sourceError")
  ) {
    if (layer instanceof PsnError) return layer;
    for (const field of SAFE_FIELDS) {
      const value: unknown = Reflect.get(layer, field);
      if (typeof value !== "string" || details[field] !== undefined) continue;
      if (field === "code" && NETWORK.test(value)) network = value;
      if (field === "code" && TROUBLE.test(value)) full ||= /No space left|[Qq]uota exceeded/.test(String(Reflect.get(layer, "message")));
      details = { ...details, [field]: value };
    }
    // A WebSocket that cannot connect says so by an event without a code.
    if (Reflect.get(layer, "type") === "error" && Reflect.get(layer, "code") === undefined) said += " socket";
    const message: unknown = Reflect.get(layer, "message");
    if (typeof message === "string") said += ` ${message}`;
  }
  const code = typeof details["code"] === "string" ? details["code"] : "";
  if (full || code === "53100")
    return new PsnError("DB_FULL", "the database's disk is full, or its quota used up: nothing more can be written", { details });
  if (network !== undefined || GONE.test(code)) return new PsnError("DB_UNREACHABLE", "the database does not answer", { details });
  // 55P03 lock_not_available
  if (code === "55P03") return new PsnError("DB_LOCKED", "another session has locked what this needs, and does not let go", { details });
  if (code === "42501") return new PsnError("DB_REFUSED", "the database does not allow this login to do that", { details });
  if (REFUSED.test(code))
    return new PsnError("DB_REFUSED", "the database refused the login: wrong user, password or database name", { details });
  // Raised by psn.assert_schema.
  if (code === "PSN02") return new PsnError("SCHEMA_NEWER", "the database holds migrations this psn does not know", { details });
  if (code === "PSN01" || NO_SCHEMA.test(code))
    return new PsnError("SCHEMA_OUTDATED", "the database lacks something this psn needs", { details });
  // Neon's proxy gives these no SQLSTATE over HTTP.
  if (code === "" && /HTTP status 402|exceeded the .*quota/i.test(said))
    return new PsnError("VENDOR_QUOTA", "Neon has suspended this database: the plan's quota is used up", {
      hint: "wait for the next month or upgrade: https://console.neon.tech/app/billing",
    });
  if (code === "" && /password authentication failed/i.test(said))
    return new PsnError("DB_REFUSED", "the database refused the login: wrong user or password");
  if (code === "" && /HTTP status (429|5\d\d)|connection|socket|timeout|terminated|fetch|closed|network/i.test(said))
    return new PsnError("DB_UNREACHABLE", "the connection to the database was lost");
  return new PsnError("DB_FAILED", `a statement failed in the database${code === "" ? "" : ` (SQLSTATE ${code})`}`, { details });
}

/** The constraint a write ran into, if that is what stopped it. */
export function violated(error: unknown): string | undefined {
  if (!(error instanceof PsnError)) return undefined;
  const constraint = error.details["constraint"];
  return typeof constraint === "string" ? constraint : undefined;
}

/** The SQLSTATE of what a driver's own client has thrown; empty if it has none. */
export function sqlStateOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" ? code : "";
}
