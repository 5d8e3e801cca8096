import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NeonGateway, startNeonGateway } from "./neon-gateway.ts";
import { SECRET_TTL_MS } from "./neon-logins.ts";
import { type Speaking, speak } from "./neon-speak.ts";
import { freshDatabase, sharedPostgres } from "./shared-postgres.ts";

/*
 * What Neon's own proxy (2025-07, PostgreSQL 15.20 behind it) answered, in the numbers of the list of differences that this double had:
 * H by HTTP, W by WebSocket. A line is `request -> the real answer`; where the double still answers otherwise, `double` has its answer
 * and `why` the reason.
 */

const SECRET = "a plain password";
let gateway: NeonGateway;
let real: string;
let superuser: pg.Client;
beforeAll(async () => {
  const server = await sharedPostgres({ auth: "scram-sha-256" });
  gateway = await startNeonGateway(server.url);
  real = await freshDatabase();
  superuser = new pg.Client({ connectionString: real });
  await superuser.connect();
  await superuser.query(`CREATE ROLE member LOGIN PASSWORD '${SECRET}'; GRANT CREATE ON SCHEMA public TO member`);
});
afterAll(async () => {
  await superuser?.end();
  await gateway?.stop();
});

const database = () => new URL(real).pathname.slice(1);
const address = ({ user = "member", password = SECRET, path = `/${database()}` } = {}) =>
  `postgresql://${user}:${encodeURIComponent(password)}@ep-quiet-test.eu-central-1.aws.neon.tech${path}`;

interface Sent {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly door?: NeonGateway;
}

/** A body of bytes or text, or a value to be written as JSON, to /sql. */
async function send(body: unknown, { url = address(), headers = {}, door = gateway }: Sent = {}) {
  const raw = typeof body === "string" ? body : Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body);
  const all = { "Neon-Connection-String": url, "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true", ...headers };
  const response = await fetch(door.httpEndpoint, { method: "POST", body: raw, headers: all });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}
const query = (text: string, params: readonly unknown[] = []) => ({ query: text, params });

/** Status, words and code of a refusal. */
async function no(body: unknown, sent?: Sent): Promise<readonly unknown[]> {
  const { status, json } = await send(body, sent);
  return [status, json.message, json.code];
}
/** The first value of the first row. */
async function value(text: string, params: readonly unknown[] = [], sent?: Sent): Promise<unknown> {
  const { json } = await send(query(text, params), sent);
  return json.rows?.[0]?.[0] ?? json.code ?? null;
}

const bodyNo = (rest: string) => [400, `could not parse the HTTP request body: ${rest}`, ""];
const NO_VARIANT = bodyNo("data did not match any variant of untagged enum Payload");

