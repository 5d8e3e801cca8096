import { EventEmitter } from "node:events";
import { PGlite } from "@electric-sql/pglite";
import type { Database } from "@psn/core/db/connection.ts";
import { type SessionClient, sessionDatabase } from "@psn/core/db/drivers/session.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";

/*
 * One Postgres in this process and in memory, with the real migrations, behind the driver that psn itself uses. Its
 * clock is whatever a history says. A statement runs at once: no time passes while it does.
 */

export interface Postgres {
  /** As the program comes in. */
  readonly database: Database;
  /** As the owner, outside row-level security. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** What the database takes for the time, in epoch milliseconds. */
  clock: () => number;
  /** Called with every statement of the program before it runs; what it throws is a lost connection. */
  beforeStatement: (text: string) => void;
  afterStatement: (text: string) => void;
  /** Called at each notification to whoever listens. */
  onWake: () => void;
  /** Empties all tables: the next history finds what the first one found. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** A message of the protocol is answered before `write` returns. */
class Wire extends EventEmitter {
  readonly writable = true;
  private held: Uint8Array[] | undefined;
  private readonly answer: (message: Uint8Array) => Uint8Array;
  constructor(answer: (message: Uint8Array) => Uint8Array) {
    super();
    this.answer = answer;
  }
  connect(): this {
    queueMicrotask(() => this.emit("connect"));
    return this;
  }
  cork(): void {
    this.held ??= [];
  }
  uncork(): void {
    const all = Buffer.concat(this.held ?? []);
    this.held = undefined;
    if (all.length > 0) this.write(all);
  }
  write(message: Uint8Array): boolean {
    if (this.held) this.held.push(message);
    else {
      const said = this.answer(message);
      queueMicrotask(() => this.emit("data", Buffer.from(said)));
    }
    return true;
  }
  setNoDelay(): void {}
  ref(): void {}
  unref(): void {}
  end(): void {
    this.emit("close");
  }
  destroy(): void {
    this.emit("close");
  }
}

/** All that refer to each other. */
const TABLES = [
  "delivery_events",
  "delivery_units",
  "media",
  "deliveries",
  "posts",
  "oauth_tokens",
  "api_keys",
  "slots",
  "accounts",
  "users",
  "workers",
].map((name) => `psn.${name}`);

/** Each reset leaves rows behind in the catalog; so often they are cleared away. */
const CATALOG_EVERY = 50;

interface Statement {
  readonly text: string;
  readonly name?: string;
}

export async function openPostgres(): Promise<Postgres> {
  const engine = await PGlite.create();
  const realNow = Date.now;
  const answer = (message: Uint8Array): Uint8Array => {
    const timers = { setTimeout: globalThis.setTimeout };
    Date.now = () => made.clock();
    // Its own alarms (for locks and deadlocks, of which one session has none) would come by the real clock.
    Object.assign(globalThis, { setTimeout: () => 0 });
    try {
      return engine.execProtocolRawSync(new Uint8Array(message));
    } finally {
      Date.now = realNow;
      Object.assign(globalThis, timers);
    }
  };
  const client = new pg.Client({ user: "postgres", database: "postgres", stream: () => new Wire(answer) as never });
  await client.connect();

  // Parsing and planning take most of a small statement's time; every text is prepared once.
  const names = new Map<string, string>();
  // And once for each role, since row-level security is part of the plan.
  let role = "";
  const named = (text: string): string => {
    const key = `${role} ${text}`;
    const known = names.get(key);
    if (known !== undefined) return known;
    const name = `s${names.size}`;
    names.set(key, name);
    return name;
  };
  const facade = {
    query: async (asked: string | Statement, values?: readonly unknown[]) => {
      const text = typeof asked === "string" ? asked : asked.text;
      made.beforeStatement(text);
      role = /SET LOCAL ROLE (\w+)/.exec(text)?.[1] ?? (text === "COMMIT" || text === "ROLLBACK" ? "" : role);
      const result =
        typeof asked === "string"
          ? await client.query(asked, values && [...values])
          : await client.query({ ...asked, name: named(asked.text) }, values && [...values]);
      made.afterStatement(text);
      return result;
    },
    release: () => undefined,
    on: () => facade,
  };
  const builder = drizzle(facade as never);
  const database = sessionDatabase<SessionClient>({
    driver: "embedded",
    connect: async () => facade as never,
    builder: () => builder as never,
    close: async () => undefined,
  });
  client.on("notification", () => made.onWake());

  let resets = 0;
  const made: Postgres = {
    database,
    query: async (text, values = []) => (await client.query({ text, name: named(text) }, [...values])).rows,
    clock: realNow,
    beforeStatement: () => undefined,
    afterStatement: () => undefined,
    onWake: () => undefined,
    reset: async () => {
      await client.query("ROLLBACK; RESET ROLE");
      role = "";
      // New files, so that rows, and the plans that are made for them, begin where those of the first history began.
      await client.query(`TRUNCATE ${TABLES.join(", ")} RESTART IDENTITY`);
      resets += 1;
      if (resets % CATALOG_EVERY === 0) await client.query("VACUUM pg_class");
    },
    close: () => engine.close(),
  };
  await client.query("SET client_min_messages = error");
  await migrate(database);
  // A plan must not depend on how often its statement has run before.
  await client.query("SET plan_cache_mode = force_generic_plan");
  await client.query("LISTEN psn_wake");
  return made;
}
