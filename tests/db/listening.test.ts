import type { Database } from "@psn/core/db/connection.ts";
import { directUrl, openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { migrated } from "../support/databases.ts";
import { pointNeonAt, startNeonGateway } from "../support/neon-gateway.ts";
import { type PostgresFront, startPostgresFront } from "../support/postgres-front.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { until } from "../support/until.ts";

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
  const [rows] = await database.run("service", (db) => [
    db.select({ one: sql<number>`one` }).from(sql`(select 1 as one) as s`),
  ]);
  return rows[0]?.one;
};

async function opened(open: (typeof ways)[number]["open"]) {
  const url = await freshDatabase(migrated);
  const front = await startPostgresFront(url);
  closing.push(front.stop);
  return { front, database: await open(front, url) };
}

describe.each(ways)("LISTEN on $driver", ({ open }) => {
  it("that is refused keeps no connection: after nine of them a statement runs, and the database closes", async () => {
    const { front, database } = await opened(open);
    front.refuseListen = true;
    for (let time = 0; time < 9; time += 1)
      await expect(database.listen?.(() => undefined)).rejects.toMatchObject({
        code: "DB_FAILED",
        details: { code: "42601" },
      });
    front.refuseListen = false;
    expect(await answers(database)).toBe(1);
    const subscription = await database.listen?.(() => undefined);
    await subscription?.close();
    await database.close();
  });

  it("is proven by a notification of another connection, which wakes nobody", async () => {
    const { front, database } = await opened(open);
    let woken = 0;
    const subscription = await database.listen?.(() => {
      woken += 1;
    });
    const second = await database.listen?.(() => {
      woken += 1;
    });
    expect([await subscription?.prove(), await second?.prove(), await subscription?.prove()]).toEqual([
      "heard",
      "heard",
      "heard",
    ]);
    await database.asOwner?.((client) => client.query("NOTIFY psn_wake"));
    await until("both are woken", () => woken >= 2);
    expect(woken).toBe(2);
    await subscription?.close();
    await second?.close();
    expect(front.listens).toEqual(["LISTEN", "LISTEN"]);
    await database.close();
  });

  it("that hears nothing is said to, then or later, and is taken back", async () => {
    const { front, database } = await opened(open);
    const subscription = await database.listen?.(() => undefined);
    expect(await subscription?.prove()).toBe("heard");
    front.deaf = true;
    expect(await subscription?.prove()).toBe("pooled");
    await subscription?.close();
    expect(front.listens).toEqual(["LISTEN", "UNLISTEN"]);
    await database.close();
  });

  it("whose connection ends says so at once", async () => {
    const { front, database } = await opened(open);
    const lost = Promise.withResolvers<void>();
    const subscription = await database.listen?.(() => undefined, lost.resolve);
    front.cutListeners();
    await lost.promise;
    await subscription?.close();
    expect(await answers(database)).toBe(1);
    await database.close();
  });
});

describe("an address for LISTEN alone", () => {
  it("hears where the other is deaf, and is told apart from another database", async () => {
    const url = await freshDatabase(migrated);
    const front = await startPostgresFront(url);
    closing.push(front.stop);
    front.deaf = true;
    const hearing = async (listenUrl?: string) => {
      const database = openPg(front.urlFor(url), { listenUrl });
      const subscription = await database.listen?.(() => undefined);
      const found = await subscription?.prove();
      await subscription?.close();
      await database.close();
      return found;
    };
    expect(await hearing()).toBe("pooled");
    expect(await hearing(url)).toBe("heard");
    expect(await hearing(front.urlFor(url))).toBe("pooled");
    expect(await hearing(await freshDatabase(migrated))).toBe("elsewhere");
  });

  it("is Neon's direct host, where the other is of its pooler", () => {
    expect(directUrl("postgres://u:p@ep-calm-sun-123-pooler.eu-central-1.aws.neon.tech/db?sslmode=require")).toBe(
      "postgres://u:p@ep-calm-sun-123.eu-central-1.aws.neon.tech/db?sslmode=require",
    );
    const direct = "postgres://u:p@ep-calm-sun-123.eu-central-1.aws.neon.tech/pooler?options=-pooler.";
    expect(directUrl(direct)).toBe(direct);
  });
});
