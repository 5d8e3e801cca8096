import pg from "pg";

/*
 * What Neon's proxy does with the body of a POST to /sql, in front of any PostgreSQL.
 *
 * Sources, read 2026-11:
 * - the driver, @neondatabase/serverless 1.2.0 index.mjs: `neon()` sends { query, params } or { queries } with the headers
 *   Neon-Connection-String, Neon-Raw-Text-Output and Neon-Array-Mode (both always "true") and, for a batch,
 *   Neon-Batch-Isolation-Level, Neon-Batch-Read-Only, Neon-Batch-Deferrable; `prepareQuery` turns each parameter into text
 *   with node-postgres' prepareValue and bytes into \x…; a 400 must be JSON, of which `errorFields` are copied onto
 *   NeonDbError, and any other status is read as text;
 * - the proxy, github.com/neondatabase/neon, proxy/src/serverless: sql_over_http.rs (payload, transaction, result, error
 *   body, status codes), json.rs (parameters, values when the text is not raw), error.rs and auth/mod.rs (messages),
 *   conn_pool_lib.rs (connections are kept per database and role and are not reset in between).
 *
 * Not imitated: JWT logins, and cancelling a statement whose caller has hung up (here it runs to its end).
 */

interface Statement {
  readonly query: string;
  readonly params: readonly (string | null)[];
  readonly arrayMode: boolean;
}

/** A request to /sql as understood, or the reason why not. */
export interface SqlRequest {
  readonly login: Login;
  readonly batch: boolean;
  readonly statements: readonly Statement[];
  readonly rawText: boolean;
  /** The statement a batch begins with. */
  readonly begin: string;
  /** Sent back as it came. */
  readonly batchHeaders: Readonly<Record<string, string>>;
}

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** An answer that is not a result: the proxy's status and the fields of its error body. */
export class SqlFailure extends Error {
  readonly status: number;
  readonly fields: Readonly<Record<string, string | null>>;

  constructor(status: number, message: string, fields: Readonly<Record<string, string | null>> = {}) {
    super(message);
    this.status = status;
    this.fields = fields;
  }

  /** All seventeen keys are always there. Without an error of PostgreSQL's own, `code` and `severity` are empty, not null. */
  body(): string {
    const keys = ["code", "detail", "hint", "position", "internalPosition", "internalQuery", "severity", "where", "table", "column"];
    keys.push("schema", "dataType", "constraint", "file", "line", "routine");
    const absent = (key: string) => (key === "code" || key === "severity" ? "" : null);
    return JSON.stringify({ message: this.message, ...Object.fromEntries(keys.map((key) => [key, this.fields[key] ?? absent(key)])) });
  }
}

const text = (value: string | number | undefined): string | null => (value === undefined ? null : String(value));

/** @param status what the proxy answers when it meets the error here */
export function failureOf(error: unknown, status: number, otherwise: string): SqlFailure {
  if (!(error instanceof pg.DatabaseError)) return new SqlFailure(status, otherwise);
  const { code, detail, hint, position, internalPosition, internalQuery, severity, where } = error;
  const { table, column, schema, dataType, constraint, file, line, routine } = error;
  const fields = { code, detail, hint, position, internalPosition, internalQuery, severity, where };
  const more = { table, column, schema, dataType, constraint, file, line, routine };
  const entries = Object.entries({ ...fields, ...more }).map(([key, value]) => [key, text(value)]);
  return new SqlFailure(status, error.message, Object.fromEntries(entries));
}

/** json.rs, json_to_pg_text: a string passes as it is, an array becomes an array literal, an object its JSON. */
function parameter(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === "string") return value;
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value);
}

function arrayLiteral(value: unknown): string {
  if (value === null) return "NULL";
  if (Array.isArray(value)) return `{${value.map(arrayLiteral).join(",")}}`;
  return typeof value === "object" ? JSON.stringify(JSON.stringify(value)) : JSON.stringify(value);
}

interface Payload {
  readonly query?: unknown;
  readonly params?: unknown;
  readonly arrayMode?: unknown;
  readonly queries?: unknown;
}

const isPayload = (value: unknown): value is Payload => typeof value === "object" && value !== null && !Array.isArray(value);

function statement(value: unknown, arrayMode: boolean): Statement {
  const params = isPayload(value) ? (value.params ?? []) : undefined;
  if (!(isPayload(value) && typeof value.query === "string" && Array.isArray(params))) {
    throw new SqlFailure(400, "could not parse the HTTP request body: data did not match any variant of untagged enum Payload");
  }
  const own = value.arrayMode;
  return { query: value.query, params: params.map(parameter), arrayMode: typeof own === "boolean" ? own : arrayMode };
}

function parseLogin(connection: string | null): Login {
  if (connection === null) throw new SqlFailure(400, "invalid header: neon-connection-string");
  if (!URL.canParse(connection)) throw new SqlFailure(400, "invalid connection string: relative URL without a base");
  const url = new URL(connection);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw new SqlFailure(400, "incorrect scheme");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "") throw new SqlFailure(400, "invalid database name");
  if (url.username === "") throw new SqlFailure(400, "missing username");
  if (url.password === "") throw new SqlFailure(400, "missing authentication credentials: required password");
  return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password), database };
}

const ISOLATION: Readonly<Record<string, string>> = {
  Serializable: "SERIALIZABLE",
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
};

