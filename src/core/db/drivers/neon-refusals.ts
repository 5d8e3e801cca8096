import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { retryAfterMs } from "@psn/core/net/pauses.ts";

/*
 * What Neon's proxy says when it refuses a login or a request. Over HTTP its answer has no SQLSTATE, over WebSocket it
 * is XX000 without a routine, which PostgreSQL's own internal errors always have. Sources (2026-11): neondatabase/neon,
 * proxy/src/auth/mod.rs, auth/credentials.rs, compute/mod.rs, control_plane/errors.rs and messages.rs,
 * serverless/error.rs; for what the control plane writes, https://neon.com/docs/connect/connection-errors. Over
 * WebSocket the proxy also passes on PostgreSQL's message, without its code, when PostgreSQL refuses the connection.
 */

/** How long to wait before each further try, in milliseconds. */
type Pauses = readonly number[];
/** A limit, a maintenance or a start that is over within seconds, or is not. */
const SOON: Pauses = [250, 1_000, 3_000];
/** The proxy has tried for three seconds before it says so (proxy/src/proxy/retry.rs). */
const TRIED: Pauses = [1_000];
/** Another try gets the same answer. */
const FINAL: Pauses = [];

interface Row {
  readonly says: RegExp;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly again: Pauses;
}

const CONSOLE = "https://console.neon.tech";

const NO_ENDPOINT = [
  "Endpoint ID is not specified",
  "project name inferred from SNI",
  "Common name inferred from SNI",
  String.raw`Project name \('`,
  "(malformed|invalid|missing) (endpoint|hostname)",
];
const REFUSED_LOGIN = [
  'database "[^"]*" does not exist',
  'role "[^"]*" (does not exist|is not permitted to log in)',
  "permission denied for database",
  String.raw`no pg_hba\.conf entry`,
];
const TOO_MANY = [
  "rate limit exceeded",
  "too many connections",
  "too many (database )?connections? attempts",
  "failed to acquire permit",
  "HTTP status 429",
  "concurrency limit",
];

