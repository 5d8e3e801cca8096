import { errorFields, neon, neonConfig, Pool } from "@neondatabase/serverless";
import { eq, sql } from "drizzle-orm";
import { drizzle as overHttp } from "drizzle-orm/neon-http";
import { drizzle as overWebSocket } from "drizzle-orm/neon-serverless";
import { drizzle as overTcp } from "drizzle-orm/node-postgres";
import {
  bigint,
  boolean,
  customType,
  date,
  doublePrecision,
  jsonb,
  numeric,
  pgTable,
  text,
  timestamp,
  uuid,
} from "drizzle-orm/pg-core";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import ws from "ws";
import { type NeonGateway, neonSettings, pointNeonAt, startNeonGateway } from "./neon-gateway.ts";
import { startPostgres } from "./postgres.ts";
import { freshDatabase, sharedPostgres } from "./shared-postgres.ts";
import { atMost } from "./until.ts";

const bytea = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => "bytea",
  toDriver: (value) => Buffer.from(value),
  fromDriver: (value) => new Uint8Array(value),
});
const samples = pgTable("samples", {
  id: uuid("id").primaryKey(),
  title: text("title"),
  tags: text("tags").array(),
  big: bigint("big", { mode: "bigint" }),
  data: bytea("data"),
  doc: jsonb("doc"),
  list: jsonb("list"),
  at: timestamp("at", { withTimezone: true, mode: "date" }),
  wall: timestamp("wall", { mode: "string" }),
  day: date("day"),
  flag: boolean("flag"),
  ratio: doublePrecision("ratio"),
  price: numeric("price", { precision: 12, scale: 2 }),
  nothing: text("nothing"),
});
const row = {
  id: "01890a5d-ac96-774b-bcce-b302099a8057",
  title: `it's "quoted" \\ and {braced}, 日本 🎈\n`,
  tags: ["plain", "with, comma", 'with "quote"', "with \\ stroke", "NULL", ""],
  big: 9_007_199_254_740_993n,
  data: new Uint8Array([0, 1, 127, 128, 255, 92]),
  doc: { text: "é'\"\\", deep: [1, null, { on: true }] },
  list: ["a", 1, null],
  at: new Date("2026-11-01T09:30:15.123Z"),
  wall: "2026-03-29 02:30:00",
  day: "2026-02-28",
  flag: false,
  ratio: 0.1,
  price: "1234567.80",
  nothing: null,
};

const PASSWORD = "pa ss/w:rd@#?";
const MEMBER = { user: "gateway member", password: PASSWORD };
const prepare = async (url: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`
    CREATE ROLE "gateway member" LOGIN NOBYPASSRLS PASSWORD '${PASSWORD}';
    CREATE TABLE samples (id uuid PRIMARY KEY, title text, tags text[], big int8, data bytea, doc jsonb, list jsonb,
      at timestamptz, wall timestamp, day date, flag bool, ratio float8, price numeric(12, 2), nothing text);
    CREATE TABLE notes (id int PRIMARY KEY, owner text NOT NULL, body text NOT NULL DEFAULT '');
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    ALTER TABLE notes FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON notes USING (owner = current_setting('app.current_user_id', true))
      WITH CHECK (owner = current_setting('app.current_user_id', true));
    GRANT ALL ON ALL TABLES IN SCHEMA public TO "gateway member";
    INSERT INTO notes VALUES (1, 'ada', 'hers'), (2, 'bob', 'his');
  `);
  await client.end();
};

let gateway: NeonGateway;
let restore: () => void;
beforeAll(async () => {
  gateway = await startNeonGateway((await sharedPostgres()).url);
  const { fetchFunction } = neonConfig;
  const putBack = pointNeonAt(gateway);
  // The driver as it is, without what psn has it do.
  neonConfig.fetchFunction = undefined;
  restore = () => {
    putBack();
    neonConfig.fetchFunction = fetchFunction;
  };
});
afterAll(async () => {
  restore();
  await gateway.stop();
});
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  gateway.faults.clear();
  neonConfig.webSocketConstructor = undefined;
  neonConfig.pipelineConnect = "password";
  Object.assign(neonConfig, neonSettings(gateway));
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** A fresh database: its real address and Neon's, as the superuser and as the member. */
async function addresses() {
  const real = await freshDatabase(prepare);
  const member = new URL(real);
  member.username = encodeURIComponent(MEMBER.user);
  member.password = encodeURIComponent(MEMBER.password);
  return { real, neon: gateway.urlFor(real), realMember: member.href, neonMember: gateway.urlFor(member.href) };
}
const neonPool = (url: string) => {
  const pool = new Pool({ connectionString: url, max: 2 });
  pool.on("error", () => {});
  closing.push(() => pool.end());
  return pool;
};
const pgPool = (url: string) => {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  closing.push(() => pool.end());
  return pool;
};
type Failure = Readonly<Partial<Record<"message" | (typeof errorFields)[number], unknown>>>;
const rejection = (promise: PromiseLike<unknown>): Promise<Failure> =>
  Promise.resolve(promise).then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );
