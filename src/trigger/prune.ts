import { pruneHub } from "@psn/app/prune-hub.ts";
import { sweepBucket } from "@psn/app/sweep-bucket.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { schedules } from "@trigger.dev/sdk";
import { PRUNE_CRON } from "./cron.ts";
import { CRON_RETRY, upkeep } from "./upkeep.ts";

/** Drops media that nobody can need any more, and what was left behind in the bucket. */
export const prune = schedules.task({
  id: "prune",
  cron: PRUNE_CRON,
  retry: CRON_RETRY,
  run: () =>
    upkeep(async (onTrouble) => {
      const { world } = openWorld();
      return { ...(await pruneHub(world, onTrouble)), objects: await sweepBucket(world, onTrouble) };
    }),
});
