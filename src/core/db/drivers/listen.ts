import { randomUUID } from "node:crypto";
import type { Hearing, Subscription } from "@psn/core/ports/deliveries.ts";
import { databaseError } from "./failure.ts";
import { type SessionClient, withClient } from "./session.ts";

/*
 * LISTEN, and the proof that it is heard. A pooler in transaction mode takes LISTEN without a word and lends its server
 * connection to somebody else, so that no notification ever arrives.
 */

const CHANNEL = "psn_wake";
/**
 * Begins the payload of a notification that proves something and says nothing; one that something is due has no
 * payload.
 */
const PROOF = "proof ";
/**
 * How long a notification may take to arrive, in milliseconds. In a real session it is there before its sender's
 * answer.
 */
const PROOF_MS = 2_000;
/**
 * How many more connections are asked for the server connection on which a LISTEN was left: those of a pool, but for
 * the listener's.
 */
const MOST_ASKED = 7;

export interface Ways<Client extends SessionClient> {
  /** To the database, as everything else goes. */
  readonly connect: () => Promise<Client>;
  /** For LISTEN alone, where that has an address of its own. */
  readonly connectToListen?: (() => Promise<Client>) | undefined;
}

/** LISTEN on a connection of its own. `onLost`: that connection has ended by itself. Throws DB_…. */
export async function listenOn<Client extends SessionClient>(
  { connect, connectToListen = connect }: Ways<Client>,
  onWake: () => void,
  onLost: () => void = () => undefined,
): Promise<Subscription> {
  const client = await connected(connectToListen);
  let open = true;
  const waiting = new Map<string, () => void>();
  client.on("notification", ({ payload = "" }) => {
    if (!open) return;
    if (payload.startsWith(PROOF)) waiting.get(payload)?.();
    else onWake();
  });
  client.on("end", () => {
    if (open) onLost();
  });
  const release = () => {
    open = false;
    client.release(true);
  };
  let backend: unknown;
  try {
    await client.query(`BEGIN; LISTEN ${CHANNEL}`);
    backend = await backendOf(client);
    await client.query("COMMIT");
  } catch (error) {
    // A connection that is not given back is one less for everybody else, and closing the database waits for it.
    release();
    throw databaseError(error);
  }

  const isElsewhere = async () => (await using(connect, identityOf)) !== (await identityOf(client));
  let heard = false;
  const prove = async (): Promise<Hearing> => {
    const payload = `${PROOF}${randomUUID()}`;
    const arrived = new Promise<true>((resolve) => waiting.set(payload, () => resolve(true)));
    try {
      // By another connection: a session is told of its own notifications, whatever stands between.
      await using(connect, (other) => other.query(`NOTIFY ${CHANNEL}, '${payload}'`));
      heard = (await within(PROOF_MS, arrived)) === true;
      if (heard) return "heard";
      return connectToListen !== connect && (await isElsewhere()) ? "elsewhere" : "pooled";
    } finally {
      waiting.delete(payload);
    }
  };
  /**
   * The server connection goes on without this client, and a pooler warns of every notification that arrives on it.
   * Each transaction that is open keeps one server connection, so that the next gets another, until it is the one.
   */
  const takeBack = async () => {
    const asked: Client[] = [];
    try {
      for (let next = client; asked.length <= MOST_ASKED; next = await connectToListen()) {
        asked.push(next);
        await next.query(`BEGIN; UNLISTEN ${CHANNEL}`);
        if ((await backendOf(next)) === backend) return;
      }
    } finally {
      for (const each of asked) {
        await each.query("COMMIT").catch(() => undefined);
        if (each !== client) each.release();
      }
    }
  };
  return {
    prove,
    close: async () => {
      if (!open) return;
      open = false;
      if (!heard)
        await within(
          PROOF_MS,
          takeBack().catch(() => undefined),
        );
      release();
    },
  };
}

async function backendOf(client: SessionClient): Promise<unknown> {
  return (await client.query("SELECT pg_catalog.pg_backend_pid() AS pid")).rows[0]?.["pid"];
}

/** Which database this is: a number of the server's whole data (pg_control_system), and one within it. */
async function identityOf(client: SessionClient): Promise<unknown> {
  const { rows } = await client.query(
    `SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || oid AS id
     FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  );
  return rows[0]?.["id"];
}

async function connected<Client extends SessionClient>(connect: () => Promise<Client>): Promise<Client> {
  try {
    return await connect();
  } catch (error) {
    throw databaseError(error);
  }
}

async function using<Client extends SessionClient, T>(
  connect: () => Promise<Client>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return withClient(await connected(connect), work);
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
