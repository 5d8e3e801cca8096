import { startNeonGateway } from "../neon-gateway.ts";
import { sharedPostgres } from "../shared-postgres.ts";
import { address, gateway, member, type Options, query, refusedBy, send, superuser, type Truth, xx } from "./stage.ts";

/*
 * Sessions over WebSocket, and the sentences of the proxy with the status they have over HTTP; over WebSocket each is
 * XX000.
 */

export const WEBSOCKET: readonly Truth[] = [
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
    request:
      "no endpoint: a Host that is no name below the certificate's, and api. below it; then with options, and a " +
      "right Host",
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

export const SENTENCES: readonly (readonly [number, string])[] = [
  [400, "VPC endpoint ID is not specified. This endpoint requires a VPC endpoint ID to connect."],
  [
    400,
    "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and " +
      "try again.",
  ],
  [400, "The endpoint has been disabled. Enable it using Neon API and retry."],
  [500, "Control plane request failed"],
  [500, "Control plane request failed: endpoint cannot be found"],
  [
    500,
    "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.",
  ],
  [
    500,
    "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
  ],
  [500, "Too many connections attempts"],
  [500, "pooled connection closed at inconsistent state"],
];
