import { PsnError } from "@psn/core/errors.ts";
import type { Database, Driver } from "./database.ts";

export type * from "./database.ts";

export interface DatabaseOptions {
  /** `postgres://…`; absent for the embedded database. */
  readonly url?: string | undefined;
  /** Another address of the same database, for LISTEN alone: one that leads past a pooler. */
  readonly listenUrl?: string | undefined;
  /** Overrides what the URL's host suggests. */
  readonly driver?: Exclude<Driver, "embedded"> | undefined;
  /** A Neon proxy of one's own; what it serves counts as Neon, whatever the URL's host. */
  readonly neonProxy?: string | undefined;
  /** Folder of the embedded database. */
  readonly dataFolder: string;
  /** `session`: a worker or a migration, which keeps a connection. `once`: a few statements and gone. */
  readonly use: "once" | "session";
}

/**
 * Which driver serves these options. A Neon host is reached over HTTP for a few statements and over WebSocket for a
 * session.
 */
export function chooseDriver({ url, driver, neonProxy, use }: Omit<DatabaseOptions, "dataFolder">): Driver {
  if (url === undefined) return "embedded";
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new PsnError("CONFIG_INVALID", "DATABASE_URL is not of the form postgres://user:password@host/database", {
      hint: "psn config set DATABASE_URL",
    });
  }
  if (driver) return driver === "neon-http" && use === "session" ? "neon-ws" : driver;
  if (neonProxy === undefined && !new URL(url).hostname.endsWith(".neon.tech")) return "pg";
  return use === "session" ? "neon-ws" : "neon-http";
}

/**
 * Opens the hub's database. Each driver's library loads only when it is the one. Throws DB_REFUSED, DB_UNREACHABLE,
 * DB_BUSY, CONFIG_INVALID.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const url = options.url ?? "";
  switch (chooseDriver(options)) {
    case "embedded":
      return openHere(options.dataFolder);
    case "pg":
      return (await import("./drivers/pg.ts")).openPg(url, { listenUrl: options.listenUrl });
    case "neon-http":
      return (await import("./drivers/neon-http.ts")).openNeonHttp(url, options.neonProxy);
    case "neon-ws":
      return (await import("./drivers/neon-ws.ts")).openNeonWs(url, options.neonProxy, options.listenUrl);
  }
}

async function openHere(dataFolder: string): Promise<Database> {
  const { startCompiling } = await import("./drivers/engine.ts");
  startCompiling(dataFolder);
  return (await import("./drivers/embedded.ts")).openEmbedded(dataFolder);
}