/** @throws SqlFailure as the proxy would answer */
export function parseRequest(headers: Headers, body: string): SqlRequest {
  const login = parseLogin(headers.get("neon-connection-string"));
  if (headers.has("authorization")) throw new SqlFailure(400, "this gateway knows no JWT logins");
  const is = (name: string) => headers.get(name) === "true";
  const level = headers.get("neon-batch-isolation-level");
  const isolation = level === null ? undefined : ISOLATION[level];
  if (level !== null && isolation === undefined) throw new SqlFailure(400, "invalid isolation level");
  let payload: unknown;
  try {
    payload = JSON.parse(body);
  } catch (error) {
    throw new SqlFailure(400, `could not parse the HTTP request body: ${error instanceof Error ? error.message : ""}`);
  }
  const queries = isPayload(payload) && typeof payload.query !== "string" ? payload.queries : undefined;
  const arrayMode = is("neon-array-mode");
  const modes = [
    ...(isolation ? [`ISOLATION LEVEL ${isolation}`] : []),
    ...(is("neon-batch-read-only") ? ["READ ONLY"] : []),
    ...(is("neon-batch-deferrable") ? ["DEFERRABLE"] : []),
  ];
  return {
    login,
    batch: Array.isArray(queries),
    statements: Array.isArray(queries) ? queries.map((query) => statement(query, arrayMode)) : [statement(payload, arrayMode)],
    rawText: is("neon-raw-text-output"),
    begin: `START TRANSACTION ${modes.join(", ")}`.trim(),
    batchHeaders: {
      ...(is("neon-batch-read-only") ? { "neon-batch-read-only": "true" } : {}),
      ...(is("neon-batch-deferrable") ? { "neon-batch-deferrable": "true" } : {}),
      ...(level === null ? {} : { "neon-batch-isolation-level": level }),
    },
  };
}

/** json.rs, pg_text_to_json, for the types whose text is not passed on as it is. */
function jsonValue(value: string, type: number): unknown {
  const { BOOL, INT2, INT4, FLOAT4, FLOAT8, JSON: JSON_TYPE, JSONB } = pg.types.builtins;
  if (type === BOOL) return value === "t";
  if (type === INT2 || type === INT4) return Number(value);
  if (type === FLOAT4 || type === FLOAT8) return Number.isFinite(Number(value)) ? Number(value) : value;
  return type === JSON_TYPE || type === JSONB ? JSON.parse(value) : value;
}

type Texts = readonly (string | null | Texts)[];

const TEXT_ARRAY: number = 1009;

/** An array literal with elements of the given type; the parser of text[] leaves the elements as text. */
function jsonArray(value: string, element: number): unknown[] {
  const convert = (texts: Texts): unknown[] =>
    texts.map((each) => (typeof each === "string" ? jsonValue(each, element) : each === null ? null : convert(each)));
  const texts: Texts = pg.types.getTypeParser(TEXT_ARRAY)(value);
  return convert(texts);
}

async function elementTypes(client: pg.Client, types: readonly number[]): Promise<Map<number, number>> {
  const found = await client.query<{ oid: number; typelem: number }>(
    "SELECT oid, typelem FROM pg_type WHERE typcategory = 'A' AND oid = ANY($1)",
    [types],
  );
  return new Map(found.rows.map((row) => [row.oid, row.typelem]));
}

const asText = { getTypeParser: () => (value: string) => value };

/** One statement by the extended protocol, all values as text, as the JSON of one result. */
async function run(client: pg.Client, { query, params, arrayMode }: Statement, rawText: boolean): Promise<string> {
  const config = { text: query, values: [...params], rowMode: "array" as const, queryMode: "extended", types: asText };
  const result = await client.query<(string | null)[]>(config);
  const elements = rawText
    ? undefined
    : await elementTypes(
        client,
        result.fields.map((field) => field.dataTypeID),
      );
  const rows = result.rows.map((row) => {
    const values = row.map((value, index) => {
      const type = result.fields[index]?.dataTypeID ?? 0;
      if (value === null || !elements) return value;
      const element = elements.get(type);
      return element === undefined ? jsonValue(value, type) : jsonArray(value, element);
    });
    return arrayMode ? values : Object.fromEntries(values.map((value, index) => [result.fields[index]?.name, value]));
  });
  const { command, rowCount } = result;
  return JSON.stringify({ rowAsArray: arrayMode, fields: result.fields, rows, command: command ?? "", rowCount });
}

/** What became of a request, and whether its connection may serve the next one. */
export interface Outcome {
  readonly json?: string;
  readonly failure?: SqlFailure;
  readonly reusable: boolean;
}

/** Runs the request: one statement on its own, or all of a batch in one transaction that is rolled back at the first error. */
export async function execute(client: pg.Client, request: SqlRequest, maxBytes: number): Promise<Outcome> {
  const results: string[] = [];
  let bytes = 0;
  try {
    if (request.batch) await client.query(request.begin);
    for (const each of request.statements) {
      const json = await run(client, each, request.rawText);
      bytes += Buffer.byteLength(json);
      if (bytes > maxBytes) throw new SqlFailure(507, `response is too large (max is ${maxBytes} bytes)`);
      results.push(json);
    }
    if (request.batch) await client.query("COMMIT");
    return { json: request.batch ? `{"results":[${results.join(",")}]}` : (results[0] ?? ""), reusable: true };
  } catch (error) {
    const failure = error instanceof SqlFailure ? error : failureOf(error, 400, "connection closed");
    if (!request.batch) return { failure, reusable: false };
    const rolledBack = await client.query("ROLLBACK").then(
      () => true,
      () => false,
    );
    return { failure, reusable: rolledBack };
  }
}
