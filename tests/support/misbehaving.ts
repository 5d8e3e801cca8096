import { createServer, type Server, type Socket } from "node:net";
import { createGzip } from "node:zlib";

/*
 * Receivers of a webhook that misbehave, each kind by its path, over bare sockets: what a server library would put
 * right is sent as it is.
 */

export interface Misbehaving {
  /** Addresses of so many receivers, kind by kind; some speak TLS badly. */
  readonly urls: (count: number) => readonly string[];
  /** False: every one answers 204. */
  misbehave: boolean;
  /** How many events each kind has been sent. */
  readonly seen: ReadonlyMap<string, number>;
  readonly stop: () => Promise<void>;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
const chunk = (bytes: Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const FILL = chunk(Buffer.alloc(64 * 1024, "x"));

/** One gigabyte of zeros, as a megabyte. */
function bomb(): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const gzip = createGzip({ level: 1 });
    const parts: Buffer[] = [];
    gzip
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => resolve(Buffer.concat(parts)))
      .on("error", reject);
    const zeros = Buffer.alloc(4 * 1024 * 1024);
    let left = 256;
    const more = () => {
      while (left > 0) {
        left -= 1;
        if (!gzip.write(zeros)) return void gzip.once("drain", more);
      }
      gzip.end();
    };
    more();
  });
}

/** Sends for ever, as fast as it is taken. */
function endless(socket: Socket, head: string, piece: Buffer = FILL): void {
  socket.write(head);
  const more = () => {
    while (socket.writable && socket.write(piece));
  };
  socket.on("drain", more);
  more();
}

/** Sends a little, twice a second, for ever. */
function trickling(socket: Socket, head: string, piece: Buffer): void {
  socket.write(head);
  const timer = setInterval(() => socket.write(piece), 500);
  socket.on("close", () => clearInterval(timer));
}

type Kind = (socket: Socket) => void;

async function kinds(): Promise<Readonly<Record<string, Kind>>> {
  const bytes = await bomb();
  const zipped = (status: string) =>
    `HTTP/1.1 ${status}\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  return {
    "endless-200": (socket) => endless(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`),
    "endless-500": (socket) => endless(socket, "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "endless-404": (socket) => endless(socket, "HTTP/1.1 404 No\r\n\r\n", Buffer.alloc(64 * 1024, "x")),
    "endless-headers": (socket) =>
      endless(socket, "HTTP/1.1 200 OK\r\n", Buffer.from(`x-fill: ${"y".repeat(8_000)}\r\n`)),
    "bomb-200": (socket) => void socket.write(Buffer.concat([Buffer.from(zipped("200 OK")), bytes])),
    "bomb-503": (socket) => void socket.write(Buffer.concat([Buffer.from(zipped("503 No")), bytes])),
    "trickling-200": (socket) => trickling(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, chunk(Buffer.from("x"))),
    "trickling-422": (socket) =>
      trickling(socket, "HTTP/1.1 422 No\r\nContent-Length: 100000\r\n\r\n", Buffer.from("x")),
    "trickling-status": (socket) => trickling(socket, "HTTP/1.1 2", Buffer.from("0")),
    "cut-body": (socket) => void socket.end(`${OK}Content-Length: 1000\r\n\r\nhalf`),
    "cut-status": (socket) => void socket.end("HTTP/1.1 20"),
    "broken-gzip": (socket) => void socket.end(`${OK}Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip`),
    "never-answers": () => undefined,
    resets: (socket) => void socket.resetAndDestroy(),
    closes: (socket) => void socket.end(),
    redirects: (socket) => void socket.end("HTTP/1.1 308 Moved\r\nLocation: /redirects\r\nContent-Length: 0\r\n\r\n"),
    pauses: (socket) => void socket.end("HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
    nonsense: (socket) => void socket.end("220 mail.example ESMTP\r\n"),
    "continues-for-ever": (socket) =>
      trickling(socket, "HTTP/1.1 100 Continue\r\n\r\n", Buffer.from("HTTP/1.1 100 Continue\r\n\r\n")),
  };
}

/** Kinds that are one before any request. */
const AT_ONCE: Readonly<Record<string, Kind>> = {
  // A receiver that takes the request a little at a time.
  "slow-reader": (socket) => {
    socket.pause();
    const timer = setInterval(() => socket.read(1), 500);
    socket.on("close", () => clearInterval(timer));
  },
};

/** One that never finishes a handshake, and one that answers it in plain text. */
const TLS: readonly Kind[] = [
  () => undefined,
  (socket) => void socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
];

function listening(
  handle: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly port: number; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    handle(socket);
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({ server, port: typeof address === "object" && address ? address.port : 0, sockets });
    }),
  );
}

export async function startMisbehaving(): Promise<Misbehaving> {
  const known = await kinds();
  const seen = new Map<string, number>();
  const state = { misbehave: true };
  const plain = await listening((socket) => {
    let text = "";
    socket.on("data", (part: Buffer) => {
      text += part.toString("latin1");
      const [, method = "", path = "", , length = "0"] =
        /^(\w+) \/([^ ?]*)\S* HTTP[\s\S]*?(content-length: (\d+))[\s\S]*?\r\n\r\n/i.exec(text) ??
        /^(\w+) \/([^ ?]*)/.exec(text) ??
        [];
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (method !== "POST")
        return void socket.end("HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      const slow = state.misbehave ? AT_ONCE[path] : undefined;
      if (slow) return slow(socket);
      if (text.length - end - 4 < Number(length)) return;
      seen.set(path, (seen.get(path) ?? 0) + 1);
      socket.removeAllListeners("data").resume();
      if (state.misbehave) known[path]?.(socket);
      else socket.end("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
  });
  const secure = await Promise.all(TLS.map((kind) => listening(kind)));
  const names = [...Object.keys(known), ...Object.keys(AT_ONCE)];
  const all = [plain, ...secure];
  return {
    seen,
    get misbehave() {
      return state.misbehave;
    },
    set misbehave(value: boolean) {
      state.misbehave = value;
    },
    urls: (count) =>
      Array.from({ length: count }, (_, n) => {
        const at = n % (names.length + secure.length);
        const port = secure[at - names.length]?.port;
        return port === undefined
          ? `http://127.0.0.1:${plain.port}/${names[at]}?${n}`
          : `https://127.0.0.1:${port}/tls?${n}`;
      }),
    stop: async () => {
      await Promise.all(
        all.map(({ server, sockets }) => {
          for (const socket of sockets) socket.destroy();
          return new Promise((resolve) => server.close(resolve));
        }),
      );
    },
  };
}
