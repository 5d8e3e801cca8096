import type { Database } from "@psn/core/db/database.ts";
import { accounts, deliveries } from "@psn/core/db/schema.ts";
import type { DeliveryRequest, Posts } from "@psn/core/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { and, asc, desc, eq, gte, inArray, notInArray, sql } from "drizzle-orm";
import { uuids } from "./changes.ts";
import { summaryColumns } from "./summaries.ts";

/*
 * Lists of deliveries, page by page. A page begins behind the place of the last delivery of the page before it, not
 * after a number of rows: what is inserted, changed or deleted meanwhile moves no other delivery to another page.
 */

const ENDED: DeliveryState[] = ["published", "failed", "cancelled", "removed"];

/** The column by which a list is ordered; its index is the list's. */
const COLUMN = { due: deliveries.dueAt, changed: deliveries.updatedAt } as const;

/** To the microsecond, as Postgres keeps it: a `Date` would lose three digits, and the place with them. */
const exactly = (column: (typeof COLUMN)["due" | "changed"]) =>
  sql<string>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

function matching(userId: string, { order, states, accountIds, since, search, after }: DeliveryRequest) {
  const column = COLUMN[order];
  const than = sql.raw(order === "due" ? ">" : "<");
  return and(
    eq(deliveries.userId, userId),
    states === "open" ? notInArray(deliveries.state, ENDED) : undefined,
    typeof states === "string" ? undefined : inArray(deliveries.state, [...states]),
    accountIds && sql`${deliveries.accountId} = any(${uuids(accountIds)})`,
    since && gte(deliveries.dueAt, since),
    // No pattern: a percent sign is one.
    search === undefined
      ? undefined
      : sql`exists (select from psn.delivery_units u where u.delivery_id = ${deliveries.id}
          and position(lower(${search}::text) in lower(u.text)) > 0)`,
    after && sql`(${column}, ${deliveries.id}) ${than} (${after.at}::timestamptz, ${after.id}::uuid)`,
  );
}

export function pagesStore(database: Database): Pick<Posts, "list" | "page"> {
  const page: Posts["page"] = async (userId, request) => {
    const { order, limit } = request;
    const column = COLUMN[order];
    const direction = order === "due" ? asc : desc;
    // The place comes with the row: another statement might see the row elsewhere already.
    const [rows] = await database.run(
      { userId },
      (db) => [
        db
          .select({ ...summaryColumns, place: exactly(column) })
          .from(deliveries)
          .innerJoin(accounts, eq(accounts.id, deliveries.accountId))
          .where(matching(userId, request))
          .orderBy(direction(column), direction(deliveries.id))
          .limit(limit + 1),
      ],
      { repeatable: true },
    );
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return {
      deliveries: shown.map(({ place: _, ...delivery }) => delivery),
      next: last && { at: last.place, id: last.id },
    };
  };
  return {
    page,
    list: async (userId, filter, limit) => {
      const open = filter === "open";
      const { deliveries: found } = await page(userId, { order: open ? "due" : "changed", states: filter, limit });
      return found;
    },
  };
}