const setUser = (user: string) => sql`select set_config('app.current_user_id', ${user}, true)`;
const wrongPassword = (url: string) => url.replace(encodeURIComponent(PASSWORD), "wrong");

describe("the same data by drizzle over HTTP, over WebSocket and over TCP", () => {
  it.each(["HTTP", "WebSocket", "TCP"] as const)("written over %s, read by all three", async (writer) => {
    const url = await addresses();
    const http = overHttp(neon(url.neon));
    const socket = overWebSocket(neonPool(url.neon));
    const tcp = overTcp(pgPool(url.real));
    if (writer === "HTTP") await http.insert(samples).values(row);
    if (writer === "WebSocket") await socket.insert(samples).values(row);
    if (writer === "TCP") await tcp.insert(samples).values(row);
    const where = eq(samples.id, row.id);
    expect(await http.select().from(samples).where(where)).toEqual([row]);
    expect(await socket.select().from(samples).where(where)).toEqual([row]);
    expect(await tcp.select().from(samples).where(where)).toEqual([row]);
    const [batched] = await http.batch([http.select().from(samples).where(where)]);
    expect(batched).toEqual([row]);
    expect(await http.update(samples).set({ nothing: "x" }).where(where).returning({ big: samples.big })).toEqual([
      { big: row.big },
    ]);
  });

  it("raw statements give the same values", async () => {
    const url = await addresses();
    const tcp = overTcp(pgPool(url.real));
    await tcp.insert(samples).values(row);
    const raw = sql`select *, interval '1 day 2 hours' as span, array[1.5::numeric] as prices, array[day] as days,
      array[at] as ats, array[big] as bigs, array[data] as datas, '{"a":1}'::json as js, 7::int2 as small,
        '10:00'::time as clock,
      array[id] as ids, ${new Date("2026-11-01T00:00:00Z")}::timestamptz as given,
        ${sql.param([1, 2])}::int[] as many from samples`;
    const plain = (rows: Record<string, unknown>[]) => rows.map((each) => ({ ...each }));
    const expected = await tcp.execute(raw);
    const http = await overHttp(neon(url.neon)).execute(raw);
    const socket = await overWebSocket(neonPool(url.neon)).execute(raw);
    expect(plain(http.rows)).toEqual(plain(expected.rows));
    expect(plain(socket.rows)).toEqual(plain(expected.rows));
    expect(http.rows[0]).toMatchObject({
      at: "2026-11-01 09:30:15.123+00",
      big: "9007199254740993",
      prices: "{1.5}",
      many: [1, 2],
    });
    for (const result of [http, socket]) {
      expect([result.command, result.rowCount]).toEqual([expected.command, expected.rowCount]);
      const fields = (of: readonly object[]) => of.map((field) => ({ ...field }));
      expect(fields(result.fields)).toEqual(fields(expected.fields));
    }
  });

  it("statements without rows tell how many rows they touched", async () => {
    const url = await addresses();
    const http = overHttp(neon(url.neon));
    const outcome = async (text: string) => {
      const { command, rowCount, rows } = await http.execute(sql.raw(text));
      return [command, rowCount, rows.length];
    };
    expect(await outcome("insert into notes values (5, 'ada'), (6, 'ada')")).toEqual(["INSERT", 2, 0]);
    expect(await outcome("update notes set body = 'b' where id > 5")).toEqual(["UPDATE", 1, 0]);
    expect(await outcome("create table made (n int)")).toEqual(["CREATE", null, 0]);
    expect(await outcome("select 1 where false")).toEqual(["SELECT", 0, 0]);
    expect(await outcome("")).toEqual(["", null, 0]);
  });
});

