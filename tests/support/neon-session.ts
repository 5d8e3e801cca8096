import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import pg from "pg";
import type { WebSocket } from "ws";
import { AWAY } from "./neon-pool.ts";
import { type Login, SqlFailure } from "./neon-sql.ts";

/*
 * A session by Neon's proxy over WebSocket: the proxy asks for the password in clear text, whatever the server asks,
 * compares it itself, logs in at the compute, and from then on passes the bytes on (proxy/src/proxy/mod.rs,
 * proxy/src/auth/flow.rs). What it refuses it refuses by an ErrorResponse of severity ERROR and code XX000 with nothing
 * but a message (pqproto.rs, write_error), also where the message is PostgreSQL's own (compute/mod.rs,
 * PostgresError::to_string_client).
 */

const STARTUP = 196_608;
const SSL_REQUEST = 80_877_103;

const frame = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int32 = (...values: readonly number[]): Buffer => {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [place, value] of values.entries()) buffer.writeInt32BE(value, place * 4);
  return buffer;
};
const texts = (...values: readonly string[]): Buffer => Buffer.from(values.map((value) => `${value}\0`).join(""));

const ASK_PASSWORD = frame("R", int32(3));
const errorResponse = (message: string) => frame("E", texts("SERROR", "CXX000", `M${message}`, ""));

export interface SessionDoor {
  readonly host: string;
  readonly port: number;
  /** Why this login is not let in. Waits as the proxy would. */
  readonly refused: (login: Login, options: string) => Promise<SqlFailure | undefined>;
}

type Parameters = ReadonlyMap<string, string>;

function parametersOf(body: Buffer): Parameters {
  const words = body.toString().split("\0");
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < words.length && words[at] !== ""; at += 2)
    pairs.push([words[at] ?? "", words[at + 1] ?? ""]);
  return new Map(pairs);
}

/** What the driver sends, one message after the other; nothing when the socket is closed. */
function reader(socket: WebSocket) {
  let held = Buffer.alloc(0);
  let wake: (() => void) | undefined;
  let closed = false;
  socket.on("message", (data, isBinary) => {
    // The proxy takes binary frames only.
    if (!isBinary) return socket.terminate();
    held = Buffer.concat([held, Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer)]);
    wake?.();
  });
  socket.on("close", () => {
    closed = true;
    wake?.();
  });
  const take = async (length: number): Promise<Buffer | undefined> => {
    while (held.length < length && !closed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    if (held.length < length) return undefined;
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
  const message = async (headLength: number) => {
    const head = await take(headLength);
    return head && (await take(head.readInt32BE(headLength - 4) - 4));
  };
  return {
    startup: () => message(4),
    password: () => message(5),
    /** From here on every byte goes there, those that came early first. */
    pass: (stream: Socket) => {
      const drain = () => {
        const bytes = held;
        held = Buffer.alloc(0);
        if (bytes.length > 0) stream.write(bytes);
      };
      wake = drain;
      drain();
    },
  };
}

/** The server's session, with what it said about itself, as bytes for the driver. */
async function logIn({ host, port }: SessionDoor, login: Login, given: Parameters, options: string) {
  const client = new pg.Client({
    host,
    port,
    ssl: false,
    ...login,
    application_name: given.get("application_name"),
    options,
  });
  const connection: unknown = Reflect.get(client, "connection");
  const said: Buffer[] = [];
  if (
    !(
      typeof connection === "object" &&
      connection !== null &&
      "on" in connection &&
      typeof connection.on === "function"
    )
  )
    throw new Error("pg has no connection any more");
  connection.on("parameterStatus", (message: { parameterName: string; parameterValue: string }) => {
    said.push(frame("S", texts(message.parameterName, message.parameterValue)));
  });
  client.on("error", () => undefined);
  await client.connect();
  const stream = Reflect.get(connection, "stream") as Socket;
  stream.removeAllListeners("data");
  return { stream, said: Buffer.concat(said) };
}

/** Serves one WebSocket to its end. */
export async function serveSession(socket: WebSocket, door: SessionDoor): Promise<void> {
  const incoming = reader(socket);
  let first = await incoming.startup();
  if (first?.readInt32BE(0) === SSL_REQUEST) {
    socket.send(Buffer.from("N"));
    first = await incoming.startup();
  }
  // A CancelRequest too ends here: without Redis the proxy does nothing about it.
  if (first?.readInt32BE(0) !== STARTUP) return socket.close();
  const given = parametersOf(first.subarray(4));
  const user = given.get("user") ?? "";
  socket.send(ASK_PASSWORD);
  const password = (await incoming.password())?.toString().replace(/\0$/, "");
  if (password === undefined) return socket.close();
  const login = { user, password, database: given.get("database") ?? user };
  const all = (given.get("options") ?? "").split(/\s+/);
  const options = all.filter((option) => !/^(-c)?(endpoint|project|neon_[a-z_]+)[=:]/.test(option)).join(" ");
  try {
    const refused = await door.refused(login, given.get("options") ?? "");
    if (refused) throw refused;
    const { stream, said } = await logIn(door, login, given, options);
    stream.on("data", (bytes) => socket.send(bytes));
    stream.on("error", () => socket.terminate());
    stream.on("close", () => socket.close());
    socket.on("close", () => stream.destroy());
    const key = int32(randomInt(2 ** 31), randomInt(2 ** 31));
    socket.send(Buffer.concat([frame("R", int32(0)), said, frame("K", key), frame("Z", Buffer.from("I"))]));
    incoming.pass(stream);
  } catch (error) {
    const own = error instanceof SqlFailure || error instanceof pg.DatabaseError;
    socket.send(errorResponse(own ? error.message : AWAY));
    socket.close();
  }
}
