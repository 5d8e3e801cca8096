import type { Database } from "@psn/core/db/connection.ts";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { migrated } from "../support/databases.ts";
import { pointNeonAt, startNeonGateway } from "../support/neon-gateway.ts";
import { type PostgresFront, startPostgresFront } from "../support/postgres-front.ts";
import { freshDatabase } from "../support/shared-postgres.ts";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** A database on a way of its own, by each driver that listens on a connection. */
const ways = [
  { driver: "pg", open: (front: PostgresFront, url: string) => openPg(front.urlFor(url)) },
  {
    driver: "neon-ws",
    open: async (front: PostgresFront, url: string) => {
      const gateway = await startNeonGateway(front.urlFor(url));
      const putBack = pointNeonAt(gateway);
      closing.push(gateway.stop, putBack);
      return openNeonWs(gateway.urlFor(url));
    },
  },
];

const answers = async (database: Database) => {
  const [rows] = await database.run("service", (db) => [db.select({ one: sql<number>`one` }).from(sql`(select 1 as one) as s`)]);
  return rows[0]?.one;
};

describe.each(ways)("a LISTEN that is refused, on $driver", ({ open }) => {
  it("keeps no connection: after nine of them a statement runs, and the database closes", async () => {
    const url = await freshDatabase(migrated);
    const front = await startPostgresFront(url);
    closing.push(front.stop);
    const database = await open(front, url);
    front.refuseListen = true;
    for (let time = 0; time < 9; time += 1)
      await expect(database.listen?.(() => undefined)).rejects.toMatchObject({ code: "DB_FAILED", details: { code: "42601" } });
    front.refuseListen = false;
    expect(await answers(database)).toBe(1);
    const stop = await database.listen?.(() => undefined);
    await stop?.();
    await database.close();
  });
});
