import { randomBytes } from "node:crypto";
import type { Builder, Database, Driver } from "@psn/core/db/connection.ts";
import { contextStatements } from "@psn/core/db/drivers/context.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { databaseError } from "@psn/core/db/drivers/failure.ts";
import { openNeonHttp } from "@psn/core/db/drivers/neon-http.ts";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeMemberLogin, makeServiceLogin } from "@psn/core/db/logins.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { drizzle } from "drizzle-orm/node-postgres";
import type pg from "pg";
import { afterFile } from "./after-file.ts";
import { embeddedFolder, removeEmbeddedFolders } from "./embedded.ts";
import { isShort } from "./how-much.ts";
import { type NeonGateway, pointNeonAt, startNeonGateway } from "./neon-gateway.ts";
import { freshDatabase, sharedPostgres } from "./shared-postgres.ts";

/*
 * The four ways to one schema, for tests that run on each. Three of them lead to the same real PostgreSQL; `neon-…` by
 * Neon's two doors. Every database is a fresh copy of a migrated one, and what a test leaves open is closed after its
 * file.
 */

export interface TestDatabase {
  /** As the program has it: by the hub's own unprivileged login; the embedded one has no logins. */
  readonly database: Database;
  /** The same database as the login that owns it; its `asOwner` bypasses row-level security. */
  readonly owner: Database;
  /** By a login that is this user and nobody else. */
  asMember(userId: string): Promise<Database>;
  /** Requests over HTTP so far; undefined where the driver keeps a session. */
  roundTrips(): number | undefined;
  close(): Promise<void>;
}

export interface TestDriver {
  readonly driver: Driver;
  open(): Promise<TestDatabase>;
}

const opened = new Set<() => Promise<void>>();
/** Closes once, at the latest when the file's tests are over. */
function closing(close: () => Promise<void>): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const once = () => {
    opened.delete(once);
    closed ??= close();
    return closed;
  };
  opened.add(once);
  return once;
}

let gateway: Promise<{ readonly gateway: NeonGateway; readonly putBack: () => void }> | undefined;

/** Neon's doors to this file's server; the driver of this process is pointed at them. */
export async function sharedGateway(): Promise<NeonGateway> {
  gateway ??= sharedPostgres().then(async (server) => {
    const started = await startNeonGateway(server.url);
    return { gateway: started, putBack: pointNeonAt(started) };
  });
  return (await gateway).gateway;
}

afterFile(async () => {
  await Promise.all([...opened].map((close) => close()));
  const running = await gateway?.catch(() => undefined);
  gateway = undefined;
  running?.putBack();
  await running?.gateway.stop();
  await removeEmbeddedFolders();
});

export const newName = () => `psn_test_${randomBytes(6).toString("hex")}`;
export const newPassword = () => randomBytes(24).toString("hex");

/** Prepares the database that the others are copied from. */
export async function migrated(url: string): Promise<void> {
  const owner = openPg(url);
  try {
    await migrate(owner);
  } finally {
    await owner.close();
  }
}

export function urlAs(url: string, name: string, password: string): string {
  const as = new URL(url);
  as.username = name;
  as.password = password;
  return as.href;
}

function server(driver: Exclude<Driver, "embedded">): TestDriver {
  return {
    driver,
    open: async () => {
      const url = await freshDatabase(migrated);
      const doors = driver === "pg" ? undefined : await sharedGateway();
      const connect = (as: string): Database => {
        if (!doors) return openPg(as);
        return driver === "neon-http" ? openNeonHttp(doors.urlFor(as)) : openNeonWs(doors.urlFor(as));
      };
      // Over HTTP there is no session to be the owner in; the owner comes in by the front door.
      const owner = driver === "neon-http" ? openPg(url) : connect(url);
      const [name, password] = [newName(), newPassword()];
      await makeServiceLogin(owner, name, password);
      const database = connect(urlAs(url, name, password));
      const all = [database, owner];
      const before = doors?.requests.length ?? 0;
      return {
        database,
        owner,
        asMember: async (userId) => {
          const [member, secret] = [newName(), newPassword()];
          await makeMemberLogin(owner, { userId, name: member, password: secret });
          const connected = connect(urlAs(url, member, secret));
          all.push(connected);
          return connected;
        },
        roundTrips: () => (doors && driver === "neon-http" ? doors.requests.length - before : undefined),
        close: closing(async () => {
          for (const each of all) await each.close();
        }),
      };
    },
  };
}

/**
 * The embedded database's one session as a member's login would have it: with the login's own rights, unable to take a
 * role that it was not granted. The end of a transaction does not undo SET LOCAL SESSION AUTHORIZATION there, as
 * PostgreSQL would (measured, PGlite 0.5.16), so the login is given back in the same message.
 */
function embeddedMember(owner: Database, login: string): Database {
  const run: Database["run"] = async (actor, build) => {
    const asOwner = owner.asOwner;
    if (!asOwner) throw new Error("the embedded database has an owner");
    return asOwner(async (client) => {
      await client.query(`BEGIN; SET LOCAL SESSION AUTHORIZATION ${login}`);
      try {
        for (const statement of contextStatements(actor)) await client.query(statement);
        const results: unknown[] = [];
        const builder: Builder = drizzle(client as unknown as pg.PoolClient);
        for (const statement of build(builder)) results.push(await statement);
        await client.query("COMMIT; SET SESSION AUTHORIZATION postgres");
        return results as never;
      } catch (error) {
        await client.query("ROLLBACK; SET SESSION AUTHORIZATION postgres");
        throw databaseError(error);
      }
    });
  };
  return { driver: "embedded", run, close: async () => undefined };
}

const embedded: TestDriver = {
  driver: "embedded",
  open: async () => {
    const database = await openEmbedded(await embeddedFolder());
    return {
      database,
      owner: database,
      asMember: async (userId) => {
        const login = newName();
        await makeMemberLogin(database, { userId, name: login, password: newPassword() });
        return embeddedMember(database, login);
      },
      roundTrips: () => undefined,
      close: closing(() => database.close()),
    };
  },
};

export const testDatabases: readonly TestDriver[] = [embedded, server("pg"), server("neon-http"), server("neon-ws")];
/** The four ways; in `check` one of them, for what the server decides and no driver. */
export const serverDatabases = isShort ? testDatabases.filter(({ driver }) => driver === "pg") : testDatabases;

/** Runs a statement as the owner, outside row-level security, and returns its rows. */
export async function asOwner<Row = Readonly<Record<string, unknown>>>(
  { owner }: Pick<TestDatabase, "owner">,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  if (!owner.asOwner) throw new Error("the owner has no session");
  return owner.asOwner(async (client) => (await client.query(text, values)).rows as readonly Row[]);
}
