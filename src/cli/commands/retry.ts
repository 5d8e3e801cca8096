import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryDocument, deliveryTable } from "@psn/cli/render.ts";
import { z } from "zod";

export default defineCommand({
  name: "retry",
  summary: "try what failed again",
  details: "Units of a thread that are out stay as they are; the thread goes on after them.",
  examples: [{ line: "psn retry 9f2c11aa", does: "a failed, held or cancelled delivery goes out now" }],
  args: [{ name: "<id>", help: "of a delivery or of a post, or its end" }],
  flags: [{ flags: "--dry-run", help: "say what would change, and change nothing" }],
  schema: z.object({ id: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ id, dryRun }, context) => {
    const { output } = context;
    const { world, user } = await context.hub();
    const { deliveries } = await changeDeliveries(world, user.id, id, { to: "retry" }, dryRun);
    const head = dryRun ? "would be tried now:" : "will be tried now:";
    output.result(
      { dryRun, deliveries: deliveries.map(deliveryDocument) },
      () => `${head}\n${deliveryTable(output, deliveries, user.timeZone)}`,
    );
    return undefined;
  },
});
