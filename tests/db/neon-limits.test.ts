import { sql } from "drizzle-orm";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { asOwner, sharedGateway, type TestDatabase, testDatabases } from "../support/databases.ts";
import type { NeonGateway } from "../support/neon-gateway.ts";

/* What Neon's proxy does at its limits, and what psn makes of it. */

let db: TestDatabase;
let gateway: NeonGateway;
beforeAll(async () => {
  const opened = await testDatabases.find(({ driver }) => driver === "neon-http")?.open();
  if (!opened) throw new Error("no such driver");
  db = opened;
  gateway = await sharedGateway();
  await asOwner(db, "CREATE TABLE public.tried (n int)");
  await asOwner(db, "GRANT ALL ON public.tried TO psn_service");
});
afterEach(() => void vi.restoreAllMocks());

const rows = async () => Number((await asOwner<{ n: string }>(db, "SELECT count(*) AS n FROM public.tried"))[0]?.n);
const running = async () =>
  (
    await asOwner(
      db,
      "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    )
  ).length;

it("what psn gives up waiting for is cancelled and rolled back, and its outcome is told as unknown", async () => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const limits: number[] = [];
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    limits.push(ms);
    return timeout(300);
  });
  const before = gateway.requests.length;
  await expect(
    db.database.run("service", (builder) => [
      builder.execute(sql`insert into public.tried values (1)`),
      builder.execute(sql`select pg_sleep(60)`),
    ]),
  ).rejects.toMatchObject({ code: "DB_UNREACHABLE" });
  while ((await running()) > 0) await Bun.sleep(10);
  expect(limits).toEqual([25_000]);
  while (gateway.requests.length === before) await Bun.sleep(5);
  expect(gateway.requests.slice(before)).toMatchObject([{ status: 0 }]);
  expect(await rows()).toBe(0);
});

it("half a surrogate pair and a NUL reach the proxy as what it takes, in each kind of parameter", async () => {
  const half = "cut \ud83d";
  const [texts] = await db.database.run("service", (builder) => [
    builder.select({ text: sql<string>`t`, list: sql<string>`l`, doc: sql<string>`d` }).from(
      sql`(select ${half}::text as t, ${`{"${half}"}`}::text[]::text as l,
          ${JSON.stringify({ half: "a\0b" })}::json::text as d) as x`,
    ),
  ]);
  expect(texts[0]).toMatchObject({ text: "cut \ufffd", list: '{"cut \ufffd"}' });
});

it("an answer above 10 MiB is not asked for again", async () => {
  const before = gateway.requests.length;
  await expect(
    db.database.run(
      "service",
      (builder) => [builder.execute(sql`select repeat('x', 1048576) from generate_series(1, 12)`)],
      {
        repeatable: true,
      },
    ),
  ).rejects.toMatchObject({ code: "DB_TOO_LARGE", hint: "psn config set DATABASE_DRIVER neon-ws" });
  expect(gateway.requests.slice(before).map(({ status }) => status)).toEqual([507]);
});
