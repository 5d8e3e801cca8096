import type { PGlite } from "@electric-sql/pglite";

/*
 * The embedded Postgres is one session that all connections share, a message at a time. pglite-socket keeps them apart
 * from BEGIN to COMMIT alone (0.2.17, measured 2026-11): a statement with parameters is five messages, and without a
 * transaction another connection's came between them, which took the statement away (SQLSTATE 26000) or left both
 * waiting.
 */

/** https://www.postgresql.org/docs/18/protocol-message-formats.html (2026-11). */
const codes = (letters: string): ReadonlySet<number | undefined> => new Set(new TextEncoder().encode(letters));
/** Parse, Bind, Describe, Execute, Close, Flush. */
const BEFORE_SYNC = codes("PBDECH");
/** Sync, Query. */
const ENDS = codes("SQ");

/** The same database, which is "in a transaction" from the first message of a statement with parameters to its Sync. */
export function statementTurns(db: PGlite): PGlite {
  let isOpen = false;
  const execProtocolRawStream: PGlite["execProtocolRawStream"] = async (message, options) => {
    await db.execProtocolRawStream(message, options);
    if (BEFORE_SYNC.has(message[0])) isOpen = true;
    else if (ENDS.has(message[0])) isOpen = false;
  };
  const ours: Partial<PGlite> = {
    execProtocolRawStream,
    isInTransaction: () => isOpen || db.isInTransaction(),
    // What ends the transaction of a connection that is gone ends its statement too.
    exec: async (query, options) => {
      isOpen = false;
      return db.exec(query, options);
    },
  };
  return new Proxy(db, {
    get: (target, name) => {
      const value: unknown = Reflect.get(ours, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
