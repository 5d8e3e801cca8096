import { PsnError } from "@psn/core/errors.ts";
import type { HubRow, HubTable } from "@psn/core/ports/hub.ts";
import type { Place, Vault } from "@psn/core/ports/outside.ts";
import type { Json } from "@psn/core/types/index.ts";
import { z } from "zod";

/*
 * A hub as one file, and back. What is sealed is opened for the file, which is sealed as a whole, and sealed again by
 * the key of the hub it comes to.
 */

/** Of the file; grows when an older psn could not read it any more. */
const VERSION = 1;

/** What the first line of a file says in every version. */
const Mark = z.object({ psn: z.literal("hub"), version: z.int(), schema: z.int() });
/** The first line of a file. */
const Head = z.object({
  ...Mark.shape,
  at: z.iso.datetime(),
  /** The hub it comes from does not publish these posts any more. */
  moved: z.boolean(),
  /** PSN_USER there. */
  user: z.uuid(),
  handle: z.string(),
  timeZone: z.string(),
  /** hub.env, without what is of one machine. */
  settings: z.record(z.string(), z.string()),
  /** keys.env. */
  keys: z.record(z.string(), z.string()),
});
export type Head = Readonly<z.infer<typeof Head>>;

export interface Exported {
  readonly rows: number;
  /** Values that did not open, and so are not in the file: their table and row id. */
  readonly lost: readonly string[];
}

/** Lines of the file, ending with one that says how many rows there were. */
export async function* linesOf(
  head: Omit<Head, "psn" | "version">,
  {
    rows,
    vault,
    told,
  }: {
    readonly rows: AsyncIterable<HubRow>;
    readonly vault: Pick<Vault, "open">;
    readonly told: { rows: number; lost: string[] };
  },
): AsyncGenerator<string> {
  const first: Head = { psn: "hub", version: VERSION, ...head };
  yield JSON.stringify(first);
  const place = placing();
  for await (const row of rows) {
    const opened = openRow(row, { placed: place(row), vault, lost: told.lost });
    if (opened === undefined) continue;
    told.rows += 1;
    yield `${row.table}\t${opened}`;
  }
  yield JSON.stringify({ end: told.rows });
}

/**
 * The head of a file, and its rows, which are to be read to their end or given back. Throws ARCHIVE_INVALID for what
 * is no such file or ends too early, and ARCHIVE_NEWER for one of a newer psn.
 */
export async function readLines(
  lines: AsyncGenerator<string>,
  isTable: (name: string) => name is HubTable,
  schema: number,
): Promise<{ readonly head: Head; readonly rows: AsyncGenerator<HubRow> }> {
  try {
    const first = await lines.next();
    const line = first.done ? undefined : jsonOf(first.value);
    const mark = Mark.safeParse(line);
    if (mark.success && (mark.data.version > VERSION || mark.data.schema > schema))
      throw new PsnError("ARCHIVE_NEWER", "the file was made by a newer psn", { hint: "update psn" });
    const { data: head } = Head.safeParse(line);
    if (!head)
      throw new PsnError("ARCHIVE_INVALID", "the passphrase is right, but the file is not a psn export", {
        hint: "psn export FILE",
      });
    return { head, rows: rowsIn(lines, isTable) };
  } catch (error) {
    await lines.return(undefined);
    throw error;
  }
}

async function* rowsIn(
  lines: AsyncGenerator<string>,
  isTable: (name: string) => name is HubTable,
): AsyncGenerator<HubRow> {
  let count = 0;
  let ended = false;
  // To the very end, where the seal of the whole shows whether something was cut off.
  for await (const line of lines) {
    const tab = line.indexOf("\t");
    const table = line.slice(0, tab);
    if (!ended && tab > 0 && isTable(table)) {
      count += 1;
      yield { table, json: line.slice(tab + 1) };
    } else if (!ended && line === JSON.stringify({ end: count })) ended = true;
    else throw noPart();
  }
  if (!ended)
    throw new PsnError("ARCHIVE_INVALID", "the file is incomplete: its end is missing", {
      hint: "create it again: psn export FILE",
    });
}

/** Undefined for what is no JSON. */
function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What an import makes of the rows of a file. */
export interface Import {
  readonly vault: Pick<Vault, "seal">;
  readonly now: Date;
}

/** The rows of a file as this hub keeps them, and the lines of history that say so. */
export async function* landed(rows: AsyncIterable<HubRow>, wish: Import): AsyncGenerator<HubRow> {
  const history: HubRow[] = [];
  const place = placing();
  const written = function* () {
    yield* history.splice(0);
  };
  /** In an archive of an older psn a post has the wall time, and not its deliveries. */
  const walls = new Map<Json, Fields>();
  for await (const row of rows) {
    if (row.table === "posts") {
      const { id = null, wall_time, time_zone = null } = fieldsOf(row.json);
      if (wall_time !== undefined) walls.set(id, { wall_time, time_zone });
    }
    // Behind a user's own history.
    if (row.table === "users" || row.table === "slots") yield* written();
    if (row.table !== "deliveries") {
      yield sealRow(row, place(row), wish.vault);
      continue;
    }
    const { json, event } = landDelivery(row.json, walls, wish);
    yield { table: "deliveries", json };
    if (event) history.push({ table: "delivery_events", json: event });
  }
  yield* written();
}

