import { move } from "@psn/app/verbs/change.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryTable, noteLeft } from "@psn/cli/render.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { dueOf, TIME_FLAGS, timeSchema } from "@psn/cli/when.ts";
import { TO_COME } from "@psn/core/types/index.ts";
import { z } from "zod";

export default defineCommand({
  name: "move",
  summary: move.summary,
  details:
    "Changes the time of deliveries that are not sent yet, including those on hold. Other deliveries of the post " +
    "do not change; psn lists them.",
  examples: [
    { line: 'psn move 9f2c11aa --at "tomorrow 9am"', does: "all deliveries of a post, or a single one" },
    { line: "psn move 9f2c11aa --in 2h", does: "two hours from now" },
  ],
  args: [{ name: "<id>", help: "the id of a delivery or a post, or the end of the id", takes: { ids: TO_COME } }],
  flags: [...TIME_FLAGS, { flags: "--dry-run", help: "show what would be moved, and move nothing" }],
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
    if (!dryRun) await notePublisher(output, { world, deliveries: change.deliveries, woken: change.woken });
    return undefined;
  },
});
