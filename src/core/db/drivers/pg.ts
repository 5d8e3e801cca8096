import type { Builder, Database } from "@psn/core/db/database.ts";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { databaseError } from "./failure.ts";
import { listenOn } from "./listen.ts";
import { forgiveLostConnections, sessionDatabase } from "./session.ts";

/** Connections one process may hold; all deliveries of a worker share them. */
const POOL_SIZE = 8;
/** How long to wait for a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface PgOptions {
  /** The address for LISTEN, where it is another than for everything else. */
  readonly listenUrl?: string | undefined;
}

/** Any Postgres, by node-postgres. Throws CONFIG_INVALID. */
export function openPg(url: string, { listenUrl }: PgOptions = {}): Database {
  const pool = poolOf(usableAddress(url));
  const listening = listenUrl === undefined ? undefined : poolOf(usableAddress(listenUrl));
  const connect = () => pool.connect();
  const ways = { connect, ...defined({ connectToListen: listening ? () => listening.connect() : undefined }) };
  return sessionDatabase({
    driver: "pg",
    connect,
    builder: (client): Builder => drizzle(client),
    listen: (onWake, onLost) => listenOn(ways, onWake, onLost),
    close: async () => {
      await Promise.all([pool.end(), listening?.end()]);
    },
  });
}

function poolOf(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: "psn",
  });
  // An idle connection that dies is replaced by the pool; without a listener its error would end the process.
  pool.on("error", () => undefined);
  forgiveLostConnections(pool);
  return pool;
}

/**
 * To pg 8 these three mean `verify-full`, and it warns at every start that they will mean less in pg 9. They go on
 * meaning that: docs/self-hosting.md.
 */
const AS_VERIFY_FULL = /([?&]sslmode=)(?:prefer|require|verify-ca)(?=[&#]|$)/g;

/** The address as pg takes it, without a warning. Throws CONFIG_INVALID for one that pg does not take. */
function usableAddress(url: string): string {
  const address = /[?&]uselibpqcompat=true(?:[&#]|$)/.test(url) ? url : url.replace(AS_VERIFY_FULL, "$1verify-full");
  try {
    // Takes the address apart, reads the files that it names, and connects to nothing.
    new pg.Client({ connectionString: address });
    return address;
  } catch (error) {
    const failure = databaseError(error);
    if (failure.code === "CONFIG_INVALID") throw failure;
    // It may repeat a part of the address, which holds a password.
    const lacksCa = /requires specifying a CA/.test(error instanceof Error ? error.message : "");
    throw new PsnError(
      "CONFIG_INVALID",
      lacksCa ? "sslmode=verify-ca also needs sslrootcert" : "the database's address has an invalid port or parameter",
      { hint: "psn config set DATABASE_URL" },
    );
  }
}
