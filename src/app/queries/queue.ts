import type { Scope } from "@psn/app/scope.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";

export interface QueueInput {
  /** Also what has ended, the latest first; else what is to come, the next first. */
  readonly all: boolean;
  /** How many deliveries at most. */
  readonly limit: number;
}

export function queueOf({ world, user }: Scope, { all, limit }: QueueInput): Promise<readonly DeliverySummary[]> {
  return world.stores.posts.list(user.id, all ? "all" : "open", limit);
}
