import { neonConfig, Pool } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-serverless";
import ws from "ws";
import type { Builder, Database } from "../database.ts";
import { goByProxy } from "./neon-proxy.ts";
import { forgiveLostConnections, listenOn, sessionDatabase } from "./session.ts";

const POOL_SIZE = 8;
/** A Neon compute that sleeps needs a moment to wake; in milliseconds. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Neon over WebSocket, for callers that stay: migrations, `psn worker`. */
export function openNeonWs(url: string, proxy?: string): Database {
  goByProxy(proxy);
  neonConfig.webSocketConstructor = ws;
  const pool = new Pool({ connectionString: url, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  pool.on("error", () => undefined);
  forgiveLostConnections(pool);
  const connect = () => pool.connect();
  return sessionDatabase({
    driver: "neon-ws",
    connect,
    builder: (client): Builder => drizzle(client),
    listen: (onWake) => listenOn(connect, onWake),
    close: () => pool.end(),
  });
}
