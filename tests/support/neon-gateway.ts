import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { neonConfig } from "@neondatabase/serverless";
import { type WebSocket, WebSocketServer } from "ws";
import { createFaults, type Faults } from "./neon-faults.ts";
import { createLogins, refusal } from "./neon-logins.ts";
import { createConnections } from "./neon-pool.ts";
import { serveSession } from "./neon-session.ts";
import { execute, type Login, type Outcome, parseRequest, SqlFailure, type SqlRequest } from "./neon-sql.ts";

/*
 * Neon's two doors in front of any PostgreSQL: statements over HTTP (POST /sql, see neon-sql.ts) and the PostgreSQL
 * protocol over WebSocket (neon-session.ts). Both log in to the server as the user in the connection string, so roles
 * and row policies are the real ones. What it answers is what Neon's own proxy (2025-07) answered:
 * tests/support/neon-truths.test.ts.
 */

/** The largest body and the largest answer over HTTP, in bytes: neon.com/docs/changelog/2023-08-16. */
const MAX_BYTES = 10 * 1024 * 1024;

/** One round trip over HTTP. Parameters are not kept. */
export interface GatewayRequest {
  readonly user: string;
  readonly database: string;
  readonly batch: boolean;
  readonly statements: readonly string[];
  /** What was answered; 0 when the connection was dropped instead, or the caller had hung up. */
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
  /** Lets this much of the time pass for which the proxy remembers roles and passwords, in milliseconds. */
  pass(ms: number): void;
  /** Forgets roles and passwords, as Neon's cloud does when one changes. */
  forgetLogins(): void;
  /** A connection string with a Neon host for what `url` names on the real server. */
  urlFor(url: string): string;
  stop(): Promise<void>;
}

const headersOf = (request: IncomingMessage) =>
  new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    size += chunk.length;
  }
  if (size > MAX_BYTES) throw new SqlFailure(413, `request is too large (max is ${MAX_BYTES} bytes)`);
  return Buffer.concat(chunks);
}

const PREFLIGHT = {
  allow: "OPTIONS, POST",
  "access-control-allow-origin": "*",
  "access-control-allow-headers":
    "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, " +
    "Neon-Batch-Read-Only, Neon-Batch-Isolation-Level",
  "access-control-max-age": "86400",
};

/** AuthError::MissingEndpointName of proxy/src/auth/mod.rs. */
const NO_ENDPOINT =
  "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass " +
  "the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'. See more " +
  "at https://neon.tech/sni";

export interface GatewayOptions {
  /**
   * The common name of the proxy's certificate: sessions must name an endpoint, by the first label of the Host header
   * before this name or by `options=endpoint=…`. Without it no endpoint is asked for, as with `--auth-backend
   * postgres`.
   */
  readonly commonName?: string;
  /**
   * `--sql-over-http-pool-opt-in`, on by default: connections are kept only for a caller that sends Neon-Pool-Opt-In.
   * Off here and in Neon's cloud.
   */
  readonly poolOptIn?: boolean;
}

