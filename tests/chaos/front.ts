import { connect, createServer, type Socket } from "node:net";
import { type CuttingServer, type Reply, startCutting } from "../support/cutting-server.ts";

/*
 * What stands between a worker and a platform, or between a worker and its database: a proxy that misbehaves once it is
 * armed.
 */

/**
 * `…-before`: the server behind never hears of the request. `…-after`: it does what it was asked, and its answer is
 * lost.
 */
export type Misdeed =
  | "reset-before"
  | "500-before"
  | "reset-after"
  | "cut-after"
  | "500-after"
  | "garbage-after"
  | "late-after";
/** An answer in the server's place, which never hears of the request. */
export interface Verdict {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}
export const MISDEEDS: readonly Misdeed[] = [
  "reset-before",
  "500-before",
  "reset-after",
  "cut-after",
  "500-after",
  "garbage-after",
  "late-after",
];

export interface Front {
  readonly origin: string;
  /** What befalls the next requests of these paths, in order. */
  readonly misdeeds: (Misdeed | Verdict)[];
  /** Requests of these paths so far. */
  hits: number;
  /**
   * How long `late-after` keeps an answer, and how long before any request of these paths is passed on, in
   * milliseconds.
   */
  lateMs: number;
  holdMs: number;
  readonly stop: () => Promise<void>;
}

/** A server in front of another one, which can go wrong on POST requests to this path. */
export async function startFront(target: string, path: string): Promise<Front> {
  const front = { misdeeds: [] as (Misdeed | Verdict)[], lateMs: 0, holdMs: 0, hits: 0 };
  const pass = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of ["host", "connection", "accept-encoding", "content-length"]) headers.delete(name);
    const body = ["GET", "HEAD"].includes(request.method) ? {} : { body: await request.arrayBuffer() };
    const answer = await fetch(`${target}${url.pathname}${url.search}`, { method: request.method, headers, ...body });
    const kept = new Headers();
    for (const name of ["content-type", "date", "retry-after"]) {
      const value = answer.headers.get(name);
      if (value !== null) kept.set(name, value);
    }
    const bytes = await answer.arrayBuffer();
    return new Response(bytes.byteLength === 0 ? null : bytes, { status: answer.status, headers: kept });
  };
  const server: CuttingServer = await startCutting(async (request): Promise<Reply> => {
    const hit = request.method === "POST" && new URL(request.url).pathname === path;
    const misdeed = hit ? front.misdeeds.shift() : undefined;
    if (hit) front.hits += 1;
    if (typeof misdeed === "object")
      return new Response(misdeed.body, {
        status: misdeed.status,
        headers: { "content-type": "application/json", ...misdeed.headers },
      });
    if (misdeed === "reset-before") return "reset";
    if (misdeed === "500-before") return new Response("oops", { status: 500 });
    if (hit && front.holdMs > 0) await Bun.sleep(front.holdMs);
    const answer = await pass(request);
    if (misdeed === "reset-after") return "reset";
    if (misdeed === "cut-after") return "cut";
    if (misdeed === "500-after") return new Response("<html>502 Bad Gateway</html>", { status: 502 });
    if (misdeed === "garbage-after") return new Response("<html>It works!</html>", { status: 200 });
    if (misdeed === "late-after") await Bun.sleep(front.lateMs);
    return answer;
  });
  return Object.assign(front, { origin: server.origin, stop: server.stop });
}

/** Where a connection is cut: counted from the beginning of the chunk that holds the last of these words. */
export interface Cut {
  /** Must be seen on the connection in this order before anything is counted. */
  readonly words: readonly string[];
  readonly side: "request" | "answer";
  /** How many bytes still pass; "all" cuts a moment after them. */
  readonly bytes: number | "all";
}

export interface Wire {
  readonly port: number;
  /** Connections that were cut so far. */
  readonly cuts: () => number;
  arm(cut: Cut): void;
  disarm(): void;
  stop(): Promise<void>;
}

const MOMENT_MS = 25;

/** A way to a port of this machine that can be cut in the middle of a byte stream. */
export async function startWire(target: number): Promise<Wire> {
  let armed: Cut | undefined;
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let seen = 0;
    /** Set once the words are all seen: what is cut here, and how much of it may still pass. */
    let here: { readonly cut: Cut; left: number; over: boolean } | undefined;
    const cutNow = () => {
      count += 1;
      client.resetAndDestroy();
      upstream.destroy();
    };
    const counted = (data: Buffer, to: Socket) => {
      if (!here) return;
      if (here.left > 0) to.write(data.subarray(0, Math.min(here.left, data.length)));
      here.left -= data.length;
      if (here.over || (here.left > 0 && here.cut.bytes !== "all")) return;
      here.over = true;
      // What has passed must have arrived before the connection goes.
      setTimeout(cutNow, MOMENT_MS);
    };
    client.on("data", (data) => {
      if (armed && !here) {
        const text = data.toString("latin1");
        while (seen < armed.words.length && text.includes(armed.words[seen] ?? "")) seen += 1;
        if (seen === armed.words.length) {
          here = { cut: armed, left: armed.bytes === "all" ? Number.POSITIVE_INFINITY : armed.bytes, over: false };
          armed = undefined;
        }
      }
      if (here?.cut.side === "request") counted(data, upstream);
      else upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (here?.cut.side === "answer") counted(data, client);
      // What was cut after the request gets no answer any more.
      else if (!here?.over) client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the wire has no port");
  return {
    port: address.port,
    cuts: () => count,
    arm: (cut) => {
      armed = cut;
    },
    disarm: () => {
      armed = undefined;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
