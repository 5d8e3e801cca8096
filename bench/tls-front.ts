import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { Certificate } from "../tests/support/certificates.ts";

/** A server that takes TLS off and passes all else on to a port of this machine. */
export interface TlsFront {
  /** `localhost:PORT`. */
  readonly host: string;
  readonly stop: () => void;
}

export async function startTlsFront(port: number, { cert, key }: Certificate): Promise<TlsFront> {
  const open = new Set<TLSSocket>();
  const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (client) => {
    open.add(client);
    const behind = connect(port, "127.0.0.1");
    client.pipe(behind).pipe(client);
    client.on("error", () => behind.destroy()).on("close", () => open.delete(client));
    behind.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    host: `localhost:${address.port}`,
    stop: () => {
      server.close();
      for (const client of open) client.destroy();
    },
  };
}