describe("neon() over HTTP", () => {
  it("encodes parameters as node-postgres does", async () => {
    const url = await addresses();
    const values = [
      "text",
      1.5,
      true,
      null,
      [1, 2],
      ['a"b', null],
      { deep: [1] },
      new Date("2026-11-01T00:00:00Z"),
      "12345678901234567890",
    ];
    const types = ["text", "float8", "bool", "text", "int[]", "text[]", "jsonb", "timestamptz", "numeric"];
    const text = `select ${types.map((type, index) => `($${index + 1}::${type})::text`).join(", ")}`;
    const client = pgPool(url.real);
    const expected = await client.query({ text, values, rowMode: "array" });
    expect(await neon(url.neon, { arrayMode: true }).query(text, values)).toEqual(expected.rows);
    const bytes = new Uint8Array([0, 92, 255]);
    expect(await neon(url.neon)`select encode(${bytes}, 'hex') as hex`).toEqual([{ hex: "005cff" }]);
  });

  it("returns objects, arrays and full results", async () => {
    const url = await addresses();
    expect(await neon(url.neon)`select 1 as a, null as b`).toEqual([{ a: 1, b: null }]);
    expect(await neon(url.neon, { arrayMode: true })`select 1 as a, 2 as a`).toEqual([[1, 2]]);
    const full = await neon(url.neon, { fullResults: true })`select id from notes order by id`;
    expect(full).toMatchObject({ command: "SELECT", rowCount: 2, rowAsArray: false, rows: [{ id: 1 }, { id: 2 }] });
    expect(full.fields[0]).toMatchObject({
      name: "id",
      dataTypeID: 23,
      columnID: 1,
      dataTypeSize: 4,
      dataTypeModifier: -1,
      format: "text",
    });
  });

  it("runs a batch as one transaction in one round trip, all or nothing", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    const before = gateway.requests.length;
    const results = await query.transaction([
      query`insert into notes values (10, 'ada') returning id`,
      query`select count(*)::int from notes`,
    ]);
    expect(results).toEqual([[{ id: 10 }], [{ count: 3 }]]);
    const ids = await query.transaction([
      query`select pg_current_xact_id()::text as x`,
      query`select pg_current_xact_id()::text as x`,
    ]);
    expect(ids[0]).toEqual(ids[1]);
    expect(gateway.requests.length - before).toBe(2);
    const failed = query.transaction([
      query`insert into notes values (11, 'ada')`,
      query`insert into notes values (10, 'ada')`,
    ]);
    expect(await rejection(failed)).toMatchObject({ code: "23505" });
    expect(await query`select id from notes where id >= 10`).toEqual([{ id: 10 }]);
    expect(gateway.requests.at(-2)).toMatchObject({ batch: true, status: 400, user: "postgres" });
  });

  it("reports a constraint that fails at commit", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    await query`create table parts (id int primary key, next int references parts deferrable initially deferred)`;
    expect(await rejection(query.transaction([query`insert into parts values (1, 9)`]))).toMatchObject({
      code: "23503",
    });
    expect(await query`select * from parts`).toEqual([]);
  });

  it("begins the transaction as asked", async () => {
    const url = await addresses();
    const query = neon(url.neon, { arrayMode: true });
    const shown = () => [
      query`show transaction_isolation`,
      query`show transaction_read_only`,
      query`show transaction_deferrable`,
    ];
    expect((await query.transaction(shown())).flat(2)).toEqual(["read committed", "off", "off"]);
    const options = { isolationLevel: "Serializable", readOnly: true, deferrable: true } as const;
    expect((await query.transaction(shown(), options)).flat(2)).toEqual(["serializable", "on", "on"]);
    const write = query.transaction([query`insert into notes values (3, 'ada')`], { readOnly: true });
    expect(await rejection(write)).toMatchObject({ code: "25006" });
    const headers = { "Neon-Batch-Isolation-Level": "Chaos" };
    expect(
      await rejection(
        query.transaction(shown(), { fetchOptions: { headers: { ...headers, "Neon-Connection-String": url.neon } } }),
      ),
    ).toMatchObject({
      message: "invalid isolation level",
    });
  });

  it("runs one statement at a time, and resets sessions between requests", async () => {
    const url = await addresses();
    const query = neon(url.neonMember);
    expect(await rejection(query`select 1; select 2`)).toMatchObject({ code: "42601" });
    await query`select set_config('app.kept', 'yes', false)`;
    expect(await query`select current_setting('app.kept', true) as kept`).toEqual([{ kept: "" }]);
    // After an error the proxy throws the session away.
    await rejection(query`select 1 / 0`);
    expect(await query`select current_setting('app.kept', true) as kept`).toEqual([{ kept: null }]);
  });

  it("returns JSON values when raw text is not asked for, and objects when arrays are not", async () => {
    const url = await addresses();
    const post = async (body: unknown) => {
      const response = await fetch(gateway.httpEndpoint, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Neon-Connection-String": url.neon },
      });
      return { status: response.status, body: await response.json() };
    };
    const query = `select true as flag, 7 as n, 8::int8 as big, 'NaN'::float8 as nan, '{"a":[1]}'::jsonb as doc,
      array[1, null] as list, array['x', 'NULL', null] as texts, null as nothing, $1::text as given`;
    const single = await post({ query, params: [{ a: 1 }] });
    const values = {
      flag: true,
      n: 7,
      big: "8",
      nan: "NaN",
      doc: { a: [1] },
      list: [1, null],
      texts: ["x", "NULL", null],
      nothing: null,
      given: '{"a":1}',
    };
    expect(single).toMatchObject({ status: 200, body: { rowAsArray: false, rows: [values] } });
    const batch = await post({ queries: [{ query: "select $1::int[] as given", params: [[1, 2]], arrayMode: true }] });
    expect(batch).toMatchObject({ status: 200, body: { results: [{ rowAsArray: true, rows: [[[1, 2]]] }] } });
    expect(await post({ sql: "select 1" })).toMatchObject({ status: 400, body: { code: "", detail: null } });
    expect((await fetch(gateway.httpEndpoint, { method: "GET" })).status).toBe(400);
  });

  it("refuses bodies and answers over 10 MB, and undoes the batch", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    const big = 10 * 1024 * 1024;
    expect(await rejection(query`select ${"x".repeat(big)}`)).toMatchObject({
      message: expect.stringContaining("HTTP status 413"),
    });
    // The size is looked at before each further row.
    const megabytes = (rows: number) => query`select repeat('x', 1048576) from generate_series(1, ${rows})`;
    expect(await query`select repeat('x', ${big + 1}) as one`).toHaveLength(1);
    const batch = query.transaction([query`delete from notes`, megabytes(11)]);
    expect(await rejection(batch)).toMatchObject({ message: expect.stringContaining("HTTP status 507") });
    expect(await query`select id from notes`).toHaveLength(2);
  });
});

