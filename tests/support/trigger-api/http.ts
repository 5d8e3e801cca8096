import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/* The wire: a server on 127.0.0.1 that keeps what it is asked, counts requests and breaks connections when told to. */

export interface Received {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Parsed JSON; the text when it is none; undefined when there was none. */
  readonly body: unknown;
  readonly authorization: string | undefined;
}

/**
 * What a request suffers. `…-before`: nothing happened; `…-after`: what was asked was done. `drop` cuts the connection
 * before the first byte of an answer, `cut` in the middle of one. `garbage-after` answers a page, `strange-after` JSON
 * of no known shape.
 */
export type What =
  | "drop-before"
  | "drop-after"
  | "cut-after"
  | "500-before"
  | "500-after"
  | "503-before"
  | "429"
  | "garbage-after"
  | "strange-after";

export interface Fault {
  readonly what: What;
  /** Only a request whose `METHOD path` it matches suffers it. */
  readonly on?: RegExp;
}

export class Refusal extends Error {
  readonly status: number;
  readonly more: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    message: string,
    more: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.more = more;
    this.headers = headers;
  }
}

export interface Reply {
  readonly status: number;
  /** A `content-type` among them stands above JSON's; the body is then sent as it is. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Where the server has no route it answers with a page of its dashboard and not with JSON (compared with 4.5.12). */
export const NO_ROUTE: Reply = {
  status: 404,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: '<!DOCTYPE html><html lang="en"><head><title>404</title></head><body><h1>404</h1></body></html>',
};

export interface Wire {
  readonly origin: string;
  readonly requests: Received[];
  readonly faults: Fault[];
  /** Connections are refused from now on, those that are open are cut. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
}

export interface Limits {
  readonly now: () => Date;
  /** Most requests of one token in a window. */
  readonly rateLimit: () => number;
}

export type Answer = (request: Received, headers: IncomingMessage["headers"]) => Promise<Reply> | Reply;

const WINDOW_MS = 10_000;
/** 3 MB: trigger.dev docs, limits, 2026-11. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/**
 * What a deployment asks counts by itself, up to twice as many (compared with 4.5.12: 1,500 where everything else has
 * 750).
 */
const OF_DEPLOYMENTS =
  /^\/api\/v1\/(?:deployments|projects\/[^/]+\/(?:(?!environments)[^/]+|envvars\/[^/]+\/import))(?:\?|$)/;
const PROBLEM = "application/problem+json";
/** Measured: these carry no rate limit headers. */
const UNCOUNTED = /^\/api\/v1\/(?:authorization-code|token|deployments\/current)(?:\?|$)/;

export async function startWire(answer: Answer, limits: Limits): Promise<Wire> {
  const requests: Received[] = [];
  const faults: Fault[] = [];
  const windows = new Map<string, { end: number; used: number }>();
  let server: Server | undefined;
  let port = 0;

  const count = (token: string, path: string): { headers: Record<string, string>; over: boolean; reset: number } => {
    const at = limits.now().getTime();
    const deploys = OF_DEPLOYMENTS.test(path);
    const limit = limits.rateLimit() * (deploys ? 2 : 1);
    const name = `${deploys ? "deploys" : "asks"} ${token}`;
    const known = windows.get(name);
    const window = known !== undefined && known.end > at ? known : { end: at + WINDOW_MS, used: 0 };
    windows.set(name, window);
    window.used += 1;
    const remaining = Math.max(0, limit - window.used);
    const headers = {
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-remaining": String(remaining),
      "x-ratelimit-reset": String(window.end),
    };
    return { headers, over: window.used > limit, reset: window.end };
  };

  const take = (request: Received): What | undefined => {
    const at = faults.findIndex(({ on }) => on === undefined || on.test(`${request.method} ${request.path}`));
    return at < 0 ? undefined : faults.splice(at, 1)[0]?.what;
  };

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks);
    const { authorization } = incoming.headers;
    const request = { method: incoming.method ?? "GET", path: incoming.url ?? "/", body: bodyOf(text), authorization };
    requests.push(request);
    const what = take(request);
    const send = (
      status: number,
      headers: Readonly<Record<string, string>>,
      body: string,
      type = "application/json; charset=utf-8",
    ) => {
      outgoing.writeHead(status, { "content-type": type, ...headers });
      outgoing.end(body);
    };
    if (what === "drop-before") return void incoming.socket.destroy();
    if (what === "500-before") return send(500, {}, JSON.stringify({ error: "Internal Server Error" }));
    if (what === "503-before") return send(503, {}, "upstream connect error", "text/plain");

