import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { type WebSocket, WebSocketServer } from "ws";
import { execute, failureOf, type Login, type Outcome, parseRequest, SqlFailure, type SqlRequest } from "./neon-sql.ts";

/*
 * Neon's two doors in front of any PostgreSQL: statements over HTTP (POST /sql, see neon-sql.ts) and the PostgreSQL protocol
 * over WebSocket (/v2; the driver's Socket class builds `${wsProxy}?address=host:port`, CONFIG.md "wsProxy"). Both log in
 * to the server as the user in the connection string, so roles and row policies are the real ones.
 */

/** The largest body and the largest answer over HTTP, in bytes: neon.com/docs/changelog/2023-08-16. */
const MAX_BYTES = 10 * 1024 * 1024;

/** What goes wrong with a request over HTTP. `answer` does not execute it; `late` and `drop after` do, in full. */
export type Fault =
  | { readonly kind: "late"; readonly ms: number }
  | { readonly kind: "drop"; readonly when: "before" | "after" }
  | { readonly kind: "answer"; readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> };

export interface Faults {
  /** Lets the next `times` (default 1) requests fail; with `statement` only those with a matching statement. First come, first served. */
  next(fault: Fault, only?: { readonly times?: number; readonly statement?: RegExp }): void;
  /** Puts the server to sleep: the next request or WebSocket wakes it, and until `ms` have passed everything waits. */
  cold(ms: number): void;
  /** Cuts every open WebSocket. */
  cutSockets(): void;
  /** Forgets the faults that have not happened yet. */
  clear(): void;
}

/** One round trip over HTTP. Parameters are not kept. */
export interface GatewayRequest {
  readonly user: string;
  readonly database: string;
  readonly batch: boolean;
  readonly statements: readonly string[];
  /** What was answered; 0 when the connection was dropped instead. */
  readonly status: number;
}

export interface NeonGateway {
  /** For `neonConfig.fetchEndpoint`. */
  readonly httpEndpoint: string;
  /** For `neonConfig.wsProxy`. */
  readonly wsProxy: string;
  /** Every request over HTTP so far; its length is the number of round trips. Empty it with `requests.length = 0`. */
  readonly requests: GatewayRequest[];
  /** WebSockets opened so far, and open now. */
  readonly sockets: { readonly opened: number; readonly open: number };
  readonly faults: Faults;
  /** A connection string with a Neon host for what `url` names on the real server. */
  urlFor(url: string): string;
  stop(): Promise<void>;
}

interface Planned {
  readonly fault: Fault;
  readonly statement: RegExp | undefined;
  left: number;
}

function createFaults(cutSockets: () => void) {
  let planned: Planned[] = [];
  let coldMs: number | undefined;
  let awake = Promise.resolve();
  const faults: Faults = {
    next: (fault, { times = 1, statement } = {}) => void planned.push({ fault, statement, left: times }),
    cold: (ms) => {
      coldMs = ms;
    },
    cutSockets,
    clear: () => {
      planned = [];
      coldMs = undefined;
    },
  };
  const wake = async () => {
    if (coldMs !== undefined) {
      awake = sleep(coldMs);
      coldMs = undefined;
    }
    await awake;
  };
  const take = (request: SqlRequest): Fault | undefined => {
    const hit = planned.find(({ statement }) => !statement || request.statements.some(({ query }) => statement.test(query)));
    if (!hit) return undefined;
    hit.left -= 1;
    if (hit.left <= 0) planned = planned.filter((each) => each !== hit);
    return hit.fault;
  };
  return { faults, wake, take };
}

/** Connections kept between requests per login, as Neon keeps them: what a statement leaves set on the session meets the next request. */
function createConnections(host: string, port: number) {
  const idle = new Map<string, pg.Client[]>();
  const open = new Set<pg.Client>();
  const key = (login: Login) => JSON.stringify([login.database, login.user, login.password]);

  const take = async (login: Login): Promise<pg.Client> => {
    const kept = idle.get(key(login))?.pop();
    if (kept) return kept;
    const client = new pg.Client({ host, port, ssl: false, ...login });
    const forget = () => {
      open.delete(client);
      idle.set(
        key(login),
        (idle.get(key(login)) ?? []).filter((each) => each !== client),
      );
    };
    client.on("error", forget);
    client.on("end", forget);
    try {
      await client.connect();
    } catch (error) {
      // 28P01 invalid_password, 28000 invalid_authorization_specification: the proxy checks the password itself, with its own words.
      const refused = error instanceof pg.DatabaseError && (error.code === "28P01" || error.code === "28000");
      if (refused) throw new SqlFailure(400, `password authentication failed for user '${login.user}'`);
      throw failureOf(error, 500, "couldn't connect to compute node");
    }
    open.add(client);
    return client;
  };

  const give = async (login: Login, client: pg.Client, reusable: boolean) => {
    if (reusable && open.has(client)) idle.set(key(login), [...(idle.get(key(login)) ?? []), client]);
    else await client.end().catch(() => {});
  };

  return { take, give, end: () => Promise.all([...open].map((client) => client.end().catch(() => {}))) };
}

