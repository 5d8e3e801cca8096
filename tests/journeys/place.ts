import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { binary, documentOf, psn, type Ran, scratch } from "../support/cli.ts";
import { type NeonConsole, startNeonConsole } from "../support/neon-console.ts";
import { type NeonGateway, startNeonGateway } from "../support/neon-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { type Execute, startTriggerApi, type TriggerApi } from "../support/trigger-api/index.ts";

/*
 * Neon and Trigger.dev as far as they can be here: their management APIs as doubles, a real PostgreSQL behind a gateway
 * that speaks as Neon's proxy does, and a folder for a hub.
 */

export interface Place {
  readonly server: Postgres;
  readonly gateway: NeonGateway;
  readonly neon: NeonConsole;
  readonly trigger: TriggerApi;
  readonly folder: string;
  /** The owner's address of the one database there is. */
  readonly ownerUrl: string;
  /** `psn init --neon --trigger`, in this process: with another key, another token, or more flags. */
  initHere(wish?: { readonly key?: string; readonly token?: string; readonly more?: readonly string[] }): Promise<Ran>;
  /** The same as a process. */
  init(...more: readonly string[]): ReturnType<typeof binary>;
  /** Any other command, in this process. */
  run(...argv: readonly string[]): Promise<Readonly<Record<string, unknown>>>;
  env(name: string): string | undefined;
  sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  stop(): Promise<void>;
}

/**
 * A Neon project is a server of its own; its owner is a login that may make others and bypasses row policies, as there.
 */
async function ownedDatabase(server: Postgres): Promise<string> {
  const url = await server.createDatabase();
  const password = randomBytes(12).toString("hex");
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE ROLE neondb_owner LOGIN CREATEROLE CREATEDB BYPASSRLS PASSWORD '${password}'`);
  await client.query(`ALTER DATABASE ${client.database} OWNER TO neondb_owner`);
  await client.end();
  const owner = new URL(url);
  owner.username = "neondb_owner";
  owner.password = password;
  return owner.href;
}

/** `proxyOf` puts something between psn and the gateway: by the gateway's port it gives its own. */
export async function openPlace(execute?: Execute, proxyOf = async (port: number) => port): Promise<Place> {
  const server = await startPostgres();
  const gateway = await startNeonGateway(server.url);
  const url = await ownedDatabase(server);
  const neon = await startNeonConsole(async () => url);
  const trigger = await startTriggerApi(execute ? { execute } : {});
  const folder = await scratch("remote");
  const tokenFile = join(await scratch("token"), "token.txt");
  await writeFile(tokenFile, trigger.token);
  const proxy = new URL(gateway.httpEndpoint.replace(/\/sql$/, ""));
  proxy.port = String(await proxyOf(Number(proxy.port)));
  const places = ["--neon-api-host", neon.host, "--neon-proxy", proxy.origin, "--trigger-url", trigger.origin];
  const env = (name: string) => new RegExp(`^${name}=["']?([^"'\n]*)`, "m").exec(hubEnvOf(folder))?.[1];
  return {
    server,
    gateway,
    neon,
    trigger,
    folder,
    ownerUrl: url,
    initHere: async ({ key = neon.apiKey, token = trigger.token, more = [] } = {}) => {
      const file = join(await scratch("token"), "token.txt");
      await writeFile(file, token);
      const argv = [
        "init",
        "--neon",
        "--neon-api-key-stdin",
        "--trigger",
        "--trigger-token-file",
        file,
        ...places,
        "--tz",
        "UTC",
        "--json",
        ...more,
      ];
      return psn(argv, { cwd: folder, stdin: key });
    },
    init: (...more) =>
      binary(
        [
          "init",
          "--neon",
          "--neon-api-key-stdin",
          "--trigger",
          "--trigger-token-file",
          tokenFile,
          ...places,
          "--tz",
          "UTC",
          "--json",
          ...more,
        ],
        {
          cwd: folder,
          stdin: neon.apiKey,
        },
      ),
    run: async (...argv) => {
      const ran = await psn([...argv, "--json"], { cwd: folder });
      if (ran.code !== 0) throw new Error(`psn ${argv.join(" ")} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
      return documentOf(ran);
    },
    env,
    sql: async (text) => {
      const client = new pg.Client(url);
      await client.connect();
      const { rows } = await client.query(text);
      await client.end();
      return rows;
    },
    stop: async () => {
      await Promise.all([neon.stop(), trigger.stop(), gateway.stop()]);
      await server.stop();
    },
  };
}

export function hubEnvOf(folder: string): string {
  try {
    return readFileSync(join(folder, "config", "hub.env"), "utf8");
  } catch {
    return "";
  }
}
