import { setTimeout as sleep } from "node:timers/promises";
import { neon, neonConfig } from "@neondatabase/serverless";
import type { Builder, Database, Results, RunOptions } from "@psn/core/db/database.ts";
import { storable } from "@psn/core/db/storable.ts";
import { neverSent } from "@psn/core/net/failures.ts";
import { fetchBounded, redirectsTo } from "@psn/core/net/fetch.ts";
import { sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/neon-http";
import { contextStatements } from "./context.ts";
import { databaseError, redirected } from "./failure.ts";
import { goByProxy } from "./neon-proxy.ts";
import { HttpRefusal, layersOf, pausesAfter } from "./neon-refusals.ts";

/** A sleeping compute takes seconds to wake, and a lease lasts a minute; in milliseconds. */
const REQUEST_TIMEOUT_MS = 25_000;
/**
 * Most of an answer, in bytes: Neon gives 10 MB (neon.com/docs/changelog/2023-08-16), and a proxy of one's own may give
 * more.
 */
const ANSWER_BYTES = 32 * 1024 * 1024;
/** How long to wait before a request is sent again that was not sent, or may be sent twice, in milliseconds. */
const AGAIN_MS: readonly number[] = [250, 1_000, 3_000];
/** Nobody waits for longer pauses, in milliseconds. */
const MOST_PAUSE_MS = 5_000;

/** Neon over HTTP: one request is one transaction; the row-level security context rides in it before the statements. */
export function openNeonHttp(url: string, proxy?: string): Database {
  goByProxy(proxy);
  neonConfig.fetchFunction = async (input: string | URL, init?: RequestInit) => {
    const response = await fetchBounded(
      input,
      { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
      ANSWER_BYTES,
    );
    if (response.ok || response.status === 400) return response;
    if (response.status < 400) throw redirected(redirectsTo(response, input));
    throw new HttpRefusal(response.status, await response.text(), response.headers);
  };
  const db = drizzle({ client: storing(neon(url)) });
  const builder: Builder = db;
  const run: Database["run"] = async (actor, build, { repeatable = false, lockMs }: RunOptions = {}) => {
    const [role, context] = contextStatements(actor, lockMs);
    for (let attempt = 0; ; attempt += 1) {
      // Built again each time: a statement of drizzle's is a promise that resolves once.
      const statements = build(builder) as unknown as readonly BatchItem<"pg">[];
      try {
        const results = await db.batch([db.execute(sql.raw(role)), db.execute(sql.raw(context)), ...statements]);
        return results.slice(2) as Results<ReturnType<typeof build>>;
      } catch (error) {
        const failure = databaseError(error);
        // A certificate that is not accepted was not sent to either, and stays what it is.
        const again = failure.code === "DB_UNREACHABLE" && (repeatable || [...layersOf(error)].some(neverSent));
        const wait = (pausesAfter(error) ?? (again ? AGAIN_MS : []))[attempt];
        if (wait === undefined || wait > MOST_PAUSE_MS) throw failure;
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
  return Object.assign(client, {
    query: ((text, values, options) => query(text, storable(values), options)) as Client["query"],
  });
}
