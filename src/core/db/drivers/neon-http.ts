import { neon } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle } from "drizzle-orm/neon-http";
import type { Builder, Database, Results } from "../database.ts";
import { contextStatements } from "./context.ts";
import { databaseError } from "./failure.ts";

/** Neon over HTTP: one request is one transaction; the row-level security context rides in it before the statements. */
export function openNeonHttp(url: string): Database {
  const db = drizzle({ client: neon(url) });
  const builder: Builder = db;
  const run: Database["run"] = async (actor, build) => {
    const [role, context] = contextStatements(actor);
    const statements = build(builder) as unknown as readonly BatchItem<"pg">[];
    try {
      const results = await db.batch([db.execute(sql.raw(role)), db.execute(sql.raw(context)), ...statements]);
      return results.slice(2) as Results<ReturnType<typeof build>>;
    } catch (error) {
      throw databaseError(error);
    }
  };
  return { driver: "neon-http", run, close: async () => undefined };
}
