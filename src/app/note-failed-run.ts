import type { World } from "@psn/core/ports/world.ts";

export interface FailedRun {
  readonly world: World;
  readonly userId: string;
  readonly deliveryId: string;
  /** Why it failed, safe to store. */
  readonly said: string;
  /** Whose run it was. */
  readonly actor: string;
}

/** A line in the history of the delivery that a run was about: it failed outside of the delivery's own steps. */
export function noteFailedRun({ world, userId, deliveryId, said, actor }: FailedRun): Promise<void> {
  return world.stores.deliveries.note(userId, { deliveryId, event: "run failed", text: said, actor });
}
