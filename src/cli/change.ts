import { changeDeliveries } from "@psn/app/change-deliveries.ts";
import { ChangeDocument, changeDocument } from "@psn/app/documents/change.ts";
import { z } from "zod";
import { type Command, defineCommand } from "./command.ts";
import { deliveryTable, noteLeft } from "./render.ts";
import { notePublisher } from "./wake.ts";

/** A command that changes all deliveries an id means, and asks nothing else. */
export function changeCommand(
  to: "cancel" | "retry",
  said: { readonly done: string; readonly would: string },
  about: Pick<Command, "summary" | "details" | "examples">,
): Command<z.ZodType, typeof ChangeDocument> {
  return defineCommand({
    name: to,
    ...about,
    args: [{ name: "<id>", help: "of a delivery or of a post, or its end" }],
    flags: [{ flags: "--dry-run", help: "say what would change, and change nothing" }],
    document: ChangeDocument,
    schema: z.object({ id: z.string(), dryRun: z.boolean().default(false) }),
    run: async ({ id, dryRun }, context) => {
      const { output } = context;
      const { world, user } = await context.hub();
      const changed = await changeDeliveries(world, user.id, id, { to }, dryRun, context.noReturn);
      const { deliveries, left, woken } = changed;
      const head = `${dryRun ? said.would : said.done}:`;
      output.result(changeDocument({ ...changed, dryRun }), () => [
        head,
        deliveryTable(output, deliveries, user.timeZone),
      ]);
      noteLeft(output, left);
      if (!dryRun) await notePublisher(output, world, deliveries, woken);
      return undefined;
    },
  });
}
