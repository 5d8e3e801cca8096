import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { MastodonFake } from "../support/mastodon.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { documentOf, forgetfulServer, json, psn, quiet, scratch, work } from "./stage.ts";

/*
 * A hub on a Postgres that is restored: from a dump, which makes another database of it, and from the files of a
 * stopped server.
 */

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());
const servers: MastodonFake[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function start() {
  const server = await forgetfulServer();
  servers.push(server);
  const database = `hub_${crypto.randomUUID().slice(0, 8)}`;
  const url = await postgres.createDatabase(database);
  const hub = await scratch("pg");
  await json(hub, ["init", "--tz", "UTC", "--database-url-stdin"], url);
  await json(hub, ["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
  return { database, hub, server, texts: () => server.statuses.map(({ text }) => text) };
}

async function asSuperuser(...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Another machine that shares the hub. */
async function another(hub: string): Promise<string> {
  const folder = await scratch("machine");
  mkdirSync(join(folder, "config"), { mode: 0o700 });
  cpSync(join(hub, "config", "hub.env"), join(folder, "config", "hub.env"), { preserveTimestamps: true });
  return folder;
}

const soon = (hub: string, text: string) => json(hub, ["post", text, "--to", "mastodon", "--in", "1s", "--no-wait"]);
const dry = async (hub: string) => documentOf(await psn(["recover", "--dry-run", "--json"], { cwd: hub }));
const recovered = async (hub: string) => {
  const { deliveries } = await json(hub, ["recover", "--yes"]);
  return (deliveries as { becomes: string }[]).map(({ becomes }) => becomes);
};

test("a dump that is restored is another database", async () => {
  const { database, hub, texts } = await start();
  await soon(hub, "published since");
  await asSuperuser(`CREATE DATABASE ${database}_dump TEMPLATE ${database}`);
  await work([hub], () => texts().length > 0);
  await asSuperuser(
    `ALTER DATABASE ${database} RENAME TO ${database}_old`,
    `ALTER DATABASE ${database}_dump RENAME TO ${database}`,
  );
  // A machine that has never seen it is told by the database itself.
  const fresh = await another(hub);
  await work([fresh], () => false);
  await work([hub], () => false);
  expect(texts()).toEqual(["published since"]);
  expect(await dry(hub)).toMatchObject({ found: "copied", deliveries: [{ becomes: "ask" }] });
  expect(await recovered(hub)).toEqual(["published"]);
  await work([hub, fresh], async () => (await quiet(hub)()) && (await quiet(fresh)()));
  expect(texts()).toEqual(["published since"]);
});

test("a server's files that are restored are older than the notes; kills and restarts are none of that", async () => {
  const { hub, texts } = await start();
  const other = await another(hub);
  await soon(hub, "published since");
  expect(await dry(other)).toMatchObject({ found: null });
  await postgres.kill();
  const [data, backup] = [join(postgres.folder, "data"), join(postgres.folder, "backup")];
  spawnSync("cp", ["-a", data, backup]);
  await postgres.restart();
  expect(await dry(hub)).toMatchObject({ found: null });
  await work([other], () => texts().length > 0);
  for (let round = 0; round < 3; round += 1) {
    await postgres.kill();
    await postgres.restart();
    expect(await dry(hub)).toMatchObject({ found: null });
    expect(await dry(other)).toMatchObject({ found: null });
  }
  await postgres.kill();
  spawnSync("rm", ["-rf", data]);
  spawnSync("cp", ["-a", backup, data]);
  await postgres.restart();
  await work([other], () => false);
  expect(texts()).toEqual(["published since"]);
  expect(await dry(hub)).toMatchObject({ found: "turned back" });
  expect(await recovered(hub)).toEqual(["published"]);
  // The other machine has not been told, and need not be.
  await work([other], quiet(other));
  expect(await dry(other)).toMatchObject({ found: null });
  expect(texts()).toEqual(["published since"]);
});
