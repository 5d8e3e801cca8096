import { reconnecting } from "@psn/app/advice.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { isWorking } from "@psn/app/queries/workers.ts";
import type { Woken } from "@psn/app/wake-up.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Lines, Output } from "./output.ts";

/** Says on stderr what a person must know about it; nothing where workers listen to the database. */
function noteWake(output: Output, woken: Woken): void {
  const said = wakeNote(woken);
  if (said !== undefined) output.note(said);
}

/** Says on stderr who publishes what is scheduled now, and what is missing for that. */
export async function notePublisher(
  output: Output,
  {
    world,
    deliveries,
    woken,
  }: { readonly world: World; readonly deliveries: readonly DeliverySummary[]; readonly woken: Woken },
): Promise<void> {
  const scheduled = deliveries.filter(({ state }) => state === "scheduled");
  const sick = scheduled.find(({ health }) => health !== "ok");
  if (sick)
    output.note(
      `${sick.platform}:${sick.handle} must be reconnected first: ${reconnecting(sick.platform, sick.handle)}`,
    );
  const [first] = scheduled.filter(({ health }) => health === "ok");
  if (!first) return;
  noteWake(output, woken);
  const working = woken.queue !== null || (await isWorking(world));
  output.note(
    working
      ? `next: psn show ${shortId(first.postId)}`
      : `no worker is running; the post will be ${first.operation === "remove" ? "removed" : "published"} when one ` +
          `runs: psn worker`,
  );
}

function wakeNote({ queue, missed, atHome }: Woken): Lines | undefined {
  if (queue === null) return undefined;
  const lines = [
    ...(missed
      ? [
          `could not notify ${queue}: ${missed.message}. The post is stored; the watchdog there will process it at ` +
            `its next check`,
        ]
      : []),
    ...(atHome.length > 0
      ? [
          `${atHome.map(({ platform, handle }) => `${platform}:${handle}`).join(", ")} can be published only from ` +
            `this machine, while psn worker runs here`,
        ]
      : []),
  ];
  return lines.length > 0 ? lines : `${queue} publishes it; this machine may be off`;
}
