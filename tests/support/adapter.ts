import type { Json } from "@psn/core/types/index.ts";
import type { Platform, PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Part, Post } from "@psn/core/types/post.ts";

/*
 * An adapter by itself, without the engine: posts as tests write them down, and the requests that become of them.
 */

export const text = (words: string, media: Media[] = []): Part => ({ text: words, media });
export const post = (...parts: [Part, ...Part[]]): Post => ({ id: "p", parts });

export function adapter<Body extends Json>(
  platform: Pick<Platform<string, Body>, "compose" | "capabilities" | "publish">,
) {
  /**
   * The requests a post becomes on this account, each to be given its parent when the one before is out. Throws when it
   * is refused.
   */
  function requestsOf(value: Post | string, account?: Pick<Session, "profile">): PublishRequest<Body>[] {
    const whole = typeof value === "string" ? post(text(value)) : value;
    const composed = platform.compose(whole, { ...platform.capabilities, ...account?.profile.limits });
    if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
    const all = whole.parts.flatMap(({ media }) => media as readonly Media[]);
    return composed.units.map((unit) => ({
      unit,
      prepared: null,
      media: all.filter(({ id }) => unit.media.includes(id)),
      key: crypto.randomUUID(),
      at: new Date(),
    }));
  }
  /** The first request of a post. */
  function only(value: Post | string): PublishRequest<Body> {
    const [request] = requestsOf(value);
    if (!request) throw new Error("no unit");
    return request;
  }
  /** On a platform that is done at once. */
  async function publish(request: PublishRequest<Body>, session: Session): Promise<Ref> {
    const outcome = await platform.publish(request, session);
    if (outcome.status !== "published") throw new Error("the platform did not publish at once");
    return outcome.ref;
  }
  return { requestsOf, only, publish };
}

/** What a request's preparing came to, asked again at once while the platform still works; as the database keeps it. */
export async function prepareAll<Body extends Json>(
  platform: Pick<Platform<string, Body>, "prepare">,
  request: PublishRequest<Body>,
  session: Session,
): Promise<Json> {
  for (let handle: Json | undefined; ; ) {
    const made = await platform.prepare?.({ ...request, ...(handle === undefined ? {} : { handle }) }, session);
    if (made?.status !== "pending") return JSON.parse(JSON.stringify(made?.prepared ?? null));
    handle = JSON.parse(JSON.stringify(made.handle));
    await Bun.sleep(Math.min(made.checkAfterMs, 20));
  }
}

/** What it threw. */
export function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no failure",
    (error: unknown) => error,
  );
}
