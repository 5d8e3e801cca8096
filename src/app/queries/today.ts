import { isUnsure } from "@psn/app/advice.ts";
import type { Scope } from "@psn/app/scope.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { accountsOf, needReconnect } from "./accounts.ts";
import { queueOf } from "./queue.ts";

/** How many deliveries are looked at, of those to come and of the latest. */
const MOST = 10;

/** The day at a glance: what comes next, and what needs its user. */
export interface Today {
  /** What is to come, the next first. */
  readonly next: readonly DeliverySummary[];
  /** Whether more than `next` is to come. */
  readonly more: boolean;
  /** Held since their time passed long ago while nothing ran: their user says what becomes of them. */
  readonly late: readonly DeliverySummary[];
  readonly failed: readonly DeliverySummary[];
  /** Only a person can find out whether these are public. */
  readonly unconfirmed: readonly DeliverySummary[];
  /** The connected accounts. */
  readonly accounts: readonly Account[];
  /** Those of them that must be reconnected. */
  readonly reconnect: readonly Account[];
}

export async function todayOf(scope: Scope): Promise<Today> {
  const { deliveries: next, nextCursor } = await queueOf(scope, { all: false, limit: MOST });
  const { deliveries: recent } = await queueOf(scope, { all: true, limit: MOST });
  const accounts = await accountsOf(scope);
  return {
    next,
    more: nextCursor !== null,
    late: next.filter(({ state, code }) => state === "held" && code === "LATE"),
    failed: recent.filter(({ state }) => state === "failed"),
    unconfirmed: next
      .concat(recent)
      .filter((delivery, n, all) => isUnsure(delivery) && all.findIndex(({ id }) => id === delivery.id) === n),
    accounts,
    reconnect: needReconnect(accounts),
  };
}