const ROWS: readonly Row[] = [
  {
    says: /password authentication failed/i,
    code: "DB_REFUSED",
    message: "the database refused the login: wrong user or password",
    hint: "psn config set DATABASE_URL; a self-hosted Neon proxy accepts a changed password only after up to 4 minutes",
    again: FINAL,
  },
  {
    says: /VPC endpoint ID|IP address \S+ is not allowed|from a blocked network/i,
    code: "DB_REFUSED",
    message: "Neon does not accept connections from this network",
    hint: `allow this network in the project's settings: ${CONSOLE}`,
    again: FINAL,
  },
  {
    says: new RegExp(NO_ENDPOINT.join("|"), "i"),
    code: "CONFIG_INVALID",
    message: "Neon's proxy cannot find the endpoint's name in the address (Endpoint ID is not specified)",
    hint:
      "name the endpoint in the host of NEON_PROXY and of DATABASE_URL, or add ?options=endpoint%3DENDPOINT to " +
      "DATABASE_URL (docs/self-hosting.md)",
    again: FINAL,
  },
  {
    says: /(endpoint|project|branch) (could not|cannot|can't) be found|(endpoint|project|branch) not found/i,
    code: "DB_REFUSED",
    message: "Neon has no endpoint with the name in the database's address",
    hint: `compare the host with ${CONSOLE}, then: psn config set DATABASE_URL`,
    again: FINAL,
  },
  {
    says: /endpoint (is|has been) disabled/i,
    code: "DB_REFUSED",
    message: "the database's endpoint is disabled at Neon",
    hint: `enable it: ${CONSOLE}`,
    again: FINAL,
  },
  {
    says: /role .*is protected|protected role/i,
    code: "DB_REFUSED",
    message: "Neon protects this role: it cannot log in this way",
    hint: "use another role: psn config set DATABASE_URL",
    again: FINAL,
  },
  {
    says: /(missing|invalid) (database name|username|authentication credentials|connection string)|incorrect scheme/i,
    code: "CONFIG_INVALID",
    message: "the database's address lacks its user, password, host or database name",
    hint: "psn config set DATABASE_URL",
    again: FINAL,
  },
  {
    says: /unsupported (options )?startup parameter/i,
    code: "CONFIG_INVALID",
    message: "the pooler in front of the database does not accept a parameter of the address",
    hint: "remove -pooler from the host: psn config set DATABASE_URL",
    again: FINAL,
  },
  {
    says: /is too large \(max is/i,
    code: "DB_TOO_LARGE",
    message: "Neon accepts and returns at most 10 MiB in one request over HTTP",
    hint: "psn config set DATABASE_DRIVER neon-ws",
    again: FINAL,
  },
  {
    says: new RegExp(REFUSED_LOGIN.join("|"), "i"),
    code: "DB_REFUSED",
    message: "the database refused the login: wrong user, password or database name",
    again: FINAL,
  },
  {
    says: /endpoint is temporarily unavailable/i,
    code: "DB_UNREACHABLE",
    message: "Neon has made this database unavailable: a quota is used up, or the project is under maintenance",
    hint: `look at the project: ${CONSOLE}`,
    again: SOON,
  },
  {
    says: new RegExp(TOO_MANY.join("|"), "i"),
    code: "DB_UNREACHABLE",
    message: "Neon accepts no more connections to this database at the moment",
    hint: "try again in a minute",
    again: SOON,
  },
  {
    says: /too many clients already|remaining connection slots are reserved/i,
    code: "DB_UNREACHABLE",
    message: "the database accepts no more connections at the moment",
    hint: "try again in a minute",
    again: SOON,
  },
  {
    says: /exceeded .*(quota|limit of)|HTTP status 402/i,
    code: "VENDOR_QUOTA",
    message: "Neon has suspended this database: the plan's quota is used up",
    hint: "wait for the next month or upgrade: https://console.neon.tech/app/billing",
    again: FINAL,
  },
  {
    says: /under maintenance|running operations|lock already taken/i,
    code: "DB_UNREACHABLE",
    message: "Neon is working on this project at the moment: maintenance or another operation",
    hint: "try again in a minute",
    again: SOON,
  },
  {
    says: /database system is (starting up|shutting down|in recovery|not (yet )?accepting)/i,
    code: "DB_UNREACHABLE",
    message: "the database is starting or stopping",
    hint: "try again in a minute",
    again: SOON,
  },
  {
    says: /couldn't connect to compute|could not connect to postgres in compute|HTTP connection to the database/i,
    code: "DB_UNREACHABLE",
    message: "Neon cannot reach the compute of this database",
    again: TRIED,
  },
  {
    says: /control plane request failed|pooled connection closed at inconsistent state|authentication timed out/i,
    code: "DB_UNREACHABLE",
    message: "Neon could not start the compute of this database",
    again: SOON,
  },
];

const rowOf = (said: string): Row | undefined => ROWS.find(({ says }) => says.test(said));

/**
 * What the proxy has answered over HTTP with another status than 200 and 400; Neon's driver would keep its text alone.
 */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal";
  readonly status: number;
  /**
   * The SQLSTATE with which PostgreSQL refused the connection; empty for the proxy's own words, absent for somebody
   * else's answer.
   */
  readonly code: string | undefined;
  /** The pause that was asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, body: string, headers = new Headers()) {
    const { message, code } = answerOf(body);
    super(`(HTTP status ${status}) ${message ?? ""}`);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs(headers, new Date());
  }
}

function answerOf(body: string): { readonly message?: string; readonly code?: string } {
  try {
    const { message, code }: Readonly<Record<string, unknown>> = Object(JSON.parse(body));
    return typeof message === "string" && typeof code === "string" ? { message, code } : {};
  } catch {
    return {};
  }
}

/** The error of the proxy's sentence; undefined where the words are not the proxy's. */
export function proxyError(said: string): PsnError | undefined {
  const row = rowOf(said);
  return row && new PsnError(row.code, row.message, row.hint === undefined ? {} : { hint: row.hint });
}

/** Whether a failure with this code is one of the proxy's own. */
export function isProxys(code: string, routine: unknown): boolean {
  return code === "" || (code === "XX000" && routine === undefined);
}

/**
 * How long to wait before each further try of what failed here, where the failure proves that no statement ran;
 * undefined where one may have run. Empty where it proves that too, and another try gets the same answer. Over HTTP
 * every 500 with the proxy's own body is from before the first statement, but for one (sql_over_http.rs). Its flag
 * `neon:retryable` does not say that (neondatabase/neon issue 11975).
 */
export function pausesAfter(error: unknown): Pauses | undefined {
  for (const layer of layersOf(error)) {
    const code: unknown = Reflect.get(layer, "code");
    const message: unknown = Reflect.get(layer, "message");
    const said = typeof message === "string" ? message : "";
    if (layer instanceof HttpRefusal) {
      const before = layer.status === 429 || layer.status === 402 || (layer.status === 500 && layer.code !== undefined);
      if (!before || said.includes("could not parse postgres response")) return undefined;
      if (layer.retryAfterMs !== undefined) return [layer.retryAfterMs];
      return rowOf(said)?.again ?? SOON;
    }
    if (typeof code === "string" && isProxys(code, Reflect.get(layer, "routine"))) {
      const row = rowOf(said);
      if (row) return row.again;
    }
  }
  return undefined;
}

/** A failure and what caused it, from the outside in; a driver of Neon's has its cause as `sourceError`. */
export function* layersOf(error: unknown): Generator<object> {
  for (
    let layer: unknown = error;
    typeof layer === "object" && layer !== null;
    layer = Reflect.get(layer, "cause") ?? Reflect.get(layer, "sourceError")
  )
    yield layer;
}
