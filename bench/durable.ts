import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { contextStatements } from "@psn/core/db/drivers/context.ts";
import { openDurable } from "@psn/core/db/drivers/durable-files.ts";
import pg from "pg";
import { drain } from "./claim.ts";
import { type BenchHub, openBenchHub } from "./hub.ts";
import { type Figure, pairwise, perSecond } from "./report.ts";

/** Many short rounds, since what a sync takes depends on what else the disk does at the moment. */
const ROUNDS = 25;
const COMMITS = 100;
const POSTS = 20;
const DELIVERIES = 50;
const PORT = 5432;
const INSERT = "INSERT INTO one VALUES ($1, $2)";

/**
 * What it costs the embedded database to be durable: the same commits as psn opens it and as PGlite does by itself, in
 * turns.
 */
export default async function durable(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "psn-bench-"));
  const synced = await serve(await openDurable(join(folder, "synced"), () => undefined), join(folder, "a"));
  const plain = await serve(await PGlite.create(join(folder, "plain")), join(folder, "b"));
  const timed = async (
    name: string,
    commits: number,
    work: (served: Served) => Promise<unknown>,
    aim?: number,
  ): Promise<Figure[]> => {
    const { a, b, ratio } = await pairwise(
      ROUNDS,
      () => work(synced),
      () => work(plain),
    );
    const against = "the time of one that is not synced";
    const aimed = aim === undefined ? {} : { aim: `≤ ${aim}x`, met: ratio <= aim };
    return [
      { name, value: perSecond(commits, a), ratio, against, ...aimed },
      { name: "the same, not synced", value: perSecond(commits, b) },
    ];
  };
  try {
    return [
      ...(await timed("posts stored", POSTS, ({ hub }) => store(hub), 1.6)),
      ...(await timed("deliveries", DELIVERIES, ({ hub }) => deliver(hub), 1.6)),
      ...(await timed("an insert of one row, with its user", COMMITS, transact)),
      ...(await timed("an insert alone, inside its process", COMMITS, insert)),
    ];
  } finally {
    await synced.close();
    await plain.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function store(hub: BenchHub): Promise<void> {
  for (let n = 0; n < POSTS; n += 1) await hub.schedule(new Date(Date.now() + 3_600_000));
}

/** Claimed and settled, each in a transaction of its own. */
async function deliver(hub: BenchHub): Promise<number> {
  await hub.asOwner("DELETE FROM psn.posts");
  await hub.fill(DELIVERIES, new Date(Date.now() - 1000), 0);
  return drain(hub, DELIVERIES);
}

interface Served {
  readonly db: PGlite;
  readonly client: pg.Client;
  readonly hub: BenchHub;
  readonly close: () => Promise<void>;
}

/** As psn serves it: by a socket. */
async function serve(db: PGlite, socket: string): Promise<Served> {
  await db.exec("CREATE TABLE one (n integer, said text); CREATE ROLE psn_service; GRANT INSERT ON one TO psn_service");
  await mkdir(socket);
  const server = new PGLiteSocketServer({ db, path: join(socket, `.s.PGSQL.${PORT}`), maxConnections: 50 });
  await server.start();
  const client = new pg.Client({ host: socket, port: PORT, user: "postgres", database: "postgres" });
  await client.connect();
  // The driver for other servers, which comes in by the same kind of socket.
  const url = `postgres://postgres@localhost:${PORT}/postgres?host=${encodeURIComponent(socket)}`;
  const hub = await openBenchHub("pg", { server: { createDatabase: async () => url } });
  const close = async () => {
    await hub.close();
    await client.end();
    await server.stop();
    await db.close();
  };
  return { db, client, hub, close };
}

const values = (n: number) => [n, "x".repeat(200)];

async function transact({ client }: Served): Promise<void> {
  for (let n = 0; n < COMMITS; n += 1) {
    await client.query(`BEGIN; ${contextStatements("service").join("; ")}`);
    await client.query(INSERT, values(n));
    await client.query("COMMIT");
  }
}

async function insert({ db }: Served): Promise<void> {
  for (let n = 0; n < COMMITS; n += 1) await db.query(INSERT, values(n));
}
