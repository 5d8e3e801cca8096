import { PsnError } from "@psn/core/errors.ts";
import type { DeliveryDetail } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";

/** Fewer characters would soon fit too much. */
const SHORTEST = 4;

/** Ids as they are printed: the end of the UUID, where it is random. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/**
 * The deliveries an id means: one delivery, or all of a post, by the whole id or its end.
 * Throws INPUT_INVALID for what is no id, AMBIGUOUS for what fits several, NOT_FOUND for what fits none.
 */
export async function findDeliveries(
  { stores }: World,
  userId: string,
  id: string,
): Promise<readonly DeliveryDetail[]> {
  if (!/^[0-9a-f-]+$/i.test(id) || id.length < SHORTEST)
    throw new PsnError(
      "INPUT_INVALID",
      `"${id}" is not an id; an id consists of hex characters, and its last ${SHORTEST} or more are enough`,
      {
        hint: { run: "queue" },
      },
    );
  const found = await stores.posts.find(userId, id);
  const one = found.filter((delivery) => delivery.id.endsWith(id.toLowerCase()));
  if (one.length === 1) return one;
  const ofPost = found.filter((delivery) => delivery.postId.endsWith(id.toLowerCase()));
  if (one.length > 1 || new Set(ofPost.map(({ postId }) => postId)).size > 1)
    throw new PsnError("AMBIGUOUS", `"${id}" matches several; use more characters`, { hint: "psn queue --json" });
  if (ofPost.length === 0) throw new PsnError("NOT_FOUND", `no post or delivery has an id that ends in ${id}`);
  return ofPost;
}
