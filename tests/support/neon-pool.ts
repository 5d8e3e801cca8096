import { connect } from "node:net";
import pg from "pg";
import { failureOf, type Login } from "./neon-sql.ts";

/*
 * The connections of Neon's proxy to the compute, for statements over HTTP (proxy/src/serverless/conn_pool_lib.rs):
 * kept by database and role, at most 20 idle ones for an endpoint (`--sql-over-http-pool-max-conns-per-endpoint`), and
 * reset when one comes back (neon PR 12681, 2025-07-23).
 */

const MOST_IDLE = 20;
const RESET = `ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
  SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES`;

export const AWAY = "Couldn't connect to compute node";

export interface Connections {
  /** @throws SqlFailure */
  take(login: Login): Promise<pg.Client>;
  give(login: Login, client: pg.Client, reusable: boolean): Promise<void>;
  /** Cancels what runs there. */
  cancel(client: pg.Client): void;
  end(): Promise<unknown>;
}

export function createConnections(host: string, port: number): Connections {
  const open = new Set<pg.Client>();
  let idle: { readonly key: string; readonly client: pg.Client }[] = [];
  const keyOf = ({ database, user }: Login) => JSON.stringify([database, user]);

  return {
    take: async (login) => {
      const at = idle.findLastIndex(({ key }) => key === keyOf(login));
      const [kept] = at < 0 ? [] : idle.splice(at, 1);
      if (kept) return kept.client;
      const client = new pg.Client({ host, port, ssl: false, ...login });
      const forget = () => {
        open.delete(client);
        idle = idle.filter((each) => each.client !== client);
      };
      client.on("error", forget);
      client.on("end", forget);
      try {
        await client.connect();
      } catch (error) {
        // 3D000 invalid_catalog_name
        const blames = error instanceof pg.DatabaseError && error.code === "3D000";
        throw failureOf(error, blames ? 400 : 500, AWAY);
      }
      open.add(client);
      return client;
    },

    give: async (login, client, reusable) => {
      if (!reusable || !open.has(client) || idle.length >= MOST_IDLE) return client.end().catch(() => undefined);
      // Whoever takes it next waits for this in the client's own queue.
      void client.query(RESET).catch(() => client.end().catch(() => undefined));
      idle.push({ key: keyOf(login), client });
    },

    cancel: (client) => {
      const message = Buffer.alloc(16);
      for (const [place, value] of [
        16,
        80877102,
        Reflect.get(client, "processID"),
        Reflect.get(client, "secretKey"),
      ].entries())
        message.writeInt32BE(Number(value), place * 4);
      const socket = connect(port, host, () => socket.end(message));
      socket.on("error", () => undefined);
    },

    end: () => Promise.all([...open].map((client) => client.end().catch(() => undefined))),
  };
}
