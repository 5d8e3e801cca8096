import { move } from "@psn/app/verbs/change.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable, noteLeft } from "@psn/cli/render.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { dueOf, TIME_FLAGS, timeSchema } from "@psn/cli/when.ts";
import { z } from "zod";

export default defineCommand({
  name: "move",
  summary: move.summary,
  details:
    "Moves what has not gone out yet, and what is held gets this time too. Of a post that goes to several accounts " +
    "everything else is left as it is, and named.",
  examples: [
    { line: 'psn move 9f2c11aa --at "tomorrow 9am"', does: "all deliveries of a post, or one" },
    { line: "psn move 9f2c11aa --in 2h", does: "from now" },
  ],
  args: [{ name: "<id>", help: "of a delivery or of a post, or its end" }],
  flags: [...TIME_FLAGS, { flags: "--dry-run", help: "say what would move, and move nothing" }],
  document: move.output,
  schema: timeSchema.extend({ id: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ id, dryRun, ...time }, context) => {
    const { output } = context;
    const hub = await context.hub();
    const { world, user } = hub;
    const due = dueOf(time, user.timeZone, context.now());
    const change = await move.run(
      hub,
      { id, due: due.at.toISOString(), wallTime: due.wallTime, timeZone: due.timeZone ?? user.timeZone, dryRun },
      { noReturn: context.noReturn },
    );
    output.result(move.document(change), () => [
      `${dryRun ? "would move" : "moved"} to ${due.said}`,
      deliveryTable(output, change.deliveries, user.timeZone),
    ]);
    noteLeft(output, change.left);
    if (!dryRun) await notePublisher(output, world, change.deliveries, change.woken);
    return undefined;
  },
});
