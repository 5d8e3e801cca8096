import { PsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";

/** Fewer characters would soon fit too much. */
const SHORTEST = 4;

/** Ids as they are printed: the end of the UUID, where it is random. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/**
 * The deliveries an id means: one delivery, or all of a post, by the whole id or its end.
 * Throws INPUT_INVALID for what is no id or fits several, NOT_FOUND for what fits none.
 */
export async function findDeliveries({ stores }: World, userId: string, id: string): Promise<readonly string[]> {
  if (!/^[0-9a-f-]+$/i.test(id) || id.length < SHORTEST)
    throw new PsnError(
      "INPUT_INVALID",
      `"${id}" is not an id; an id is made of hex characters, of which the last ${SHORTEST} or more are enough`,
      {
        hint: { run: "queue" },
      },
    );
  const found = await stores.posts.resolveId(userId, id);
  const one = found.filter((delivery) => delivery.id.endsWith(id.toLowerCase()));
  if (one.length === 1) return one.map((delivery) => delivery.id);
  const ofPost = found.filter((delivery) => delivery.postId.endsWith(id.toLowerCase()));
  if (one.length > 1 || new Set(ofPost.map(({ postId }) => postId)).size > 1)
    throw new PsnError("INPUT_INVALID", `"${id}" fits several; give more of it`, { hint: "psn queue --json" });
  if (ofPost.length === 0) throw new PsnError("NOT_FOUND", `there is no post or delivery whose id is or ends in ${id}`);
  return ofPost.map((delivery) => delivery.id);
}
