import { refreshTokens as refreshAll } from "@psn/app/refresh-tokens.ts";
import { openWorld } from "@psn/wiring/tasks.ts";
import { schedules } from "@trigger.dev/sdk";
import { REFRESH_CRON } from "./cron.ts";
import { CRON_RETRY, upkeep } from "./upkeep.ts";

/** Exchanges tokens that would end before somebody needs them. */
export const refreshTokens = schedules.task({
  id: "refresh-tokens",
  cron: REFRESH_CRON,
  retry: CRON_RETRY,
  run: () => upkeep((onTrouble) => refreshAll(openWorld().world, onTrouble)),
});
