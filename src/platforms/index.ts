import type { Platform } from "@psn/core/types/platform.ts";

/**
 * Every platform, each loaded when it is first needed: an adapter's libraries cost a tenth of a second,
 * and `psn queue` needs none of them. The order here is the order the CLI shows.
 */
export const platforms = {
  bluesky: async () => (await import("./bluesky/index.ts")).default,
  mastodon: async () => (await import("./mastodon/index.ts")).default,
  x: async () => (await import("./x/index.ts")).default,
  linkedin: async () => (await import("./linkedin/index.ts")).default,
  threads: async () => (await import("./threads/index.ts")).default,
  feed: async () => (await import("./feed/index.ts")).default,
  webhook: async () => (await import("./webhook/index.ts")).default,
} as const satisfies Record<string, () => Promise<Platform>>;

export type PlatformId = keyof typeof platforms;

/** In the order the CLI shows. */
export const platformIds = Object.keys(platforms) as readonly PlatformId[];

/**
 * Those that need nothing of the user's own machine, with the most one account may have in flight: what Trigger.dev
 * must know before any adapter is loaded. A test holds it against the adapters.
 */
export const remotePlatforms: Readonly<Partial<Record<PlatformId, number>>> = {
  bluesky: 4,
  mastodon: 2,
  x: 2,
  linkedin: 2,
  threads: 2,
  webhook: 4,
};

export function isPlatformId(id: string): id is PlatformId {
  return Object.hasOwn(platforms, id);
}
