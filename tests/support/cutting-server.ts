import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** An answer, or what befalls the connection: `reset` before the first byte of one, `cut` in the middle of one. */
export type Reply = Response | "reset" | "cut";

export interface CuttingServer {
  readonly origin: string;
  readonly stop: () => Promise<void>;
}

/**
 * A server on 127.0.0.1 and a free port that can cut a connection, which Bun.serve cannot: node:http has the socket.
 */
export async function startCutting(handle: (request: Request) => Promise<Reply>): Promise<CuttingServer> {
  const server = createServer((incoming, outgoing) => {
    reply(incoming, outgoing, handle).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function reply(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: (request: Request) => Promise<Reply>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  const method = incoming.method ?? "GET";
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === "string") headers.set(name, value);
  const url = new URL(incoming.url ?? "/", `http://${incoming.headers.host}`);
  const result = await handle(
    new Request(url, { method, headers, ...(method === "GET" ? {} : { body: Buffer.concat(chunks) }) }),
  );
  if (result === "reset") {
    incoming.socket.destroy();
    return;
  }
  if (result === "cut") {
    outgoing.writeHead(200, { "content-type": "application/json", "content-length": "4096" });
    outgoing.write('{"id":"');
    await sleep(20);
    incoming.socket.destroy();
    return;
  }
  outgoing.writeHead(result.status, Object.fromEntries(result.headers));
  outgoing.end(Buffer.from(await result.arrayBuffer()));
}
