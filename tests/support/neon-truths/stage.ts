import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { type NeonGateway, startNeonGateway } from "../neon-gateway.ts";
import { type Speaking, speak } from "../neon-speak.ts";
import { freshDatabase, sharedPostgres } from "../shared-postgres.ts";

/* The double before a server that asks for scram-sha-256, and ways to ask it as plainly as the real one was asked. */

export const SECRET = "a plain password";
export let gateway: NeonGateway;
export let real: string;
export let superuser: pg.Client;
beforeAll(async () => {
  const server = await sharedPostgres({ auth: "scram-sha-256" });
  gateway = await startNeonGateway(server.url);
  real = await freshDatabase();
  superuser = new pg.Client({ connectionString: real });
  await superuser.connect();
  await superuser.query(`CREATE ROLE member LOGIN PASSWORD '${SECRET}'; GRANT CREATE ON SCHEMA public TO member`);
});
afterAll(async () => {
  await superuser?.end();
  await gateway?.stop();
});

export const database = () => new URL(real).pathname.slice(1);
export const address = ({ user = "member", password = SECRET, path = `/${database()}` } = {}) =>
  `postgresql://${user}:${encodeURIComponent(password)}@ep-quiet-test.eu-central-1.aws.neon.tech${path}`;

export interface Sent {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly door?: NeonGateway;
}

/** A body of bytes or text, or a value to be written as JSON, to /sql. */
export async function send(body: unknown, { url = address(), headers = {}, door = gateway }: Sent = {}) {
  const raw = typeof body === "string" ? body : Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body);
  const all = { "Neon-Connection-String": url, "Neon-Raw-Text-Output": "true", "Neon-Array-Mode": "true", ...headers };
  const response = await fetch(door.httpEndpoint, { method: "POST", body: raw, headers: all });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}
export const query = (text: string, params: readonly unknown[] = []) => ({ query: text, params });

/** Status, words and code of a refusal. */
export async function no(body: unknown, sent?: Sent): Promise<readonly unknown[]> {
  const { status, json } = await send(body, sent);
  return [status, json.message, json.code];
}
/** The first value of the first row. */
export async function value(text: string, params: readonly unknown[] = [], sent?: Sent): Promise<unknown> {
  const { json } = await send(query(text, params), sent);
  return json.rows?.[0]?.[0] ?? json.code ?? null;
}

export const bodyNo = (rest: string) => [400, `could not parse the HTTP request body: ${rest}`, ""];
export const NO_VARIANT = bodyNo("data did not match any variant of untagged enum Payload");

/**
 * Hangs up while the statements run; how many rows there are once nothing of the member's runs any more, and how long
 * that took.
 */
export async function hangUp(table: string, body: unknown): Promise<unknown> {
  await superuser.query(`CREATE TABLE ${table} (n int); GRANT ALL ON ${table} TO member`);
  const running = async () =>
    (
      await superuser.query(
        "SELECT FROM pg_stat_activity WHERE usename = 'member' AND state = 'active' AND query LIKE '%pg_sleep%'",
      )
    ).rowCount;
  const raw = JSON.stringify(body);
  const socket = connect(Number(new URL(gateway.httpEndpoint).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    `POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: ${address()}\r\nContent-Length: ` +
      `${Buffer.byteLength(raw)}\r\n\r\n${raw}`,
  );
  while ((await running()) !== 1) await sleep(10);
  socket.destroy();
  const from = performance.now();
  while ((await running()) !== 0) await sleep(10);
  const { rows } = await superuser.query(`SELECT count(*)::int AS n FROM ${table}`);
  return { rows: rows[0]?.n, atOnce: performance.now() - from < 10_000 };
}
export const CANCELLED = { rows: 0, atOnce: true };

export type Options = Partial<Speaking> & { readonly door?: NeonGateway };
export const member = ({ door = gateway, ...options }: Options) =>
  speak({ at: new URL(door.httpEndpoint).host, user: "member", password: SECRET, database: database(), ...options });
export const refusedBy = async (options: Options) => {
  const session = await member(options);
  await session.closedWith();
  return session.refusal();
};
export const xx = (message: string) => ["SERROR", "CXX000", `M${message}`];

export async function inTurn<T>(times: number, ask: () => Promise<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  while (answers.length < times) answers.push(await ask());
  return answers;
}

export interface Truth {
  readonly id: string;
  readonly request: string;
  readonly real: unknown;
  readonly ask: () => Promise<unknown>;
  readonly double?: unknown;
  readonly why?: string;
}