describe("logins and row policies", () => {
  it("scopes a batch to the user it names, and the next one to nobody", async () => {
    const url = await addresses();
    const http = overHttp(neon(url.neonMember));
    const before = gateway.requests.length;
    const [, seen] = await http.batch([
      http.execute(setUser("ada")),
      http.execute(sql`select id, session_user::text as who from notes`),
    ]);
    expect(seen.rows).toEqual([{ id: 1, who: MEMBER.user }]);
    expect(gateway.requests.length - before).toBe(1);
    expect((await http.execute(sql`select id from notes`)).rows).toEqual([]);
  });

  it("refuses rows of another user with 42501 over each way", async () => {
    const url = await addresses();
    const insert = sql`insert into notes values (7, 'bob')`;
    const http = overHttp(neon(url.neonMember));
    const socket = overWebSocket(neonPool(url.neonMember));
    const tcp = overTcp(pgPool(url.realMember));
    const message = 'new row violates row-level security policy for table "notes"';
    const cause = { code: "42501", message, severity: "ERROR" };
    expect(await rejection(http.batch([http.execute(setUser("ada")), http.execute(insert)]))).toMatchObject(cause);
    for (const db of [socket, tcp]) {
      const failed = db.transaction(async (tx) => {
        await tx.execute(setUser("ada"));
        await tx.execute(insert);
      });
      expect(await rejection(failed)).toMatchObject({ cause });
    }
  });

  it("answers a wrong password, an unknown login and an unknown database", async () => {
    const url = await addresses();
    const wrong = wrongPassword(url.neonMember);
    // The proxy's own words by both doors, without a code or with XX000.
    const message = `password authentication failed for user '${MEMBER.user}'`;
    expect(await rejection(neon(wrong)`select 1`)).toMatchObject({
      name: "NeonDbError",
      message,
      code: "",
      severity: "",
    });
    expect(await rejection(neon(url.neonMember.replace("gateway", "nobody"))`select 1`)).toMatchObject({ code: "" });
    expect(await neon(url.neonMember)`select 1 as a`).toEqual([{ a: 1 }]);
    expect(await rejection(neonPool(wrong).query("select 1"))).toMatchObject({
      code: "XX000",
      message,
      routine: undefined,
    });
    const elsewhere = url.neon.replace(/\/[^/]+\?/, "/elsewhere?");
    const absent = 'database "elsewhere" does not exist';
    expect(await rejection(neon(elsewhere)`select 1`)).toMatchObject({ code: "3D000", message: absent });
    expect(await rejection(neonPool(elsewhere).query("select 1"))).toMatchObject({ code: "XX000", message: absent });
    const none = neon(url.neonMember.replace(`:${encodeURIComponent(PASSWORD)}@`, "@"));
    expect(await rejection(none`select 1`)).toMatchObject({
      message: "missing authentication credentials: required password",
    });
  });
});

