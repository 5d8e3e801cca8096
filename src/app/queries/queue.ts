import { accountsNamed } from "@psn/app/choose-accounts.ts";
import type { Scope } from "@psn/app/scope.ts";
import type { DeliveryPage, DeliveryRequest, DeliverySummary } from "@psn/core/ports/posts.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { TERMINAL } from "@psn/domain/delivery.ts";
import { cursorOf, placeOf } from "./cursor.ts";

export interface QueueInput {
  /** Also what has ended, the latest change first; else what is to come, the next first. */
  readonly all: boolean;
  /** How many deliveries at most. */
  readonly limit: number;
  /** An instant: only what is due then or later. */
  readonly since?: string | undefined;
  /** A platform, or the name or handle of an account. */
  readonly account?: string | undefined;
  readonly state?: readonly DeliveryState[] | undefined;
  /** Words of the text. */
  readonly search?: string | undefined;
  /** Where the page before ended. */
  readonly cursor?: string | undefined;
}

export interface QueuePage {
  readonly deliveries: readonly DeliverySummary[];
  /** Where the next page begins; null where there is none. */
  readonly nextCursor: string | null;
}

/**
 * A page of the user's deliveries. Throws INPUT_INVALID for a cursor of another list, NOT_FOUND and AUTH_REQUIRED for
 * an account that is not there.
 */
export async function queueOf({ world, user }: Scope, input: QueueInput): Promise<QueuePage> {
  const { all, limit, since, account, state, search, cursor } = input;
  const order = all || state?.some((one) => TERMINAL.has(one)) ? "changed" : "due";
  const after = cursor === undefined ? undefined : placeOf(cursor, order);
  const accounts =
    account === undefined
      ? undefined
      : accountsNamed(await world.stores.accounts.list(user.id), account, world.platforms.ids);
  const page = await world.stores.posts.page(user.id, {
    order,
    states: state ?? (all ? "all" : "open"),
    accountIds: accounts?.map(({ id }) => id),
    since: since === undefined ? undefined : new Date(since),
    search,
    after,
    limit,
  } satisfies DeliveryRequest);
  return queuePage(page, order);
}

const queuePage = ({ deliveries, next }: DeliveryPage, order: DeliveryRequest["order"]): QueuePage => ({
  deliveries,
  nextCursor: next ? cursorOf(next, order) : null,
});
