import { SECRET_TTL_MS } from "../neon-logins.ts";
import {
  address,
  bodyNo,
  database,
  gateway,
  NO_VARIANT,
  no,
  query,
  SECRET,
  send,
  superuser,
  type Truth,
  value,
} from "./stage.ts";

/* Status and body of answers over HTTP. */

export const STATUS: readonly Truth[] = [
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
    ask: async () =>
      (await value("select current_database()", [], { url: address({ path: `/${database()}/extra` }) })) === database(),
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
      "the new password and the old one after ALTER ROLE, and the new one 4 minutes later; a role that was asked " +
      "for before it was made",
    real: [400, 200, 200, 400],
    ask: async () => {
      const status = async (user: string, password: string) =>
        (await send(query("select 1"), { url: address({ user, password }) })).status;
      await superuser.query("CREATE ROLE changed LOGIN PASSWORD 'old'");
      await status("changed", "old");
      await status("later", "first");
      await superuser.query("ALTER ROLE changed PASSWORD 'new'; CREATE ROLE later LOGIN PASSWORD 'first'");
      const [fresh, old, absent] = [
        await status("changed", "new"),
        await status("changed", "old"),
        await status("later", "first"),
      ];
      gateway.pass(SECRET_TTL_MS);
      return [fresh, old, await status("changed", "new"), absent];
    },
  },
  { id: "H11", request: "params: null", real: NO_VARIANT, ask: () => no({ query: "select 1", params: null }) },
  {
    id: "H11",
    request: 'arrayMode: "true"',
    real: NO_VARIANT,
    ask: () => no({ query: "select 1", arrayMode: "true" }),
  },
  {
    id: "H11",
    request: "the key query twice",
    real: NO_VARIANT,
    ask: () => no('{"query":"select 1","query":"select 2"}'),
  },
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
  {
    id: "H14",
    request: "an empty body",
    real: bodyNo("EOF while parsing a value at line 1 column 0"),
    ask: () => no(""),
  },
  {
    id: "H15",
    request: "1.0, 1e3, 12345678901234567890 and -0.0 as parameters",
    real: ["1.0", "1000.0", "12345678901234567890", "-0.0"],
    ask: async () => {
      const body =
        '{"query":"select $1::text, $2::text, $3::text, $4::text","params":[1.0, 1e3, 12345678901234567890, -0.0]}';
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
