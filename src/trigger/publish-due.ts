import { watchHub } from "@psn/app/watch-hub.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { schedules } from "@trigger.dev/sdk";
import { version } from "../../package.json";
import { WATCHDOG_CRON } from "./cron.ts";
import { CRON_RETRY, upkeep } from "./upkeep.ts";

/** The watchdog: finds what nobody was woken for. Rare, because each look wakes the database. */
export const publishDue = schedules.task({
  id: "publish-due",
  cron: WATCHDOG_CRON,
  retry: CRON_RETRY,
  run: () =>
    upkeep((onTrouble) => {
      const { world, watchdogMs } = openWorld();
      return watchHub({ world, version, everyMs: watchdogMs, onTrouble });
    }),
});
