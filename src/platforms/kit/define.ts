import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Composed, Outcome, Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";

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
 * For inference: the id stays a literal, the body's type the platform's own, and the verbs it has are known to be
 * there. A verb that needs scopes throws AUTH_SCOPE for a token that is known to lack one, and sends nothing.
 */
export function definePlatform<const P extends Platform>(platform: P): Defined<P>;
export function definePlatform(platform: Platform): Platform {
  const { scopes, prepare, publish, lookup, remove } = platform;
  if (!scopes) return Object.freeze(platform);
  const held =
    <Given extends readonly [unknown, Session, ...unknown[]], Came>(
      verb: keyof typeof scopes,
      run: (...given: Given) => Promise<Came>,
    ) =>
    async (...given: Given): Promise<Came> => {
      assertAllowed(platform, scopes[verb] ?? [], given[1]);
      return run(...given);
    };
  return Object.freeze({
    ...platform,
    ...defined({ prepare: prepare && held("prepare", prepare), lookup: lookup && held("lookup", lookup) }),
    publish: held("publish", publish),
    remove: held("remove", remove),
  } satisfies Platform);
}

/** `publish` where a platform's answer to a post is the post itself. */
export function published<Body extends Json>(send: (request: PublishRequest<Body>, session: Session) => Promise<Ref>) {
  return async (request: PublishRequest<Body>, session: Session): Promise<Outcome> => ({
    status: "published",
    ref: await send(request, session),
  });
}

function assertAllowed({ id, name }: Platform, needed: readonly string[], { credentials, signal }: Session): void {
  signal.throwIfAborted();
  const { scopes: granted } = credentials;
  // Not every server says what it granted.
  if (granted.length === 0) return;
  const missing = needed.filter((scope) => !granted.some((one) => scope === one || scope.startsWith(`${one}:`)));
  if (missing.length === 0) return;
  throw new PsnError("AUTH_SCOPE", `the account's token for ${name} does not include ${missing.join(", ")}`, {
    hint: `psn connect ${id}, and allow all that psn asks for`,
  });
}
