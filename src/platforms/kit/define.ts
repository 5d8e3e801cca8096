import type { Json } from "@psn/core/types/index.ts";
import type { Platform } from "@psn/core/types/platform.ts";

/** Identity, for inference: the id stays a literal and the body's type stays the platform's own. */
export function definePlatform<const Id extends string, Body extends Json>(platform: Platform<Id, Body>): Platform<Id, Body> {
  return Object.freeze(platform);
}
