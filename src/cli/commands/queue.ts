import { DeliveriesDocument, deliveriesDocument } from "@psn/app/documents/delivery.ts";
import { queueOf } from "@psn/app/queries/queue.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable } from "@psn/cli/render.ts";
import { z } from "zod";

const MOST = 10_000;
const LIMIT = `must be a whole number from 1 to ${MOST}`;

export default defineCommand({
  name: "queue",
  summary: "what goes out when",
  examples: [
    { line: "psn queue", does: "what is still to come, the next first" },
    { line: "psn queue --all", does: "what has ended too, the latest first" },
  ],
  flags: [
    { flags: "--all", help: "also what was published, failed or was cancelled" },
    { flags: "--limit <n>", help: "at most this many; 50 if not given" },
  ],
  document: DeliveriesDocument,
  schema: z.object({
    all: z.boolean().default(false),
    limit: z.coerce
      .number({ error: LIMIT })
      .refine((n) => Number.isInteger(n) && n >= 1 && n <= MOST, { error: LIMIT })
      .default(50),
  }),
  run: async ({ all, limit }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { user } = hub;
    const deliveries = await queueOf(hub, { all, limit });
    output.result(deliveriesDocument(deliveries), () => deliveryTable(output, deliveries, user.timeZone));
    if (deliveries.length === 0) output.note(all ? "nothing yet" : "nothing is waiting");
    return undefined;
  },
});