const noPart = () =>
  new PsnError("ARCHIVE_INVALID", "the file contains data that does not belong to a hub", {
    hint: "create it again: psn export FILE",
  });

const Fields = z.record(z.string(), z.json());
type Fields = Readonly<Record<string, Json>>;
/** Throws ARCHIVE_INVALID for what is no row. */
function fieldsOf(json: string): Fields {
  const { data } = Fields.safeParse(jsonOf(json));
  if (!data) throw noPart();
  return data;
}

/**
 * Two hubs with the same posts must not both publish them. What was not sent waits for its user's word; what may have
 * been sent is not to be sent again by anybody, for only the hub that sent it has the answer.
 */
function landDelivery(
  json: string,
  walls: ReadonlyMap<Json, Fields>,
  { now }: Import,
): { readonly json: string; readonly event: string | undefined } {
  const row = fieldsOf(json);
  const base: Fields = { ...row, ...walls.get(row["post_id"] ?? null), lease_until: null, worker: null };
  const change = (state: string, code: string | null, message: string | null) => ({
    json: JSON.stringify({ ...base, state, held_reason: state === "held" ? "imported" : null, code, message }),
    event: JSON.stringify({
      delivery_id: row["id"] ?? null,
      user_id: row["user_id"] ?? null,
      at: now.toISOString(),
      event: "imported",
      attempt: row["attempt"] ?? 0,
      unit: null,
      code,
      note: message,
      actor: "user",
    }),
  });
  switch (row["state"]) {
    case "scheduled":
    case "claimed":
    case "held":
      return change("held", null, "came by psn import; psn import --start lets it go");
    case "sending":
    case "pending":
      return change("unconfirmed", "UNCONFIRMED", "it was on its way when the hub was exported");
    default:
      return { json: JSON.stringify(base), event: undefined };
  }
}

const SEALED: Readonly<Partial<Record<HubTable, readonly string[]>>> = {
  oauth_tokens: ["access_token", "refresh_token", "secret"],
  api_keys: ["value"],
};

/** Where a row's values are sealed, by column; undefined for a row without any. */
type Placed = { readonly fields: Fields; readonly at: (column: string) => Place } | undefined;

/**
 * Places the rows of a hub, which come in order: a token is bound to what its account is, and accounts come before
 * their tokens.
 */
function placing(): (row: HubRow) => Placed {
  const audiences = new Map<string, readonly string[]>();
  return ({ table, json }) => {
    if (table !== "accounts" && !SEALED[table]) return undefined;
    const fields = fieldsOf(json);
    const text = (name: string) => String(fields[name]);
    if (table === "accounts") {
      audiences.set(text("id"), ["platform", "subject", "home"].map(text));
      return undefined;
    }
    const audience = table === "api_keys" ? [text("name")] : (audiences.get(text("account_id")) ?? []);
    // A file of an older psn knows no versions.
    const version = Number(fields["version"] ?? 1);
    return {
      fields,
      at: (column) => ({ table, column, rowId: text("id"), userId: text("user_id"), version, audience }),
    };
  };
}

/**
 * The row with its secrets in clear; undefined when one does not open, and then the row is of no use elsewhere either.
 */
function openRow(
  row: HubRow,
  { placed, vault, lost }: { readonly placed: Placed; readonly vault: Pick<Vault, "open">; readonly lost: string[] },
): string | undefined {
  const columns = SEALED[row.table];
  if (!columns || !placed) return row.json;
  const { fields, at } = placed;
  try {
    const opened = columns.map((column) => {
      const value = fields[column];
      return [column, typeof value === "string" ? vault.open(at(column), value) : null] as const;
    });
    return JSON.stringify({ ...fields, refresh_lease_until: null, ...Object.fromEntries(opened) });
  } catch (error) {
    if (!(error instanceof PsnError) || !error.code.startsWith("VAULT_")) throw error;
    lost.push(`${row.table} ${String(fields["id"])}`);
    return undefined;
  }
}

function sealRow(row: HubRow, placed: Placed, vault: Pick<Vault, "seal">): HubRow {
  const columns = SEALED[row.table];
  if (!columns || !placed) return row;
  const { fields, at } = placed;
  const sealed = columns.map((column) => {
    const value = fields[column];
    return [column, typeof value === "string" ? vault.seal(at(column), value) : null] as const;
  });
  return { table: row.table, json: JSON.stringify({ ...fields, ...Object.fromEntries(sealed) }) };
}
