import { setTimeout as sleep } from "node:timers/promises";
import type { Builder, Database, Driver, OwnerClient, Results, RunOptions, Statement } from "@psn/core/db/database.ts";
import { storable } from "@psn/core/db/storable.ts";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { contextStatements } from "./context.ts";
import { databaseError, sqlStateOf } from "./failure.ts";
import { pausesAfter } from "./neon-refusals.ts";

/** What `pg` and Neon's WebSocket driver have in common. */
export interface SessionClient extends OwnerClient {
  release(broken?: boolean): void;
  on(event: "notification", listener: (message: { readonly payload?: string | undefined }) => void): unknown;
  on(event: "end", listener: () => void): unknown;
}
/**
 * A pool listens to the errors of its idle connections only. One that is lost while it is in use fails its statement,
 * which is how its user learns of it, and emits an error besides; without a listener that would end the process.
 */
export function forgiveLostConnections(pool: {
  on(event: "connect", listener: (client: Lossy) => void): unknown;
}): void {
  pool.on("connect", (client) => client.on("error", () => undefined));
}
interface Lossy {
  on(event: "error", listener: () => void): unknown;
}

export interface SessionOptions<Client extends SessionClient> {
  readonly driver: Driver;
  readonly connect: () => Promise<Client>;
  readonly builder: (client: Client) => Builder;
  readonly listen?: Database["listen"];
  readonly close: () => Promise<void>;
}

/** A database reached through sessions: `run` is BEGIN with the context, the statements, COMMIT. */
export function sessionDatabase<Client extends SessionClient>(options: SessionOptions<Client>): Database {
  const builders = new WeakMap<Client, Builder>();
  const builderOf = (client: Client): Builder => {
    const known = builders.get(client);
    if (known) return known;
    const made = options.builder(storing(client));
    builders.set(client, made);
    return made;
  };

  const once = async <const T extends readonly [Statement, ...Statement[]]>(
    statement: string,
    build: (db: Builder) => T,
  ): Promise<Results<T> | PsnError> => {
    const client = await begin(options.connect, statement);
    let broken = true;
    try {
      const results: unknown[] = [];
      for (const each of build(builderOf(client))) results.push(await each);
      await client.query("COMMIT");
      broken = false;
      return results as Results<T>;
    } catch (error) {
      broken = await client.query("ROLLBACK").then(
        () => false,
        () => true,
      );
      return databaseError(error);
    } finally {
      client.release(broken);
    }
  };

  const run: Database["run"] = async (actor, build, { repeatable = false, lockMs }: RunOptions = {}) => {
    const statement = `BEGIN; ${contextStatements(actor, lockMs).join("; ")}`;
    const first = await once(statement, build);
    if (!(first instanceof PsnError)) return first;
    const second = repeatable && first.code === "DB_UNREACHABLE" ? await once(statement, build) : first;
    if (second instanceof PsnError) throw second;
    return second;
  };

  return {
    driver: options.driver,
    run,
    ...defined({ listen: options.listen }),
    asOwner: async (work) => withClient(await session(options.connect), work),
    close: options.close,
  };
}

/** Gives the connection back after the work. Throws DB_…. */
export async function withClient<Client extends SessionClient, T>(
  client: Client,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  // What failed half-way may have left a transaction open; such a connection must not serve anybody else.
  let broken = true;
  try {
    const result = await work(client);
    broken = false;
    return result;
  } catch (error) {
    throw databaseError(error);
  } finally {
    client.release(broken);
  }
}

/** The client as statements see it: what they carry is made storable on the way. */
function storing<Client extends SessionClient>(client: Client): Client {
  const query = (text: string, values?: readonly unknown[]) => client.query(text, storable(values));
  return new Proxy(client, { get: (target, name) => (name === "query" ? query : Reflect.get(target, name, target)) });
}

/** What PostgreSQL says at the beginning of a session alone: 53300 too_many_connections, 57P03 cannot_connect_now. */
const NOT_NOW = /^(53300|57P03)$/;
/** How long to wait before each further try then, in milliseconds. */
const AGAIN_MS: readonly number[] = [250, 1_000, 3_000];

/** A session out of the pool. One that is refused for the moment is asked for again, since nothing has run in it. */
async function session<Client>(connect: () => Promise<Client>): Promise<Client> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connect();
    } catch (error) {
      const wait = (NOT_NOW.test(sqlStateOf(error)) ? AGAIN_MS : pausesAfter(error))?.[attempt];
      if (wait === undefined) throw databaseError(error);
      await sleep(wait);
    }
  }
}

/** One more than a pool has connections. */
const MOST_TRIES = 9;

/**
 * Pooled connections may have died unnoticed, all of them at once when the server was started again. Nothing has run
 * before BEGIN is answered, so another try is safe; a server that is down ends this at `connect`.
 */
async function begin<Client extends SessionClient>(connect: () => Promise<Client>, statement: string): Promise<Client> {
  for (let attempt = 1; ; attempt += 1) {
    const client = await session(connect);
    try {
      await client.query(statement);
      return client;
    } catch (error) {
      client.release(true);
      const failure = databaseError(error);
      if (failure.code !== "DB_UNREACHABLE" || attempt === MOST_TRIES) throw failure;
    }
  }
}
