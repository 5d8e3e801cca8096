import type { Builder } from "@psn/core/db/database.ts";
import { accounts, deliveries } from "@psn/core/db/schema.ts";
import { eq, type SQL, sql } from "drizzle-orm";

/* A delivery as a user sees it in a list. */

const ofDelivery = (expression: SQL, tail = sql``) =>
  sql`(select ${expression} from psn.delivery_units u where u.delivery_id = ${deliveries.id} ${tail})`;

/** A worker that is at it may still send: a disconnect does not take its lease away. */
const noLease = sql`(${deliveries.worker} is null
  or ${deliveries.leaseUntil} is null or ${deliveries.leaseUntil} <= now())`;

export const summaryColumns = {
  id: deliveries.id,
  postId: deliveries.postId,
  accountId: deliveries.accountId,
  platform: accounts.platform,
  handle: accounts.handle,
  health: accounts.health,
  state: deliveries.state,
  operation: deliveries.operation,
  dueAt: deliveries.dueAt,
  // A paused account's deliveries wake when the pause is over.
  wakeAt: sql<Date>`greatest(${deliveries.wakeAt}, ${accounts.pausedUntil})`.mapWith(deliveries.wakeAt),
  aheadMs: sql<number>`(extract(epoch from case
    when ${deliveries.state} in ('scheduled', 'pending')
      then greatest(${deliveries.wakeAt}, ${accounts.pausedUntil})
    when ${deliveries.state} = 'sending' and ${deliveries.worker} is null
      then greatest(${deliveries.leaseUntil}, ${accounts.pausedUntil})
    else now() end - now()) * 1000)::double precision`,
  nextAt: sql<Date | null>`case
    when ${accounts.health} <> 'ok' then null
    when ${deliveries.state} in ('scheduled', 'pending') and ${noLease}
      then greatest(${deliveries.wakeAt}, ${accounts.pausedUntil})
    when ${deliveries.state} in ('claimed', 'sending') and ${noLease}
      then greatest(${deliveries.leaseUntil}, ${accounts.pausedUntil})
    end`.mapWith(deliveries.wakeAt),
  atWork: sql<boolean>`not ${noLease}`,
  attempt: deliveries.attempt,
  fence: deliveries.fence,
  code: deliveries.code,
  message: deliveries.message,
  heldReason: deliveries.heldReason,
  revision: deliveries.revision,
  publishedAt: deliveries.publishedAt,
  text: sql<string>`coalesce(${ofDelivery(sql`u.text`, sql`and u.position = 0`)}, '')`,
  url: sql<string | null>`${ofDelivery(sql`u.ref_url`, sql`and u.position = 0`)}`,
  units: sql<number>`${ofDelivery(sql`count(*)::integer`)}`,
  unitsPublished: sql<number>`${ofDelivery(sql`count(*)::integer`, sql`and u.state = 'published'`)}`,
};

export function summaries(db: Builder) {
  return db.select(summaryColumns).from(deliveries).innerJoin(accounts, eq(accounts.id, deliveries.accountId));
}
