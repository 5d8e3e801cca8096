import type { Platform } from "@psn/core/types/platform.ts";

/** Loads one adapter. `atOnce` where Trigger.dev's tasks can publish: the most that one account may have in flight. */
interface Loader {
  (): Promise<Platform>;
  readonly atOnce?: number;
}

/** For what needs nothing of the user's own machine. Trigger.dev must know it before any adapter is loaded. */
const remote = <Load extends () => Promise<Platform>>(atOnce: number, load: Load) => Object.assign(load, { atOnce });

/**
 * Every platform, each loaded when it is first needed: an adapter's libraries cost a tenth of a second,
 * and `psn queue` needs none of them. The order here is the order the CLI shows. A test holds each line against its
 * adapter.
 */
export const platforms = {
  bluesky: remote(4, async () => (await import("./bluesky/index.ts")).default),
  mastodon: remote(2, async () => (await import("./mastodon/index.ts")).default),
  x: remote(2, async () => (await import("./x/index.ts")).default),
  linkedin: remote(2, async () => (await import("./linkedin/index.ts")).default),
  threads: remote(2, async () => (await import("./threads/index.ts")).default),
  feed: async () => (await import("./feed/index.ts")).default,
  webhook: remote(4, async () => (await import("./webhook/index.ts")).default),
} as const satisfies Record<string, Loader>;

export type PlatformId = keyof typeof platforms;

/** In the order the CLI shows. */
export const platformIds = Object.keys(platforms) as readonly PlatformId[];

/** Those that Trigger.dev's tasks can serve, with the most that one account may have in flight. */
export const remotePlatforms: Readonly<Partial<Record<PlatformId, number>>> = Object.fromEntries(
  Object.entries<Loader>(platforms).flatMap(([id, { atOnce }]) => (atOnce === undefined ? [] : [[id, atOnce]])),
);

export function isPlatformId(id: string): id is PlatformId {
  return Object.hasOwn(platforms, id);
}
