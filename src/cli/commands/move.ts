import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryDocument, deliveryTable, noteLeft } from "@psn/cli/render.ts";
import { notePublisher, wakeDocument } from "@psn/cli/wake.ts";
import { dueOf, TIME_FLAGS, timeSchema } from "@psn/cli/when.ts";
import { z } from "zod";

export default defineCommand({
  name: "move",
  summary: "give a post another time",
  details:
    "Moves what has not gone out yet, and what is held gets this time too. Of a post that goes to several accounts " +
    "everything else is left as it is, and named.",
  examples: [
    { line: 'psn move 9f2c11aa --at "tomorrow 9am"', does: "all deliveries of a post, or one" },
    { line: "psn move 9f2c11aa --in 2h", does: "from now" },
  ],
  args: [{ name: "<id>", help: "of a delivery or of a post, or its end" }],
  flags: [...TIME_FLAGS, { flags: "--dry-run", help: "say what would move, and move nothing" }],
  schema: timeSchema.extend({ id: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ id, dryRun, ...time }, context) => {
    const { output } = context;
    const { world, user } = await context.hub();
    const due = dueOf(time, user.timeZone, context.now());
    const change = await changeDeliveries(
      world,
      user.id,
      id,
      { to: "move", at: due.at, wallTime: due.wall, timeZone: due.timeZone ?? user.timeZone, meant: due.wallTime },
      dryRun,
      context.noReturn,
    );
    output.result(
      {
        dryRun,
        due: due.at.toISOString(),
        wake: wakeDocument(change.woken),
        deliveries: change.deliveries.map(deliveryDocument),
        left: change.left.map(deliveryDocument),
      },
      () => [
        `${dryRun ? "would move" : "moved"} to ${due.said}`,
        deliveryTable(output, change.deliveries, user.timeZone),
      ],
    );
    noteLeft(output, change.left);
    if (!dryRun) await notePublisher(output, world, change.deliveries, change.woken);
    return undefined;
  },
});