    const isCounted = !UNCOUNTED.test(request.path);
    if (isCounted && authorization === undefined) return send(401, {}, JSON.stringify(NO_HEADER), PROBLEM);
    const counted = isCounted ? count(authorization ?? "", request.path) : undefined;
    if (what === "429" || counted?.over === true) {
      const reset = counted?.reset ?? limits.now().getTime() + WINDOW_MS;
      const seconds = Math.ceil((reset - limits.now().getTime()) / 1000);
      const said = `Rate limit exceeded 0/${limits.rateLimit()} requests remaining. Retry in ${seconds} seconds.`;
      const problem = { title: "Rate Limit Exceeded", status: 429, detail: said, reset, error: said };
      return send(429, { ...counted?.headers, "x-ratelimit-remaining": "0" }, JSON.stringify(problem), PROBLEM);
    }

    let reply: Reply;
    try {
      if (text.length > MAX_BODY_BYTES) throw new Refusal(413, "Request body too large");
      reply = await answer(request, incoming.headers);
    } catch (error) {
      if (error instanceof Refusal)
        reply = { status: error.status, headers: error.headers, body: { error: error.message, ...error.more } };
      else
        reply = {
          status: 500,
          body: { error: `the double failed: ${error instanceof Error ? error.stack : String(error)}` },
        };
    }
    const headers = { ...counted?.headers, ...reply.headers };
    const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
    if (what === "drop-after") return void incoming.socket.destroy();
    if (what === "500-after") return send(500, headers, JSON.stringify({ error: "Something went wrong" }));
    if (what === "garbage-after") return send(200, headers, "<!doctype html><p>Please stand by</p>", "text/html");
    if (what === "strange-after") return send(200, headers, JSON.stringify({ yes: ["we", "can"] }));
    if (what === "cut-after") {
      outgoing.writeHead(reply.status, {
        "content-type": "application/json",
        "content-length": String(body.length + 64),
      });
      outgoing.write(body.slice(0, 6));
      await sleep(20);
      return void incoming.socket.destroy();
    }
    send(reply.status, headers, body);
  };

  const up = async () => {
    if (server !== undefined) return;
    const starting = createServer((incoming, outgoing) => {
      serve(incoming, outgoing).catch(() => incoming.socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      starting.once("error", reject);
      starting.listen(port, "127.0.0.1", resolve);
    });
    const address = starting.address();
    if (typeof address !== "object" || address === null) throw new Error("the server has no port");
    port = address.port;
    server = starting;
  };
  const down = () =>
    new Promise<void>((resolve) => {
      const stopping = server;
      server = undefined;
      if (stopping === undefined) return resolve();
      stopping.close(() => resolve());
      stopping.closeAllConnections();
    });
  await up();
  return { origin: `http://127.0.0.1:${port}`, requests, faults, down, up };
}

/** What the server's counting says before anything else looks at a request. */
const NO_HEADER = {
  title: "Unauthorized",
  status: 401,
  type: "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/401",
  detail: "No authorization header provided",
  error: "No authorization header provided",
};

function bodyOf(text: Buffer): unknown {
  if (text.length === 0) return undefined;
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    return text.toString("utf8");
  }
}
