import pg from "pg";
import { parseSerde, SerdeObject, type SerdeValue, serdeText } from "./neon-json.ts";

/*
 * What Neon's proxy does with the body of a POST to /sql, in front of any PostgreSQL.
 *
 * Sources, read 2026-11:
 * - the driver, @neondatabase/serverless 1.2.0 index.mjs: `neon()` sends { query, params } or { queries } with the
 *   headers Neon-Connection-String, Neon-Raw-Text-Output and Neon-Array-Mode (both always "true") and, for a batch,
 *   Neon-Batch-Isolation-Level, Neon-Batch-Read-Only, Neon-Batch-Deferrable; `prepareQuery` turns each parameter into
 *   text with node-postgres' prepareValue and bytes into \x…; a 400 must be JSON, of which `errorFields` are copied
 *   onto NeonDbError, and any other status is read as text;
 * - the proxy, github.com/neondatabase/neon, proxy/src/serverless: sql_over_http.rs (payload, transaction, result,
 *   error body, status codes), json.rs (parameters, values when the text is not raw), error.rs and auth/mod.rs
 *   (messages);
 * - 217 requests that were sent to the real one (2025-07) and to this one; tests/support/neon-truths.test.ts has what
 *   differed.
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
  /** Asks for a connection that is kept, where the proxy keeps none unasked. */
  readonly pooled: boolean;
  /** The statement a batch begins with. */
  readonly begin: string;
  /** Of a batch, sent back as they came. */
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

  /**
   * All seventeen keys are always there. Without an error of PostgreSQL's own, `code` and `severity` are empty, not
   * null.
   */
  body(): string {
    const keys = [
      "code",
      "detail",
      "hint",
      "position",
      "internalPosition",
      "internalQuery",
      "severity",
      "where",
      "table",
      "column",
    ];
    keys.push("schema", "dataType", "constraint", "file", "line", "routine");
    const absent = (key: string) => (key === "code" || key === "severity" ? "" : null);
    return JSON.stringify({
      message: this.message,
      ...Object.fromEntries(keys.map((key) => [key, this.fields[key] ?? absent(key)])),
    });
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
function parameter(value: SerdeValue): string | null {
  if (value === null) return null;
  if (typeof value === "string") return value;
  return Array.isArray(value) ? arrayLiteral(value) : serdeText(value);
}

function arrayLiteral(value: SerdeValue): string {
  if (value === null) return "NULL";
  if (Array.isArray(value)) return `{${value.map(arrayLiteral).join(",")}}`;
  return value instanceof SerdeObject ? JSON.stringify(serdeText(value)) : serdeText(value);
}

const UNKNOWN_PAYLOAD =
  "could not parse the HTTP request body: data did not match any variant of untagged enum Payload";

/**
 * The values of these keys, and undefined for one that is not there; none of them may be there twice. Undefined where
 * it is no object.
 */
function fieldsOf(value: SerdeValue, names: readonly string[]): readonly (SerdeValue | undefined)[] | undefined {
  if (!(value instanceof SerdeObject)) return undefined;
  const found = names.map((name) => value.entries.filter(([key]) => key === name));
  return found.some((those) => those.length > 1) ? undefined : found.map(([first]) => first?.[1]);
}

/** QueryData of sql_over_http.rs, where it is one. */
function statementOf(value: SerdeValue, arrayMode: boolean): Statement | undefined {
  const [query, params = [], own = null] = fieldsOf(value, ["query", "params", "arrayMode"]) ?? [];
  if (typeof query !== "string" || !Array.isArray(params) || (own !== null && typeof own !== "boolean"))
    return undefined;
  return { query, params: params.map(parameter), arrayMode: own ?? arrayMode };
}

/** Payload of sql_over_http.rs: one statement or a batch. */
function statementsOf(
  payload: SerdeValue,
  arrayMode: boolean,
): { readonly batch: boolean; readonly statements: readonly Statement[] } {
  const single = statementOf(payload, arrayMode);
  if (single) return { batch: false, statements: [single] };
  const [queries] = fieldsOf(payload, ["queries"]) ?? [];
  const statements = Array.isArray(queries) ? queries.map((query) => statementOf(query, arrayMode)) : [undefined];
  if (!statements.every((each) => each !== undefined)) throw new SqlFailure(400, UNKNOWN_PAYLOAD);
  return { batch: true, statements };
}

function parseLogin(connection: string | null): Login {
  if (connection === null) throw new SqlFailure(400, "invalid header: neon-connection-string");
  if (!URL.canParse(connection)) throw new SqlFailure(400, "invalid connection string: relative URL without a base");
  const url = new URL(connection);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw new SqlFailure(400, "incorrect scheme");
  // Bun gives an address without a path the path "/".
  if (!/^\w+:\/\/[^/?]*\//.test(connection)) throw new SqlFailure(400, "missing database name");
  if (url.username === "") throw new SqlFailure(400, "missing username");
  if (url.password === "") throw new SqlFailure(400, "missing authentication credentials: required password");
  const user = decodeURIComponent(url.username);
  const [named = ""] = url.pathname.slice(1).split("/");
  return {
    user,
    password: decodeURIComponent(url.password),
    database: named === "" ? user : decodeURIComponent(named),
  };
}

const ISOLATION: Readonly<Record<string, string>> = {
  Serializable: "SERIALIZABLE",
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
};

/** @throws SqlFailure as the proxy would answer */
export function parseRequest(headers: Headers, body: Buffer): SqlRequest {
  const login = parseLogin(headers.get("neon-connection-string"));
  // It takes a token only where it is an authentication broker.
  if (headers.has("authorization")) throw new SqlFailure(400, "missing authentication credentials: required password");
  const is = (name: string) => headers.get(name) === "true";
  const level = headers.get("neon-batch-isolation-level");
  const isolation = level === null ? undefined : ISOLATION[level];
  if (level !== null && isolation === undefined) throw new SqlFailure(400, "invalid isolation level");
  let payload: SerdeValue;
  try {
    payload = parseSerde(body);
  } catch (error) {
    throw new SqlFailure(400, `could not parse the HTTP request body: ${error instanceof Error ? error.message : ""}`);
  }
  const { batch, statements } = statementsOf(payload, is("neon-array-mode"));
  const modes = [
    ...(isolation ? [`ISOLATION LEVEL ${isolation}`] : []),
    ...(is("neon-batch-read-only") ? ["READ ONLY"] : []),
    ...(is("neon-batch-deferrable") ? ["DEFERRABLE"] : []),
  ];
  const batchHeaders = {
    ...(is("neon-batch-read-only") ? { "neon-batch-read-only": "true" } : {}),
    ...(is("neon-batch-deferrable") ? { "neon-batch-deferrable": "true" } : {}),
    ...(level === null ? {} : { "neon-batch-isolation-level": level }),
  };
  return {
    login,
    batch,
    statements,
    rawText: is("neon-raw-text-output"),
    pooled: is("neon-pool-opt-in"),
    begin: `START TRANSACTION ${modes.join(", ")}`.trim(),
    batchHeaders: batch ? batchHeaders : {},
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
  // int2vector and oidvector have elements, and another text.
  if (!/^\s*[[{]/.test(value)) throw new SqlFailure(500, "could not parse postgres response");
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

/** Room for the answer, looked at before each further row and over all results so far. */
interface Room {
  readonly most: number;
  used: number;
}

const COPIES = /^\s*copy\b[\s\S]*\b(to\s+stdout|from\s+stdin)\b/i;

/** One statement by the extended protocol, all values as text, as the JSON of one result. */
async function run(
  client: pg.Client,
  { query, params, arrayMode }: Statement,
  rawText: boolean,
  room: Room,
): Promise<string> {
  if (query.includes("\0"))
    throw new SqlFailure(400, "error encoding message to server: string contains embedded null");
  if (COPIES.test(query))
    throw new SqlFailure(
      400,
      "error parsing response from server: invalid message length: expected buffer to be empty",
    );
  const config = { text: query, values: [...params], rowMode: "array" as const, queryMode: "extended", types: asText };
  const result = await client.query<(string | null)[]>(config);
  const elements = rawText
    ? undefined
    : await elementTypes(
        client,
        result.fields.map((field) => field.dataTypeID),
      );
  const rows = result.rows.map((row) => {
    if (room.used > room.most) throw new SqlFailure(507, `response is too large (max is ${room.most} bytes)`);
    const values = row.map((value, index) => {
      const type = result.fields[index]?.dataTypeID ?? 0;
      if (value === null || !elements) return value;
      const element = elements.get(type);
      return element === undefined ? jsonValue(value, type) : jsonArray(value, element);
    });
    const made = arrayMode
      ? values
      : Object.fromEntries(values.map((value, index) => [result.fields[index]?.name, value]));
    room.used += Buffer.byteLength(JSON.stringify(made));
    return made;
  });
  const fields = result.fields.map(({ name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier }) => {
    return { name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier, format: "text" };
  });
  return JSON.stringify({
    fields,
    rows,
    command: result.command ?? "",
    rowCount: result.rowCount,
    rowAsArray: arrayMode,
  });
}

/** What became of a request, and whether its connection may serve the next one. */
export interface Outcome {
  readonly json?: string;
  readonly failure?: SqlFailure;
  readonly reusable: boolean;
}

/** SqlOverHttpError::Cancelled; nobody is there to read it. */
const hungUp = () => new SqlFailure(400, "Query cancelled, connection was terminated", { code: "08P01" });

/**
 * Runs the request: one statement on its own, or all of a batch in one transaction that is rolled back at the first
 * error. Once the caller has hung up nothing begins any more, and nothing is committed.
 */
export async function execute(
  client: pg.Client,
  request: SqlRequest,
  maxBytes: number,
  caller: AbortSignal,
): Promise<Outcome> {
  const results: string[] = [];
  const room: Room = { most: maxBytes, used: 0 };
  const stillThere = () => {
    if (caller.aborted) throw hungUp();
  };
  try {
    if (request.batch) await client.query(request.begin);
    for (const each of request.statements) {
      stillThere();
      results.push(await run(client, each, request.rawText, room));
    }
    stillThere();
    if (request.batch) await client.query("COMMIT");
    return { json: request.batch ? `{"results":[${results.join(",")}]}` : (results[0] ?? ""), reusable: true };
  } catch (error) {
    const failure = error instanceof SqlFailure ? error : failureOf(error, 400, "connection closed");
    if (!request.batch || caller.aborted) return { failure, reusable: false };
    const rolledBack = await client.query("ROLLBACK").then(
      () => true,
      () => false,
    );
    return { failure, reusable: rolledBack };
  }
}
