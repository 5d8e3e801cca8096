import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { sealCredentials } from "@psn/app/session.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import type { Place } from "@psn/core/ports/outside.ts";
import type { Stores } from "@psn/core/ports/world.ts";
import { keyFromHex } from "@psn/core/utils/crypto.ts";
import { hubEnvPath, parseEnvFile } from "@psn/core/utils/env.ts";
import { createVault, keyId } from "@psn/core/vault.ts";
import pg from "pg";
import { afterFile } from "../support/after-file.ts";
import { binary, closedHub, documentOf, psn, type Ran, scratch } from "../support/cli.ts";
import { freshDatabase } from "../support/shared-postgres.ts";

/*
 * Hubs on both kinds of database, in a scratch folder, with a view of all rows.
 */

export type Row = Readonly<Record<string, unknown>>;

export interface Ground {
  readonly folder: string;
  /** In this process; throws unless it ends with 0. */
  run(argv: readonly string[], stdin?: string): Promise<Readonly<Record<string, unknown>>>;
  psn(argv: readonly string[], stdin?: string): Promise<Ran>;
  binary(argv: readonly string[], stdin?: string): ReturnType<typeof binary>;
  /** As the owner, outside of row-level security. */
  rows(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  readonly stores: Stores;
  /** Of hub.env as it is now. */
  env(name: string): string | undefined;
}

const closing: (() => Promise<unknown>)[] = [];
afterFile(async () => {
  for (const close of closing.splice(0)) await close();
});

function groundOf(folder: string, database: Database, owner: Database): Ground {
  closing.push(
    () => database.close(),
    async () => owner !== database && owner.close(),
  );
  return {
    folder,
    run: async (argv, stdin = "") => {
      const ran = await psn([...argv, "--json"], { cwd: folder, stdin });
      if (ran.code !== 0) throw new Error(`psn ${argv.join(" ")} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
      return documentOf(ran);
    },
    psn: (argv, stdin = "") => psn(argv, { cwd: folder, stdin }),
    binary: (argv, stdin = "") => binary(argv, { cwd: folder, stdin }),
    rows: async (text, values) => {
      if (!owner.asOwner) throw new Error("the owner has a session");
      // In a transaction: outside of one the embedded database mixes the messages of two clients.
      return owner.asOwner(async (client) => {
        await client.query("BEGIN");
        const { rows } = await client.query(text, values);
        await client.query("COMMIT");
        return rows;
      });
    },
    stores: createStores(database),
    env: (name) => envOf(folder, name),
  };
}

function envOf(folder: string, name: string): string | undefined {
  const path = hubEnvPath(folder);
  return parseEnvFile(readFileSync(path, "utf8"), path).find((entry) => entry.name === name)?.value;
}

/** The embedded database is held open by the test, so that commands come in by its socket. */
async function embedded(): Promise<Ground> {
  const folder = await closedHub();
  const database = await openEmbedded(`${folder}/data`);
  return groundOf(folder, database, database);
}

/** Owned by a login that is no superuser and does not bypass row-level security. */
const name = `psn_owner_${randomBytes(4).toString("hex")}`;
const password = randomBytes(12).toString("hex");
async function postgres(): Promise<Ground> {
  const url = await freshDatabase();
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [name]);
  // One for all databases of the server: psn's group roles belong to whoever made them.
  if (rows.length === 0) await client.query(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD '${password}'`);
  await client.query(`ALTER DATABASE ${client.database} OWNER TO ${name}`);
  await client.end();
  const owner = new URL(url);
  owner.username = name;
  owner.password = password;
  const folder = await scratch("vault");
  const made = await psn(["init", "--database-url-stdin", "--tz", "Europe/Berlin"], { cwd: folder, stdin: owner.href });
  if (made.code !== 0) throw new Error(made.stderr);
  return groundOf(folder, openPg(envOf(folder, "DATABASE_URL") ?? ""), openPg(url));
}

export const grounds = { embedded, postgres } as const;

const TOKENS = `SELECT t.id, t.user_id, t.version, json_build_array(a.platform, a.subject, a.home) AS audience,
  t.access_token, t.refresh_token, t.secret FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id`;
const KEYS = "SELECT id, user_id, 1 AS version, json_build_array(name) AS audience, value FROM psn.api_keys";

/** Every sealed value there is, with its place. */
export async function sealedValues(
  ground: Pick<Ground, "rows">,
): Promise<readonly { readonly place: Place; readonly sealed: string }[]> {
  const of = async (table: string, text: string) =>
    (await ground.rows(text)).flatMap(({ id, user_id: userId, version, audience, ...columns }) => {
      const row = {
        table,
        rowId: String(id),
        userId: String(userId),
        version: Number(version),
        audience: audience as readonly string[],
      };
      return Object.entries(columns).flatMap(([column, sealed]) =>
        sealed === null ? [] : [{ place: { ...row, column }, sealed: String(sealed) }],
      );
    });
  return [...(await of("oauth_tokens", TOKENS)), ...(await of("api_keys", KEYS))];
}

export const keyIdsIn = async (ground: Pick<Ground, "rows">) =>
  [...new Set((await sealedValues(ground)).map(({ sealed }) => sealed.split(".")[1] ?? ""))].toSorted();

export const idOf = (hex: string | undefined) => keyId(keyFromHex(hex ?? ""));

/** What every value is, opened by the current key of hub.env alone. Throws where one does not open. */
export async function openAll(ground: Ground): Promise<ReadonlyMap<string, string>> {
  const vault = createVault({ keys: [keyFromHex(ground.env("HUB_ENCRYPTION_KEY") ?? "")] });
  return new Map(
    (await sealedValues(ground)).map(({ place, sealed }) => [
      `${place.rowId} ${place.column}`,
      vault.open(place, sealed),
    ]),
  );
}

export const keyPlace = (userId: string, rowId: string, name: string): Place => ({
  table: "api_keys",
  column: "value",
  rowId,
  userId,
  version: 1,
  audience: [name],
});

/** Another user of the hub, with so many accounts and so many keys, all sealed. */
export async function secondUser(ground: Ground, accounts: number, keys: number): Promise<string> {
  const { stores } = ground;
  const vault = createVault({ keys: [keyFromHex(ground.env("HUB_ENCRYPTION_KEY") ?? "")] });
  const userId = Bun.randomUUIDv7();
  await stores.users.add({ id: userId, handle: "bob", timeZone: "UTC" });
  for (let n = 0; n < accounts; n += 1) {
    const id = Bun.randomUUIDv7();
    const profile = {
      subject: `bob-${n}`,
      handle: `bob-${n}`,
      url: "https://example.org/bob",
      home: "https://example.org",
    };
    const account = { id: Bun.randomUUIDv7(), platform: "bluesky", profile };
    const credentials = {
      access: `access_token ${n}`,
      refresh: `refresh_token ${n}`,
      secret: `secret ${n}`,
      scopes: [],
    };
    await stores.accounts.connect(
      userId,
      account,
      sealCredentials({ vault }, { userId, row: { id, version: 1 }, account, credentials }),
    );
  }
  for (let n = 0; n < keys; n += 1) {
    const id = Bun.randomUUIDv7();
    await stores.keys.put(userId, {
      id,
      name: `KEY_${n}`,
      value: vault.seal(keyPlace(userId, id, `KEY_${n}`), `key ${n}`),
    });
  }
  return userId;
}

/** Numbers in [0, 1) that are the same each time: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
