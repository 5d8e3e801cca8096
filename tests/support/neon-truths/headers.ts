import { address, gateway, query, send, type Truth } from "./stage.ts";

/* Headers, paths and the order of keys over HTTP. */

export const HEADERS: readonly Truth[] = [
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
      return (
        await fetch(`${gateway.httpEndpoint}?x=1`, { method: "POST", body: JSON.stringify(query("select 1")), headers })
      ).status;
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
