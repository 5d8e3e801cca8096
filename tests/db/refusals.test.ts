import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import type { PsnError } from "@psn/core/errors.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Authority, type Certificate, makeAuthority } from "../support/certificates.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { sharedPostgres } from "../support/shared-postgres.ts";

/*
 * What a real PostgreSQL with TLS refuses, in psn's words. One server, whose certificate and pg_hba.conf are changed
 * between tests.
 */

const NAMES = ["DNS:localhost", "IP:127.0.0.1"];
const EVERYBODY = "host all all 127.0.0.1/32 password";
const PASSWORD = "f00";

let ours: Authority;
let other: Authority;
let server: Postgres;
let root: pg.Client;
beforeAll(async () => {
  [ours, other] = await Promise.all([makeAuthority(), makeAuthority("another authority")]);
  server = await startPostgres({ tls: await ours.issue(NAMES), hba: [EVERYBODY], settings: { max_connections: "8" } });
  root = new pg.Client({ connectionString: server.url });
  root.on("error", () => undefined);
  await root.connect();
  for (const statement of [
    `CREATE ROLE ada LOGIN PASSWORD '${PASSWORD}'`,
    `CREATE ROLE asleep PASSWORD '${PASSWORD}'`,
    `CREATE ROLE counted LOGIN PASSWORD '${PASSWORD}' CONNECTION LIMIT 0`,
    "CREATE DATABASE closed ALLOW_CONNECTIONS false",
    "CREATE DATABASE private",
    "REVOKE CONNECT ON DATABASE private FROM PUBLIC",
  ])
    await root.query(statement);
});
afterAll(async () => {
  await root?.end().catch(() => undefined);
  await server?.stop();
  await Promise.all([ours, other].map((each) => each?.remove()));
});

