import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** How a part is away: nobody listens, each connection is reset, or connections open and nothing is ever said. */
export type Away = "refused" | "reset" | "silent";

/** The connection to a part, which can be taken away and given back. */
export interface Line {
  readonly port: number;
  /** Ends what is open, and meets what comes until `mend` in this way. */
  cut(how: Away): Promise<void>;
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** To a port of this machine, from a port of its own that stays the same. */
export async function startLine(target: number): Promise<Line> {
  const open = new Set<Socket>();
  let how: Away | undefined;
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => open.delete(socket));
  };
  const server = createServer((socket) => {
    keep(socket);
    if (how === "reset") socket.resetAndDestroy();
    if (how !== undefined) return;
    const far = connect(target, "127.0.0.1");
    keep(far);
    socket.pipe(far).pipe(socket);
    socket.on("close", () => far.destroy());
    far.on("close", () => socket.destroy());
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const hangUp = () => {
    for (const socket of open) socket.destroy();
  };
  const unlisten = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    hangUp();
    await closed;
  };
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the line has no port");
  const { port } = address;
  return {
    port,
    cut: async (next) => {
      how = next;
      if (next === "refused") await unlisten();
      else if (!server.listening) await listen(port);
      hangUp();
    },
    mend: async () => {
      how = undefined;
      if (!server.listening) await listen(port);
      hangUp();
    },
    stop: unlisten,
  };
}