describe("errors", () => {
  it("carry every field PostgreSQL gave, as over TCP", async () => {
    const url = await addresses();
    const client = pgPool(url.real);
    const statements = [
      "insert into notes values (1, 'ada')",
      "insert into notes values (9)",
      "selec 1",
      "select * from notes where idd = 1",
      "do $$ begin raise exception 'no' using hint = 'try', detail = 'more', errcode = 'P0001'; end $$",
    ];
    for (const text of statements) {
      const expected = await rejection(client.query({ text, values: [] }));
      const given = await rejection(neon(url.neon).query(text));
      const fields = (error: Failure) => errorFields.map((field) => [field, error[field]]);
      expect([given.message, ...fields(given)]).toEqual([expected.message, ...fields(expected)]);
    }
  });

  it("are wrapped by drizzle with the driver's error as cause, except in a batch", async () => {
    const url = await addresses();
    const http = overHttp(neon(url.neon));
    const clash = () => http.execute(sql`insert into notes values (1, 'ada')`);
    const one = await rejection(clash());
    expect(one).toMatchObject({ cause: { name: "NeonDbError", code: "23505", constraint: "notes_pkey" } });
    expect(one.code).toBeUndefined();
    expect(await rejection(http.batch([clash()]))).toMatchObject({ name: "NeonDbError", code: "23505" });
  });
});

describe("sessions over WebSocket", () => {
  it.each([
    ["the global WebSocket", "password", undefined],
    ["the global WebSocket", false, undefined],
    ["ws", "password", ws],
    ["ws", false, ws],
  ] as const)("by %s, pipelineConnect %s", async (_, pipelineConnect, webSocket) => {
    const url = await addresses();
    neonConfig.webSocketConstructor = webSocket;
    neonConfig.pipelineConnect = pipelineConnect;
    const before = gateway.sockets.opened;
    const pool = neonPool(url.neonMember);
    expect((await pool.query("select session_user::text as who")).rows).toEqual([{ who: MEMBER.user }]);
    const big = "x".repeat(3_000_000);
    expect((await pool.query("select length($1) as n", [big])).rows).toEqual([{ n: big.length }]);
    expect(gateway.sockets.opened - before).toBe(1);
  });

  it("hold interactive transactions, committed or rolled back", async () => {
    const url = await addresses();
    const db = overWebSocket(neonPool(url.neon));
    const seen = await db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (20, 'ada')`);
      return await tx.execute(sql`select count(*)::int as n from notes`);
    });
    expect(seen.rows).toEqual([{ n: 3 }]);
    const failed = db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (21, 'ada')`);
      throw new Error("changed my mind");
    });
    await expect(failed).rejects.toThrow("changed my mind");
    expect((await db.execute(sql`select id from notes where id >= 20`)).rows).toEqual([{ id: 20 }]);
  });

  it("can be cut, and the transaction is gone", async () => {
    const url = await addresses();
    const pool = neonPool(url.neon);
    const client = await pool.connect();
    client.on("error", () => {});
    await client.query("begin");
    await client.query("insert into notes values (30, 'ada')");
    gateway.faults.cutSockets();
    await expect(client.query("commit")).rejects.toThrow();
    client.release(true);
    expect((await pool.query("select id from notes where id = 30")).rows).toEqual([]);
  });

  it("can go over HTTP for single queries of a pool", async () => {
    const url = await addresses();
    neonConfig.poolQueryViaFetch = true;
    const before = [gateway.requests.length, gateway.sockets.opened];
    const pool = new Pool({ connectionString: url.neon });
    closing.push(() => pool.end());
    expect((await pool.query("select $1::int as n", [4])).rows).toEqual([{ n: 4 }]);
    expect([gateway.requests.length, gateway.sockets.opened]).toEqual([(before[0] ?? 0) + 1, before[1]]);
  });
});