/** Has the server read its files again. */
async function reload(): Promise<void> {
  const loaded = async () => (await root.query("SELECT pg_conf_load_time()::text AS at")).rows[0].at;
  const before = await loaded();
  await root.query("SELECT pg_reload_conf()");
  while ((await loaded()) === before) await Bun.sleep(5);
  // The session above may have read them before the server itself, which reads them first and tells.
  await Bun.sleep(50);
}
async function present({ cert, key }: Certificate): Promise<void> {
  await writeFile(join(server.folder, "server.crt"), await readFile(cert));
  await writeFile(join(server.folder, "server.key"), await readFile(key));
  await reload();
}
async function admit(...lines: readonly string[]): Promise<void> {
  await writeFile(join(server.folder, "pg_hba.conf"), `${lines.join("\n")}\n`);
  await reload();
}
async function set(settings: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await root.query(value === undefined ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = '${value}'`);
  await reload();
}

/** What psn says of this address; nothing where it is let in. */
async function refusal(url: string): Promise<PsnError | undefined> {
  try {
    const database = openPg(url);
    try {
      await database.asOwner?.((client) => client.query("SELECT 1"));
    } finally {
      await database.close();
    }
    return undefined;
  } catch (error) {
    return error as PsnError;
  }
}
const urlOf = (query = "", host = "127.0.0.1", url = server.urlFor("postgres", { user: "ada", password: PASSWORD })) =>
  `${url.replace("127.0.0.1", host)}${query === "" ? "" : `?${query}`}`;

describe("TLS", () => {
  it("a certificate of an unknown CA is named as such, with sslrootcert and NODE_EXTRA_CA_CERTS", async () => {
    await present(await ours.issue(NAMES));
    for (const query of [
      "sslmode=require",
      "sslmode=verify-full",
      "ssl=true",
      `sslmode=require&sslrootcert=${other.ca}`,
    ]) {
      const error = await refusal(urlOf(query));
      expect(error, query).toMatchObject({
        code: "DB_TLS",
        message: expect.stringContaining("a CA that this machine does not trust"),
      });
      expect(error?.hint).toContain("sslrootcert=");
      expect(error?.hint).toContain("NODE_EXTRA_CA_CERTS=");
      expect(JSON.stringify(error)).not.toMatch(/SQLSTATE|"code":"UNABLE/);
    }
    for (const mode of ["prefer", "require", "verify-ca", "verify-full"])
      expect(await refusal(urlOf(`sslmode=${mode}&sslrootcert=${ours.ca}`)), mode).toBeUndefined();
    for (const query of ["sslmode=no-verify", "uselibpqcompat=true&sslmode=require"])
      expect(await refusal(urlOf(query))).toBeUndefined();
  });

  it("a self-signed certificate is said to be that, and is trusted as its own CA", async () => {
    const own = await ours.selfSigned(NAMES);
    await present(own);
    expect(await refusal(urlOf("sslmode=require"))).toMatchObject({
      code: "DB_TLS",
      message: expect.stringContaining("self-signed"),
    });
    expect(await refusal(urlOf(`sslmode=verify-full&sslrootcert=${own.cert}`))).toBeUndefined();
  });

  it("an expired certificate and one for another name are said to be that", async () => {
    await present(await ours.issue(NAMES, { expired: true }));
    expect(await refusal(urlOf(`sslmode=verify-full&sslrootcert=${ours.ca}`))).toMatchObject({
      code: "DB_TLS",
      message: expect.stringContaining("has expired"),
    });
    await present(await ours.issue(["DNS:db.example.com"]));
    for (const host of ["127.0.0.1", "localhost"])
      for (const mode of ["require", "verify-ca", "verify-full"])
        expect(await refusal(urlOf(`sslmode=${mode}&sslrootcert=${ours.ca}`, host))).toMatchObject({
          code: "DB_TLS",
          message: expect.stringContaining("another host name"),
        });
  });

  it("a server that speaks only an old version of TLS is said to be that", async () => {
    await present(await ours.issue(NAMES));
    await set({ ssl_min_protocol_version: "TLSv1", ssl_max_protocol_version: "TLSv1.1" });
    expect(await refusal(urlOf("sslmode=no-verify"))).toMatchObject({
      code: "DB_TLS",
      message: expect.stringContaining("version of TLS"),
    });
    await set({ ssl_min_protocol_version: undefined, ssl_max_protocol_version: undefined });
    expect(await refusal(urlOf("sslmode=no-verify"))).toBeUndefined();
  });

  it("a server without TLS is said to be that, where sslmode asks for it", async () => {
    const { url } = await sharedPostgres();
    for (const query of ["sslmode=require", "sslmode=prefer", "sslmode=no-verify"])
      expect(await refusal(urlOf(query, "127.0.0.1", url))).toMatchObject({
        code: "DB_TLS",
        message: expect.stringContaining("the database server offers none"),
        hint: expect.stringContaining("sslmode"),
      });
    expect(await refusal(url)).toBeUndefined();
  });

  it("a file that the address names is what is wrong, where it cannot be read or holds no certificate", async () => {
    expect(await refusal(urlOf("sslmode=require&sslrootcert=/nowhere/ca.pem"))).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("/nowhere/ca.pem"),
      hint: expect.stringContaining("sslrootcert"),
    });
    expect(await refusal(urlOf(`sslmode=require&sslrootcert=${import.meta.filename}`))).toMatchObject({
      code: "DB_TLS",
      hint: expect.stringContaining("sslrootcert"),
    });
    for (const query of ["uselibpqcompat=true&sslmode=verify-ca", "sslmode=require&sslnegotiation=never"]) {
      const error = await refusal(urlOf(query));
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      expect(JSON.stringify(error)).not.toContain(PASSWORD);
    }
  });
});

describe("logins", () => {
  it("a server that demands TLS says so, and not that the password is wrong", async () => {
    await admit("hostssl all all 127.0.0.1/32 password");
    const error = await refusal(urlOf());
    expect(error).toMatchObject({
      code: "DB_REFUSED",
      message: expect.stringContaining("unencrypted"),
      details: { code: "28000" },
    });
    expect(error?.message).not.toContain("password");
    expect(error?.hint).toContain("sslmode=require");
    expect(await refusal(urlOf("sslmode=no-verify"))).toBeUndefined();
    await admit("hostnossl all postgres 127.0.0.1/32 password");
    expect(await refusal(urlOf("sslmode=no-verify"))).toMatchObject({
      message: expect.stringContaining("pg_hba.conf"),
    });
    await writeFile(join(server.folder, "ca.crt"), await readFile(ours.ca));
    await set({ ssl_ca_file: join(server.folder, "ca.crt") });
    await admit("hostssl all all 127.0.0.1/32 password clientcert=verify-ca");
    expect(await refusal(urlOf("sslmode=no-verify"))).toMatchObject({
      message: expect.stringContaining("client certificate"),
    });
    await admit(EVERYBODY);
  });

  it("each other refusal has words of its own", async () => {
    const as = (user: string, database = "postgres", password = PASSWORD) =>
      server.urlFor(database, { user, password });
    const told = async (url: string) => {
      const error = await refusal(url);
      return [error?.code, error?.details["code"], error?.message];
    };
    const row = (code: string, state: string, words: string) => [code, state, expect.stringContaining(words)];
    expect(await told(as("ada", "postgres", "wrong"))).toEqual(row("DB_REFUSED", "28P01", "wrong user or password"));
    expect(await told(as("nobody"))).toEqual(row("DB_REFUSED", "28P01", "wrong user or password"));
    expect(await told(as("asleep"))).toEqual(row("DB_REFUSED", "28000", "does not allow this role to log in"));
    expect(await told(as("ada", "nowhere"))).toEqual(row("DB_REFUSED", "3D000", "no database of the name"));
    expect(await told(as("ada", "private"))).toEqual(row("DB_REFUSED", "42501", "not allowed to connect"));
    expect(await told(as("ada", "closed"))).toEqual(row("DB_REFUSED", "55000", "closed to all connections"));
    expect(await told(as("counted"))).toEqual(row("DB_UNREACHABLE", "53300", "accepts no more connections"));
    const crowd: pg.Client[] = [];
    // A session that has ended keeps its place until the server has seen to it; then one more is let in.
    let full: Awaited<ReturnType<typeof told>> = [];
    while (full[0] === undefined) {
      let refused = false;
      while (!refused) {
        const client = new pg.Client({ connectionString: as("ada") });
        client.on("error", () => undefined);
        refused = await client.connect().then(
          () => false,
          () => true,
        );
        if (!refused) crowd.push(client);
      }
      full = await told(as("ada"));
    }
    expect(full).toEqual(row("DB_UNREACHABLE", "53300", "accepts no more connections"));
    await Promise.all(crowd.map((client) => client.end().catch(() => undefined)));
  });

  it("a server that is shutting down is waited for, and is no refusal", async () => {
    const pid = await server.pid();
    // A smart shutdown waits for the session above, and lets nobody else in.
    process.kill(pid ?? 0, "SIGTERM");
    let error: PsnError | undefined;
    while (error === undefined) error = await refusal(urlOf());
    expect(error).toMatchObject({
      code: "DB_UNREACHABLE",
      message: expect.stringContaining("shutting down"),
      details: { code: "57P03" },
    });
  });
});

it("keeps no part of a statement: a post that speaks of a lost connection is no lost connection", async () => {
  const { databaseError } = await import("@psn/core/db/drivers/failure.ts");
  const cause = new Error("unlike anything");
  const query = Object.assign(
    new Error("Failed query: insert … params: the connection timeout network closed", { cause }),
    { params: [] },
  );
  expect(databaseError(query)).toMatchObject({ code: "DB_FAILED" });
});
