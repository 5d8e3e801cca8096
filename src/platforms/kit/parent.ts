import type { PsnError } from "@psn/core/errors.ts";
import type { Net, PublishRequest } from "@psn/core/types/platform.ts";
import { renamed } from "./http.ts";

/*
 * A thread's next post can reach a server that has not heard of the one before it yet: X, Threads and LinkedIn refuse
 * it then as if that were deleted, and take it seconds later.
 */

/** Longest that such a refusal is believed to pass, in milliseconds. */
const HEARD_OF_WITHIN_MS = 2 * 60_000;
/** The next try comes when as much time again has passed, within these bounds, in milliseconds: six or seven tries. */
const AGAIN_MS = { least: 2_000, most: 30_000 };

/**
 * What a refusal for the sake of the parent means while psn has only just posted that: nothing was made, and it is
 * tried again. Undefined once it counts, in the network's own words, and for a parent of which nobody knows when it was
 * posted.
 */
export function notHeardOfYet(
  error: PsnError,
  { parent, parentAt }: PublishRequest,
  { now }: Net,
): PsnError | undefined {
  const ageMs = parent && parentAt ? now().getTime() - parentAt.getTime() : Number.POSITIVE_INFINITY;
  if (ageMs > HEARD_OF_WITHIN_MS) return undefined;
  return renamed("PLATFORM_DOWN", error, {
    says:
      "the previous post was published a moment ago, and not all servers of the platform know it yet " +
      `(${error.message})`,
    retryAfterMs: Math.min(Math.max(AGAIN_MS.least, ageMs), AGAIN_MS.most),
  });
}