/** Stands in for Neon in front of the server that `postgresUrl` names by its superuser. */
export async function startNeonGateway(postgresUrl: string, options: GatewayOptions = {}): Promise<NeonGateway> {
  const target = new URL(postgresUrl);
  const port = Number(target.port || 5432);
  const connections = createConnections(target.hostname, port);
  let passedMs = 0;
  const logins = createLogins(postgresUrl, () => Date.now() + passedMs);
  const requests: GatewayRequest[] = [];
  const sockets = new Set<WebSocket>();
  let opened = 0;
  const { faults, wake, take, refused } = createFaults(() => {
    for (const socket of sockets) socket.terminate();
  });

  /** The proxy compares the password before it looks for a compute. */
  const refusedLogin = async (login: Login) => (await logins.refused(login)) ?? refused();

  const perform = async (request: SqlRequest, caller: AbortSignal): Promise<Outcome> => {
    const refusedAs = await refusedLogin(request.login);
    if (refusedAs) throw refusedAs;
    const client = await connections.take(request.login);
    const cancel = () => connections.cancel(client);
    caller.addEventListener("abort", cancel);
    const outcome = await execute(client, request, MAX_BYTES, caller);
    caller.removeEventListener("abort", cancel);
    const pooled = !options.poolOptIn || request.pooled;
    await connections.give(request.login, client, outcome.reusable && pooled);
    return outcome;
  };

  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    const caller = new AbortController();
    let answered = false;
    response.on("close", () => {
      if (!answered) caller.abort();
    });
    const answer = (status: number, body: string, headers: Readonly<Record<string, string>> = {}) => {
      answered = true;
      const all = {
        "content-type": "application/json",
        "access-control-allow-origin": "*",
        "neon-request-id": randomUUID(),
        ...headers,
      };
      response.writeHead(status, all).end(body);
      return status;
    };
    const drop = () => {
      answered = true;
      incoming.socket.destroy();
      return 0;
    };
    const handle = async (request: SqlRequest): Promise<number> => {
      await wake();
      const fault = take(request);
      if (fault?.kind === "drop" && fault.when === "before") return drop();
      if (fault?.kind === "answer")
        return answer(fault.status, fault.body, { "content-type": "text/plain", ...fault.headers });
      const { json, failure } = await perform(request, caller.signal);
      if (fault?.kind === "late") await sleep(fault.ms);
      if (fault?.kind === "drop") return drop();
      return failure ? answer(failure.status, failure.body()) : answer(200, json ?? "", request.batchHeaders);
    };
    const path = incoming.url?.split("?")[0];
    const id = { "neon-request-id": randomUUID() };
    if (path === "/sql" && incoming.method === "OPTIONS")
      return void response.writeHead(200, { ...PREFLIGHT, ...id }).end();
    if (path !== "/sql" || incoming.method !== "POST")
      return void response
        .writeHead(400, { "content-type": "application/json", ...id })
        .end(JSON.stringify("query is not supported"));
    let request: SqlRequest | undefined;
    let status = 0;
    try {
      request = parseRequest(headersOf(incoming), await readBody(incoming));
      status = await handle(request);
    } catch (error) {
      const failure = error instanceof SqlFailure ? error : new SqlFailure(500, "internal error of the test gateway");
      status = answer(failure.status, failure.body());
    }
    if (caller.signal.aborted) status = 0;
    const { user = "", database = "" } = request?.login ?? {};
    const statements = request?.statements.map(({ query }) => query) ?? [];
    requests.push({ user, database, batch: request?.batch ?? false, statements, status });
  };

  /** Endpoint of a session: proxy/src/auth/credentials.rs. */
  const namesEndpoint = (host: string, given: string) => {
    const { commonName } = options;
    const label =
      commonName !== undefined && host.endsWith(`.${commonName}`) ? host.slice(0, -commonName.length - 1) : undefined;
    return (
      commonName === undefined ||
      /(^|\s|-c)endpoint=\S/.test(given) ||
      (label !== undefined && !/^api(auth)?$/.test(label))
    );
  };

  const session = async (socket: WebSocket, host: string) => {
    opened += 1;
    sockets.add(socket);
    socket.on("error", () => socket.terminate());
    socket.on("close", () => sockets.delete(socket));
    await serveSession(socket, {
      host: target.hostname,
      port,
      refused: async (login, given) => {
        await wake();
        return namesEndpoint(host, given) ? refusedLogin(login) : refusal(NO_ENDPOINT);
      },
    });
  };

  const server = createServer((incoming, response) => void respond(incoming, response));
  const upgrades = new WebSocketServer({ noServer: true });
  server.on("upgrade", (incoming, socket, head) => {
    const [host = ""] = (incoming.headers.host ?? "").split(":");
    upgrades.handleUpgrade(incoming, socket, head, (webSocket) => void session(webSocket, host));
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
    pass: (ms) => {
      passedMs += ms;
    },
    forgetLogins: logins.forget,
    urlFor: (url) => {
      const { username, password, pathname } = new URL(url);
      return (
        `postgresql://${username}:${password}@ep-quiet-test-a1b2c3d4.eu-central-1.aws.neon.tech${pathname}` +
        "?sslmode=require"
      );
    },
    stop: async () => {
      faults.cutSockets();
      await Promise.all([connections.end(), logins.end()]);
      server.closeAllConnections();
      server.close();
      upgrades.close();
    },
  };
}

/**
 * What the driver needs to reach the gateway instead of Neon: `Object.assign(neonConfig, neonSettings(gateway))`. The
 * settings are global to the process. `webSocketConstructor` is not needed under Bun.
 */
export function neonSettings(gateway: NeonGateway) {
  return {
    fetchEndpoint: gateway.httpEndpoint,
    wsProxy: gateway.wsProxy,
    useSecureWebSocket: false,
    poolQueryViaFetch: false,
  };
}

/** Points the driver of this process at the gateway; the answer puts back what was set before. */
export function pointNeonAt(gateway: NeonGateway): () => void {
  const { fetchEndpoint, wsProxy, useSecureWebSocket, poolQueryViaFetch } = neonConfig;
  Object.assign(neonConfig, neonSettings(gateway));
  return () => void Object.assign(neonConfig, { fetchEndpoint, wsProxy, useSecureWebSocket, poolQueryViaFetch });
}
