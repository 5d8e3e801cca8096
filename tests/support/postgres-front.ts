import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/*
 * A way to a real PostgreSQL on which things happen to LISTEN: the protocol's messages are read on the way
 * (https://www.postgresql.org/docs/18/protocol-message-formats.html, 2026-11), and all others pass as they are. No TLS.
 */

export interface PostgresFront {
  /** The same database, by this way. */
  urlFor(url: string): string;
  /** While true the server is asked for `LISTEM`, which it refuses with 42601. */
  refuseListen: boolean;
  /** While true no notification arrives, as behind a pooler that shares server connections. */
  deaf: boolean;
  /** `LISTEN` and `UNLISTEN` of psn's channel so far, refused ones included. */
  readonly listens: string[];
  /** Connections that are open. */
  readonly open: number;
  /** Ends, without a word, the connections on which something listens. */
  cutListeners(): void;
  stop(): Promise<void>;
}

const QUERY = 0x51;
const NOTIFICATION = 0x41;

/** Calls with each whole message; the first of a client has no type. */
function messages(onMessage: (message: Buffer) => void, typed: boolean): (bytes: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  let hasType = typed;
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    for (;;) {
      const at = hasType ? 1 : 0;
      if (held.length < at + 4) return;
      const end = at + held.readUInt32BE(at);
      if (held.length < end) return;
      onMessage(held.subarray(0, end));
      held = held.subarray(end);
      hasType = true;
    }
  };
}

/** Starts one on 127.0.0.1, before the server of this address. */
export async function startPostgresFront(target: string): Promise<PostgresFront> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  const listening = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    sockets.add(client);
    const fromClient = messages((message) => {
      const text = message[0] === QUERY ? message.toString("latin1", 5, message.length - 1) : "";
      const [, word] = /\b((?:UN)?LISTEN) psn_wake/.exec(text) ?? [];
      if (word !== undefined) front.listens.push(word);
      if (word === "LISTEN") {
        listening.add(client);
        if (front.refuseListen) message.write("LISTEM", 5 + text.indexOf("LISTEN"), "latin1");
      }
      upstream.write(message);
    }, false);
    const fromServer = messages((message) => {
      if (message[0] !== NOTIFICATION || !front.deaf) client.write(message);
    }, true);
    client.on("data", fromClient);
    upstream.on("data", fromServer);
    const end = () => {
      sockets.delete(client);
      listening.delete(client);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const front: PostgresFront = {
    urlFor: (url) => {
      const by = new URL(url);
      by.host = `127.0.0.1:${address.port}`;
      return by.href;
    },
    refuseListen: false,
    deaf: false,
    listens: [],
    get open() {
      return sockets.size;
    },
    cutListeners: () => {
      for (const socket of listening) socket.destroy();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return front;
}