describe("faults", () => {
  it("drop the connection before or after executing, and the driver does not send again", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    for (const [when, id, kept] of [
      ["before", 40, 0],
      ["after", 41, 1],
    ] as const) {
      gateway.faults.next({ kind: "drop", when }, { statement: /insert into notes/ });
      const before = gateway.requests.length;
      expect(await query`select 1 as a`).toEqual([{ a: 1 }]);
      expect(await rejection(query`insert into notes values (${id}, 'ada')`)).toMatchObject({
        name: "NeonDbError",
        code: undefined,
      });
      expect(gateway.requests.slice(before)).toMatchObject([{ status: 200 }, { status: 0 }]);
      expect(await query`select id from notes where id = ${id}`).toHaveLength(kept);
    }
  });

  it("answer 429 and 500 with text, as often as asked", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    gateway.faults.next({ kind: "answer", status: 429, body: "Too many requests" }, { times: 2 });
    gateway.faults.next({ kind: "answer", status: 500, body: "upstream is gone" });
    const messages: unknown[] = [];
    for (let count = 0; count < 3; count += 1) messages.push((await rejection(query`delete from notes`)).message);
    const [first, second, third] = messages;
    expect([first, second]).toEqual(Array(2).fill("Server error (HTTP status 429): Too many requests"));
    expect(third).toBe("Server error (HTTP status 500): upstream is gone");
    expect(await query`select id from notes`).toHaveLength(2);
  });

  it("answer late, when the caller has given up, having executed", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    gateway.faults.next({ kind: "late", ms: 1500 });
    const started = Date.now();
    const given = query.query("insert into notes values (50, 'ada')", [], {
      fetchOptions: { signal: AbortSignal.timeout(400) },
    });
    expect(await rejection(given)).toMatchObject({ name: "NeonDbError", sourceError: { name: "TimeoutError" } });
    expect(Date.now() - started).toBeLessThan(atMost(1500));
    expect(await query`select id from notes where id = 50`).toHaveLength(1);
  });

  it("a sleeping server delays everything until it is awake, once", async () => {
    const url = await addresses();
    const query = neon(url.neon);
    const pool = neonPool(url.neon);
    gateway.faults.cold(500);
    const started = Date.now();
    await Promise.all([query`select 1`, pool.query("select 1")]);
    expect(Date.now() - started).toBeGreaterThanOrEqual(490);
    const awake = Date.now();
    await query`select 1`;
    expect(Date.now() - awake).toBeLessThan(atMost(490));
  });
});

describe("a server of its own", () => {
  it("may ask for scram-sha-256: the proxy asks for the password in clear text all the same", async () => {
    const server = await startPostgres({ auth: "scram-sha-256" });
    closing.push(server.stop);
    const own = await startNeonGateway(server.url);
    closing.unshift(own.stop);
    Object.assign(neonConfig, neonSettings(own));
    expect(await neon(own.urlFor(server.url))`select 1 as a`).toEqual([{ a: 1 }]);
    const pool = new Pool({ connectionString: own.urlFor(server.url) });
    expect((await pool.query("select 1 as a")).rows).toEqual([{ a: 1 }]);
    await pool.end();
    expect(await rejection(neon(wrongPassword(own.urlFor(server.urlFor("postgres", MEMBER))))`select 1`)).toMatchObject(
      { code: "" },
    );
  });

  it("that is down is a 500, and after it is back the next request succeeds", async () => {
    const server = await startPostgres();
    closing.push(server.stop);
    const own = await startNeonGateway(server.url);
    closing.unshift(own.stop);
    Object.assign(neonConfig, neonSettings(own));
    const query = neon(own.urlFor(server.url));
    expect(await query`select 1 as a`).toEqual([{ a: 1 }]);
    await server.kill();
    // The session the gateway kept breaks off, if it has not noticed yet.
    expect(await rejection(query`select 1`)).toMatchObject({
      message: expect.stringMatching(/connection closed|Couldn't connect/),
    });
    expect(await rejection(query`select 1`)).toMatchObject({
      message: expect.stringMatching(/HTTP status 500.*Couldn't connect/),
    });
    await server.restart();
    expect(await query`select 1 as a`).toEqual([{ a: 1 }]);
  });
});
