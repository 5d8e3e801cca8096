import { PsnError } from "@psn/core/errors.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { TO_COME } from "@psn/core/types/index.ts";
import { TERMINAL } from "@psn/domain/delivery.ts";
import { advice } from "./advice.ts";
import { shortId } from "./find-deliveries.ts";
import { runWorker } from "./run-worker.ts";

/**
 * How often to look, in milliseconds, while another process may be the one that publishes: rarely while it is far off.
 */
const LOOK_MS = { least: 250, most: 5_000 } as const;

export interface FollowOptions {
  readonly world: World;
  readonly userId: string;
  readonly postId: string;
  /** These of its deliveries; absent: all. */
  readonly only?: readonly string[];
  readonly version: string;
  readonly stop: AbortSignal;
  /** How far ahead the next attempt may be for it to be waited for, in milliseconds; else however far. */
  readonly patienceMs?: number;
  readonly onProgress?: (deliveries: readonly DeliverySummary[]) => void;
}

/**
 * Stays until every delivery of the post has ended, publishing it from here when it is due: with or without a worker
 * elsewhere, the process that claims first sends. Returns where the deliveries are when it ends, is stopped, or nothing
 * will happen for long.
 */
export async function followPost({
  world,
  userId,
  postId,
  only: some,
  version,
  stop,
  patienceMs = Number.POSITIVE_INFINITY,
  onProgress,
}: FollowOptions): Promise<readonly DeliverySummary[]> {
  const read = async () =>
    (await world.stores.posts.ofPost(userId, postId)).filter(({ id }) => some?.includes(id) ?? true);
  let deliveries = await read();
  const only = deliveries.map(({ id }) => id);
  const done = new AbortController();
  let wake = new AbortController();
  const worker = runWorker({
    world,
    name: `follow-${world.newId().slice(-8)}`,
    version,
    only,
    stop: AbortSignal.any([stop, done.signal]),
    // What is published from here is known at once.
    onDone: () => wake.abort(),
  });
  try {
    for (let [seen, look]: [string, number] = ["", LOOK_MS.least]; ; deliveries = await read()) {
      const now = deliveries.map(progressKey).join();
      if (now !== seen) onProgress?.(deliveries);
      seen = now;
      const open = deliveries.filter((delivery) => !TERMINAL.has(delivery.state) && !waitsForUser(delivery));
      const ahead = Math.min(...open.map(({ aheadMs }) => aheadMs));
      look = Math.min(Math.max(ahead, LOOK_MS.least), LOOK_MS.most);
      if (open.length === 0) return deliveries;
      if (stop.aborted || ahead > patienceMs) break;
      await world.sleep(look, AbortSignal.any([stop, wake.signal])).catch(() => undefined);
      wake = new AbortController();
    }
  } finally {
    done.abort();
    await worker;
  }
  return read();
}

/** Changes with everything a person may want to know of while it goes on: a state, a part, another try. */
export function progressKey({ state, unitsPublished, code, nextAt }: DeliverySummary): string {
  return `${state} ${unitsPublished} ${code} ${nextAt?.getTime()}`;
}

/** No worker touches a delivery before its account is connected again. */
function waitsForUser({ state, health }: DeliverySummary): boolean {
  return state === "held" || health !== "ok";
}

/**
 * Throws what the deliveries' ends amount to; returns when all are published. What may be out or is still to come
 * counts before what failed: a user who posts again after a failure must not publish anything twice.
 */
export function assertOutcome(deliveries: readonly DeliverySummary[]): void {
  const open = deliveries.filter(({ state }) => state !== "published");
  const [first] = open;
  if (!first) return;
  const some = open.length < deliveries.length;
  const of = (state: DeliverySummary["state"]) => open.filter((delivery) => delivery.state === state);
  const details = { post: first.postId, deliveries: deliveries.map(fact) };
  const hint = `psn show ${shortId(first.postId)}`;
  const [unsure] = of("unconfirmed");
  if (unsure)
    throw new PsnError("UNCONFIRMED", `could not confirm whether the post was published: ${said(of("unconfirmed"))}`, {
      hint: advice(unsure).length > 0 ? `psn resolve ${shortId(unsure.id)} --live URL | --not-live` : hint,
      details,
    });
  const coming = open.filter((delivery) => !TERMINAL.has(delivery.state) && !waitsForUser(delivery));
  if (coming.length > 0) {
    const so = coming.some(({ state }) => state === "sending")
      ? "not confirmed yet whether the post was published"
      : "the post is not published yet";
    throw new PsnError("STILL_PENDING", `stopped waiting; ${so}: ${said(open)}`, { hint, details });
  }
  const held = open.find((delivery) => !TERMINAL.has(delivery.state));
  if (held)
    throw new PsnError(some ? "PUBLISH_PARTIAL" : "AUTH_REVOKED", said(open), {
      hint: advice(held)[0] ?? hint,
      details,
    });
  if (of("failed").length > 0)
    throw new PsnError(some ? "PUBLISH_PARTIAL" : "PUBLISH_FAILED", said(of("failed")), { hint, details });
  if (!some) throw new PsnError("PUBLISH_CANCELLED", "the post was cancelled", { hint, details });
}

/**
 * What the user who stopped it must know: what is stored and not published yet, and how to cancel it. Undefined where
 * every delivery has ended, or waits for its user.
 *
 * @param tellTime a time as the user reads it.
 * @param goesOn whether somebody publishes what is due when this command has ended.
 */
export function stoppedPost(
  deliveries: readonly DeliverySummary[],
  tellTime: (at: Date) => string,
  goesOn: boolean,
): PsnError | undefined {
  const coming = deliveries.filter((delivery) => !TERMINAL.has(delivery.state) && !waitsForUser(delivery));
  const [first] = coming;
  if (!first) return undefined;
  const tell = (delivery: DeliverySummary) => {
    const { platform, handle, state, message, url, wakeAt } = delivery;
    const words = TO_COME.includes(state)
      ? `${state}, due ${tellTime(wakeAt)}`
      : coming.includes(delivery)
        ? `${state}; not confirmed yet whether it was published`
        : (url ?? message ?? "");
    return `${platform}:${handle}: ${coming.includes(delivery) ? words : `${state} ${words}`.trim()}`;
  };
  const id = shortId(first.postId);
  return new PsnError(
    "INTERRUPTED",
    `stopped; post ${id} is stored, and ${goesOn ? "the worker goes on with it" : "goes on when psn worker runs"}: ` +
      `${deliveries.map(tell).join(" | ")}`,
    {
      hint: coming.some(({ state }) => TO_COME.includes(state)) ? `psn cancel ${id}` : `psn show ${id}`,
      details: {
        post: first.postId,
        deliveries: deliveries.map((one) => ({ ...fact(one), next: one.nextAt?.toISOString() ?? null })),
      },
    },
  );
}

/** Account by account, with the platform's own words where there are some. */
function said(deliveries: readonly DeliverySummary[]): string {
  return deliveries
    .map((delivery) => {
      const word =
        waitsForUser(delivery) && !TERMINAL.has(delivery.state) ? "must be reconnected first" : delivery.state;
      return `${delivery.platform}:${delivery.handle}: ${delivery.message ?? word}`;
    })
    .join(" | ");
}

function fact({ id, platform, handle, state, code, url }: DeliverySummary) {
  return { id, account: `${platform}:${handle}`, state, code, url };
}
