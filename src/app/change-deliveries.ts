import { PsnError } from "@psn/core/errors.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { findDeliveries, shortId } from "./find-deliveries.ts";
import type { DeliverySummary } from "./ports/posts.ts";
import type { World } from "./ports/world.ts";
import { type Woken, wakeUp } from "./wake-up.ts";

export type Change =
  | { readonly to: "cancel" }
  | { readonly to: "retry" }
  | { readonly to: "move"; readonly at: Date; readonly wallTime: string; readonly timeZone: string };

/** From which states each change is possible; the stores hold the same line, this says so before anything is asked. */
const FROM: Readonly<Record<Change["to"], readonly DeliveryState[]>> = {
  cancel: ["held", "scheduled", "claimed"],
  move: ["held", "scheduled", "claimed"],
  retry: ["failed", "held", "cancelled", "scheduled"],
};
const DONE: Readonly<Record<Change["to"], string>> = { cancel: "cancelled", move: "moved", retry: "tried again" };

/** What became of them, and who will publish what is scheduled now. */
export interface Changed {
  readonly deliveries: readonly DeliverySummary[];
  readonly woken: Woken;
}
const NOBODY_WOKEN: Woken = { queue: null, missed: null, atHome: [] };

/**
 * Cancels, moves or retries all deliveries an id means, as far as their states allow. Throws STATE_CONFLICT when none
 * does, also when a worker was faster.
 */
export async function changeDeliveries(world: World, userId: string, id: string, change: Change, dryRun: boolean): Promise<Changed> {
  const { posts } = world.stores;
  const ids = await findDeliveries(world, userId, id);
  const before = await posts.detail(userId, ids);
  const able = before.filter(({ state }) => FROM[change.to].includes(state));
  if (able.length === 0) throw conflict(before, change);
  if (dryRun) return { deliveries: able, woken: NOBODY_WOKEN };
  const wanted = able.map((delivery) => delivery.id);
  const changed = await apply(world, userId, wanted, change);
  const after = await posts.detail(userId, wanted);
  if (changed.length === 0) throw conflict(after, change);
  return telling(
    world,
    userId,
    after.filter((delivery) => changed.includes(delivery.id)),
  );
}

async function telling(world: World, userId: string, deliveries: readonly DeliverySummary[]): Promise<Changed> {
  return { deliveries, woken: await wakeUp(world, userId, deliveries) };
}

function apply({ stores: { posts } }: World, userId: string, ids: readonly string[], change: Change): Promise<readonly string[]> {
  switch (change.to) {
    case "cancel":
      return posts.cancel(userId, ids);
    case "retry":
      return posts.retry(userId, ids);
    case "move":
      return posts.move(userId, ids, change.at, change.wallTime, change.timeZone);
  }
}

function conflict(deliveries: readonly DeliverySummary[], { to }: Change): PsnError {
  const said = deliveries.map((delivery) => `${delivery.platform}:${delivery.handle} is ${delivery.state}`).join(", ");
  const first = deliveries[0];
  const unconfirmed = deliveries.find(({ state }) => state === "unconfirmed");
  const hint = unconfirmed
    ? `psn resolve ${shortId(unconfirmed.id)} --live URL | --not-live`
    : `psn show ${first ? shortId(first.id) : "ID"}`;
  return new PsnError("STATE_CONFLICT", `this cannot be ${DONE[to]} any more: ${said}`, { hint });
}

/** Records what a person found out about an unconfirmed delivery; `live` is the post's address. */
export async function resolveDelivery(
  world: World,
  userId: string,
  id: string,
  live: string | undefined,
  dryRun = false,
): Promise<Changed> {
  const { posts } = world.stores;
  const ids = await findDeliveries(world, userId, id);
  const open = (await posts.detail(userId, ids)).filter(({ state }) => state === "unconfirmed");
  const [delivery, ...others] = open;
  if (!delivery) throw new PsnError("STATE_CONFLICT", "nothing here is unconfirmed", { hint: `psn show ${id}` });
  if (others.length > 0)
    throw new PsnError(
      "INPUT_INVALID",
      `${open.length} deliveries of this post are unconfirmed; name one: ${open.map((one) => shortId(one.id)).join(", ")}`,
    );
  if (dryRun) return { deliveries: [delivery], woken: NOBODY_WOKEN };
  const verdict = live === undefined ? "not-live" : ({ live: { id: live, url: live } } as const);
  if (!(await posts.resolve(userId, delivery.id, verdict)))
    throw new PsnError("STATE_CONFLICT", "somebody else has resolved it meanwhile", { hint: `psn show ${id}` });
  return telling(world, userId, await posts.detail(userId, [delivery.id]));
}
