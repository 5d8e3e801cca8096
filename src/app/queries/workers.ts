import { SILENT_MS } from "@psn/app/doctor.ts";
import type { World } from "@psn/core/ports/world.ts";

/** Whether a worker is running that goes on when the caller has ended. */
export async function isWorking({ stores }: Pick<World, "stores">): Promise<boolean> {
  return (await stores.inspection.workers()).some(({ beatMsAgo }) => beatMsAgo < SILENT_MS);
}
