import { once } from "node:events";
import WebSocket from "ws";

/** What a session said: the type of the message and what follows its length. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
}
const fieldsOf = ({ body }: Message) =>
  body
    .toString()
    .split("\0")
    .filter((field) => field !== "");

export interface Speaking {
  /** Host and port of the proxy. */
  readonly at: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly path?: string;
  /** The Host header, where it is not `at`. */
  readonly host?: string;
  /** Further parameters of the startup message, name after value. */
  readonly more?: readonly string[];
  /** Statements to run once the session is ready. */
  readonly after?: readonly string[];
}

/**
 * Speaks the PostgreSQL protocol by a WebSocket, as plainly as it can be: logs in, runs what is to be run, and keeps
 * every message.
 */
export async function speak({ at, user, password, database, path = "/v2", host, more = [], after = [] }: Speaking) {
  const socket = new WebSocket(`ws://${at}${path}`, host === undefined ? {} : { headers: { host } });
  const messages: Message[] = [];
  let held = Buffer.alloc(0);
  let closed: number | undefined;
  const waiting: (() => void)[] = [];
  socket.on("message", (data) => {
    held = Buffer.concat([held, data as Buffer]);
    while (held.length >= 5 && held.length >= held.readInt32BE(1) + 1) {
      const length = held.readInt32BE(1) + 1;
      messages.push({ type: held.toString("latin1", 0, 1), body: held.subarray(5, length) });
      held = held.subarray(length);
    }
    for (const wake of waiting.splice(0)) wake();
  });
  socket.on("close", (code) => {
    closed = code;
    for (const wake of waiting.splice(0)) wake();
  });
  socket.on("error", () => undefined);
  await once(socket, "open");
  const seen = async (types: string, count = 1) => {
    const found = () => messages.filter(({ type }) => types.includes(type)).length >= count || closed !== undefined;
    while (!found()) await new Promise<void>((resolve) => void waiting.push(resolve));
  };
  const tell = (type: string, text: string, head = 0) => {
    const body = Buffer.from(text);
    const bytes = Buffer.alloc(type.length + 4 + (head ? 4 : 0));
    bytes.write(type, "latin1");
    bytes.writeInt32BE(body.length + 4 + (head ? 4 : 0), type.length);
    if (head) bytes.writeInt32BE(head, type.length + 4);
    socket.send(Buffer.concat([bytes, body]));
  };
  tell("", `${["user", user, "database", database, ...more].join("\0")}\0\0`, 196_608);
  await seen("RE");
  tell("p", `${password}\0`);
  await seen("ZE");
  for (const text of after) {
    const before = messages.filter(({ type }) => type === "Z").length;
    tell("Q", `${text}\0`);
    await seen("Z", before + 1);
  }
  const first = (type: string) => messages.find((message) => message.type === type);
  return {
    messages,
    first,
    seen,
    /** Values of all rows so far. */
    rows: () => messages.filter(({ type }) => type === "D").map(({ body }) => body.subarray(6).toString()),
    refusal: () => fieldsOf(first("E") ?? { type: "E", body: Buffer.alloc(0) }),
    socket,
    closedWith: async () => {
      while (closed === undefined) await new Promise<void>((resolve) => void waiting.push(resolve));
      return closed;
    },
    end: () => socket.terminate(),
  };
}