const headersOf = (request: IncomingMessage) => new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    size += chunk.length;
  }
  if (size > MAX_BYTES) throw new SqlFailure(413, `request is too large (max is ${MAX_BYTES} bytes)`);
  return Buffer.concat(chunks).toString();
}

/** Stands in for Neon in front of the server `postgresUrl` names; of the address only host and port matter. */
export async function startNeonGateway(postgresUrl: string): Promise<NeonGateway> {
  const target = new URL(postgresUrl);
  const port = Number(target.port || 5432);
  const connections = createConnections(target.hostname, port);
  const requests: GatewayRequest[] = [];
  const sockets = new Set<WebSocket>();
  let opened = 0;
  const { faults, wake, take } = createFaults(() => {
    for (const socket of sockets) socket.terminate();
  });

  const perform = async (request: SqlRequest): Promise<Outcome> => {
    const client = await connections.take(request.login);
    const outcome = await execute(client, request, MAX_BYTES);
    await connections.give(request.login, client, outcome.reusable);
    return outcome;
  };

  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    const answer = (status: number, body: string, headers: Readonly<Record<string, string>> = {}) => {
      response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*", ...headers }).end(body);
      return status;
    };
    const drop = () => {
      incoming.socket.destroy();
      return 0;
    };
    const handle = async (request: SqlRequest): Promise<number> => {
      await wake();
      const fault = take(request);
      if (fault?.kind === "drop" && fault.when === "before") return drop();
      if (fault?.kind === "answer") return answer(fault.status, fault.body, { "content-type": "text/plain", ...fault.headers });
      const { json, failure } = await perform(request);
      if (fault?.kind === "late") await sleep(fault.ms);
      if (fault?.kind === "drop") return drop();
      return failure ? answer(failure.status, failure.body()) : answer(200, json ?? "", request.batchHeaders);
    };
    if (incoming.method !== "POST" || incoming.url !== "/sql") return void answer(400, JSON.stringify("query is not supported"));
    let request: SqlRequest | undefined;
    let status = 0;
    try {
      request = parseRequest(headersOf(incoming), await readBody(incoming));
      status = await handle(request);
    } catch (error) {
      const failure = error instanceof SqlFailure ? error : new SqlFailure(500, "internal error of the test gateway");
      status = answer(failure.status, failure.body());
    }
    const { user = "", database = "" } = request?.login ?? {};
    const statements = request?.statements.map(({ query }) => query) ?? [];
    requests.push({ user, database, batch: request?.batch ?? false, statements, status });
  };

  const tunnel = async (socket: WebSocket) => {
    opened += 1;
    sockets.add(socket);
    const early: Buffer[] = [];
    let deliver = (bytes: Buffer): void => void early.push(bytes);
    socket.on("message", (data) => deliver(Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer)));
    socket.on("error", () => socket.terminate());
    socket.on("close", () => sockets.delete(socket));
    await wake();
    const stream = connect(port, target.hostname);
    deliver = (bytes) => void stream.write(bytes);
    for (const bytes of early) deliver(bytes);
    stream.on("data", (bytes) => socket.send(bytes));
    stream.on("error", () => socket.terminate());
    stream.on("close", () => socket.close());
    socket.on("close", () => stream.destroy());
  };

  const server = createServer((incoming, response) => void respond(incoming, response));
  const upgrades = new WebSocketServer({ noServer: true });
  server.on("upgrade", (incoming, socket, head) => {
    if (incoming.url?.split("?")[0] === "/v2") upgrades.handleUpgrade(incoming, socket, head, (webSocket) => void tunnel(webSocket));
    else socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gateway has no port");
  const host = `127.0.0.1:${address.port}`;

  return {
    httpEndpoint: `http://${host}/sql`,
    wsProxy: `${host}/v2`,
    requests,
    faults,
    sockets: {
      get opened() {
        return opened;
      },
      get open() {
        return sockets.size;
      },
    },
    urlFor: (url) => {
      const { username, password, pathname } = new URL(url);
      return `postgresql://${username}:${password}@ep-quiet-test-a1b2c3d4.eu-central-1.aws.neon.tech${pathname}?sslmode=require`;
    },
    stop: async () => {
      faults.cutSockets();
      await connections.end();
      server.closeAllConnections();
      server.close();
      upgrades.close();
    },
  };
}

/**
 * What the driver needs to reach the gateway instead of Neon: `Object.assign(neonConfig, neonSettings(gateway))`. The settings
 * are global to the process. `pipelineConnect` stays as on Neon ("password") because the test server asks for the password in
 * clear text; in front of a server that asks for scram-sha-256 it must be false. `webSocketConstructor` is not needed under Bun.
 */
export function neonSettings(gateway: NeonGateway) {
  return { fetchEndpoint: gateway.httpEndpoint, wsProxy: gateway.wsProxy, useSecureWebSocket: false, poolQueryViaFetch: false };
}

/** Points the driver of this process at the gateway; the answer puts back what was set before. */
export function pointNeonAt(gateway: NeonGateway): () => void {
  const { fetchEndpoint, wsProxy, useSecureWebSocket, poolQueryViaFetch } = neonConfig;
  Object.assign(neonConfig, neonSettings(gateway));
  return () => void Object.assign(neonConfig, { fetchEndpoint, wsProxy, useSecureWebSocket, poolQueryViaFetch });
}
