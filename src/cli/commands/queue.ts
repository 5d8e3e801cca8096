import { MOST, queue, USUAL } from "@psn/app/verbs/queue.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable } from "@psn/cli/render.ts";
import { z } from "zod";

const LIMIT = `must be a whole number from 1 to ${MOST}`;

export default defineCommand({
  name: "queue",
  summary: queue.summary,
  examples: [
    { line: "psn queue", does: "scheduled deliveries, the next one first" },
    { line: "psn queue --all", does: "also finished deliveries, the latest first" },
  ],
  flags: [
    { flags: "--all", help: "also list deliveries that are published, failed, cancelled or removed" },
    { flags: "--limit <n>", help: `maximum number of deliveries; default: ${USUAL}` },
  ],
  document: queue.output,
  schema: z.object({
    all: z.boolean().default(false),
    limit: z.coerce
      .number({ error: LIMIT })
      .refine((n) => Number.isInteger(n) && n >= 1 && n <= MOST, { error: LIMIT })
      .default(USUAL),
  }),
  run: async ({ all, limit }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { user } = hub;
    const deliveries = await queue.run(hub, { all, limit });
    output.result(queue.document(deliveries), () => deliveryTable(output, deliveries, user.timeZone));
    if (deliveries.length === 0) output.note(all ? "nothing yet" : "nothing is waiting");
    return undefined;
  },
});
