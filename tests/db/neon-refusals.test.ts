import { neon, neonConfig, Pool } from "@neondatabase/serverless";
import type { Database } from "@psn/core/db/connection.ts";
import { databaseError } from "@psn/core/db/drivers/failure.ts";
import { openNeonHttp } from "@psn/core/db/drivers/neon-http.ts";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import type { PsnError } from "@psn/core/errors.ts";
import { sql } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import ws from "ws";
import { newPassword, sharedGateway, urlAs } from "../support/databases.ts";
import type { NeonGateway } from "../support/neon-gateway.ts";
import { freshDatabase } from "../support/shared-postgres.ts";

/**
 * Sentences of Neon's proxy and of what is behind it, with the error each must be by both doors and a word of its hint.
 */
const SENTENCES = [
  ["password authentication failed for user 'postgres'", "DB_REFUSED", "psn config set DATABASE_URL"],
  [
    "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or " +
      "pass the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'. See " +
      "more at https://neon.tech/sni",
    "CONFIG_INVALID",
    "?options=endpoint%3DENDPOINT",
  ],
  ["Inconsistent project name inferred from SNI ('a') and project option ('b').", "CONFIG_INVALID", "NEON_PROXY"],
  [
    "VPC endpoint ID is not specified. This endpoint requires a VPC endpoint ID to connect.",
    "DB_REFUSED",
    "this network",
  ],
  [
    "This IP address 192.0.2.1 is not allowed to connect to this endpoint. Please add it to the allowed list in " +
      "the Neon console. Make sure to check for IPv4 or IPv6 addresses.",
    "DB_REFUSED",
    "this network",
  ],
  [
    "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and " +
      "try again.",
    "DB_REFUSED",
    "DATABASE_URL",
  ],
  ["Control plane request failed: endpoint cannot be found", "DB_REFUSED", "DATABASE_URL"],
  ["The endpoint has been disabled. Enable it using Neon API and retry.", "DB_REFUSED", "enable it"],
  ["Control plane request failed: endpoint is disabled", "DB_REFUSED", "enable it"],
  ["The role is protected.", "DB_REFUSED", "another role"],
  [
    "unsupported startup parameter: lock_timeout. Please use unpooled connection or remove this parameter from the " +
      "startup package.",
    "CONFIG_INVALID",
    "-pooler",
  ],
  [
    "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
    "VENDOR_QUOTA",
    "upgrade",
  ],
  [
    "Your project has exceeded the data transfer quota. Upgrade your plan to increase limits.",
    "VENDOR_QUOTA",
    "upgrade",
  ],
  ["You have exceeded the limit of concurrently active endpoints.", "VENDOR_QUOTA", "upgrade"],
  [
    "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact our support.",
    "DB_UNREACHABLE",
    "look at the project",
  ],
  ["Couldn't connect to compute node", "DB_UNREACHABLE", "psn doctor"],
  ["Control plane request failed", "DB_UNREACHABLE", "psn doctor"],
  ["Too many connections to this endpoint. Please try again later.", "DB_UNREACHABLE", "in a minute"],
  ["Too many connections attempts", "DB_UNREACHABLE", "in a minute"],
  ["Rate limit exceeded. Please try again later.", "DB_UNREACHABLE", "in a minute"],
  [
    "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
    "DB_UNREACHABLE",
    "in a minute",
  ],
  ["Project is under maintenance.", "DB_UNREACHABLE", "in a minute"],
  ["The project already has running operations.", "DB_UNREACHABLE", "in a minute"],
  ["sorry, too many clients already", "DB_UNREACHABLE", "in a minute"],
  ["remaining connection slots are reserved for roles with the SUPERUSER attribute", "DB_UNREACHABLE", "in a minute"],
  ["the database system is starting up", "DB_UNREACHABLE", "in a minute"],
  ['role "app" is not permitted to log in', "DB_REFUSED", "DATABASE_URL"],
  ["words that nobody knows", "DB_UNREACHABLE", "psn doctor"],
] as const;

const DOORS = ["HTTP", "WebSocket"] as const;
type Door = (typeof DOORS)[number];

let gateway: NeonGateway;
let real: string;
beforeAll(async () => {
  gateway = await sharedGateway();
  real = await freshDatabase();
});
const opened: Database[] = [];
afterEach(async () => {
  gateway.faults.clear();
  for (const database of opened.splice(0)) await database.close();
});

const openBy = (door: Door, url = real): Database => {
  const database = door === "HTTP" ? openNeonHttp(gateway.urlFor(url)) : openNeonWs(gateway.urlFor(url));
  opened.push(database);
  return database;
};
/** A statement that any login may run, outside the program's roles. */
const one = (door: Door, url = real) => {
  const database = openBy(door, url);
  return database.asOwner
    ? database.asOwner((client) => client.query("SELECT 1 AS n"))
    : database.run({ userId: "ffffffff-ffff-ffff-ffff-ffffffffffff" }, (db) => [db.execute(sql`select 1 as n`)]);
};
const failed = (promise: PromiseLike<unknown>): Promise<PsnError> =>
  Promise.resolve(promise).then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => databaseError(error),
  );
