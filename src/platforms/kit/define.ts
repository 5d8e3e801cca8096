import type { Json } from "@psn/core/types/index.ts";
import type { Composed, Platform } from "@psn/core/types/platform.ts";

type Verb =
  | "connect"
  | "sole"
  | "authorize"
  | "exchange"
  | "prepare"
  | "poll"
  | "lookup"
  | "locate"
  | "refresh"
  | "revoke";
type BodyOf<P extends Platform> =
  Extract<ReturnType<P["compose"]>, { readonly ok: true }> extends Composed<infer Body> ? Body : Json;
type Defined<P extends Platform> = Platform<P["id"], BodyOf<P>> &
  Required<Pick<Platform<P["id"], BodyOf<P>>, keyof P & Verb>>;

/**
 * Identity, for inference: the id stays a literal, the body's type the platform's own, and the verbs it has are known
 * to be there.
 */
export function definePlatform<const P extends Platform>(platform: P): Defined<P>;
export function definePlatform(platform: Platform): Platform {
  return Object.freeze(platform);
}
