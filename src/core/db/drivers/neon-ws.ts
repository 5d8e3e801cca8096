import { neonConfig, Pool } from "@neondatabase/serverless";
import type { Builder, Database } from "@psn/core/db/database.ts";
import { defined } from "@psn/core/types/defined.ts";
import { drizzle } from "drizzle-orm/neon-serverless";
import ws from "ws";
import { listenOn } from "./listen.ts";
import { goByProxy } from "./neon-proxy.ts";
import { forgiveLostConnections, sessionDatabase } from "./session.ts";

const POOL_SIZE = 8;
/** A Neon compute that sleeps needs a moment to wake; in milliseconds. */
const CONNECT_TIMEOUT_MS = 20_000;

/**
 * Neon over WebSocket, for callers that stay: migrations, `psn worker`. `listenUrl`: for LISTEN, where it is not the
 * direct address.
 */
export function openNeonWs(url: string, proxy?: string, listenUrl = directUrl(url)): Database {
  goByProxy(proxy);
  neonConfig.webSocketConstructor = ws;
  // Two round trips more for each new session. So a login that is refused fails where the session is asked for, before
  // anything can run in it, and a plain tunnel may lead to a server that asks for scram-sha-256.
  neonConfig.pipelineConnect = false;
  const pool = poolOf(url);
  const listening = listenUrl === url ? undefined : poolOf(listenUrl);
  const connect = () => pool.connect();
  const ways = { connect, ...defined({ connectToListen: listening ? () => listening.connect() : undefined }) };
  return sessionDatabase({
    driver: "neon-ws",
    connect,
    builder: (client): Builder => drizzle(client),
    listen: (onWake, onLost) => listenOn(ways, onWake, onLost),
    close: async () => {
      await Promise.all([pool.end(), listening?.end()]);
    },
  });
}

function poolOf(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  pool.on("error", () => undefined);
  forgiveLostConnections(pool);
  return pool;
}

/**
 * The same compute without Neon's pooler, which works in transaction mode: the first label of the host without
 * `-pooler` (https://neon.com/docs/connect/connection-pooling, 2026-11).
 */
export function directUrl(url: string): string {
  const direct = new URL(url);
  direct.hostname = direct.hostname.replace(/^([^.]+)-pooler\./, "$1.");
  return direct.hostname === new URL(url).hostname ? url : direct.href;
}
