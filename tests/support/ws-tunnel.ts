import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/*
 * A plain tunnel from WebSocket to TCP, as the community's proxies are (CONFIG.md of @neondatabase/serverless,
 * wsProxy): it connects to the `address` in the query, passes bytes, and knows nothing of PostgreSQL or of statements
 * over HTTP.
 */

export interface Tunnel {
  /** For NEON_PROXY. */
  readonly origin: string;
  /** Addresses it was asked to connect to. */
  readonly addresses: readonly string[];
  stop(): void;
}

export async function startTunnel(): Promise<Tunnel> {
  const addresses: string[] = [];
  const open = new Set<Socket>();
  const serve = (socket: WebSocket, address: string) => {
    addresses.push(address);
    const [host = "", port = ""] = address.split(":");
    const stream = connect(Number(port), host);
    open.add(stream);
    socket.on("message", (data) => void stream.write(data as Buffer));
    socket.on("close", () => stream.destroy());
    socket.on("error", () => stream.destroy());
    stream.on("data", (bytes) => socket.send(bytes));
    stream.on("error", () => socket.terminate());
    stream.on("close", () => {
      open.delete(stream);
      socket.close();
    });
  };
  const server = createServer((_, response) => void response.writeHead(404).end());
  const upgrades = new WebSocketServer({ noServer: true });
  server.on("upgrade", (incoming, stream, head) => {
    const { searchParams } = new URL(incoming.url ?? "", "http://tunnel");
    upgrades.handleUpgrade(incoming, stream, head, (socket) => serve(socket, searchParams.get("address") ?? ""));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the tunnel has no port");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    addresses,
    stop: () => {
      for (const stream of open) stream.destroy();
      server.closeAllConnections();
      server.close();
      upgrades.close();
    },
  };
}
