import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { contextStatements } from "@psn/core/db/drivers/context.ts";
import { openDurable } from "@psn/core/db/drivers/durable-files.ts";
import pg from "pg";
import { type Figure, pairwise, perSecond } from "./report.ts";

/** Many short rounds, since what a sync takes depends on what else the disk does at the moment. */
const ROUNDS = 25;
const COMMITS = 100;
const PORT = 5432;
const INSERT = "INSERT INTO one VALUES ($1, $2)";

/** What it costs the embedded database to be durable: the same commits as psn opens it and as PGlite does by itself, in turns. */
export default async function durable(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "psn-bench-"));
  const synced = await serve(await openDurable(join(folder, "synced"), () => undefined), join(folder, "a"));
  const plain = await serve(await PGlite.create(join(folder, "plain")), join(folder, "b"));
  try {
    const transactions = await pairwise(
      ROUNDS,
      () => transact(synced),
      () => transact(plain),
    );
    const statements = await pairwise(
      ROUNDS,
      () => insert(synced),
      () => insert(plain),
    );
    return [
      {
        name: "transactions of psn, embedded",
        value: perSecond(COMMITS, transactions.a),
        ratio: transactions.ratio,
        against: "the time of one that is not synced",
        aim: "≤ 1.6x",
        met: transactions.ratio <= 1.6,
      },
      { name: "the same, not synced", value: perSecond(COMMITS, transactions.b) },
      {
        name: "an insert alone, inside its process",
        value: perSecond(COMMITS, statements.a),
        ratio: statements.ratio,
        against: "the time of one that is not synced",
      },
      { name: "the same, not synced", value: perSecond(COMMITS, statements.b) },
    ];
  } finally {
    await synced.close();
    await plain.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Served {
  readonly db: PGlite;
  readonly client: pg.Client;
  readonly close: () => Promise<void>;
}

/** As psn serves it: by a socket. */
async function serve(db: PGlite, socket: string): Promise<Served> {
  await db.exec("CREATE TABLE one (n integer, said text); CREATE ROLE psn_service; GRANT INSERT ON one TO psn_service");
  await mkdir(socket);
  const server = new PGLiteSocketServer({ db, path: join(socket, `.s.PGSQL.${PORT}`) });
  await server.start();
  const client = new pg.Client({ host: socket, port: PORT, user: "postgres", database: "postgres" });
  await client.connect();
  const close = async () => {
    await client.end();
    await server.stop();
    await db.close();
  };
  return { db, client, close };
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
