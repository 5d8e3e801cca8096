import { PsnError } from "@psn/core/errors.ts";
import type { HubRow, HubRows, HubTable } from "@psn/core/ports/hub.ts";
import { type DeliveryState, TO_COME, UNDER_WAY } from "@psn/core/types/index.ts";
import { getTableColumns } from "drizzle-orm";
import type { Database, OwnerClient } from "./database.ts";
import { contextStatements } from "./drivers/context.ts";
import * as schema from "./schema.ts";
import { SCHEMA_VERSION } from "./version.ts";

/*
 * All rows of a hub, out of one database and into another, as the JSON Postgres itself makes of a row: what it wrote it
 * reads again, to the microsecond, whichever of the drivers is between. In both directions one transaction, under
 * row-level security like any other: one user after the other.
 */

/** In an order in which every row's references are there before it. */
const TABLES = {
  accounts: schema.accounts,
  oauth_tokens: schema.oauthTokens,
  api_keys: schema.apiKeys,
  posts: schema.posts,
  media: schema.media,
  deliveries: schema.deliveries,
  delivery_units: schema.deliveryUnits,
  delivery_events: schema.deliveryEvents,
  slots: schema.slots,
} as const satisfies Readonly<Record<Exclude<HubTable, "users">, unknown>>;
type Name = keyof typeof TABLES;
const NAMES = Object.keys(TABLES) as readonly Name[];

/** History has its order from a number the database gives. */
const GIVEN = new Set(["sequence"]);
const columnsOf = (name: Name) =>
  Object.values(getTableColumns(TABLES[name])).flatMap((column) => (GIVEN.has(column.name) ? [] : [column.name]));

/** Rows read at a time; media one by one, since each may be large. */
const PAGE = 200;
/** A statement takes no more characters than this, unless one row alone is longer. */
const BATCH_CHARS = 1_000_000;
/** How often a move retries a row that a worker changed at the same time. */
const MOST_TRIES = 8;

const inSql = (states: readonly DeliveryState[]) => `(${states.map((state) => `'${state}'`).join(", ")})`;
/** Why deliveries and accounts of a hub that was moved wait. */
export const TRANSFERRED_NOTE = "moved to another hub";
/** What waits for `start`. */
const WAITS = "d.held_reason IN ('imported', 'moved')";

export function hubRows(database: Database): HubRows {
  const inTransaction = async <T>(mode: string, work: (client: OwnerClient) => Promise<T>): Promise<T> => {
    if (!database.asOwner) throw new PsnError("BUG", "a hub is moved over a session; not over HTTP");
    return database.asOwner(async (client) => {
      await client.query(`BEGIN${mode}`);
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    });
  };

  return {
    async read(users, moving, take) {
      for (let attempt = 1; ; attempt += 1) {
        let began = false;
        try {
          return await inTransaction(" ISOLATION LEVEL REPEATABLE READ", async (client) => {
            if (moving) for (const userId of users) await lockOpen(client, userId);
            began = true;
            const result = await take(allRows(client, users));
            if (moving) for (const userId of users) await hold(client, userId);
            return result;
          });
        } catch (error) {
          // 40001: somebody changed a row between the snapshot and its lock.
          if (began || attempt === MOST_TRIES || !(error instanceof PsnError) || error.details["code"] !== "40001")
            throw error;
        }
      }
    },

    count: (users) =>
      inTransaction("", async (client) => {
        let all = users.length;
        const counts = NAMES.map((name) => `(SELECT count(*) FROM psn.${name})`).join(" + ");
        for (const userId of users) {
          await actAs(client, userId);
          const { rows } = await client.query(`SELECT (${counts})::integer AS n`);
          all += Number(rows[0]?.["n"]);
        }
        return all;
      }),

    write: (rows, finish) =>
      inTransaction("", async (client) => {
        const count = await insertAll(client, rows);
        await finish();
        return count;
      }),

    async isEmpty(users) {
      return inTransaction("", async (client) => {
        for (const userId of users) {
          await actAs(client, userId);
          const { rows } = await client.query(
            "SELECT (EXISTS (SELECT FROM psn.posts) OR EXISTS (SELECT FROM psn.accounts))::text AS used",
          );
          if (rows[0]?.["used"] === "true") return false;
        }
        return true;
      });
    },

    start: (users) =>
      inTransaction("", async (client) => {
        let started = 0;
        for (const userId of users) {
          await actAs(client, userId);
          const { rows } = await client.query(
            `WITH changed AS (
               UPDATE psn.deliveries d SET state = 'scheduled', wake_at = greatest(d.due_at, now()),
                 code = NULL, message = NULL, fence = d.fence + 1, lease_until = NULL, updated_at = now()
               WHERE ${WAITS} RETURNING d.id)
             SELECT coalesce(array_agg(id)::text, '{}') AS ids, count(*)::integer AS n FROM changed`,
          );
          await client.query("SELECT psn.note($1::uuid[], 'started', NULL, 'user')", [String(rows[0]?.["ids"])]);
          await client.query(
            "UPDATE psn.accounts SET health = 'ok', health_reason = NULL, updated_at = now() WHERE health = " +
              "'needs-reconnect' AND health_reason = $1",
            [TRANSFERRED_NOTE],
          );
          started += Number(rows[0]?.["n"]);
        }
        return started;
      }),

    schema: SCHEMA_VERSION,
  };
}

