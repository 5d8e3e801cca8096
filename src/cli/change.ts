import type { ChangeDocument } from "@psn/app/documents/change.ts";
import type { cancel, retry } from "@psn/app/verbs/change.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { z } from "zod";
import { type Command, defineCommand } from "./command.ts";
import { deliveryTable, noteLeft } from "./render.ts";
import { notePublisher } from "./wake.ts";

/** A command that changes all deliveries an id means, and asks nothing else. */
export function changeCommand(
  verb: typeof cancel | typeof retry,
  said: { readonly done: string; readonly would: string; readonly takes: readonly DeliveryState[] },
  about: Pick<Command, "details" | "examples">,
): Command<z.ZodType, typeof ChangeDocument> {
  return defineCommand({
    name: verb.name,
    summary: verb.summary,
    ...about,
    args: [{ name: "<id>", help: "the id of a delivery or a post, or the end of the id", takes: { ids: said.takes } }],
    flags: [{ flags: "--dry-run", help: "show what would change, and change nothing" }],
    document: verb.output,
    schema: z.object({ id: z.string(), dryRun: z.boolean().default(false) }),
    run: async ({ id, dryRun }, context) => {
      const { output } = context;
      const hub = await context.hub();
      const { world, user } = hub;
      const changed = await verb.run(hub, { id, dryRun }, { noReturn: context.noReturn });
      const { deliveries, left, woken } = changed;
      const head = `${dryRun ? said.would : said.done}:`;
      output.result(verb.document(changed), () => [head, deliveryTable(output, deliveries, user.timeZone)]);
      noteLeft(output, left);
      if (!dryRun) await notePublisher(output, { world, deliveries, woken });
      return undefined;
    },
  });
}
