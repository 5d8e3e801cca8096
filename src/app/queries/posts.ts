import { findDeliveries } from "@psn/app/find-deliveries.ts";
import type { Scope } from "@psn/app/scope.ts";
import type { Claim } from "@psn/core/ports/deliveries.ts";
import type { DeliveryDetail, DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";

/**
 * Everything about the deliveries that an id means: their units and their history. Throws INPUT_INVALID for what is no
 * id, AMBIGUOUS for what fits several, NOT_FOUND for what fits none.
 */
export async function postDetail(
  { world, user }: Scope,
  { id }: { readonly id: string },
): Promise<readonly DeliveryDetail[]> {
  return findDeliveries(world, user.id, id);
}

/** Where all deliveries of a post are now. */
export function deliveriesOf({ world, user }: Scope, postId: string): Promise<readonly DeliverySummary[]> {
  return world.stores.posts.ofPost(user.id, postId);
}

/** What became of a delivery that a worker had claimed, of whichever user; undefined where it is gone. */
export async function claimedDelivery(
  { stores }: World,
  { userId, deliveryId }: Pick<Claim, "userId" | "deliveryId">,
): Promise<DeliveryDetail | undefined> {
  const [detail] = await stores.posts.detail(userId, [deliveryId]);
  return detail;
}