/** What the driver itself throws, before psn tries again. */
const refusedBy = async (door: Door): Promise<PsnError> => {
  openBy(door);
  neonConfig.webSocketConstructor = ws;
  if (door === "HTTP") return failed(neon(gateway.urlFor(real))`select 1`);
  const pool = new Pool({ connectionString: gateway.urlFor(real) });
  const failure = await failed(pool.query("select 1"));
  await pool.end();
  return failure;
};
/** Round trips over HTTP, or sessions. */
const asked = (door: Door) => (door === "HTTP" ? gateway.requests.length : gateway.sockets.opened);

describe.each(DOORS)("what Neon's proxy refuses over %s", (door) => {
  it.each(SENTENCES)("%s", async (sentence, code, hint) => {
    gateway.faults.refuse(sentence);
    const failure = await refusedBy(door);
    expect([failure.code, failure.hint]).toEqual([code, expect.stringContaining(hint)]);
    expect(failure.message).not.toMatch(/SQLSTATE|statement/);
  });

  it.each([
    "Too many connections to this endpoint. Please try again later.",
    "Project is under maintenance.",
    "The project already has running operations.",
    "sorry, too many clients already",
    "the database system is starting up",
    "Control plane request failed",
    "Couldn't connect to compute node",
  ])("is asked again, since nothing ran: %s", async (sentence) => {
    const before = asked(door);
    gateway.faults.refuse(sentence);
    await migratedOrNot(one(door));
    expect(asked(door) - before).toBe(2);
  });

  it.each([
    "Control plane request failed: endpoint cannot be found",
    "The endpoint has been disabled. Enable it using Neon API and retry.",
    "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
    "password authentication failed for user 'postgres'",
  ])("is not asked again, since the answer is final: %s", async (sentence) => {
    const before = asked(door);
    gateway.faults.refuse(sentence, 9);
    await failed(one(door));
    expect(asked(door) - before).toBe(1);
  });

  it("is asked once more where the proxy has tried by itself, and is not waited for longer", async () => {
    const before = asked(door);
    gateway.faults.refuse("Couldn't connect to compute node", 9);
    expect(await failed(one(door))).toMatchObject({ code: "DB_UNREACHABLE" });
    expect(asked(door) - before).toBe(2);
  });

  it("is a limit of PostgreSQL's own that ends while psn waits", async () => {
    const owner = openNeonWs(gateway.urlFor(real));
    opened.push(owner);
    const run = (text: string) => owner.asOwner?.((client) => client.query(text));
    const [name, password] = [`crowded_${door.toLowerCase()}`, newPassword()];
    await run(`CREATE ROLE ${name} LOGIN CONNECTION LIMIT 0 PASSWORD '${password}'`);
    const before = asked(door);
    const waiting = migratedOrNot(one(door, urlAs(real, name, password)));
    while (asked(door) - before < 2) await Bun.sleep(5);
    await run(`ALTER ROLE ${name} CONNECTION LIMIT 5`);
    await waiting;
  });
});

/** The database has no schema of psn's, so that over HTTP the statements come as far as the role. */
async function migratedOrNot(promise: PromiseLike<unknown>): Promise<void> {
  await Promise.resolve(promise).catch((error: unknown) => {
    if (databaseError(error).details["code"] !== "22023") throw error;
  });
}

it("a code that is no SQLSTATE is not called one", () => {
  for (const code of ["SELF_SIGNED_CERT_IN_CHAIN", "ERR_TLS_CERT_ALTNAME_INVALID", "EPERM"])
    expect(databaseError(Object.assign(new Error("no"), { code })).message).not.toContain("SQLSTATE");
  expect(databaseError(Object.assign(new Error("no"), { code: "22P02" })).message).toContain("(SQLSTATE 22P02)");
});

describe("an address that Neon's proxy cannot read", () => {
  it.each([
    ["no database", /\/[^/]*\?/, "?"],
    ["no password", /:[^:/]*@/, "@"],
  ])("with %s is CONFIG_INVALID", async (_, part, instead) => {
    openBy("HTTP");
    const url = gateway.urlFor(real);
    const headers = { "Neon-Connection-String": url.replace(part, instead) };
    const failure = await failed(neon(url).query("select 1", [], { fetchOptions: { headers } }));
    expect(failure).toMatchObject({ code: "CONFIG_INVALID", hint: "psn config set DATABASE_URL" });
  });
});
