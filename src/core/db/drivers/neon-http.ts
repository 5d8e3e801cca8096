import { setTimeout as sleep } from "node:timers/promises";
import { neon, neonConfig } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/neon-http";
import type { Builder, Database, Results, RunOptions } from "../database.ts";
import { storable } from "../storable.ts";
import { contextStatements } from "./context.ts";
import { databaseError } from "./failure.ts";
import { goByProxy } from "./neon-proxy.ts";

/** A sleeping compute takes seconds to wake, and a lease lasts a minute; in milliseconds. */
const REQUEST_TIMEOUT_MS = 25_000;
/** How long to wait before a request is sent again, in milliseconds. */
const AGAIN_MS = [250, 1_000, 3_000] as const;

/** Neon over HTTP: one request is one transaction; the row-level security context rides in it before the statements. */
export function openNeonHttp(url: string, proxy?: string): Database {
  goByProxy(proxy);
  neonConfig.fetchFunction = (input: string | URL, init?: RequestInit) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  const db = drizzle({ client: storing(neon(url)) });
  const builder: Builder = db;
  const run: Database["run"] = async (actor, build, { repeatable = false, lockMs }: RunOptions = {}) => {
    const [role, context] = contextStatements(actor, lockMs);
    for (let attempt = 0; ; attempt += 1) {
      // Built anew each time: a statement of drizzle's is a promise that resolves once.
      const statements = build(builder) as unknown as readonly BatchItem<"pg">[];
      try {
        const results = await db.batch([db.execute(sql.raw(role)), db.execute(sql.raw(context)), ...statements]);
        return results.slice(2) as Results<ReturnType<typeof build>>;
      } catch (error) {
        const failure = databaseError(error);
        const wait = AGAIN_MS[attempt];
        if (wait === undefined || !(didNotRun(error) || (repeatable && failure.code === "DB_UNREACHABLE"))) throw failure;
        await sleep(wait);
      }
    }
  };
  return { driver: "neon-http", run, close: async () => undefined };
}

type Client = ReturnType<typeof neon<false, false>>;

/** What statements carry is made storable on the way. */
function storing(client: Client): Client {
  const { query } = client;
  return Object.assign(client, { query: ((text, values, options) => query(text, storable(values), options)) as Client["query"] });
}

/** Failures before the first byte of a request: no name, no route, no listener. */
const NOT_SENT = /^(ECONNREFUSED|ConnectionRefused|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|FailedToOpenSocket)$/;
/**
 * What Neon's proxy says when it has no compute to give the statements to, or too many requests at once: none of them ran.
 * Its flag `neon:retryable` does not say that, so it does not count (neondatabase/neon issue 11975 and the driver, 2026-11).
 */
const NOT_RUN =
  /HTTP status 429|control plane request failed|failed to acquire permit|too many database connection attempts|couldn't connect to compute/i;

/** Whether the failure itself proves that no statement ran, so that anything may be sent again. */
function didNotRun(error: unknown): boolean {
  for (
    let layer: unknown = error;
    typeof layer === "object" && layer !== null;
    layer = Reflect.get(layer, "cause") ?? Reflect.get(layer, "sourceError")
  ) {
    const code: unknown = Reflect.get(layer, "code");
    const message: unknown = Reflect.get(layer, "message");
    if (typeof code === "string" && NOT_SENT.test(code)) return true;
    if (typeof message === "string" && NOT_RUN.test(message)) return true;
  }
  return false;
}
