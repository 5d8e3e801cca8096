import { readFileSync } from "node:fs";
import { neonConfig } from "@neondatabase/serverless";
import { openBucket } from "@psn/core/bucket/index.ts";
import { databaseError } from "@psn/core/db/drivers/failure.ts";
import { openNeonHttp } from "@psn/core/db/drivers/neon-http.ts";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import { PsnError } from "@psn/core/errors.ts";
import { fetchAsPsn, fetchBounded } from "@psn/core/net/fetch.ts";
import { loadHubEnv } from "@psn/core/utils/env.ts";
import { call } from "@psn/platforms/kit/http.ts";
import { ask } from "@psn/provision/request.ts";
import { triggerQueue } from "@psn/queue/trigger.ts";
import { fetchOf, notifierOf } from "@psn/wiring/parts.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

/*
 * A server that redirects every request to another origin. Whatever a request of psn's carries, a password, a token, a
 * signature or a post, is for the address that the user named, so the other origin must hear nothing.
 */

const SECRET = "a-secret-that-stays-here";
const heard: string[] = [];
let other: ReturnType<typeof Bun.serve>;
let named: ReturnType<typeof Bun.serve>;
let status = 307;
const elsewhere = () => `http://127.0.0.1:${other.port}`;
const here = () => `http://127.0.0.1:${named.port}`;
const { fetchFunction, fetchEndpoint, wsProxy, useSecureWebSocket, webSocketConstructor, pipelineConnect } = neonConfig;

beforeAll(() => {
  other = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      heard.push(`${request.method} ${JSON.stringify([...request.headers])} ${await request.text()}`);
      return Response.json({});
    },
  });
  named = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) =>
      new Response(null, {
        status,
        headers: { location: `${elsewhere()}${new URL(request.url).pathname}?token=${SECRET}` },
      }),
  });
});
beforeEach(() => {
  heard.length = 0;
  status = 307;
});
afterAll(async () => {
  Object.assign(neonConfig, {
    fetchFunction,
    fetchEndpoint,
    wsProxy,
    useSecureWebSocket,
    webSocketConstructor,
    pipelineConnect,
  });
  await Promise.all([other.stop(true), named.stop(true)]);
});

const env = (settings: Record<string, string>) => loadHubEnv(undefined, settings);
const signal = () => AbortSignal.timeout(10_000);
const authorized = { method: "POST", headers: { authorization: `Bearer ${SECRET}` }, body: SECRET };
const now = () => new Date();
const DATABASE = `postgres://ada:${SECRET}@db.example.test/hub`;
const select = (database: ReturnType<typeof openNeonHttp>) =>
  database.run({ userId: "ffffffff-ffff-ffff-ffff-ffffffffffff" }, (db) => [db.execute(sql`select 1 as n`)]);

/** Everything that sends something secret by `fetchAsPsn`, by the file that does. */
const SENDERS: Readonly<Record<string, () => unknown>> = {
  "core/net/fetch.ts": () => fetchBounded(here(), { ...authorized, signal: signal() }, 1000),
  "core/db/drivers/neon-http.ts": () => select(openNeonHttp(DATABASE, here())),
  "core/bucket/request.ts": async () => {
    const keys = { accessKeyId: "id", secretAccessKey: SECRET };
    await openBucket({ endpoint: here(), region: "auto", bucket: "media", ...keys }).get("key", SECRET);
  },
  "wiring/parts.ts": async () => {
    await notifierOf(env({ PSN_NOTIFY_URL: `${here()}/${SECRET}` })).notify?.("a line");
    const { fetch } = fetchOf(env({ PSN_ORIGINS: `https://api.example.com=${here()}` }), () => true);
    await fetch("https://api.example.com/", authorized);
    await fetch(here(), authorized);
    await call({ fetch, now, signal: signal() }, here(), { effect: "publish", ...authorized });
  },
  "provision/request.ts": () =>
    ask(
      {
        name: "Vendor",
        url: here(),
        token: SECRET,
        fetch: fetchAsPsn,
        sleep: async () => undefined,
        noEffect: [],
        setting: "NEON_API_HOST",
        refuse: (_, { status: code }) => new PsnError("VENDOR_REFUSED", `answered ${code}`),
      },
      { method: "GET", path: "/projects", repeat: true },
    ),
  "queue/trigger.ts": () =>
    triggerQueue({ url: here(), secretKey: SECRET, platforms: ["x"], fetch: fetchAsPsn, now }).forget("run_1"),
};

test.each(Object.keys(SENDERS))("%s follows no redirect", async (file) => {
  for (status of [301, 302, 303, 307, 308]) await Promise.resolve(SENDERS[file]?.()).catch(() => undefined);
  expect(heard).toEqual([]);
});

test("a request that says nothing of redirects follows none, and its answer is the redirect", async () => {
  expect(await fetchAsPsn(here(), authorized)).toMatchObject({ status: 307 });
  expect(heard).toEqual([]);
});

test("these are all files that send by it", () => {
  const files = [...new Bun.Glob("**/*.ts").scanSync("src")].filter((file) => !file.endsWith(".test.ts"));
  const senders = files.filter((file) => /\b(fetchAsPsn|fetchBounded)\b/.test(readFileSync(`src/${file}`, "utf8")));
  // The last two are given it by the world.
  expect([...senders, "provision/request.ts", "queue/trigger.ts"].toSorted()).toEqual(Object.keys(SENDERS).toSorted());
});

test.each([301, 302, 307, 308])(
  "a database over HTTP that redirects (%i) is refused by the new address's origin",
  async (code) => {
    status = code;
    await expect(select(openNeonHttp(DATABASE, here()))).rejects.toMatchObject({
      code: "DB_REFUSED",
      message:
        `the database's address redirects to ${elsewhere()}, and psn does not send its password to another ` +
        "address",
      hint: `if that address is yours too: psn config set NEON_PROXY ${elsewhere()}`,
    });
    expect(heard).toEqual([]);
  },
);

test("a database over WebSocket that redirects is refused, and the other address hears nothing", async () => {
  const database = openNeonWs(DATABASE, here());
  const failure = await Promise.resolve(database.asOwner?.((client) => client.query("SELECT 1"))).then(
    () => undefined,
    databaseError,
  );
  expect(failure).toMatchObject({
    code: "DB_REFUSED",
    message: expect.stringMatching(/redirects/),
    hint: expect.stringMatching(/NEON_PROXY/),
  });
  expect(heard).toEqual([]);
  await database.close();
});
