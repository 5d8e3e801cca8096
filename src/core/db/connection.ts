import { PsnError } from "@psn/core/errors.ts";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";

/** The four ways to one schema. */
export const DRIVERS = ["embedded", "pg", "neon-http", "neon-ws"] as const;
export type Driver = (typeof DRIVERS)[number];

/** Builds statements; the same on every driver. Runs nothing by itself: `Database.run` does. */
export type Builder = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/** A built statement. What it resolves to must not depend on the driver: select, or write with `returning`. */
export type Statement = PromiseLike<unknown>;
export type Results<T extends readonly Statement[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/**
 * Who a statement runs for. A user: the rows of that user and no others. `service`: no user's rows, but the functions
 * that claim what is due.
 */
export type Actor = { readonly userId: string } | "service";

/** A plain connection as the owner, for migrations alone. */
export interface OwnerClient {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

export interface Database {
  readonly driver: Driver;
  /** Runs the statements in order as one transaction, under the actor's row-level security. Throws DB_… errors only. */
  run<const T extends readonly [Statement, ...Statement[]]>(actor: Actor, build: (db: Builder) => T): Promise<Results<T>>;
  /** Calls back when something became due; resolves once it listens. Absent where the driver cannot. */
  readonly listen?: (onWake: () => void) => Promise<() => Promise<void>>;
  /** Runs as the login of the URL itself, outside row-level security. Absent over HTTP. */
  readonly asOwner?: <T>(work: (client: OwnerClient) => Promise<T>) => Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://…`; absent for the embedded database. */
  readonly url?: string | undefined;
  /** Overrides what the URL's host suggests. */
  readonly driver?: Exclude<Driver, "embedded"> | undefined;
  /** Folder of the embedded database. */
  readonly dataFolder: string;
  /** `session`: a worker or a migration, which keeps a connection. `once`: a few statements and gone. */
  readonly use: "once" | "session";
}

/** Which driver serves these options. A Neon host is reached over HTTP for a few statements and over WebSocket for a session. */
export function chooseDriver({ url, driver, use }: Omit<DatabaseOptions, "dataFolder">): Driver {
  if (url === undefined) return "embedded";
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new PsnError("CONFIG_INVALID", "DATABASE_URL is not of the form postgres://user:password@host/database", {
      hint: "psn config set DATABASE_URL",
    });
  }
  if (driver) return driver === "neon-http" && use === "session" ? "neon-ws" : driver;
  if (!new URL(url).hostname.endsWith(".neon.tech")) return "pg";
  return use === "session" ? "neon-ws" : "neon-http";
}

/** Opens the hub's database. Each driver's library loads only when it is the one. Throws DB_REFUSED, DB_UNREACHABLE, DB_BUSY, CONFIG_INVALID. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const url = options.url ?? "";
  switch (chooseDriver(options)) {
    case "embedded":
      return (await import("./drivers/embedded.ts")).openEmbedded(options.dataFolder);
    case "pg":
      return (await import("./drivers/pg.ts")).openPg(url);
    case "neon-http":
      return (await import("./drivers/neon-http.ts")).openNeonHttp(url);
    case "neon-ws":
      return (await import("./drivers/neon-ws.ts")).openNeonWs(url);
  }
}