/** Hangs up while the statements run; how many rows there are once nothing of the member's runs any more, and how long that took. */
async function hangUp(table: string, body: unknown): Promise<unknown> {
  await superuser.query(`CREATE TABLE ${table} (n int); GRANT ALL ON ${table} TO member`);
  const running = async () =>
    (await superuser.query("SELECT FROM pg_stat_activity WHERE usename = 'member' AND state = 'active' AND query LIKE '%pg_sleep%'"))
      .rowCount;
  const raw = JSON.stringify(body);
  const socket = connect(Number(new URL(gateway.httpEndpoint).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    `POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: ${address()}\r\nContent-Length: ${Buffer.byteLength(raw)}\r\n\r\n${raw}`,
  );
  while ((await running()) !== 1) await sleep(10);
  socket.destroy();
  const from = performance.now();
  while ((await running()) !== 0) await sleep(10);
  const { rows } = await superuser.query(`SELECT count(*)::int AS n FROM ${table}`);
  return { rows: rows[0]?.n, atOnce: performance.now() - from < 10_000 };
}
const CANCELLED = { rows: 0, atOnce: true };

type Options = Partial<Speaking> & { readonly door?: NeonGateway };
const member = ({ door = gateway, ...options }: Options) =>
  speak({ at: new URL(door.httpEndpoint).host, user: "member", password: SECRET, database: database(), ...options });
const refusedBy = async (options: Options) => {
  const session = await member(options);
  await session.closedWith();
  return session.refusal();
};
const xx = (message: string) => ["SERROR", "CXX000", `M${message}`];

async function inTurn<T>(times: number, ask: () => Promise<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  while (answers.length < times) answers.push(await ask());
  return answers;
}

interface Truth {
  readonly id: string;
  readonly request: string;
  readonly real: unknown;
  readonly ask: () => Promise<unknown>;
  readonly double?: unknown;
  readonly why?: string;
}

const SESSION: readonly Truth[] = [
  {
    id: "H1",
    request: "set_config('app.kept', 'yes', false), then current_setting('app.kept', true)",
    real: "",
    ask: async () => {
      await value("select set_config('app.kept', 'yes', false)");
      return (await send(query("select current_setting('app.kept', true)"))).json.rows[0][0];
    },
  },
  {
    id: "H1",
    request: "prepare one as select 1, then execute one",
    real: [400, 'prepared statement "one" does not exist', "26000"],
    ask: async () => {
      await send(query("prepare one as select 1"));
      return no(query("execute one"));
    },
  },
  {
    id: "H1",
    request: "create temp table, then to_regclass of it",
    real: null,
    ask: async () => {
      await send(query("create temp table passing (n int)"));
      return (await send(query("select to_regclass('passing')::text"))).json.rows[0][0];
    },
  },
  {
    id: "H1",
    request: "nextval, then currval",
    real: "55000",
    ask: async () => {
      await send(query("create sequence counted"));
      await send(query("select nextval('counted')"));
      return value("select currval('counted')");
    },
  },
  {
    id: "H1",
    request: "set statement_timeout = '5s', then show",
    real: "0",
    ask: async () => {
      await send(query("set statement_timeout = '5s'"));
      return value("show statement_timeout");
    },
  },
  {
    id: "H1",
    request: "pg_advisory_lock(7), then pg_locks",
    real: "0",
    ask: async () => {
      await send(query("select pg_advisory_lock(7)"));
      return value("select count(*)::text from pg_locks where locktype = 'advisory'");
    },
  },
  {
    id: "H1",
    request: "begin alone, then the transaction of the next request",
    real: "t",
    ask: async () => {
      await send(query("create table begun (n int)"));
      await send(query("begin"));
      await send(query("insert into begun values (1)"));
      const { rows } = await superuser.query("select (count(*) = 1)::text as kept from begun");
      return String(rows[0]?.kept).slice(0, 1);
    },
  },
  {
    id: "H2",
    request: "with the proxy's default flags: how many connections two requests use, and two that ask for the pool; then a custom setting",
    real: [2, 1, null],
    ask: async () => {
      const door = await startNeonGateway((await sharedPostgres()).url, { poolOptIn: true });
      const pids = (headers = {}) => inTurn(2, () => value("select pg_backend_pid()::text", [], { door, headers }));
      const unasked = new Set(await pids()).size;
      const asked = new Set(await pids({ "Neon-Pool-Opt-In": "true" })).size;
      await value("select set_config('app.one', 'yes', false)", [], { door });
      const setting = await value("select current_setting('app.one', true)", [], { door });
      await door.stop();
      return [unasked, asked, setting];
    },
  },
  {
    id: "H3",
    request: "pid before and after a statement that fails; before and after a batch that fails",
    real: [false, true],
    ask: async () => {
      const pid = () => value("select pg_backend_pid()::text");
      const first = await pid();
      await send(query("select 1/0"));
      const second = await pid();
      await send({ queries: [query("select 1/0")] });
      return [first === second, second === (await pid())];
    },
  },
  {
    id: "H4",
    request: "60 requests at once; idle connections then, counted by one of them",
    real: 19,
    ask: async () => {
      await Promise.all(Array.from({ length: 60 }, () => send(query("select pg_sleep(0.3)"))));
      const others = "select count(*)::int::text from pg_stat_activity where usename = 'member' and pid <> pg_backend_pid()";
      for (const until = Date.now() + 5_000; Date.now() < until && (await value(others)) !== "19"; ) await sleep(20);
      return Number(await value(others));
    },
  },
  {
    id: "H5",
    request: "hang up during a batch: insert, pg_sleep(30)",
    real: CANCELLED,
    ask: () => hangUp("cut_after", { queries: [query("insert into cut_after values (1)"), query("select pg_sleep(30)")] }),
  },
  {
    id: "H5",
    request: "hang up during a batch: pg_sleep(30), insert",
    real: CANCELLED,
    ask: () => hangUp("cut_before", { queries: [query("select pg_sleep(30)"), query("insert into cut_before values (1)")] }),
  },
  {
    id: "H5",
    request: "hang up during one statement: insert from pg_sleep(30)",
    real: CANCELLED,
    ask: () => hangUp("cut_single", query("insert into cut_single select 1 from pg_sleep(30)")),
  },
];

const STATUS: readonly Truth[] = [
  {
    id: "H6",
    request: "a database that is not there",
    real: [400, 'database "nowhere" does not exist', "3D000"],
    ask: () => no(query("select 1"), { url: address({ path: "/nowhere" }) }),
  },
  {
    id: "H7",
    request: "an address without a path",
    real: [400, "missing database name", ""],
    ask: () => no(query("select 1"), { url: address({ path: "" }) }),
  },
  {
    id: "H7",
    request: "an address with the path /",
    real: [400, 'database "member" does not exist', "3D000"],
    ask: () => no(query("select 1"), { url: address({ path: "/" }) }),
  },
  {
    id: "H7",
    request: "an address with the path /DB/extra",
    real: true,
    ask: async () => (await value("select current_database()", [], { url: address({ path: `/${database()}/extra` }) })) === database(),
  },
  {
    id: "H8",
    request: "a compute that cannot be reached",
    real: [500, "Couldn't connect to compute node", "", "after 3.0 s of its own tries"],
    double: [500, "Couldn't connect to compute node", "", "at once"],
    why: "the double does not try again by itself, so that a test need not wait for it",
    ask: async () => {
      gateway.faults.refuse("Couldn't connect to compute node");
      const from = performance.now();
      const answer = await no(query("select 1"));
      return [...answer, performance.now() - from < 2_000 ? "at once" : "after 3.0 s of its own tries"];
    },
  },
  {
    id: "H9",
    request: "a connection that PostgreSQL refuses (53300)",
    real: [500, 'too many connections for role "crowded"', "53300"],
    ask: async () => {
      await superuser.query(`CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD '${SECRET}'`);
      return no(query("select 1"), { url: address({ user: "crowded" }) });
    },
  },
  {
    id: "H10",
    request:
      "the new password and the old one after ALTER ROLE, and the new one 4 minutes later; a role that was asked for before it was made",
    real: [400, 200, 200, 400],
    ask: async () => {
      const status = async (user: string, password: string) => (await send(query("select 1"), { url: address({ user, password }) })).status;
      await superuser.query("CREATE ROLE changed LOGIN PASSWORD 'old'");
      await status("changed", "old");
      await status("later", "first");
      await superuser.query("ALTER ROLE changed PASSWORD 'new'; CREATE ROLE later LOGIN PASSWORD 'first'");
      const [fresh, old, absent] = [await status("changed", "new"), await status("changed", "old"), await status("later", "first")];
      gateway.pass(SECRET_TTL_MS);
      return [fresh, old, await status("changed", "new"), absent];
    },
  },
  { id: "H11", request: "params: null", real: NO_VARIANT, ask: () => no({ query: "select 1", params: null }) },
  { id: "H11", request: 'arrayMode: "true"', real: NO_VARIANT, ask: () => no({ query: "select 1", arrayMode: "true" }) },
  { id: "H11", request: "the key query twice", real: NO_VARIANT, ask: () => no('{"query":"select 1","query":"select 2"}') },
  {
    id: "H12",
    request: "half a surrogate pair in a parameter",
    real: bodyNo("unexpected end of hex escape at line 1 column 47"),
    ask: () => no('{"query":"select $1 as text","params":["\\ud800"]}'),
  },
  {
    id: "H12",
    request: "bytes that are no UTF-8",
    real: bodyNo("invalid unicode code point at line 1 column 12"),
    ask: () => no(Buffer.concat([Buffer.from('{"query":"'), Buffer.from([0xff]), Buffer.from('"}')])),
  },
  {
    id: "H13",
    request: "NUL in the query",
    real: [400, "error encoding message to server: string contains embedded null", ""],
    ask: () => no(query("select '\0'")),
  },
  {
    id: "H13",
    request: "NUL in a parameter",
    real: "22021",
    ask: async () => (await no(query("select $1::text", ["\0"])))[2],
  },
  {
    id: "H14",
    request: "an object that does not end",
    real: bodyNo("EOF while parsing an object at line 1 column 20"),
    ask: () => no('{"query": "select 1"'),
  },
  {
    id: "H14",
    request: "something behind the object",
    real: true,
    ask: async () => /trailing characters at /.test(String((await no('{"query":"select 1"} x'))[1])),
  },
  {
    id: "H14",
    request: "a byte order mark",
    real: bodyNo("expected value at line 1 column 1"),
    ask: () => no(Buffer.from('\ufeff{"query":"select 1"}')),
  },
  { id: "H14", request: "an empty body", real: bodyNo("EOF while parsing a value at line 1 column 0"), ask: () => no("") },
  {
    id: "H15",
    request: "1.0, 1e3, 12345678901234567890 and -0.0 as parameters",
    real: ["1.0", "1000.0", "12345678901234567890", "-0.0"],
    ask: async () => {
      const body = '{"query":"select $1::text, $2::text, $3::text, $4::text","params":[1.0, 1e3, 12345678901234567890, -0.0]}';
      return (await send(body)).json.rows[0];
    },
  },
  {
    id: "H15",
    request: "an object as a parameter",
    real: '{"a":1.0,"b":[2]}',
    ask: async () => (await send('{"query":"select $1::text","params":[{"b":[2],"a":1.0}]}')).json.rows[0][0],
  },
  {
    id: "H16",
    request: "one row of 11 MiB; 11 rows of 1 MiB",
    real: [200, [507, "response is too large (max is 10485760 bytes)", ""]],
    ask: async () => [
      (await send(query("select repeat('x', 11 * 1048576)"))).status,
      await no(query("select repeat('x', 1048576) from generate_series(1, 11)")),
    ],
  },
  ...["copy (select 1) to stdout", "copy begun from stdin"].map((text) => ({
    id: "H17",
    request: text,
    real: [400, "error parsing response from server: invalid message length: expected buffer to be empty", ""],
    ask: () => no(query(text)),
  })),
  {
    id: "H18",
    request: "an int2vector, when raw text is not asked for",
    real: [500, "could not parse postgres response", ""],
    ask: () => no(query("select '1 2'::int2vector"), { headers: { "Neon-Raw-Text-Output": "false" } }),
  },
  {
    id: "H19",
    request: "an Authorization header",
    real: [400, "missing authentication credentials: required password", ""],
    ask: () => no(query("select 1"), { headers: { authorization: "Bearer x" } }),
  },
];

const HEADERS: readonly Truth[] = [
  {
    id: "H20",
    request: "the header neon-request-id of an answer and of a refusal",
    real: [true, true],
    ask: async () => {
      const isId = ({ headers }: { headers: Headers }) => /^[0-9a-f-]{36}$/.test(headers.get("neon-request-id") ?? "");
      return [isId(await send(query("select 1"))), isId(await send(query("selec 1")))];
    },
  },
  {
    id: "H20",
    request: "TLS offers h2",
    real: true,
    double: false,
    why: "the double has no TLS",
    ask: async () => gateway.httpEndpoint.startsWith("https:"),
  },
  {
    id: "H21",
    request: "POST /other: status, body, access-control-allow-origin",
    real: [400, '"query is not supported"', null],
    ask: async () => {
      const response = await fetch(gateway.httpEndpoint.replace("/sql", "/other"), { method: "POST", body: "{}" });
      return [response.status, await response.text(), response.headers.get("access-control-allow-origin")];
    },
  },
  {
    id: "H21",
    request: "OPTIONS /sql: status, allow, allow-headers, max-age, content-type",
    real: [200, "OPTIONS, POST", false, "86400", null],
    ask: async () => {
      const { status, headers } = await fetch(gateway.httpEndpoint, { method: "OPTIONS" });
      const allowed = headers.get("access-control-allow-headers") ?? "Neon-Batch-Deferrable";
      return [
        status,
        headers.get("allow"),
        allowed.includes("Neon-Batch-Deferrable"),
        headers.get("access-control-max-age"),
        headers.get("content-type"),
      ];
    },
  },
  {
    id: "H21",
    request: "POST /sql?x=1",
    real: 200,
    ask: async () => {
      const headers = { "Neon-Connection-String": address() };
      return (await fetch(`${gateway.httpEndpoint}?x=1`, { method: "POST", body: JSON.stringify(query("select 1")), headers })).status;
    },
  },
  {
    id: "H22",
    request: "one statement, and a batch, with Neon-Batch-Read-Only",
    real: [null, "true"],
    ask: async () => {
      const headers = { "Neon-Batch-Read-Only": "true" };
      const echoed = async (body: unknown) => (await send(body, { headers })).headers.get("neon-batch-read-only");
      return [await echoed(query("select 1")), await echoed({ queries: [query("select 1")] })];
    },
  },
  {
    id: "H23",
    request: "the keys of an answer, and of a field",
    real: [
      ["fields", "rows", "command", "rowCount", "rowAsArray"],
      ["name", "dataTypeID", "tableID", "columnID", "dataTypeSize", "dataTypeModifier", "format"],
    ],
    ask: async () => {
      const { json } = await send(query("select 1 as a"));
      return [Object.keys(json), Object.keys(json.fields[0])];
    },
  },
];

const WEBSOCKET: readonly Truth[] = [
  {
    id: "W1",
    request: "a login at a server that asks for scram-sha-256: what the proxy asks for",
    real: 3,
    ask: async () => {
      const session = await member({});
      session.end();
      return session.first("R")?.body.readInt32BE(0);
    },
  },
  {
    id: "W2",
    request: "a wrong password",
    real: xx("password authentication failed for user 'member'"),
    ask: () => refusedBy({ password: "wrong" }),
  },
  {
    id: "W2",
    request: "an unknown role",
    real: xx("password authentication failed for user 'nobody'"),
    ask: () => refusedBy({ user: "nobody" }),
  },
  {
    id: "W2",
    request: "an unknown database",
    real: xx('database "nowhere" does not exist'),
    ask: () => refusedBy({ database: "nowhere" }),
  },
  ...[
    "Couldn't connect to compute node",
    "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
    "Too many connections to this endpoint. Please try again later.",
  ].map((sentence) => ({
    id: "W2",
    request: `the proxy refuses: ${sentence}`,
    real: xx(sentence),
    ask: () => {
      gateway.faults.refuse(sentence);
      return refusedBy({});
    },
  })),
  {
    id: "W2",
    request: "no endpoint: a Host that is no name below the certificate's, and api. below it; then with options, and a right Host",
    real: [true, true, "Z", "Z"],
    ask: async () => {
      const door = await startNeonGateway((await sharedPostgres()).url, { commonName: "neon.test" });
      const blamed = async (host: string) =>
        (await refusedBy({ door, host }))[2]?.startsWith("MEndpoint ID is not specified. Either") ?? false;
      const [bare, api] = [await blamed("127.0.0.1:4444"), await blamed("api.neon.test")];
      const last = async (options: Options) => (await member({ ...options, door })).messages.at(-1)?.type;
      const named = await last({ more: ["options", "endpoint=ep-quiet-test"] });
      const sni = await last({ host: "ep-quiet-test.neon.test:4444" });
      await door.stop();
      return [bare, api, named, sni];
    },
  },
  {
    id: "W3",
    request: "the backend of an idle session is terminated",
    real: ["C57P01", "Mterminating connection due to administrator command", true],
    ask: async () => {
      const session = await member({ after: ["select pg_backend_pid()"] });
      await superuser.query("SELECT pg_terminate_backend($1)", [session.rows().at(-1)]);
      await session.seen("E");
      const fields = session.refusal().filter((field) => /^(C|Mterm)/.test(field));
      await session.closedWith();
      return [...fields, true];
    },
  },
  {
    id: "W4",
    request: "the process id that is handed out, and pg_backend_pid(); another path; a text frame",
    real: [false, "Z", 1006],
    ask: async () => {
      const session = await member({ after: ["select pg_backend_pid()"] });
      const same = String(session.first("K")?.body.readInt32BE(0)) === session.rows().at(-1);
      session.socket.send("text");
      const elsewhere = await member({ path: "/anything" });
      elsewhere.end();
      return [same, elsewhere.messages.at(-1)?.type, await session.closedWith()];
    },
  },
  {
    id: "W5",
    request: "application_name and options of the address, by HTTP and by WebSocket",
    real: ["", "0", "told"],
    ask: async () => {
      const url = `${address()}?application_name=told&options=-c%20statement_timeout%3D5s`;
      const session = await member({ more: ["application_name", "told"], after: ["show application_name"] });
      session.end();
      const shown = async (name: string) => (await send(query(`show ${name}`), { url })).json.rows[0][0];
      return [await shown("application_name"), await shown("statement_timeout"), session.rows().at(-1)];
    },
  },
];

/** Sentences of the proxy with the status they have by HTTP; by WebSocket each is XX000. */
const SENTENCES: readonly (readonly [number, string])[] = [
  [400, "VPC endpoint ID is not specified. This endpoint requires a VPC endpoint ID to connect."],
  [400, "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try again."],
  [400, "The endpoint has been disabled. Enable it using Neon API and retry."],
  [500, "Control plane request failed"],
  [500, "Control plane request failed: endpoint cannot be found"],
  [500, "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support."],
  [500, "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing."],
  [500, "Too many connections attempts"],
  [500, "pooled connection closed at inconsistent state"],
];

const TRUTHS = [...SESSION, ...STATUS, ...HEADERS, ...WEBSOCKET];

describe("the double of Neon's proxy answers as the real one", () => {
  it.each(TRUTHS)("$id: $request", async ({ ask, real: recorded, double = recorded, why }) => {
    expect(await ask()).toEqual(double);
    if (double !== recorded) expect(why).toBeDefined();
  });

  it.each(SENTENCES)("E: %i %s", async (status, sentence) => {
    gateway.faults.refuse(sentence, 2);
    expect(await no(query("select 1"))).toEqual([status, sentence, ""]);
    expect(await refusedBy({})).toEqual(xx(sentence));
  });

  it("in every line of the list", () => {
    const numbers = (letter: string, count: number) => Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    const wanted = [...numbers("H", 23), ...numbers("W", 5)];
    expect(wanted.filter((id) => !TRUTHS.some((truth) => truth.id === id))).toEqual([]);
  });
});
