import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import type { Builder, Database } from "../database.ts";
import { forgiveLostConnections, listenOn, sessionDatabase } from "./session.ts";

/** Connections one process may hold; a worker's sixteen deliveries share them. */
const POOL_SIZE = 8;
/** How long to wait for a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Any Postgres, by node-postgres. */
export function openPg(url: string): Database {
  const pool = new pg.Pool({ connectionString: url, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: "psn" });
  // An idle connection that dies is replaced by the pool; without a listener its error would end the process.
  pool.on("error", () => undefined);
  forgiveLostConnections(pool);
  const connect = () => pool.connect();
  return sessionDatabase({
    driver: "pg",
    connect,
    builder: (client): Builder => drizzle(client),
    listen: (onWake) => listenOn(connect, onWake),
    close: () => pool.end(),
  });
}