async function actAs(client: OwnerClient, userId: string): Promise<void> {
  for (const statement of contextStatements({ userId, service: true })) await client.query(statement);
}

async function* allRows(client: OwnerClient, users: readonly string[]): AsyncGenerator<HubRow> {
  for (const userId of users) {
    await actAs(client, userId);
    const { rows } = await client.query(
      "SELECT json_build_object('id', id, 'handle', handle, 'time_zone', time_zone)::text AS row FROM psn.users",
    );
    for (const { row } of rows) yield { table: "users", json: String(row) };
    for (const table of NAMES) {
      const order = table === "delivery_events" ? "t.sequence" : "t.id";
      await client.query(
        `DECLARE psn_rows NO SCROLL CURSOR FOR ` +
          `SELECT row_to_json(t)::text AS row FROM psn.${table} t ORDER BY ${order}`,
      );
      for (;;) {
        const page = await client.query(`FETCH ${table === "media" ? 1 : PAGE} FROM psn_rows`);
        for (const { row } of page.rows) yield { table, json: String(row) };
        if (page.rows.length === 0) break;
      }
      await client.query("CLOSE psn_rows");
    }
  }
}

/**
 * Takes what is open from the workers until the transaction ends. Throws HUB_BUSY while something is on its way.
 */
async function lockOpen(client: OwnerClient, userId: string): Promise<void> {
  await actAs(client, userId);
  const { rows } = await client.query(
    `SELECT count(*) FILTER (WHERE state IN ${inSql(UNDER_WAY)})::integer AS n
     FROM (SELECT d.state FROM psn.deliveries d WHERE d.state IN ${inSql(TO_COME)}
       OR d.state IN ${inSql(UNDER_WAY)} FOR UPDATE) open`,
  );
  const n = Number(rows[0]?.["n"]);
  if (n > 0)
    throw new PsnError(
      "HUB_BUSY",
      `${n === 1 ? "a delivery is" : `${n} deliveries are`} being sent, and only this hub can find out the outcome`,
      {
        hint: "psn queue shows them; when psn worker has finished, move the hub",
      },
    );
}

async function hold(client: OwnerClient, userId: string): Promise<void> {
  await actAs(client, userId);
  const { rows } = await client.query(
    `WITH changed AS (
       UPDATE psn.deliveries d SET state = 'held', held_reason = 'moved',
         code = NULL, message = '${TRANSFERRED_NOTE}', fence = d.fence + 1, lease_until = NULL, updated_at = now()
       WHERE d.state IN ${inSql(TO_COME)} RETURNING d.id)
     SELECT coalesce(array_agg(id)::text, '{}') AS ids FROM changed`,
  );
  await client.query("SELECT psn.note($1::uuid[], 'moved away', NULL, 'user')", [String(rows[0]?.["ids"])]);
  // Tokens that work once must not be exchanged by two hubs.
  await client.query(
    "UPDATE psn.accounts SET health = 'needs-reconnect', health_reason = $1, updated_at = now() WHERE health = 'ok'",
    [TRANSFERRED_NOTE],
  );
}

async function insertAll(client: OwnerClient, rows: AsyncIterable<HubRow>): Promise<number> {
  let count = 0;
  let batch: { readonly table: Name; readonly columns: string; json: string[]; chars: number } | undefined;
  const flush = async () => {
    if (!batch) return;
    const { table, columns, json } = batch;
    batch = undefined;
    await client.query(
      `INSERT INTO psn.${table} (${columns})
       SELECT ${columns} FROM json_populate_recordset(NULL::psn.${table}, $1::json)`,
      [`[${json.join(",")}]`],
    );
  };
  for await (const { table, json } of rows) {
    count += 1;
    const fields: Readonly<Record<string, unknown>> = JSON.parse(json);
    if (table === "users") {
      await flush();
      await markUseless(client);
      const id = String(fields["id"]);
      await actAs(client, id);
      const values = [id, String(fields["handle"]), String(fields["time_zone"])];
      await client.query("SELECT psn.add_user($1::uuid, $2::text, $3::text)", values);
      await client.query("UPDATE psn.users SET handle = $2, time_zone = $3 WHERE id = $1", values);
      continue;
    }
    // A column the file does not know, since it is older, gets its default.
    const columns = columnsOf(table)
      .filter((column) => column in fields)
      .join(", ");
    if (batch && (batch.table !== table || batch.columns !== columns || batch.chars + json.length > BATCH_CHARS))
      await flush();
    batch ??= { table, columns, json: [], chars: 0 };
    batch.json.push(json);
    batch.chars += json.length;
  }
  await flush();
  await markUseless(client);
  return count;
}

/** An account whose credentials did not open where it came from has none here. */
async function markUseless(client: OwnerClient): Promise<void> {
  await client.query(
    `UPDATE psn.accounts a
     SET health = 'needs-reconnect', health_reason = 'its token did not open when the hub was exported'
     WHERE a.health = 'ok' AND NOT EXISTS (SELECT FROM psn.oauth_tokens t WHERE t.account_id = a.id)`,
  );
}

/** Whether a word names a table of these. */
export const isHubTable = (name: string): name is HubTable => name === "users" || Object.hasOwn(TABLES, name);
