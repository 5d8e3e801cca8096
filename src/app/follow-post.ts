import { EXIT, PsnError } from "@psn/core/errors.ts";
import { TERMINAL } from "@psn/domain/delivery.ts";
import type { DeliverySummary } from "./ports/posts.ts";
import type { World } from "./ports/world.ts";
import { runWorker } from "./run-worker.ts";

/** How often to look, in milliseconds, while another process may be the one that publishes: rarely while it is far off. */
const LOOK_MS = { least: 100, most: 5_000 } as const;

export interface FollowOptions {
  readonly world: World;
  readonly userId: string;
  readonly postId: string;
  readonly version: string;
  readonly stop: AbortSignal;
  /** How far ahead the next attempt may be for it to be waited for, in milliseconds; else however far. */
  readonly patienceMs?: number;
  readonly onProgress?: (deliveries: readonly DeliverySummary[]) => void;
}

/**
 * Stays until every delivery of the post has ended, publishing it from here when it is due: with or without a worker
 * elsewhere, whoever claims first sends. Returns where the deliveries are when it ends, is stopped, or nothing will happen for long.
 */
export async function followPost({
  world,
  userId,
  postId,
  version,
  stop,
  patienceMs = Number.POSITIVE_INFINITY,
  onProgress,
}: FollowOptions): Promise<readonly DeliverySummary[]> {
  const only = (await world.stores.posts.ofPost(userId, postId)).map(({ id }) => id);
  const done = new AbortController();
  const worker = runWorker({ world, name: `follow-${world.newId().slice(-8)}`, version, only, stop: AbortSignal.any([stop, done.signal]) });
  try {
    for (let seen = "", look: number = LOOK_MS.least; ; await world.sleep(look, stop).catch(() => undefined)) {
      const deliveries = await world.stores.posts.ofPost(userId, postId);
      const now = deliveries.map(({ state, unitsPublished }) => `${state}${unitsPublished}`).join();
      if (now !== seen) onProgress?.(deliveries);
      seen = now;
      const open = deliveries.filter((delivery) => !TERMINAL.has(delivery.state) && !waitsForUser(delivery));
      const ahead = Math.min(...open.map((delivery) => aheadOf(delivery, world.now())));
      look = Math.min(Math.max(ahead, LOOK_MS.least), LOOK_MS.most);
      if (stop.aborted || open.length === 0 || ahead > patienceMs) break;
    }
  } finally {
    done.abort();
    await worker;
  }
  return world.stores.posts.ofPost(userId, postId);
}

/** How far ahead the next thing is that can happen to it, in milliseconds. */
function aheadOf({ state, wakeAt }: DeliverySummary, now: Date): number {
  return state === "scheduled" || state === "pending" ? wakeAt.getTime() - now.getTime() : 0;
}

/** No worker touches a delivery before its account is connected again. */
function waitsForUser({ state, health }: DeliverySummary): boolean {
  return state === "held" || health !== "ok";
}

/** Throws what the deliveries' ends amount to; returns when all are published or still to come. */
export function assertOutcome(deliveries: readonly DeliverySummary[], waited: boolean): void {
  const count = (state: DeliverySummary["state"]) => deliveries.filter((delivery) => delivery.state === state).length;
  const published = count("published");
  if (published === deliveries.length) return;
  const postId = deliveries[0]?.postId.slice(-8) ?? "ID";
  const hint = `psn show ${postId}`;
  const failed = count("failed");
  if (failed > 0) {
    const reason = deliveries
      .filter(({ state }) => state === "failed")
      .map(({ platform, handle, message }) => `${platform}:${handle}: ${message}`)
      .join(" | ");
    throw new PsnError(published > 0 ? "PUBLISH_PARTIAL" : "PUBLISH_FAILED", reason, { hint });
  }
  const held = deliveries.find((delivery) => !TERMINAL.has(delivery.state) && waitsForUser(delivery));
  if (held) {
    const { platform, handle, message } = held;
    throw new PsnError(
      published > 0 ? "PUBLISH_PARTIAL" : "AUTH_REVOKED",
      `${platform}:${handle}: ${message ?? "must be reconnected first"}`,
      {
        hint: `psn connect ${platform}`,
      },
    );
  }
  if (count("unconfirmed") > 0) throw new PsnError("UNCONFIRMED", "a platform may or may not have the post", { hint });
  if (count("cancelled") > 0 && published === 0) throw new PsnError("STATE_CONFLICT", "the post was cancelled", { hint });
  if (!waited) return;
  const late = deliveries.find(({ state, message }) => !TERMINAL.has(state) && message !== null);
  const why = late ? ` (${late.platform}:${late.handle}: ${late.message})` : "";
  throw new PsnError("STILL_PENDING", `stopped waiting; the post is not out yet${why}`, { hint, details: { exit: EXIT.unknown } });
}
