import { PsnError } from "@psn/core/errors.ts";
import type { Place } from "@psn/core/ports/outside.ts";
import type { FormerPlace } from "@psn/core/vault.ts";
import type { OwnerClient } from "./database.ts";

/*
 * Values that were sealed in version 1 of the format are sealed again once, within the migration that brings version 2
 * (ADR 19): the values and the ledger's line that says so become true together or not at all. Afterwards nothing opens
 * version 1 any more.
 */

/**
 * The hub's key in both versions of the format. Asked for only where something is sealed. Throws VAULT_LOCKED without a
 * key.
 */
export type Resealing = () => {
  readonly open: (place: FormerPlace, sealed: string) => string;
  readonly seal: (place: Place, plaintext: string) => string;
};

type Row = Readonly<Record<string, unknown>>;

/** Where a table's sealed values are, and what they are to be bound to. */
const TABLES = [
  {
    table: "oauth_tokens",
    columns: ["access_token", "refresh_token", "secret"],
    rows: `SELECT t.*, a.platform, a.subject, a.home
      FROM psn.oauth_tokens t JOIN psn.accounts a ON a.id = t.account_id ORDER BY t.id`,
    audience: (row: Row) => [row["platform"], row["subject"], row["home"]].map(String),
  },
  {
    table: "api_keys",
    columns: ["value"],
    rows: "SELECT * FROM psn.api_keys ORDER BY id",
    audience: (row: Row) => [String(row["name"])],
  },
] as const;
/** Their owner is bound by their policies as everybody is, but for this. */
const GUARDED = ["accounts", "oauth_tokens", "api_keys", "workers"] as const;

/**
 * Who would meet values that an older psn cannot open. Three heartbeats; tasks look at the schema themselves before
 * they claim.
 */
const AT_WORK = `SELECT name FROM psn.workers
  WHERE abs(extract(epoch FROM clock_timestamp() - beat_at)) < 45 AND name NOT LIKE 'trigger.dev%'
  AND (EXISTS (SELECT FROM psn.oauth_tokens) OR EXISTS (SELECT FROM psn.api_keys)) ORDER BY name LIMIT 1`;

/**
 * No lease is longer (app/session.ts); what says more was written by a user's own hand, and must not stop everybody's
 * migration.
 */
const LEASED = `SELECT count(*)::integer AS n FROM psn.oauth_tokens
  WHERE refresh_lease_until > now() AND refresh_lease_until <= now() + interval '60 seconds'`;

const LOST = "its token did not open when the database was migrated";

/**
 * Seals again all there is, in the transaction the client is in. What does not open stays as it is, and its account
 * waits to be connected again. Throws WORKER_RUNNING while an older worker runs, which could open nothing afterwards
 * and would give its posts up, and HUB_BUSY while anybody exchanges a token, which would be stored in the former
 * version; VAULT_LOCKED where nothing opens at all, since that is another hub's key.
 */
export async function reseal(client: OwnerClient, resealing: Resealing | undefined): Promise<void> {
  for (const table of GUARDED) await client.query(`ALTER TABLE psn.${table} NO FORCE ROW LEVEL SECURITY`);
  const { rows } = await client.query(LEASED);
  if (Number(rows[0]?.["n"]) > 0)
    throw new PsnError("HUB_BUSY", "a worker is refreshing a token, which must finish first", {
      hint: "try again in a minute: psn db migrate",
    });
  const [worker] = (await client.query(AT_WORK)).rows;
  if (worker)
    throw new PsnError(
      "WORKER_RUNNING",
      `the worker ${worker["name"]} is running, and could not decrypt what is sealed again`,
      {
        hint: "stop psn worker, wait a minute if it was killed, then: psn db migrate",
      },
    );
  let opened = 0;
  let locked: PsnError | undefined;
  let keys: ReturnType<Resealing> | undefined;
  for (const { table, columns, rows: statement, audience } of TABLES) {
    const found = await client.query(statement);
    for (const row of found.rows) {
      keys ??= resealing?.() ?? keyless();
      try {
        const values = again(table, { columns, row, audience: audience(row), ...keys });
        const set = columns.map((column, n) => `${column} = $${n + 2}`).join(", ");
        await client.query(`UPDATE psn.${table} SET ${set} WHERE id = $1`, [row["id"], ...values]);
        opened += 1;
      } catch (error) {
        if (!(error instanceof PsnError) || !error.code.startsWith("VAULT_")) throw error;
        if (error.code === "VAULT_LOCKED") locked ??= error;
        if (table === "oauth_tokens") await client.query(NEEDS_RECONNECT, [row["account_id"], LOST]);
      }
    }
  }
  if (locked && opened === 0) throw locked;
  for (const table of GUARDED) await client.query(`ALTER TABLE psn.${table} FORCE ROW LEVEL SECURITY`);
}

function keyless(): never {
  throw new PsnError("VAULT_LOCKED", "this migration seals the hub's tokens again, which needs the hub's key", {
    hint: "run psn db migrate on a machine whose config/hub.env has HUB_ENCRYPTION_KEY",
  });
}

const NEEDS_RECONNECT = `UPDATE psn.accounts SET health = 'needs-reconnect', health_reason = $2, updated_at = now()
  WHERE id = $1 AND health = 'ok'`;

function again(
  table: string,
  {
    columns,
    row,
    audience,
    open,
    seal,
  }: {
    readonly columns: readonly string[];
    readonly row: Row;
    readonly audience: readonly string[];
  } & ReturnType<Resealing>,
): readonly (string | null)[] {
  return columns.map((column) => {
    const sealed = row[column];
    if (typeof sealed !== "string") return null;
    const place = { table, column, rowId: String(row["id"]), userId: String(row["user_id"]) };
    return seal({ ...place, version: Number(row["version"] ?? 1), audience }, open(place, sealed));
  });
}
