import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryDocument, deliveryTable } from "@psn/cli/render.ts";
import { z } from "zod";

export default defineCommand({
  name: "cancel",
  summary: "take back what has not gone out",
  details: "What a platform has already been sent stays there.",
  examples: [{ line: "psn cancel 9f2c11aa", does: "all deliveries of a post, or one" }],
  args: [{ name: "<id>", help: "of a delivery or of a post, or its end" }],
  flags: [{ flags: "--dry-run", help: "say what would change, and change nothing" }],
  schema: z.object({ id: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ id, dryRun }, context) => {
    const { output } = context;
    const { world, user } = await context.hub();
    const { deliveries } = await changeDeliveries(world, user.id, id, { to: "cancel" }, dryRun);
    const head = dryRun ? "would be cancelled:" : "cancelled:";
    output.result(
      { dryRun, deliveries: deliveries.map(deliveryDocument) },
      () => `${head}\n${deliveryTable(output, deliveries, user.timeZone)}`,
    );
    return undefined;
  },
});
