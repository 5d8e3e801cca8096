import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterFile } from "./after-file.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";

let shared: Promise<Postgres> | undefined;

/**
 * The one server of this test file, started when first asked for: a file that needs none starts none. It stops after
 * the file's last test; when the run is cut short, its supervisor stops it with the process. The options of who asks
 * first count.
 */
export function sharedPostgres(options?: PostgresOptions): Promise<Postgres> {
  shared ??= startPostgres(options);
  return shared;
}

afterFile(async () => {
  const server = await shared?.catch(() => undefined);
  shared = undefined;
  templates.clear();
  await server?.stop();
});

/** Fills a database that is then copied for each test; it must close its connections. */
export type Prepare = (url: string) => Promise<void>;

const templates = new Map<Prepare, Promise<string>>();

async function templateOf(server: Postgres, prepare: Prepare): Promise<string> {
  const name = `template_${templates.size}`;
  await prepare(await server.createDatabase(name));
  return name;
}

/**
 * A database of its own on the shared server, as the superuser's address: empty, or a copy of what `prepare` made. The
 * same function prepares once and is copied from then on. Roles belong to the whole server, not to one database.
 */
export async function freshDatabase(prepare?: Prepare): Promise<string> {
  const server = await sharedPostgres();
  if (!prepare) return await server.createDatabase();
  const template = templates.get(prepare) ?? templateOf(server, prepare);
  templates.set(prepare, template);
  const name = await template;
  const deadline = Date.now() + 2000;
  for (;;) {
    try {
      return await server.createDatabase(undefined, name);
    } catch (error) {
      // 55006 object_in_use: a closed connection of `prepare` lingers in the server for a moment.
      if (!(error instanceof pg.DatabaseError && error.code === "55006") || Date.now() > deadline) throw error;
      await sleep(10);
    }
  }
}
