import type { Subscription } from "@psn/core/ports/deliveries.ts";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";

/** The four ways to one schema. */
export type Driver = "embedded" | "pg" | "neon-http" | "neon-ws";

/** Builds statements; the same on every driver. Runs nothing by itself: `Database.run` does. */
export type Builder = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/** A built statement. What it resolves to must not depend on the driver: select, or write with `returning`. */
export type Statement = PromiseLike<unknown>;
export type Results<T extends readonly Statement[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/**
 * Who a statement runs for. A user: the rows of that user and no others. `service`: no user's rows, but the functions
 * that claim what is due. A user with `service`: both in one transaction, to claim a delivery and load it in one round
 * trip.
 */
export type Actor = { readonly userId: string; readonly service?: true } | "service";

/** A plain connection as the owner, for migrations alone. */
export interface OwnerClient {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

export interface RunOptions {
  /**
   * Running them twice is the same as once, so that they are sent again when their answer is lost on the way. Reads
   * always are.
   */
  readonly repeatable?: boolean;
  /** How long each may wait for what another session has locked, in milliseconds; then it is DB_LOCKED. */
  readonly lockMs?: number;
}

export interface Database {
  readonly driver: Driver;
  /** Runs the statements in order as one transaction, under the actor's row-level security. Throws DB_… errors only. */
  run<const T extends readonly [Statement, ...Statement[]]>(
    actor: Actor,
    build: (db: Builder) => T,
    options?: RunOptions,
  ): Promise<Results<T>>;
  /**
   * Calls back when something became due, and when it hears no more; resolves once it listens. Absent where the driver
   * cannot.
   */
  readonly listen?: (onWake: () => void, onLost?: () => void) => Promise<Subscription>;
  /** Runs as the login of the URL itself, outside row-level security. Absent over HTTP. */
  readonly asOwner?: <T>(work: (client: OwnerClient) => Promise<T>) => Promise<T>;
  close(): Promise<void>;
}
