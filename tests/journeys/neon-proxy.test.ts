import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { neonConfig } from "@neondatabase/serverless";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { binary, psn, scratch } from "../support/cli.ts";
import { type NeonGateway, startNeonGateway } from "../support/neon-gateway.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";
import { startTunnel, type Tunnel } from "../support/ws-tunnel.ts";

/*
 * NEON_PROXY as docs/self-hosting.md has it: before a server that asks for scram-sha-256, which PostgreSQL does by
 * default since 14.
 */

const { fetchEndpoint, wsProxy, useSecureWebSocket } = neonConfig;
let gateway: NeonGateway;
let tunnel: Tunnel;
let ownerUrl: string;
let folder: string;
beforeAll(async () => {
  const server = await sharedPostgres({ auth: "scram-sha-256" });
  // As Neon's own proxy with a control plane: sessions must name an endpoint.
  gateway = await startNeonGateway(server.url, { commonName: "db.example.com" });
  tunnel = await startTunnel();
  ownerUrl = await ownedDatabase(server.port);
  folder = await scratch("proxy");
});
afterEach(() => void Object.assign(neonConfig, { fetchEndpoint, wsProxy, useSecureWebSocket }));
afterAll(async () => {
  tunnel?.stop();
  await gateway?.stop();
});

const PASSWORD = randomUUID();

/** A database of its own, by the one owner who has made psn's roles on this server. */
async function ownedDatabase(port: number): Promise<string> {
  const client = new pg.Client(await freshDatabase());
  await client.connect();
  const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = 'hub_owner'");
  if (rowCount === 0) await client.query(`CREATE ROLE hub_owner LOGIN CREATEROLE PASSWORD '${PASSWORD}'`);
  await client.query(`ALTER DATABASE ${client.database} OWNER TO hub_owner`);
  await client.end();
  return `postgres://hub_owner:${PASSWORD}@127.0.0.1:${port}/${client.database}`;
}

const init = (url: string) =>
  psn(["init", "--database-url-stdin", "--neon-proxy", new URL(gateway.httpEndpoint).origin, "--tz", "UTC"], {
    cwd: folder,
    stdin: url,
  });
const MISTAKE = "Endpoint ID is not specified";
const REMEDY = "?options=endpoint%3DENDPOINT";

describe("a proxy that is not told which endpoint is meant", () => {
  test("is named by psn init, with the remedy", async () => {
    const { code, stderr } = await init(ownerUrl);
    expect(code).toBe(3);
    expect(stderr).toContain(MISTAKE);
    expect(stderr).toContain(REMEDY);
  });

  test("and is told by options=endpoint%3D… in the address, which psn's own login inherits", async () => {
    expect(await init(`${ownerUrl}?options=endpoint%3Dep-quiet-test`)).toMatchObject({ code: 0 });
    expect(await psn(["queue"], { cwd: folder })).toMatchObject({ code: 0 });
    const { stdout } = await psn(["doctor"], { cwd: folder });
    expect(stdout).toMatch(/ok\tneon over HTTP/);
    expect(stdout).toMatch(/ok\tneon over WebSocket/);
  });

  test("is named by psn doctor, with the remedy", async () => {
    const file = join(folder, "config", "hub.env");
    await writeFile(file, (await readFile(file, "utf8")).replace(/\?options=endpoint(%3D|=)ep-quiet-test/g, ""));
    const said = (await psn(["doctor"], { cwd: folder })).stdout;
    expect(said).toContain(MISTAKE);
    expect(said).toContain(REMEDY);
  });
});

describe("a plain WebSocket tunnel", () => {
  test("leads to a server that asks for scram-sha-256", async () => {
    const database = openNeonWs(ownerUrl, tunnel.origin);
    expect(await database.asOwner?.((client) => client.query("SELECT 1 AS n"))).toMatchObject({ rows: [{ n: 1 }] });
    expect(tunnel.addresses).toEqual([new URL(ownerUrl).host]);
    await database.close();
  });

  test("serves a whole hub with DATABASE_DRIVER=neon-ws, and doctor asks nothing over HTTP", async () => {
    const cwd = await scratch("tunnel");
    const env = { DATABASE_DRIVER: "neon-ws", NEON_PROXY: tunnel.origin };
    const run = (argv: readonly string[], stdin = "") => binary(argv, { cwd, env, stdin }).ended;
    const url = await ownedDatabase((await sharedPostgres()).port);
    expect(await run(["init", "--database-url-stdin", "--tz", "UTC"], url)).toMatchObject({
      code: 0,
      stderr: expect.any(String),
    });
    expect(await run(["queue"])).toMatchObject({ code: 0 });
    const { stdout } = await run(["doctor"]);
    expect(stdout).toMatch(/ok\tneon over WebSocket/);
    expect(stdout).not.toContain("neon over HTTP");
  });
});
